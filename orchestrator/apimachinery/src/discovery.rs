//! Discovery documents: aggregated (v2) and legacy.

use crate::kind::Catalog;
use serde_json::Value;

/// `APIGroupDiscoveryList` (apidiscovery.k8s.io/v2) of `/api` (`core` true) or `/apis`.
pub fn aggregated(catalog: &Catalog, core: bool) -> Value {
    let _ = (catalog, core);
    todo!()
}
/// `APIVersions` of `/api`; `server` is the advertised host:port.
pub fn api_versions(server: &str) -> Value {
    let _ = server;
    todo!()
}
/// `APIGroupList` of `/apis`.
pub fn group_list(catalog: &Catalog) -> Value {
    let _ = catalog;
    todo!()
}
/// `APIGroup` of `/apis/GROUP`.
pub fn group(catalog: &Catalog, group: &str) -> Option<Value> {
    let _ = (catalog, group);
    todo!()
}
/// `APIResourceList` of `/api/v1` or `/apis/GROUP/VERSION`.
pub fn resource_list(catalog: &Catalog, group: &str, version: &str) -> Option<Value> {
    let _ = (catalog, group, version);
    todo!()
}
