//! What readers see: the newest durable state and the watchers of what follows.

use super::file::{File, Opened};
use crate::{Entry, Event, Page, Revision, StoreError, limits};
use imbl::OrdMap;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use tokio::sync::mpsc;

pub(super) type Entries = OrdMap<Arc<str>, Arc<Entry>>;
/// The events of one commit that a watcher asked for.
pub(super) type Batch = Arc<[Event]>;

/// All entries at one revision. Cloning shares them.
#[derive(Clone)]
pub(super) struct Snapshot {
    pub revision: Revision,
    pub entries: Entries,
}

impl Snapshot {
    /// The size of all keys and values.
    pub fn bytes(&self) -> u64 {
        self.entries.values().map(|entry| super::file::entry_bytes(entry)).sum()
    }

    pub fn page(&self, prefix: &str, after: Option<&str>, limit: usize) -> Page {
        let start = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        let mut found = self
            .entries
            .range::<_, str>((start, Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(prefix))
            .map(|(_, entry)| Entry::clone(entry));
        let limit = if limit == 0 { usize::MAX } else { limit };
        let entries: Vec<Entry> = found.by_ref().take(limit).collect();
        let more = entries.len() == limit && found.next().is_some();
        Page { entries, revision: self.revision, more }
    }
}

/// The receiving end of a watcher's queue.
pub(super) struct Subscription {
    pub batches: mpsc::Receiver<Batch>,
    pub lagged: Arc<AtomicBool>,
    /// What was published when the subscription began; the queue holds everything after it.
    pub revision: Revision,
}

struct Watcher {
    prefix: Arc<str>,
    batches: mpsc::Sender<Batch>,
    lagged: Arc<AtomicBool>,
}

impl Watcher {
    /// False when the watcher is gone or too slow.
    fn offer(&self, all: &Batch) -> bool {
        let batch = if all.iter().all(|event| event.key.starts_with(&*self.prefix)) {
            all.clone()
        } else {
            all.iter().filter(|event| event.key.starts_with(&*self.prefix)).cloned().collect()
        };
        if batch.is_empty() {
            return !self.batches.is_closed();
        }
        match self.batches.try_send(batch) {
            Ok(()) => true,
            Err(mpsc::error::TrySendError::Closed(_)) => false,
            Err(mpsc::error::TrySendError::Full(_)) => {
                self.lagged.store(true, Ordering::Release);
                false
            }
        }
    }
}

/// What the writer thread and the readers share.
pub(super) struct Shared {
    /// The file's path, for messages.
    pub name: String,
    snapshot: RwLock<Arc<Snapshot>>,
    /// Locked while a commit is published, so that a subscription starts between two commits.
    watchers: Mutex<Vec<Watcher>>,
    /// History up to this revision is forgotten.
    compacted: AtomicU64,
    /// `None` while the file is closed after a failure.
    file: RwLock<Option<File>>,
}

impl Shared {
    pub fn new(name: String, opened: &Opened) -> Self {
        Shared {
            name,
            snapshot: RwLock::new(Arc::new(opened.snapshot.clone())),
            watchers: Mutex::default(),
            compacted: AtomicU64::new(opened.compacted),
            file: RwLock::new(None),
        }
    }

    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn compacted(&self) -> Revision {
        self.compacted.load(Ordering::Acquire)
    }

    pub fn set_compacted(&self, revision: Revision) {
        self.compacted.store(revision, Ordering::Release);
    }

    /// Shows a durable state and its events.
    pub fn publish(&self, snapshot: Snapshot, events: Vec<Event>) {
        let mut watchers = self.watchers.lock().unwrap_or_else(PoisonError::into_inner);
        let old = {
            let mut current = self.snapshot.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *current, Arc::new(snapshot))
        };
        if !events.is_empty() {
            let batch: Batch = events.into();
            watchers.retain(|watcher| watcher.offer(&batch));
        }
        drop(watchers);
        drop(old);
    }

    pub fn subscribe(&self, prefix: &str) -> Result<Subscription, StoreError> {
        let mut watchers = self.watchers.lock().unwrap_or_else(PoisonError::into_inner);
        watchers.retain(|watcher| !watcher.batches.is_closed());
        if watchers.len() >= limits::WATCHERS_MAX {
            return Err(StoreError::Overloaded);
        }
        let (sender, batches) = mpsc::channel(limits::WATCH_QUEUE_MAX);
        let lagged = Arc::new(AtomicBool::new(false));
        watchers.push(Watcher { prefix: prefix.into(), batches: sender, lagged: lagged.clone() });
        Ok(Subscription { batches, lagged, revision: self.snapshot().revision })
    }

    /// Ends all watchers, when the store closes.
    pub fn end_watchers(&self) {
        self.watchers.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Puts the open file in place, or takes it away; waits for those who read from the old one.
    pub fn set_file(&self, file: Option<File>) {
        let old = {
            let mut current = self.file.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *current, file)
        };
        drop(old);
    }

    /// The open file.
    pub fn file(&self) -> Option<File> {
        self.file.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Runs `change` on the open file when nobody reads from it; readers wait until it is done.
    /// `None` when it is closed.
    pub fn alone_with_file<T>(&self, change: impl FnOnce(&mut redb::Database) -> T) -> Option<T> {
        let mut file = self.file.write().unwrap_or_else(PoisonError::into_inner);
        file.as_mut().and_then(Arc::get_mut).map(change)
    }

    /// Runs `read` on the open file.
    pub fn with_file<T>(&self, read: impl FnOnce(&File) -> Result<T, StoreError>) -> Result<T, StoreError> {
        match &*self.file.read().unwrap_or_else(PoisonError::into_inner) {
            Some(file) => read(file),
            None => Err(StoreError::Unavailable(format!("{} is closed", self.name))),
        }
    }
}
