//! OpenAPI v3: what `kubectl explain` and client-side validation read.

mod paths;
mod schemas;
#[cfg(test)]
mod tests;
pub mod v2;

use crate::kind::{Catalog, Kind};
use bytes::Bytes;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// Raise it when the documents change otherwise than by the types: clients cache by the hash.
const REVISION: &str = "1";

/// Paths of the group versions: `api/v1`, `apis/apps/v1`.
pub fn group_version_paths(catalog: &Catalog) -> Vec<String> {
    let groups = catalog.groups().into_iter();
    groups.flat_map(|(group, versions)| versions.into_iter().map(move |version| path_of(&group, &version))).collect()
}

fn path_of(group: &str, version: &str) -> String {
    if group.is_empty() { format!("api/{version}") } else { format!("apis/{group}/{version}") }
}

fn kinds<'a>(catalog: &'a Catalog, path: &str) -> Vec<&'a Arc<Kind>> {
    catalog.all().iter().filter(|kind| path_of(&kind.group, &kind.version) == path).collect()
}

/// The document of one of [`group_version_paths`], as JSON; `None` for another path. Costs some
/// milliseconds: callers cache it.
pub fn document(catalog: &Catalog, path: &str) -> Option<Bytes> {
    let kinds = kinds(catalog, path);
    if kinds.is_empty() {
        return None;
    }
    let document = json!({
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "unversioned"},
        "paths": paths::of(&kinds, path),
        "components": {"schemas": schemas::of(&kinds)},
    });
    Some(Bytes::from(document.to_string()))
}

/// The hash of a document that the index carries (upper-case hex, of SHA-256 over what the document is made of):
/// computed from names and versions, without making the document.
pub fn hash(catalog: &Catalog, path: &str) -> String {
    let mut hasher = Sha256::new();
    hasher.update(format!("{REVISION} {} {path}", crate::schema::digest()));
    for kind in kinds(catalog, path) {
        let Kind { kind: name, plural, singular, scope, verbs, subresources, schema_name, .. } = kind.as_ref();
        hasher.update(format!("{name} {plural} {singular} {scope:?} {verbs:?} {subresources:?} {schema_name}\n"));
    }
    hex::encode_upper(hasher.finalize())
}
