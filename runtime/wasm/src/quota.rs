//! CPU time: counted for every guest, limited by a token bucket for those with a quota.

use crate::engine::Ticker;
use crate::limits::QUOTA_PERIOD;
use runtime_base::Clock;
use rustix::time::{ClockId, clock_gettime};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use tokio::time::{Instant, Sleep};

/// The CPU time of a container, shared by all its instances.
pub(crate) struct CpuAccount {
    used_ns: AtomicU64,
    bucket: Mutex<Bucket>,
}

struct Bucket {
    /// Nanoseconds of each period; `None` is unlimited.
    quota_ns: Option<i64>,
    /// What is left of this period; below zero it is a debt that later periods pay.
    left_ns: i64,
    /// When this period began.
    since: Instant,
}

impl CpuAccount {
    pub(crate) fn new(cpu_millis_max: Option<u64>, now: Instant) -> Self {
        let quota_ns = cpu_millis_max.map(quota_ns);
        let bucket = Bucket { quota_ns, left_ns: quota_ns.unwrap_or(0), since: now };
        CpuAccount { used_ns: AtomicU64::new(0), bucket: Mutex::new(bucket) }
    }

    fn bucket(&self) -> MutexGuard<'_, Bucket> {
        self.bucket.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the quota from now on.
    pub(crate) fn set_quota(&self, cpu_millis_max: Option<u64>, now: Instant) {
        let mut bucket = self.bucket();
        bucket.quota_ns = cpu_millis_max.map(quota_ns);
        bucket.left_ns = bucket.quota_ns.unwrap_or(0);
        bucket.since = now;
    }

    /// CPU time so far.
    pub(crate) fn used_ns(&self) -> u64 {
        self.used_ns.load(Ordering::Relaxed)
    }

    pub(crate) fn charge(&self, ns: u64) {
        self.used_ns.fetch_add(ns, Ordering::Relaxed);
        let mut bucket = self.bucket();
        if bucket.quota_ns.is_some() {
            bucket.left_ns = bucket.left_ns.saturating_sub_unsigned(ns);
        }
    }

    /// When the container may run again, if it may not run now.
    pub(crate) fn throttled(&self, now: Instant) -> Option<Instant> {
        let mut bucket = self.bucket();
        let quota_ns = bucket.quota_ns?;
        let period_ns = QUOTA_PERIOD.as_nanos() as u64;
        let periods = now.saturating_duration_since(bucket.since).as_nanos() as u64 / period_ns;
        if periods > 0 {
            bucket.since += std::time::Duration::from_nanos(periods * period_ns);
            let earned = quota_ns.saturating_mul(i64::try_from(periods).unwrap_or(i64::MAX));
            bucket.left_ns = bucket.left_ns.saturating_add(earned).min(quota_ns);
        }
        if bucket.left_ns > 0 {
            return None;
        }
        let wait = (-bucket.left_ns / quota_ns + 1) as u64;
        Some(bucket.since + std::time::Duration::from_nanos(wait.saturating_mul(period_ns)))
    }
}

fn quota_ns(cpu_millis: u64) -> i64 {
    let period_us = QUOTA_PERIOD.as_micros() as u64;
    // Thousandths of a core times microseconds are nanoseconds.
    i64::try_from(cpu_millis.max(1).saturating_mul(period_us)).unwrap_or(i64::MAX)
}

/// A guest's future: charges the thread's CPU time of each poll, waits while the quota is
/// spent, and keeps the epoch advancing while it is polled.
pub(crate) struct Metered<F> {
    inner: Pin<Box<F>>,
    account: Arc<CpuAccount>,
    ticker: Arc<Ticker>,
    clock: Clock,
    pause: Option<Pin<Box<Sleep>>>,
}

impl<F: Future> Metered<F> {
    pub(crate) fn new(account: Arc<CpuAccount>, ticker: Arc<Ticker>, clock: Clock, inner: F) -> Self {
        Metered { inner: Box::pin(inner), account, ticker, clock, pause: None }
    }
}

impl<F: Future> Future for Metered<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        loop {
            if let Some(pause) = &mut this.pause {
                std::task::ready!(pause.as_mut().poll(cx));
                this.pause = None;
            }
            let Some(until) = this.account.throttled(this.clock.monotonic()) else { break };
            this.pause = Some(Box::pin(tokio::time::sleep_until(until)));
        }
        let running = this.ticker.enter();
        let before = thread_cpu_ns();
        let result = this.inner.as_mut().poll(cx);
        this.account.charge(thread_cpu_ns().saturating_sub(before));
        drop(running);
        result
    }
}

fn thread_cpu_ns() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

#[cfg(test)]
mod tests;
