//! Watches of etcd as the store's events.

use super::channel::{Answers, CallError, Channel};
use super::messages::{self, KeyValue, WatchCreateRequest, WatchRequest, WatchResponse};
use super::{Inner, entry, key_of, number, range_of};
use crate::{Event, Revision, StoreError};
use futures::stream::{self, BoxStream, StreamExt};
use std::collections::VecDeque;
use std::sync::Arc;

const WATCH: &str = "/etcdserverpb.Watch/Watch";

struct Watch {
    inner: Arc<Inner>,
    answers: Answers,
    /// Events up to here were asked for in vain.
    after: Revision,
    ready: VecDeque<Event>,
    ended: bool,
}

/// Opens a watch whose answers begin with the event at `start`. Starting one earlier than wanted
/// lets etcd itself say whether what came after was compacted: it says nothing of a start just
/// behind the compacted revision, although deletions may be missing there.
async fn open(channel: &Channel, prefix: &str, start: Revision) -> Result<Answers, CallError> {
    let (key, range_end) = range_of(prefix);
    let create = WatchCreateRequest { key, range_end, start_revision: number(start), prev_kv: true };
    channel.stream(WATCH, &WatchRequest { create: Some(create) }).await
}

/// The oldest revision that is kept, found by asking for `compacted`, which is not.
pub(super) async fn oldest(channel: &Channel, compacted: Revision) -> Result<Revision, StoreError> {
    let failed = |error: CallError| error.into_store(compacted);
    let mut answers = open(channel, "", compacted.max(1)).await.map_err(failed)?;
    loop {
        let answer: WatchResponse = answers.next().await.map_err(failed)?;
        if answer.compact_revision > 0 {
            return Ok(answer.compact_revision.unsigned_abs());
        }
        if !answer.events.is_empty() || answer.canceled {
            return Ok(compacted);
        }
    }
}

pub(super) async fn watch(
    inner: Arc<Inner>,
    prefix: &str,
    after: Revision,
) -> Result<BoxStream<'static, Result<Event, StoreError>>, StoreError> {
    let answers = open(&inner.channel, prefix, after).await.map_err(|error| error.into_store(after))?;
    let watch = Watch { inner, answers, after, ready: VecDeque::new(), ended: false };
    Ok(stream::unfold(watch, |mut watch| async move { watch.next().await.map(|event| (event, watch)) }).boxed())
}

impl Watch {
    async fn next(&mut self) -> Option<Result<Event, StoreError>> {
        while !self.ended {
            if let Some(event) = self.ready.pop_front() {
                return Some(Ok(event));
            }
            let filled = match self.answers.next().await {
                Ok(answer) => self.take(answer),
                Err(error) => Err(error.into_store(self.after)),
            };
            if let Err(error) = filled {
                self.ended = true;
                return Some(Err(error));
            }
        }
        None
    }

    fn take(&mut self, answer: WatchResponse) -> Result<(), StoreError> {
        if answer.compact_revision > 0 {
            let oldest = answer.compact_revision.unsigned_abs();
            return Err(StoreError::Compacted { requested: self.after, oldest });
        }
        if answer.canceled {
            return Err(StoreError::Unavailable(format!("etcd ended a watch: {}", answer.cancel_reason)));
        }
        for event in answer.events {
            let Some(kv) = event.kv else { continue };
            let revision = kv.mod_revision.unsigned_abs();
            if revision > self.after {
                self.ready.push_back(converted(event.kind, kv, event.prev_kv)?);
            }
        }
        if let Some(last) = self.ready.back() {
            self.after = last.revision;
            self.inner.seen(last.revision);
        }
        Ok(())
    }
}

fn converted(kind: i32, kv: KeyValue, previous: Option<KeyValue>) -> Result<Event, StoreError> {
    let revision = kv.mod_revision.unsigned_abs();
    let deleted = kind == messages::DELETE;
    // A compaction that overtook the watch took what was before; without it the event is half.
    if previous.is_none() && (deleted || kv.create_revision != kv.mod_revision) {
        return Err(StoreError::Compacted { requested: revision - 1, oldest: revision });
    }
    let (key, previous) = (key_of(&kv), previous.map(entry));
    Ok(Event { revision, key, entry: (!deleted).then(|| entry(kv)), previous })
}
