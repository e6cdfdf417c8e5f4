//! Connections on which nothing is asked.

use crate::limits::IDLE_TIME_MAX;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// The requests of one connection.
#[derive(Default)]
pub(super) struct Requests {
    begun: AtomicU64,
    under_way: AtomicUsize,
}

/// A request whose answer has not been sent whole yet.
pub(super) struct UnderWay(Arc<Requests>);

impl Requests {
    /// A request came.
    pub fn begin(self: &Arc<Self>) -> UnderWay {
        self.begun.fetch_add(1, Ordering::Relaxed);
        self.under_way.fetch_add(1, Ordering::Relaxed);
        UnderWay(self.clone())
    }

    /// Whether an answer is still under way.
    pub fn is_busy(&self) -> bool {
        self.under_way.load(Ordering::Relaxed) > 0
    }

    /// Waits until there has been no request for [`IDLE_TIME_MAX`]; at most twice as long.
    pub async fn idle(&self) {
        loop {
            let before = self.begun.load(Ordering::Relaxed);
            runtime_base::clock::sleep(IDLE_TIME_MAX).await;
            if self.under_way.load(Ordering::Relaxed) == 0 && self.begun.load(Ordering::Relaxed) == before {
                return;
            }
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}
