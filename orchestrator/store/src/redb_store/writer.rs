//! The writer thread: decides transactions in memory, makes a batch durable, then shows it.

use super::file::{self, Change, Commit, Commits, Opened, Opener, Retention};
use super::state::{Shared, Snapshot};
use crate::{Entry, Event, Op, Outcome, Revision, StoreError, Txn, limits};
use runtime_base::Clock;
use runtime_base::error::chain;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::UNIX_EPOCH;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tracing::{debug, error, info, warn};

type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// What the writer is asked for.
pub(super) enum Command {
    Txn { txn: Txn, reply: Reply<Outcome> },
    Compact { revision: Revision, reply: Reply<()> },
    Close { reply: oneshot::Sender<()> },
}

struct Writer {
    shared: Arc<Shared>,
    opener: Opener,
    clock: Clock,
    retention: Retention,
    compacted: Revision,
    commits: Commits,
    /// Bytes of the current keys and values, about.
    live_bytes: u64,
    /// Why the last commit failed, and when a commit was last tried.
    failure: Option<(StoreError, Instant)>,
    /// When the file was last made smaller, and its size afterwards.
    shrunk: Option<(Instant, u64)>,
}

/// Starts the thread; it ends when the last sender is gone or a close is asked for.
pub(super) fn start(
    shared: Arc<Shared>,
    queue: mpsc::Receiver<Command>,
    opener: Opener,
    opened: Opened,
    clock: Clock,
    retention: Retention,
) -> Result<(), StoreError> {
    shared.set_file(Some(opened.file));
    shared.set_compacted(opened.compacted);
    let writer = Writer {
        shared,
        opener,
        clock,
        retention,
        compacted: opened.compacted,
        commits: opened.commits,
        live_bytes: opened.snapshot.bytes(),
        failure: None,
        shrunk: None,
    };
    // The thread follows the clock of the runtime that opened the store, which a test may pause.
    let runtime = tokio::runtime::Handle::try_current().ok();
    let thread = std::thread::Builder::new().name("store".into()).spawn(move || {
        let _entered = runtime.as_ref().map(tokio::runtime::Handle::enter);
        writer.run(queue);
    });
    thread.map(drop).map_err(|error| StoreError::Broken(format!("cannot start the store's thread: {error}")))
}

impl Writer {
    fn run(mut self, mut queue: mpsc::Receiver<Command>) {
        let mut closing = None;
        while closing.is_none()
            && let Some(first) = queue.blocking_recv()
        {
            let mut batch = Vec::new();
            let mut next = Some(first);
            while let Some(command) = next {
                match command {
                    Command::Txn { txn, reply } => batch.push((txn, reply)),
                    Command::Compact { revision, reply } => {
                        self.commit(std::mem::take(&mut batch));
                        let _ = reply.send(self.compact_to(revision));
                    }
                    Command::Close { reply } => {
                        closing = Some(reply);
                        break;
                    }
                }
                next = if batch.len() < limits::BATCH_MAX { queue.try_recv().ok() } else { None };
            }
            self.commit(batch);
            if closing.is_none() && queue.is_empty() {
                self.shrink();
            }
        }
        queue.close();
        self.shared.end_watchers();
        self.shared.set_file(None);
        if let Some(reply) = closing {
            let _ = reply.send(());
        }
    }

    /// Decides, makes durable, shows and answers a batch.
    fn commit(&mut self, batch: Vec<(Txn, Reply<Outcome>)>) {
        if batch.is_empty() {
            return;
        }
        let file = match self.usable_file() {
            Ok(file) => file,
            Err(error) => return refuse(batch, &error),
        };
        let mut next = Snapshot::clone(&self.shared.snapshot());
        let mut events = Vec::new();
        let outcomes: Vec<Outcome> = batch.iter().map(|(txn, _)| decide(txn, &mut next, &mut events)).collect();
        if !events.is_empty() {
            let bytes = events.iter().map(file::event_bytes).sum();
            let commit =
                Commit { last: next.revision, seconds: self.now_seconds(), events: events.len() as u64, bytes };
            self.commits.push(commit);
            let forget = self.commits.outdated(&self.retention, commit.seconds);
            let compacted = forget.last().map_or(self.compacted, |commit| commit.last);
            let change =
                Change { revision: next.revision, events: &events, commit: Some(commit), forget: &forget, compacted };
            let written = self.write(&file, &change);
            drop(file);
            if let Err(error) = written {
                return refuse(batch, &self.fail(error));
            }
            self.forgotten(forget.len(), compacted);
            for event in &events {
                let size = |entry: &Option<Entry>| entry.as_ref().map_or(0, file::entry_bytes);
                self.live_bytes = (self.live_bytes + size(&event.entry)).saturating_sub(size(&event.previous));
            }
            self.shared.publish(next, events);
        }
        for ((_, reply), outcome) in batch.into_iter().zip(outcomes) {
            // Whoever asked may have gone; the change stands.
            let _ = reply.send(Ok(outcome));
        }
    }

    fn write(&mut self, file: &file::File, change: &Change<'_>) -> Result<(), StoreError> {
        match std::panic::catch_unwind(AssertUnwindSafe(|| file::write(file, change))) {
            Ok(Ok(())) => {
                if self.failure.take().is_some() {
                    info!(file = %self.shared.name, "writes go on");
                }
                Ok(())
            }
            Ok(Err(error)) => Err(file::write_error(&self.shared.name, &error)),
            Err(_) => Err(StoreError::Unavailable("writing failed".into())),
        }
    }

    fn now_seconds(&self) -> u64 {
        self.clock.now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
    }

    fn forgotten(&mut self, commits: usize, compacted: Revision) {
        self.commits.forget(commits);
        self.compacted = compacted;
        self.shared.set_compacted(compacted);
    }

    fn compact_to(&mut self, revision: Revision) -> Result<(), StoreError> {
        let newest = self.shared.snapshot().revision;
        if revision > newest {
            return Err(StoreError::Future { requested: revision, newest });
        }
        if revision <= self.compacted {
            return Ok(());
        }
        let file = self.usable_file()?;
        let forget = self.commits.up_to(revision);
        let change = Change { revision: newest, events: &[], commit: None, forget: &forget, compacted: revision };
        let written = self.write(&file, &change);
        drop(file);
        written.map_err(|error| self.fail(error))?;
        self.forgotten(forget.len(), revision);
        Ok(())
    }

    /// After a failed commit nothing is known of the file but what it says when it is read anew.
    fn fail(&mut self, failure: StoreError) -> StoreError {
        error!(file = %self.shared.name, error = chain(&failure), "a commit failed");
        self.shared.set_file(None);
        self.failure = Some((failure.clone(), self.clock.monotonic()));
        // The history can be read on, if that goes without writing.
        if let Err(error) = self.reopen() {
            warn!(file = %self.shared.name, error = chain(&error), "it cannot be reopened yet");
        }
        failure
    }

    /// The file, to write to; refuses for a while after a failure.
    fn usable_file(&mut self) -> Result<file::File, StoreError> {
        if let Some((failure, tried)) = &mut self.failure {
            let now = self.clock.monotonic();
            if now.duration_since(*tried) < limits::REOPEN_DELAY {
                return Err(failure.clone());
            }
            *tried = now;
        }
        if let Some(file) = self.shared.file() {
            return Ok(file);
        }
        self.reopen().map_err(|error| match (&self.failure, error) {
            // The first error says more than that it is still there.
            (Some((full @ StoreError::Full(_), _)), _) => full.clone(),
            (_, full @ StoreError::Full(_)) => full,
            (_, error) => StoreError::Unavailable(error.to_string()),
        })
    }

    /// Opens the file again and shows what became durable although its commit failed.
    fn reopen(&mut self) -> Result<file::File, StoreError> {
        let opened = file::open(&self.opener, &self.shared.name)?;
        let known = self.shared.snapshot().revision;
        let found = opened.snapshot.revision;
        if found < known {
            let text = format!("{} fell back from revision {known} to {found}", self.shared.name);
            return Err(StoreError::Unavailable(text));
        }
        let (events, _) = file::read_log(&opened.file, &self.shared.name, known, found, None)?;
        self.shared.set_file(Some(opened.file.clone()));
        self.shared.set_compacted(opened.compacted);
        (self.compacted, self.commits) = (opened.compacted, opened.commits);
        self.live_bytes = opened.snapshot.bytes();
        self.shared.publish(opened.snapshot, events);
        Ok(opened.file)
    }

    /// Gives the room of forgotten history and deleted entries back to the disk, when it is much.
    fn shrink(&mut self) {
        let size = (self.opener.size)();
        if self.failure.is_some() || size <= self.retention.file_bytes {
            return;
        }
        // An event holds what was and what is; both have some room around them.
        let needed = self.live_bytes + self.commits.bytes();
        if size / limits::SHRINK_FACTOR <= needed {
            return;
        }
        let now = self.clock.monotonic();
        if let Some((last, left)) = self.shrunk
            && (now.duration_since(last) < limits::SHRINK_INTERVAL || size / 2 < left)
        {
            return;
        }
        let shared = self.shared.clone();
        let done = std::panic::catch_unwind(AssertUnwindSafe(|| shared.alone_with_file(redb::Database::compact)));
        match done {
            Ok(Some(Ok(_))) => {
                let left = (self.opener.size)();
                let took_ms = self.clock.monotonic().duration_since(now).as_millis();
                info!(file = %self.shared.name, from = size, to = left, took_ms, "made the store's file smaller");
                self.shrunk = Some((self.clock.monotonic(), left));
            }
            Ok(None) => debug!(file = %self.shared.name, "the store's file is in use and stays as large as it is"),
            Ok(Some(Err(redb::CompactionError::Storage(error)))) => {
                self.shrunk = Some((now, size));
                let error = file::write_error(&self.shared.name, &error.into());
                self.fail(error);
            }
            Ok(Some(Err(error))) => {
                warn!(file = %self.shared.name, error = chain(&error), "the store's file stays as large as it is");
                self.shrunk = Some((now, size));
            }
            Err(_) => {
                self.shrunk = Some((now, size));
                self.fail(StoreError::Unavailable("making the file smaller failed".into()));
            }
        }
    }
}

fn refuse(batch: Vec<(Txn, Reply<Outcome>)>, error: &StoreError) {
    for (_, reply) in batch {
        let _ = reply.send(Err(error.clone()));
    }
}

/// Applies `txn` to `next` if its conditions hold.
fn decide(txn: &Txn, next: &mut Snapshot, events: &mut Vec<Event>) -> Outcome {
    for compare in &txn.compare {
        let current = next.entries.get(&*compare.key);
        if current.map_or(0, |entry| entry.mod_revision) != compare.mod_revision {
            return Outcome::Conflict { key: compare.key.clone(), current: current.map(|entry| Entry::clone(entry)) };
        }
    }
    let revision = next.revision + 1;
    // What each key held before, in the order of the first change.
    let mut before: Vec<(Arc<str>, Option<Arc<Entry>>)> = Vec::with_capacity(txn.ops.len());
    for op in &txn.ops {
        let key = match op {
            Op::Put { key, .. } | Op::Delete { key } => key,
        };
        let place = before.iter().position(|(seen, _)| seen == key).unwrap_or_else(|| {
            before.push((key.clone(), next.entries.get(&**key).cloned()));
            before.len() - 1
        });
        let create_revision = before[place].1.as_ref().map_or(revision, |entry| entry.create_revision);
        match op {
            Op::Put { key, value } => {
                let entry = Entry { key: key.clone(), value: value.clone(), create_revision, mod_revision: revision };
                next.entries.insert(key.clone(), Arc::new(entry));
            }
            Op::Delete { key } => drop(next.entries.remove(&**key)),
        }
    }
    let changes = events.len();
    for (key, previous) in before {
        let previous = previous.map(|entry| Entry::clone(&entry));
        let entry = next.entries.get(&*key).map(|entry| Entry::clone(entry));
        if entry.is_some() || previous.is_some() {
            events.push(Event { revision, key, entry, previous });
        }
    }
    if events.len() > changes {
        next.revision = revision;
    }
    Outcome::Committed(next.revision)
}
