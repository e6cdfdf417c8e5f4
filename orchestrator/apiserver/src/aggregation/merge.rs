//! What other servers serve, put into this server's discovery.

use super::Remote;
use serde_json::{Value, json};
use std::sync::Arc;

fn resources(remote: &Remote) -> impl Iterator<Item = &Value> {
    let resources = remote.resources.as_ref().and_then(|list| list["resources"].as_array());
    resources.into_iter().flatten()
}

/// Groups with their versions, the preferred first.
fn groups(remotes: &[Arc<Remote>]) -> Vec<(String, Vec<&Arc<Remote>>)> {
    let mut sorted: Vec<&Arc<Remote>> = remotes.iter().collect();
    sorted.sort_by_key(|remote| std::cmp::Reverse(remote.priority));
    let mut groups: Vec<(String, Vec<&Arc<Remote>>)> = Vec::new();
    for remote in sorted {
        match groups.iter_mut().find(|(group, _)| *group == remote.group) {
            Some((_, versions)) => versions.push(remote),
            None => groups.push((remote.group.clone(), vec![remote])),
        }
    }
    groups
}

/// Adds to an `APIGroupList`.
pub(crate) fn into_groups(list: &mut Value, remotes: &[Arc<Remote>]) {
    let Some(known) = list["groups"].as_array_mut() else { return };
    for (group, versions) in groups(remotes) {
        let described = group_of(&group, &versions);
        match known.iter_mut().find(|one| one["name"] == *group) {
            Some(one) => add_versions(one, &described),
            None => known.push(described),
        }
    }
}

/// The `APIGroup` of other servers' versions, joined with this server's own.
pub(crate) fn into_group(own: Option<Value>, group: &str, remotes: &[Arc<Remote>]) -> Option<Value> {
    let found = groups(remotes).into_iter().find(|(name, _)| name == group);
    let Some((_, versions)) = found else { return own };
    let mut described = group_of(group, &versions);
    (described["kind"], described["apiVersion"]) = (json!("APIGroup"), json!("v1"));
    match own {
        Some(mut own) => {
            add_versions(&mut own, &described);
            Some(own)
        }
        None => Some(described),
    }
}

fn add_versions(group: &mut Value, more: &Value) {
    let Some(versions) = group["versions"].as_array_mut() else { return };
    for version in more["versions"].as_array().into_iter().flatten() {
        if !versions.contains(version) {
            versions.push(version.clone());
        }
    }
}

fn group_of(group: &str, versions: &[&Arc<Remote>]) -> Value {
    let version = |remote: &&Arc<Remote>| json!({"groupVersion": format!("{group}/{}", remote.version), "version": remote.version});
    let versions: Vec<Value> = versions.iter().map(version).collect();
    json!({"name": group, "preferredVersion": versions.first(), "versions": versions})
}

/// Adds to an `APIGroupDiscoveryList`.
pub(crate) fn into_discovery(list: &mut Value, remotes: &[Arc<Remote>]) {
    let Some(items) = list["items"].as_array_mut() else { return };
    for (group, versions) in groups(remotes) {
        let versions: Vec<Value> = versions.iter().map(|remote| discovered(remote)).collect();
        match items.iter_mut().find(|item| item["metadata"]["name"] == *group) {
            Some(item) => {
                if let Some(known) = item["versions"].as_array_mut() {
                    known.retain(|known| !versions.iter().any(|version| version["version"] == known["version"]));
                    known.extend(versions);
                }
            }
            None => items.push(json!({"metadata": {"name": group, "creationTimestamp": null}, "versions": versions})),
        }
    }
}

/// An `APIResourceList` as aggregated discovery tells it.
fn discovered(remote: &Remote) -> Value {
    let mut found: Vec<Value> = Vec::new();
    for resource in resources(remote) {
        let name = resource["name"].as_str().unwrap_or_default();
        let or = |key: &str, own: &str| resource[key].as_str().unwrap_or(own).to_owned();
        let kind = json!({
            "group": or("group", &remote.group), "version": or("version", &remote.version), "kind": resource["kind"],
        });
        if let Some((parent, part)) = name.split_once('/') {
            let Some(parent) = found.iter_mut().find(|one| one["resource"] == parent) else { continue };
            if !parent["subresources"].is_array() {
                parent["subresources"] = json!([]);
            }
            if let Some(parts) = parent["subresources"].as_array_mut() {
                parts.push(json!({"subresource": part, "responseKind": kind, "verbs": resource["verbs"]}));
            }
            continue;
        }
        let scope = if resource["namespaced"] == true { "Namespaced" } else { "Cluster" };
        let mut one = json!({
            "resource": name, "responseKind": kind, "scope": scope,
            "singularResource": resource["singularName"].as_str().unwrap_or_default(), "verbs": resource["verbs"],
        });
        for key in ["shortNames", "categories"] {
            if resource[key].is_array() {
                one[key] = resource[key].clone();
            }
        }
        found.push(one);
    }
    let freshness = if remote.available { "Current" } else { "Stale" };
    json!({"version": remote.version, "resources": found, "freshness": freshness})
}
