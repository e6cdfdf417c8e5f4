//! Reading the past: watches that start in it, and lists of it.

use super::file;
use super::state::{Shared, Snapshot, Subscription};
use crate::{Entry, Event, Revision, StoreError, limits};
use futures::stream::{self, BoxStream, StreamExt};
use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The entries of `prefix` as they were at `at`, from the newest ones and the history since.
pub(super) async fn rewind(
    shared: &Arc<Shared>,
    now: &Snapshot,
    prefix: &str,
    at: Revision,
) -> Result<Snapshot, StoreError> {
    let (events, _) = read(shared.clone(), at, now.revision, None).await?;
    // The first event of a key after `at` tells what the key held at `at`.
    let mut then: BTreeMap<Arc<str>, Option<Entry>> = BTreeMap::new();
    for event in events.into_iter().filter(|event| event.key.starts_with(prefix)) {
        then.entry(event.key).or_insert(event.previous);
    }
    let mut entries = now.entries.clone();
    for (key, entry) in then {
        match entry {
            Some(entry) => entries.insert(key, Arc::new(entry)),
            None => entries.remove(&*key),
        };
    }
    Ok(Snapshot { revision: at, entries })
}

async fn read(
    shared: Arc<Shared>,
    after: Revision,
    until: Revision,
    limit: Option<usize>,
) -> Result<(Vec<Event>, bool), StoreError> {
    let reading = tokio::task::spawn_blocking(move || {
        shared.with_file(|database| file::read_log(database, &shared.name, after, until, limit))
    });
    reading.await.unwrap_or_else(|_| Err(StoreError::Unavailable("reading history failed".into())))
}

struct Watch {
    shared: Arc<Shared>,
    prefix: Arc<str>,
    subscription: Subscription,
    /// Events up to here were taken from the history.
    read: Revision,
    ready: VecDeque<Event>,
    ended: bool,
}

/// Events of `prefix` after `after`: first from the history, then as they are published.
pub(super) fn watch(
    shared: Arc<Shared>,
    prefix: &str,
    after: Revision,
) -> Result<BoxStream<'static, Result<Event, StoreError>>, StoreError> {
    let subscription = shared.subscribe(prefix)?;
    if after > subscription.revision {
        return Err(StoreError::Future { requested: after, newest: subscription.revision });
    }
    let oldest = shared.compacted();
    if after < oldest {
        return Err(StoreError::Compacted { requested: after, oldest });
    }
    let prefix = prefix.into();
    let watch = Watch { shared, prefix, subscription, read: after, ready: VecDeque::new(), ended: false };
    Ok(stream::unfold(watch, |mut watch| async move { watch.next().await.map(|event| (event, watch)) }).boxed())
}

impl Watch {
    async fn next(&mut self) -> Option<Result<Event, StoreError>> {
        while !self.ended {
            if let Some(event) = self.ready.pop_front() {
                return Some(Ok(event));
            }
            if let Err(error) = self.fill().await {
                self.ended = true;
                return Some(Err(error));
            }
        }
        None
    }

    async fn fill(&mut self) -> Result<(), StoreError> {
        let until = self.subscription.revision;
        if self.read < until {
            let limit = Some(limits::HISTORY_READ_MAX);
            let (events, whole) = read(self.shared.clone(), self.read, until, limit).await?;
            self.read = if whole { until } else { events.last().map_or(until, |event| event.revision) };
            self.ready.extend(events.into_iter().filter(|event| event.key.starts_with(&*self.prefix)));
            return Ok(());
        }
        match self.subscription.batches.recv().await {
            Some(batch) => self.ready.extend(batch.iter().cloned()),
            None if self.subscription.lagged.load(Ordering::Acquire) => return Err(StoreError::Lagged),
            None => return Err(StoreError::Unavailable(format!("{} is closed", self.shared.name))),
        }
        Ok(())
    }
}
