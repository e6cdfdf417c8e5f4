//! Memory: what all instances of a container hold together, and all containers of the node.

use crate::limits::{STORE_ITEMS_MAX, TABLE_ELEMENTS_MAX};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use wasmtime::ResourceLimiter;

/// A guest asked for more memory than it may have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OutOfMemory {
    /// The container's limit.
    #[error("out of memory: the container's limit is {limit} bytes, {used} are in use, {asked} more were asked for")]
    Container { limit: u64, used: u64, asked: u64 },
    /// The node's limit for all guests.
    #[error("out of memory: the node's limit for all Wasm containers is reached ({used} bytes in use)")]
    Node { used: u64 },
}

/// Bytes in use below a limit; charged to a parent too.
pub(crate) struct MemoryAccount {
    used: AtomicU64,
    limit: AtomicU64,
    parent: Option<Arc<MemoryAccount>>,
}

impl MemoryAccount {
    pub(crate) fn new(limit: Option<u64>, parent: Option<Arc<MemoryAccount>>) -> Arc<Self> {
        Arc::new(MemoryAccount { used: AtomicU64::new(0), limit: AtomicU64::new(limit.unwrap_or(u64::MAX)), parent })
    }

    /// Bytes in use.
    pub(crate) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Changes the limit; what is in use already stays.
    pub(crate) fn set_limit(&self, limit: Option<u64>) {
        self.limit.store(limit.unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn charge(&self, bytes: u64) -> Result<(), OutOfMemory> {
        let limit = self.limit.load(Ordering::Relaxed);
        let add = |used: u64| used.checked_add(bytes).filter(|sum| *sum <= limit);
        if let Err(used) = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add) {
            return Err(OutOfMemory::Container { limit, used, asked: bytes });
        }
        if let Some(parent) = &self.parent
            && parent.charge(bytes).is_err()
        {
            self.used.fetch_sub(bytes, Ordering::Relaxed);
            return Err(OutOfMemory::Node { used: parent.used() });
        }
        Ok(())
    }

    fn release(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
        if let Some(parent) = &self.parent {
            parent.release(bytes);
        }
    }
}

/// The share of one store; gives everything back when dropped.
pub(crate) struct Limiter {
    account: Arc<MemoryAccount>,
    held: u64,
    /// The last charge, taken back when growing fails after it.
    last: u64,
    table_elements: usize,
}

impl Limiter {
    pub(crate) fn new(account: Arc<MemoryAccount>) -> Self {
        Limiter { account, held: 0, last: 0, table_elements: 0 }
    }
}

impl Drop for Limiter {
    fn drop(&mut self) {
        self.account.release(self.held);
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        self.last = 0;
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let bytes = desired.saturating_sub(current) as u64;
        self.account.charge(bytes)?;
        self.held += bytes;
        self.last = bytes;
        Ok(true)
    }

    fn memory_grow_failed(&mut self, _: wasmtime::Error) -> wasmtime::Result<()> {
        let last = std::mem::take(&mut self.last);
        self.held -= last;
        self.account.release(last);
        Ok(())
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let sum = self.table_elements.saturating_add(desired.saturating_sub(current));
        if maximum.is_some_and(|maximum| desired > maximum) || sum > TABLE_ELEMENTS_MAX {
            return Ok(false);
        }
        self.table_elements = sum;
        Ok(true)
    }

    fn instances(&self) -> usize {
        STORE_ITEMS_MAX
    }

    fn tables(&self) -> usize {
        STORE_ITEMS_MAX
    }

    fn memories(&self) -> usize {
        STORE_ITEMS_MAX
    }
}

#[cfg(test)]
mod tests;
