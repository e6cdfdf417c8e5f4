//! Discovery documents: aggregated (v2) and legacy.
//!
//! Source: <https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api>

#[cfg(test)]
mod tests;

use crate::kind::{Catalog, Kind, Scope, Subresource, Verb};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// `APIGroupDiscoveryList` (apidiscovery.k8s.io/v2) of `/api` (`core` true) or `/apis`.
pub fn aggregated(catalog: &Catalog, core: bool) -> Value {
    let groups = catalog.groups().into_iter().filter(|(group, _)| group.is_empty() == core);
    let items: Vec<Value> = groups
        .map(|(group, versions)| {
            let versions: Vec<Value> = versions.iter().map(|version| discovered(catalog, &group, version)).collect();
            let metadata = if core {
                json!({"creationTimestamp": null})
            } else {
                json!({"name": group, "creationTimestamp": null})
            };
            json!({"metadata": metadata, "versions": versions})
        })
        .collect();
    json!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items})
}

fn discovered(catalog: &Catalog, group: &str, version: &str) -> Value {
    let resources: Vec<Value> = kinds(catalog, group, version).map(|kind| discovered_resource(kind)).collect();
    json!({"version": version, "resources": resources, "freshness": "Current"})
}

fn discovered_resource(kind: &Kind) -> Value {
    let scope = if kind.scope == Scope::Namespaced { "Namespaced" } else { "Cluster" };
    let mut resource = json!({
        "resource": kind.plural, "responseKind": response_kind(kind, None), "scope": scope,
        "singularResource": kind.singular, "verbs": verbs(&kind.verbs),
    });
    insert_names(&mut resource, kind);
    if !kind.subresources.is_empty() {
        let subresources: Vec<Value> = kind
            .subresources
            .iter()
            .map(|sub| json!({"subresource": sub.name, "responseKind": response_kind(kind, Some(sub)), "verbs": verbs(&sub.verbs)}))
            .collect();
        resource["subresources"] = Value::Array(subresources);
    }
    resource
}

fn response_kind(kind: &Kind, sub: Option<&Subresource>) -> Value {
    match sub.and_then(|sub| sub.body.as_ref()) {
        Some((group, version, name)) => json!({"group": group, "version": version, "kind": name}),
        None => json!({"group": kind.group, "version": kind.version, "kind": kind.kind}),
    }
}

fn insert_names(resource: &mut Value, kind: &Kind) {
    if !kind.short_names.is_empty() {
        resource["shortNames"] = json!(kind.short_names);
    }
    if !kind.categories.is_empty() {
        resource["categories"] = json!(kind.categories);
    }
}

fn verbs(verbs: &[Verb]) -> Vec<&'static str> {
    let mut names: Vec<&str> = verbs.iter().map(|verb| verb.as_str()).collect();
    names.sort_unstable();
    names
}

fn kinds<'a>(catalog: &'a Catalog, group: &'a str, version: &'a str) -> impl Iterator<Item = &'a Arc<Kind>> {
    catalog.all().iter().filter(move |kind| kind.group == group && kind.version == version)
}

/// `APIVersions` of `/api`; `server` is the advertised host:port.
pub fn api_versions(server: &str) -> Value {
    json!({
        "kind": "APIVersions", "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": server}],
    })
}

/// `APIGroupList` of `/apis`.
pub fn group_list(catalog: &Catalog) -> Value {
    let named = catalog.groups().into_iter().filter(|(group, _)| !group.is_empty());
    let groups: Vec<Value> = named.map(|(group, versions)| Value::Object(described(&group, &versions))).collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
}

/// `APIGroup` of `/apis/GROUP`.
pub fn group(catalog: &Catalog, group: &str) -> Option<Value> {
    let groups = catalog.groups();
    let (name, versions) = groups.iter().find(|(name, _)| name == group && !name.is_empty())?;
    let mut described = described(name, versions);
    described.insert("kind".into(), json!("APIGroup"));
    described.insert("apiVersion".into(), json!("v1"));
    Some(Value::Object(described))
}

fn described(group: &str, versions: &[String]) -> Map<String, Value> {
    let versions: Vec<Value> = versions
        .iter()
        .map(|version| json!({"groupVersion": format!("{group}/{version}"), "version": version}))
        .collect();
    let mut described = Map::new();
    described.insert("name".into(), json!(group));
    described.insert("preferredVersion".into(), versions.first().cloned().unwrap_or_default());
    described.insert("versions".into(), Value::Array(versions));
    described
}

/// `APIResourceList` of `/api/v1` or `/apis/GROUP/VERSION`.
pub fn resource_list(catalog: &Catalog, group: &str, version: &str) -> Option<Value> {
    let mut resources = Vec::new();
    for kind in kinds(catalog, group, version) {
        let namespaced = kind.scope == Scope::Namespaced;
        let mut resource = json!({
            "name": kind.plural, "singularName": kind.singular, "namespaced": namespaced, "kind": kind.kind,
            "verbs": verbs(&kind.verbs),
        });
        insert_names(&mut resource, kind);
        resources.push(resource);
        for sub in &kind.subresources {
            let mut resource = json!({
                "name": format!("{}/{}", kind.plural, sub.name), "singularName": "", "namespaced": namespaced,
                "kind": kind.kind, "verbs": verbs(&sub.verbs),
            });
            if let Some((group, version, name)) = &sub.body {
                (resource["group"], resource["version"], resource["kind"]) =
                    (json!(group), json!(version), json!(name));
            }
            resources.push(resource);
        }
    }
    let group_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    let list =
        json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": resources});
    (!resources.is_empty()).then_some(list)
}
