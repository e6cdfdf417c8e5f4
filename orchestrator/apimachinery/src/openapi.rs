//! OpenAPI v3: what `kubectl explain` and client-side validation read.

use crate::kind::Catalog;
use bytes::Bytes;

/// Paths of the group versions: `api/v1`, `apis/apps/v1`.
pub fn group_version_paths(catalog: &Catalog) -> Vec<String> {
    let _ = catalog;
    todo!()
}

/// The document of one of [`group_version_paths`], as JSON; `None` for another path. Costs some
/// milliseconds: callers cache it.
pub fn document(catalog: &Catalog, path: &str) -> Option<Bytes> {
    let _ = (catalog, path);
    todo!()
}

/// The hash of a document that the index carries (upper-case hex SHA-512 as upstream, or a prefix of SHA-256 of its inputs):
/// computed from names and versions, without making the document.
pub fn hash(catalog: &Catalog, path: &str) -> String {
    let _ = (catalog, path);
    todo!()
}
