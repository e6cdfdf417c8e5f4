//! Keys that wait to be looked at, each at most once.

use crate::key::Key;
use runtime_base::Backoff;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

struct State<T> {
    /// Keys to hand out, oldest first; a key is here at most once.
    ready: VecDeque<T>,
    /// The same keys, and those that were added again while being worked on.
    dirty: HashSet<T>,
    working: HashSet<T>,
    /// Keys that become ready later.
    later: BTreeSet<(Instant, u64, T)>,
    later_of: HashMap<T, (Instant, u64)>,
    failures: BTreeMap<T, u32>,
    sequence: u64,
}

/// A queue of keys for any number of workers; clones share it.
///
/// A key that is added while somebody works on it is handed out again afterwards, never to two
/// workers at once. Its size is bounded by the number of objects, since a key is held once.
pub struct WorkQueue<T = Key> {
    state: Arc<Mutex<State<T>>>,
    wake: Arc<Notify>,
    backoff: Backoff,
}

impl<T> Clone for WorkQueue<T> {
    fn clone(&self) -> Self {
        WorkQueue { state: self.state.clone(), wake: self.wake.clone(), backoff: self.backoff }
    }
}

impl<T: Clone + Eq + Hash + Ord> Default for WorkQueue<T> {
    fn default() -> Self {
        Self::new(Backoff::doubling(Duration::from_millis(5), Duration::from_secs(60)))
    }
}

impl<T: Clone + Eq + Hash + Ord> WorkQueue<T> {
    /// An empty queue; `backoff` spaces the tries of keys that fail.
    pub fn new(backoff: Backoff) -> Self {
        let state = State {
            ready: VecDeque::new(),
            dirty: HashSet::new(),
            working: HashSet::new(),
            later: BTreeSet::new(),
            later_of: HashMap::new(),
            failures: BTreeMap::new(),
            sequence: 0,
        };
        WorkQueue { state: Arc::new(Mutex::new(state)), wake: Arc::new(Notify::new()), backoff }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a key, now.
    pub fn add(&self, key: T) {
        let mut state = self.lock();
        if state.dirty.insert(key.clone()) && !state.working.contains(&key) {
            state.ready.push_back(key);
            drop(state);
            self.wake.notify_one();
        }
    }

    /// Adds a key after `delay`; an earlier time that is set already stays.
    pub fn add_after(&self, key: T, delay: Duration) {
        if delay.is_zero() {
            return self.add(key);
        }
        let due = Instant::now() + delay;
        let mut state = self.lock();
        if let Some((set, sequence)) = state.later_of.get(&key).copied() {
            if set <= due {
                return;
            }
            state.later.remove(&(set, sequence, key.clone()));
        }
        state.sequence += 1;
        let sequence = state.sequence;
        state.later_of.insert(key.clone(), (due, sequence));
        state.later.insert((due, sequence, key));
        drop(state);
        self.wake.notify_one();
    }

    /// Ends the work on a key that went well.
    pub fn done(&self, key: &T) {
        let mut state = self.lock();
        state.failures.remove(key);
        self.finish(state, key);
    }

    /// Ends the work on a key that failed: it comes again after its back-off. Returns the delay.
    pub fn failed(&self, key: &T) -> Duration {
        let mut state = self.lock();
        let failures = state.failures.entry(key.clone()).or_insert(0);
        let delay = self.backoff.delay(*failures);
        *failures += 1;
        self.finish(state, key);
        self.add_after(key.clone(), delay);
        delay
    }

    fn finish(&self, mut state: MutexGuard<'_, State<T>>, key: &T) {
        state.working.remove(key);
        if state.dirty.contains(key) {
            state.ready.push_back(key.clone());
            drop(state);
            self.wake.notify_one();
        }
    }

    /// The next key, for a worker that calls [`WorkQueue::done`] or [`WorkQueue::failed`] after.
    pub async fn next(&self) -> T {
        loop {
            let due = {
                let mut state = self.lock();
                Self::promote(&mut state);
                if let Some(key) = state.ready.pop_front() {
                    state.dirty.remove(&key);
                    state.working.insert(key.clone());
                    if !state.ready.is_empty() {
                        self.wake.notify_one();
                    }
                    return key;
                }
                state.later.first().map(|(due, _, _)| *due)
            };
            match due {
                Some(due) => {
                    let _ = tokio::time::timeout_at(due, self.wake.notified()).await;
                }
                None => self.wake.notified().await,
            }
        }
    }

    /// Moves what is due from `later` to `ready`.
    fn promote(state: &mut State<T>) {
        let now = Instant::now();
        while state.later.first().is_some_and(|(due, _, _)| *due <= now) {
            let Some((_, _, key)) = state.later.pop_first() else { return };
            state.later_of.remove(&key);
            if state.dirty.insert(key.clone()) && !state.working.contains(&key) {
                state.ready.push_back(key);
            }
        }
    }

    /// How many keys are ready.
    pub fn len(&self) -> usize {
        self.lock().ready.len()
    }

    /// Whether none is ready.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests;
