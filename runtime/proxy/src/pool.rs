//! Connections that wait for their next request.

use crate::limits::{IDLE_MAX, IDLE_PER_HOST_MAX, READY_TIME_MAX};
use hyper::client::conn::http1::SendRequest;
use runtime_base::clock::within;
use runtime_base::{Clock, Tasks};
use runtime_spec::{HttpBody, PodNetwork};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::time::Instant;

/// Whose connection it is, and where it leads.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    /// The address of the Pod's network in memory. An entry keeps that memory from being used
    /// again, so no other Pod can have the same key.
    network: usize,
    https: bool,
    host: String,
    port: u16,
}

impl Key {
    pub(crate) fn new(network: &Arc<dyn PodNetwork>, https: bool, host: &str, port: u16) -> Self {
        let network = Arc::as_ptr(network).cast::<()>().addr();
        Key { network, https, host: host.to_ascii_lowercase(), port }
    }
}

struct Idle {
    sender: SendRequest<HttpBody>,
    network: Weak<dyn PodNetwork>,
    since: Instant,
}

#[derive(Default)]
struct State {
    idle: HashMap<Key, Vec<Idle>>,
    count: usize,
    sweeping: bool,
}

/// The unused connections of all Pods.
pub(crate) struct Pool {
    state: Mutex<State>,
    idle_time_max: Duration,
    clock: Clock,
    tasks: Tasks,
}

impl Pool {
    pub(crate) fn new(idle_time_max: Duration, clock: Clock, tasks: Tasks) -> Arc<Self> {
        Arc::new(Pool { state: Mutex::default(), idle_time_max, clock, tasks })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection that can take a request now, the one used last first.
    pub(crate) async fn take(&self, key: &Key) -> Option<SendRequest<HttpBody>> {
        loop {
            let mut sender = self.pop(key)?;
            // The last response was read to its end, so its task needs a moment at most.
            if let Some(Ok(())) = within(READY_TIME_MAX, sender.ready()).await {
                return Some(sender);
            }
        }
    }

    fn pop(&self, key: &Key) -> Option<SendRequest<HttpBody>> {
        let now = self.clock.monotonic();
        let mut state = self.lock();
        let entries = state.idle.get_mut(key)?;
        let mut taken = 0;
        let found = loop {
            let Some(entry) = entries.pop() else { break None };
            taken += 1;
            if !entry.sender.is_closed() && now.duration_since(entry.since) < self.idle_time_max {
                break Some(entry.sender);
            }
        };
        if entries.is_empty() {
            state.idle.remove(key);
        }
        state.count -= taken;
        found
    }

    /// Keeps a connection whose response was read to its end.
    pub(crate) fn put(self: &Arc<Self>, key: Key, network: Weak<dyn PodNetwork>, sender: SendRequest<HttpBody>) {
        let since = self.clock.monotonic();
        let mut state = self.lock();
        if sender.is_closed() || state.count >= IDLE_MAX {
            return;
        }
        let entries = state.idle.entry(key).or_default();
        if entries.len() >= IDLE_PER_HOST_MAX {
            return;
        }
        entries.push(Idle { sender, network, since });
        state.count += 1;
        if !std::mem::replace(&mut state.sweeping, true) {
            self.tasks.spawn("http-idle", Self::sweep_while_used(self.clone()));
        }
    }

    async fn sweep_while_used(pool: Arc<Self>) {
        loop {
            pool.clock.sleep(pool.idle_time_max).await;
            let now = pool.clock.monotonic();
            let mut state = pool.lock();
            state.idle.retain(|_, entries| {
                entries.retain(|entry| {
                    let young = now.duration_since(entry.since) < pool.idle_time_max;
                    young && !entry.sender.is_closed() && entry.network.strong_count() > 0
                });
                !entries.is_empty()
            });
            state.count = state.idle.values().map(Vec::len).sum();
            if state.count == 0 {
                state.sweeping = false;
                return;
            }
        }
    }

    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        self.lock().count
    }
}
