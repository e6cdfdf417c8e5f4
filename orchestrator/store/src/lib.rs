//! Revisions, transactions and the watch log: what the API server keeps its objects in.
//!
//! In: keys, bytes and conditions. Out: bytes, revisions, events in commit order. Must not
//! touch: kinds, JSON, requests. Only the API server opens a store.
//!
//! One revision counter covers all keys; each committed transaction takes the next revision.
//! No reply and no event shows a revision before it is durable.
//!
//! Two stores are behind the one trait: a redb file of this process ([`RedbStore`]) and an etcd
//! that others may share ([`EtcdStore`]). [`backup`] copies either.

pub mod backup;
mod etcd;
pub mod limits;
mod redb_store;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use std::sync::Arc;

pub use etcd::{EtcdOptions, EtcdStore, EtcdTls};
pub use redb_store::{RedbOptions, RedbStore};

/// A point in the history of all keys; 0 is before everything.
pub type Revision = u64;

/// A value with its history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key, such as `/registry/pods/default/web-1`.
    pub key: Arc<str>,
    /// What was put.
    pub value: Bytes,
    /// The revision that made the key.
    pub create_revision: Revision,
    /// The revision that put this value.
    pub mod_revision: Revision,
}

/// What must hold for a transaction to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compare {
    /// The key.
    pub key: Arc<str>,
    /// Its `mod_revision`; 0 means that the key must not exist.
    pub mod_revision: Revision,
}

/// One change of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Puts a value.
    Put {
        /// The key.
        key: Arc<str>,
        /// The value.
        value: Bytes,
    },
    /// Removes a key; nothing happens when it does not exist.
    Delete {
        /// The key.
        key: Arc<str>,
    },
}

/// Conditions and changes that happen together or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Txn {
    /// All must hold.
    pub compare: Vec<Compare>,
    /// Done together, at one revision; the last one of a key counts.
    pub ops: Vec<Op>,
}

/// What became of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done and durable at this revision (the current one when nothing changed).
    Committed(Revision),
    /// A condition did not hold; the entry that is there instead, if any.
    Conflict {
        /// The first key whose condition failed.
        key: Arc<str>,
        /// What it holds.
        current: Option<Entry>,
    },
}

/// Entries of a prefix at one revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// In key order.
    pub entries: Vec<Entry>,
    /// The revision that the page shows.
    pub revision: Revision,
    /// Whether entries follow.
    pub more: bool,
}

/// A committed change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The revision of the commit; several events may share it.
    pub revision: Revision,
    /// The key.
    pub key: Arc<str>,
    /// The new entry; `None` when it was removed.
    pub entry: Option<Entry>,
    /// The entry before, if there was one.
    pub previous: Option<Entry>,
}

/// Why the store did not do it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The revision is no longer kept; list again.
    #[error("revision {requested} is compacted, the oldest is {oldest}")]
    Compacted {
        /// What was asked for.
        requested: Revision,
        /// The oldest that is kept.
        oldest: Revision,
    },
    /// The revision does not exist yet.
    #[error("revision {requested} is in the future, the newest is {newest}")]
    Future {
        /// What was asked for.
        requested: Revision,
        /// The newest.
        newest: Revision,
    },
    /// A watcher read too slowly and was ended; watch again from the last revision seen.
    #[error("watcher fell behind")]
    Lagged,
    /// The disk under the store has no room: writes are refused, reads and watches go on, and
    /// writes work again once there is room. The text names the mend.
    #[error("{0}")]
    Full(String),
    /// Too much work waits.
    #[error("store is overloaded")]
    Overloaded,
    /// Writes have stopped until the store has reopened; reads go on.
    #[error("store refuses writes: {0}")]
    Unavailable(String),
    /// The file cannot be used; the text names it and the mend.
    #[error("{0}")]
    Broken(String),
}

/// A store of one cluster.
#[async_trait]
pub trait Store: Send + Sync {
    /// The newest durable revision that this process has seen.
    fn revision(&self) -> Revision;

    /// The newest durable revision, no older than any write that was acknowledged to anybody
    /// before the call. A cache that has reached it answers a linearizable read.
    async fn fresh_revision(&self) -> Result<Revision, StoreError>;

    /// The entry of a key now.
    async fn get(&self, key: &str) -> Result<Option<Entry>, StoreError>;

    /// Entries whose key starts with `prefix` and is greater than `after`, up to `limit` (0 is
    /// all), now or at an earlier revision that is still kept.
    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
        at: Option<Revision>,
    ) -> Result<Page, StoreError>;

    /// Does `txn` if its conditions hold. An empty list of changes checks the conditions.
    async fn txn(&self, txn: Txn) -> Result<Outcome, StoreError>;

    /// Every event of `prefix` with a revision greater than `after`, in commit order, without
    /// end. Ends after an error, which may be the first item: [`StoreError::Compacted`] when
    /// `after` is older than what is kept.
    async fn watch(
        &self,
        prefix: &str,
        after: Revision,
    ) -> Result<BoxStream<'static, Result<Event, StoreError>>, StoreError>;

    /// Forgets history below `revision` (not the current values).
    async fn compact(&self, revision: Revision) -> Result<(), StoreError>;

    /// Waits for running commits and closes the file.
    async fn close(&self);
}

#[cfg(test)]
mod suite;
