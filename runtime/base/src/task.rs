//! Tasks that are ended and waited for, never forgotten.

use std::time::Duration;
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

/// A group of tasks with one end: [`Tasks::stop`] asks all of them to finish and waits.
///
/// Clones and children belong to the same tree; stopping a parent stops its children.
#[derive(Clone, Debug, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    token: CancellationToken,
}

impl Tasks {
    /// An empty group.
    pub fn new() -> Self {
        Self::default()
    }

    /// A group that ends with this one, or earlier.
    pub fn child(&self) -> Self {
        Tasks { tracker: TaskTracker::new(), token: self.token.child_token() }
    }

    /// Starts `future`; it is dropped at its next await once the group is asked to stop.
    pub fn spawn<F>(&self, name: &'static str, future: F) -> AbortHandle
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let token = self.token.clone();
        self.spawn_to_end(name, async move {
            tokio::select! {
                () = token.cancelled() => {}
                () = future => {}
            }
        })
    }

    /// Starts `future`, which watches [`Tasks::stopping`] itself and ends in its own time.
    #[expect(clippy::disallowed_methods, reason = "the one home of spawning")]
    pub fn spawn_to_end<F>(&self, name: &'static str, future: F) -> AbortHandle
    where
        F: Future<Output = ()> + Send + 'static,
    {
        tokio::spawn(self.tracker.track_future(future.instrument(tracing::debug_span!("task", name)))).abort_handle()
    }

    /// Completes once the group is asked to stop.
    pub async fn stopping(&self) {
        self.token.cancelled().await;
    }

    /// Whether the group was asked to stop.
    pub fn is_stopping(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Asks every task to finish, without waiting.
    pub fn cancel(&self) {
        self.token.cancel();
        self.tracker.close();
    }

    /// Asks every task to finish and waits up to `limit`; false when some were still running.
    pub async fn stop(&self, limit: Duration) -> bool {
        self.cancel();
        tokio::time::timeout(limit, self.tracker.wait()).await.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn stopping_a_parent_ends_its_children() {
        let parent = Tasks::new();
        let child = parent.child();
        child.spawn("forever", std::future::pending());
        parent.cancel();
        assert!(child.stop(Duration::from_secs(5)).await);
    }
}
