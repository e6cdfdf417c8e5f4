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
use tracing::{error, info};

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
    file: Option<file::File>,
    compacted: Revision,
    commits: Commits,
    /// Why writes are refused, and when reopening was last tried.
    failure: Option<(String, Instant)>,
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
    shared.set_file(Some(opened.file.clone()));
    shared.set_compacted(opened.compacted);
    let writer = Writer {
        shared,
        opener,
        clock,
        retention,
        file: Some(opened.file),
        compacted: opened.compacted,
        commits: opened.commits,
        failure: None,
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
        }
        queue.close();
        self.shared.end_watchers();
        self.drop_file();
        if let Some(reply) = closing {
            let _ = reply.send(());
        }
    }

    fn drop_file(&mut self) {
        self.shared.set_file(None);
        self.file = None;
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
            if let Err(error) = self.write(&file, &change) {
                drop(file);
                return refuse(batch, &self.fail(error));
            }
            self.forgotten(forget.len(), compacted);
            self.shared.publish(next, events);
        }
        for ((_, reply), outcome) in batch.into_iter().zip(outcomes) {
            // Whoever asked may have gone; the change stands.
            let _ = reply.send(Ok(outcome));
        }
    }

    fn write(&self, file: &file::File, change: &Change<'_>) -> Result<(), String> {
        match std::panic::catch_unwind(AssertUnwindSafe(|| file::write(file, change))) {
            Ok(result) => result.map_err(|error| chain(&error)),
            Err(_) => Err("writing failed".into()),
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
        if let Err(error) = self.write(&file, &change) {
            drop(file);
            return Err(self.fail(error));
        }
        self.forgotten(forget.len(), revision);
        Ok(())
    }

    /// After a failed commit nothing is known of the file but what it says when it is read anew.
    fn fail(&mut self, text: String) -> StoreError {
        error!(file = %self.shared.name, error = text, "commit failed, writes stop until the store has reopened");
        self.drop_file();
        self.failure = Some((text.clone(), self.clock.monotonic()));
        StoreError::Unavailable(text)
    }

    fn usable_file(&mut self) -> Result<file::File, StoreError> {
        if let Some(file) = &self.file {
            return Ok(file.clone());
        }
        let now = self.clock.monotonic();
        if let Some((text, tried)) = &self.failure
            && now.duration_since(*tried) < limits::REOPEN_DELAY
        {
            return Err(StoreError::Unavailable(text.clone()));
        }
        match self.reopen() {
            Ok(file) => {
                info!(file = %self.shared.name, "store reopened, writes go on");
                self.failure = None;
                Ok(file)
            }
            Err(text) => {
                self.failure = Some((text.clone(), now));
                Err(StoreError::Unavailable(text))
            }
        }
    }

    /// Opens the file again and shows what became durable although its commit failed.
    fn reopen(&mut self) -> Result<file::File, String> {
        let opened = file::open(&self.opener, &self.shared.name).map_err(|error| error.to_string())?;
        let known = self.shared.snapshot().revision;
        let found = opened.snapshot.revision;
        if found < known {
            return Err(format!("{} fell back from revision {known} to {found}", self.shared.name));
        }
        let events = file::read_log(&opened.file, &self.shared.name, known, found, 0).map_err(|e| e.to_string())?;
        self.shared.set_file(Some(opened.file.clone()));
        self.shared.set_compacted(opened.compacted);
        (self.compacted, self.commits) = (opened.compacted, opened.commits);
        self.shared.publish(opened.snapshot, events);
        self.file = Some(opened.file.clone());
        Ok(opened.file)
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
        let current = next.entries.get(&**key).cloned();
        let create_revision = current.as_ref().map_or(revision, |entry| entry.create_revision);
        if !before.iter().any(|(seen, _)| seen == key) {
            before.push((key.clone(), current));
        }
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
