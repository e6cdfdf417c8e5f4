//! The kinds that are served, as they are now: custom resources come and go.

use orchestrator_apimachinery::{Catalog, Kind};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::watch;

/// The served kinds, and word of their changes.
#[derive(Clone)]
pub struct ServedKinds {
    current: Arc<dyn Fn() -> Arc<Catalog> + Send + Sync>,
    changes: watch::Receiver<u64>,
}

impl ServedKinds {
    /// What `current` answers; `changes` holds a number that grows whenever that is another.
    pub fn new(current: Arc<dyn Fn() -> Arc<Catalog> + Send + Sync>, changes: watch::Receiver<u64>) -> Self {
        ServedKinds { current, changes }
    }

    /// The kinds of a catalog that never changes.
    pub fn fixed(catalog: Arc<Catalog>) -> Self {
        ServedKinds { current: Arc::new(move || catalog.clone()), changes: watch::channel(0).1 }
    }

    /// The kinds now.
    pub fn now(&self) -> Arc<Catalog> {
        (self.current)()
    }

    /// One kind for each resource, whatever versions it has; those that `wanted` picks.
    pub fn resources(&self, wanted: impl Fn(&Kind) -> bool) -> Vec<Arc<Kind>> {
        let mut seen = BTreeSet::new();
        let catalog = self.now();
        let wanted = catalog.all().iter().filter(|kind| wanted(kind));
        let first = wanted.filter(|kind| {
            let (group, plural) = kind.stored_resource();
            seen.insert((group.to_owned(), plural.to_owned()))
        });
        first.cloned().collect()
    }

    /// Waits until the kinds are others; for ever when they cannot be.
    pub async fn changed(&mut self) {
        if self.changes.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
