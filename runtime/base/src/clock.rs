//! Wall-clock and monotonic time.

use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// A source of time; clones share it.
///
/// Wall time is for what is compared or shown (timestamps, expiry), monotonic time for what is
/// measured (back-off, time-outs).
#[derive(Clone, Debug)]
pub struct Clock(Arc<Source>);

#[derive(Debug)]
enum Source {
    System,
    /// Wall time derived from tokio's clock, which a test may pause and advance.
    Tokio {
        wall: SystemTime,
        start: Instant,
    },
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Clock(Arc::new(Source::System))
    }

    /// A clock that starts at `wall` and follows tokio's, which may be paused.
    pub fn simulated(wall: SystemTime) -> Self {
        Clock(Arc::new(Source::Tokio { wall, start: Instant::now() }))
    }

    /// Wall-clock time.
    #[expect(clippy::disallowed_methods, reason = "the one home of the system clock")]
    pub fn now(&self) -> SystemTime {
        match &*self.0 {
            Source::System => SystemTime::now(),
            Source::Tokio { wall, start } => *wall + start.elapsed(),
        }
    }

    /// Monotonic time; never goes back.
    pub fn monotonic(&self) -> Instant {
        Instant::now()
    }

    /// Completes after `delay`.
    pub async fn sleep(&self, delay: Duration) {
        sleep(delay).await;
    }

    /// Completes at `deadline`.
    pub async fn sleep_until(&self, deadline: Instant) {
        tokio::time::sleep_until(deadline).await;
    }
}

/// Completes after `delay` of monotonic time.
#[expect(clippy::disallowed_methods, reason = "the one home of sleeping")]
pub async fn sleep(delay: Duration) {
    tokio::time::sleep(delay).await;
}

/// `future`'s output, or `None` once `limit` has passed.
pub async fn within<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    tokio::time::timeout(limit, future).await.ok()
}
