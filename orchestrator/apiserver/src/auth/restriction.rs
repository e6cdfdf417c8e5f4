//! What a node may write (upstream's admission plugin NodeRestriction): the object itself tells
//! what authorization could not see.

use super::node::node_name;
use super::{Attributes, read};
use crate::identity::Identity;
use crate::registry::reader::ObjectReader;
use orchestrator_apimachinery::{ApiError, meta};
use serde_json::Value;

/// Labels below this prefix are the admin's alone.
const RESTRICTED_LABELS: &str = "node-restriction.kubernetes.io";
/// Those of Kubernetes' labels that a kubelet sets on its own Node.
const KUBELET_LABELS: [&str; 12] = [
    "kubernetes.io/hostname",
    "kubernetes.io/os",
    "kubernetes.io/arch",
    "beta.kubernetes.io/os",
    "beta.kubernetes.io/arch",
    "beta.kubernetes.io/instance-type",
    "node.kubernetes.io/instance-type",
    "node.kubernetes.io/windows-build",
    "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region",
];
/// Marks the API's copy of a Pod that a node runs by itself.
const MIRROR: &str = "kubernetes.io/config.mirror";

/// Refuses what a node must not write; everybody else passes. `object` is the body (or the object after
/// the patch), `old` what it replaces or deletes; either may be missing.
pub fn restrict_node(
    who: &Identity,
    what: &Attributes,
    object: Option<&Value>,
    old: Option<&Value>,
    objects: &dyn ObjectReader,
) -> Result<(), ApiError> {
    let Some(node) = node_name(who) else { return Ok(()) };
    let refused = match (what.group.as_str(), what.resource.as_str()) {
        ("", "pods") => pod(node, what, object, old, objects),
        ("", "nodes") => own_node(node, what, object, old),
        ("", "serviceaccounts") if what.subresource == "token" => token(node, what, object, objects),
        ("coordination.k8s.io", "leases") => {
            let name = object.or(old).map_or(what.name.as_str(), meta::name);
            (name != node).then(|| "can only access node lease with the same name as the requesting node".to_owned())
        }
        _ => None,
    };
    match refused {
        None => Ok(()),
        Some(why) => {
            let name = if what.name.is_empty() { object.map_or("", meta::name) } else { &what.name };
            Err(ApiError::forbidden(&what.group, &what.resource, name, &why))
        }
    }
}

fn pod(
    node: &str,
    what: &Attributes,
    object: Option<&Value>,
    old: Option<&Value>,
    objects: &dyn ObjectReader,
) -> Option<String> {
    let on_node = |pod: &Value| pod["spec"]["nodeName"] == node;
    match (what.verb.as_str(), what.subresource.as_str()) {
        ("create", "") => {
            let pod = object?;
            if !pod["metadata"]["annotations"][MIRROR].is_string() {
                return Some(format!(
                    "pod does not have {MIRROR:?} annotation, node {node:?} can only create mirror pods"
                ));
            }
            let own = on_node(pod) && pod["spec"]["serviceAccountName"].as_str().unwrap_or("").is_empty();
            (!own).then(|| format!("node {node:?} can only create pods with spec.nodeName set to itself"))
        }
        ("create", "eviction") => {
            let pod = read(objects, "", "pods", &what.namespace, &what.name)?;
            (!on_node(&pod)).then(|| format!("node {node:?} can only evict pods with spec.nodeName set to itself"))
        }
        ("delete" | "deletecollection", _) => {
            let own = old.is_some_and(on_node);
            (!own).then(|| format!("node {node:?} can only delete pods with spec.nodeName set to itself"))
        }
        ("update" | "patch", "status") => {
            let own = old.is_none_or(on_node);
            if !own {
                return Some(format!(
                    "node {node:?} can only update pod status for pods with spec.nodeName set to itself"
                ));
            }
            let labels = |pod: Option<&Value>| pod.map_or(Value::Null, |pod| pod["metadata"]["labels"].clone());
            let moved = object.is_some() && old.is_some() && labels(object) != labels(old);
            moved.then(|| format!("node {node:?} cannot update labels through pod status"))
        }
        ("get" | "list" | "watch", _) => None,
        (verb, _) => {
            Some(format!("unexpected operation {verb:?}, node {node:?} can only create and delete mirror pods"))
        }
    }
}

fn own_node(node: &str, what: &Attributes, object: Option<&Value>, old: Option<&Value>) -> Option<String> {
    if matches!(what.verb.as_str(), "get" | "list" | "watch") {
        return None;
    }
    let name = object.or(old).map_or(what.name.as_str(), meta::name);
    if name != node {
        return Some(format!("node {node:?} is not allowed to modify node {name:?}"));
    }
    let label =
        |object: Option<&Value>, key: &str| object.and_then(|object| object["metadata"]["labels"].get(key).cloned());
    let keys = [object, old].into_iter().flatten().filter_map(|object| object["metadata"]["labels"].as_object());
    let mut changed: Vec<&str> = keys
        .flat_map(|labels| labels.keys())
        .filter(|key| is_restricted_label(key))
        .filter(|key| label(object, key) != label(old, key))
        .map(String::as_str)
        .collect();
    changed.sort_unstable();
    changed.dedup();
    if !changed.is_empty() {
        let verb = if old.is_none() { "set" } else { "modify" };
        return Some(format!("node {node:?} is not allowed to {verb} the following labels: {}", changed.join(", ")));
    }
    let (Some(object), Some(old)) = (object, old) else { return None };
    let taints = |object: &Value| object["spec"]["taints"].as_array().cloned().unwrap_or_default();
    (taints(object) != taints(old)).then(|| format!("node {node:?} is not allowed to modify taints"))
}

/// Whether only an admin may give a node this label: all of Kubernetes' own that place Pods, but
/// those that a kubelet finds out by itself.
fn is_restricted_label(key: &str) -> bool {
    let domain = key.split_once('/').map_or("", |(domain, _)| domain);
    let below = |parent: &str| domain.strip_suffix(parent).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    let of_kubernetes = below("kubernetes.io") || below("k8s.io");
    let of_kubelet = KUBELET_LABELS.contains(&key) || below("kubelet.kubernetes.io") || below("node.kubernetes.io");
    below(RESTRICTED_LABELS) || (of_kubernetes && !of_kubelet)
}

fn token(node: &str, what: &Attributes, object: Option<&Value>, objects: &dyn ObjectReader) -> Option<String> {
    let reference = &object?["spec"]["boundObjectRef"];
    let text = |field: &str| reference[field].as_str().unwrap_or("");
    if (text("apiVersion"), text("kind")) != ("v1", "Pod") || text("name").is_empty() {
        return Some("node requested token not bound to a pod".into());
    }
    if text("uid").is_empty() {
        return Some("node requested token with a pod binding without a uid".into());
    }
    let Some(pod) = read(objects, "", "pods", &what.namespace, text("name")) else {
        return Some(format!("pod {:?} not found", text("name")));
    };
    if meta::uid(&pod) != text("uid") {
        return Some(format!("the UID in the bound object reference ({}) does not match the pod's", text("uid")));
    }
    let own = pod["spec"]["nodeName"] == node;
    (!own).then(|| "node requested token bound to a pod scheduled on a different node".into())
}
