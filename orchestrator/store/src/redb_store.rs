//! The store in one redb file.
//!
//! A writer thread owns the file. It takes all transactions that wait, decides them in memory,
//! makes them durable with one commit, and only then shows them: first the new state, then the
//! events, then the replies. Current entries are kept in memory (an immutable map that readers
//! share), the history in the file.

mod file;
mod history;
mod restore;
mod rows;
mod state;
mod writer;

use crate::backup::Backup;
use crate::{Entry, Event, Outcome, Page, Revision, Store, StoreError, Txn, limits};
use async_trait::async_trait;
use file::{Opener, Retention};
use futures::stream::BoxStream;
use runtime_base::Clock;
use state::Shared;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use writer::Command;

/// How a store is opened.
#[derive(Clone, Debug)]
pub struct RedbOptions {
    /// Tells how old history is.
    pub clock: Clock,
}

/// A store in one file; see [`RedbStore::open`].
pub struct RedbStore {
    shared: Arc<Shared>,
    commands: mpsc::Sender<Command>,
}

impl RedbStore {
    /// Opens the file at `path`, or makes it. Fails with [`StoreError::Broken`] when the file is
    /// damaged, in use by another process or not accessible; it is never overwritten.
    pub fn open(path: &Path, options: RedbOptions) -> Result<Arc<dyn Store>, StoreError> {
        Ok(Arc::new(Self::start(file::file_opener(path), path.display().to_string(), options, Retention::default())?))
    }

    /// A store that forgets everything with the process; for tests and throw-away clusters.
    pub fn in_memory(options: RedbOptions) -> Result<Arc<dyn Store>, StoreError> {
        Ok(Arc::new(Self::start(file::memory_opener(), "memory".into(), options, Retention::default())?))
    }

    /// Makes the file at `path` anew from a backup, while no server uses it; the old file is kept
    /// beside it with `.before-restore` behind its name. Answers the store's new revision: above
    /// all that were ever seen, with no history, so that every watch of before gets
    /// [`StoreError::Compacted`].
    pub fn restore(path: &Path, backup: &Backup) -> Result<Revision, StoreError> {
        restore::restore(path, backup)
    }

    fn start(opener: Opener, name: String, options: RedbOptions, retention: Retention) -> Result<Self, StoreError> {
        let opened = file::open(&opener, &name)?;
        let shared = Arc::new(Shared::new(name, &opened));
        let (commands, queue) = mpsc::channel(limits::QUEUE_MAX);
        writer::start(shared.clone(), queue, opener, opened, options.clock, retention)?;
        Ok(RedbStore { shared, commands })
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.commands.try_send(command(reply)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => StoreError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => closed(),
        })?;
        answer.await.map_err(|_| closed())
    }
}

fn closed() -> StoreError {
    StoreError::Unavailable("it is closed".into())
}

#[async_trait]
impl Store for RedbStore {
    fn revision(&self) -> Revision {
        self.shared.snapshot().revision
    }

    async fn fresh_revision(&self) -> Result<Revision, StoreError> {
        // Nobody else writes to the file.
        Ok(self.revision())
    }

    async fn get(&self, key: &str) -> Result<Option<Entry>, StoreError> {
        Ok(self.shared.snapshot().entries.get(key).map(|entry| Entry::clone(entry)))
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
        at: Option<Revision>,
    ) -> Result<Page, StoreError> {
        let snapshot = self.shared.snapshot();
        let snapshot = match at {
            Some(at) if at > snapshot.revision => {
                return Err(StoreError::Future { requested: at, newest: snapshot.revision });
            }
            Some(at) if at < snapshot.revision => Arc::new(history::rewind(&self.shared, &snapshot, prefix, at).await?),
            _ => snapshot,
        };
        Ok(snapshot.page(prefix, after, limit))
    }

    async fn txn(&self, txn: Txn) -> Result<Outcome, StoreError> {
        self.ask(|reply| Command::Txn { txn, reply }).await?
    }

    async fn watch(
        &self,
        prefix: &str,
        after: Revision,
    ) -> Result<BoxStream<'static, Result<Event, StoreError>>, StoreError> {
        history::watch(self.shared.clone(), prefix, after)
    }

    async fn compact(&self, revision: Revision) -> Result<(), StoreError> {
        self.ask(|reply| Command::Compact { revision, reply }).await?
    }

    async fn close(&self) {
        // An error means that it was closed before.
        let _ = self.ask(|reply| Command::Close { reply }).await;
    }
}

#[cfg(test)]
mod fault;
#[cfg(test)]
mod tests;
