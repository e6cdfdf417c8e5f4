//! Reading objects from the watch caches, for those parts of the server that decide on them
//! (authorization, admission) and must not wait for a store.

use bytes::Bytes;
use tokio::sync::watch;

/// A view of the objects that the server holds in memory. It lags the store by the time that an
/// event takes, well under a millisecond.
pub trait ObjectReader: Send + Sync {
    /// The JSON of one object, `resourceVersion` included; `namespace` is "" for cluster-wide kinds.
    fn get(&self, group: &str, plural: &str, namespace: &str, name: &str) -> Option<Bytes>;

    /// The JSON of all objects of a kind, of one namespace or of all, in key order.
    fn list(&self, group: &str, plural: &str, namespace: Option<&str>) -> Vec<Bytes>;

    /// Those of them whose JSON, maybe without `resourceVersion`, passes a look; no other is copied.
    fn list_if(
        &self,
        group: &str,
        plural: &str,
        namespace: Option<&str>,
        wanted: &dyn Fn(&[u8]) -> bool,
    ) -> Vec<Bytes> {
        self.list(group, plural, namespace).into_iter().filter(|bytes| wanted(bytes)).collect()
    }

    /// Holds a number that grows with each change of a kind's objects. The first value is there at once.
    fn changes(&self, group: &str, plural: &str) -> watch::Receiver<u64>;
}
