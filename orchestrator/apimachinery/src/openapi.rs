//! OpenAPI v3 and v2: what `kubectl explain` and client-side validation read.

mod enums;
mod general;
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

/// The version of Kubernetes whose API is described.
const VERSION: &str = "v1.36.0";
/// Raise it when the documents change otherwise than by the types: clients cache by the hash.
const REVISION: &str = "3";

/// Paths of the documents: `version`, `apis`, `apis/apps`, `api/v1`, `apis/apps/v1`.
pub fn group_version_paths(catalog: &Catalog) -> Vec<String> {
    let mut paths: Vec<String> = general::PATHS.iter().map(|path| (*path).to_owned()).collect();
    for (group, versions) in catalog.groups() {
        if !group.is_empty() {
            paths.push(format!("apis/{group}"));
        }
        paths.extend(versions.into_iter().map(|version| path_of(&group, &version)));
    }
    paths
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
    let (paths, schemas) = match kinds.is_empty() {
        false => (paths::of(&kinds, path), schemas::of(&kinds)),
        true => general::of(catalog, path)?,
    };
    let document = json!({
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": VERSION},
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"BearerToken": {
                "type": "apiKey", "in": "header", "name": "authorization", "description": "Bearer Token authentication",
            }},
        },
        "security": [{"BearerToken": []}],
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
        if let Some(openapi) = &kind.openapi {
            hasher.update(openapi.to_string());
        }
    }
    hex::encode_upper(hasher.finalize())
}
