//! What a node may write (upstream's admission plugin NodeRestriction): the object itself tells
//! what authorization could not see.

mod pod;
mod token;

use super::node::node_name;
use super::x509::request_of_pem;
use super::{Attributes, Rbac};
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
/// Whose certificates are a node's own.
const KUBELET_SIGNERS: [&str; 2] = ["kubernetes.io/kubelet-serving", "kubernetes.io/kube-apiserver-client-kubelet"];

/// Refuses what a node must not write; everybody else passes. `object` is the body (or the object after
/// the patch), `old` what it replaces or deletes; either may be missing. `rbac` knows what a role allows besides.
pub fn restrict_node(
    who: &Identity,
    what: &Attributes,
    object: Option<&Value>,
    old: Option<&Value>,
    objects: &dyn ObjectReader,
    rbac: &Rbac,
) -> Result<(), ApiError> {
    let Some(node) = node_name(who) else { return Ok(()) };
    let refused = match (what.group.as_str(), what.resource.as_str()) {
        ("", "pods") => pod::refusal(node, what, object, old, objects),
        ("", "nodes") => own_node(node, what, object, old),
        ("", "serviceaccounts") if what.subresource == "token" => {
            token::refusal(node, what, object, objects, &|leave| rbac.decide(who, leave).is_ok())
        }
        ("coordination.k8s.io", "leases") => of_own_name(node, what, object.or(old), "node lease"),
        ("storage.k8s.io", "csinodes") => of_own_name(node, what, object.or(old), "CSINode"),
        ("resource.k8s.io", "resourceslices") => slice(node, what, object, old),
        ("certificates.k8s.io", "certificatesigningrequests") if what.verb == "create" => signing(node, object),
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
    if object["metadata"]["ownerReferences"] != old["metadata"]["ownerReferences"] {
        return Some(format!("node {node:?} is not allowed to modify ownerReferences"));
    }
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

fn of_own_name(node: &str, what: &Attributes, object: Option<&Value>, noun: &str) -> Option<String> {
    let name = object.map_or(what.name.as_str(), meta::name);
    (name != node).then(|| format!("can only access {noun} with the same name as the requesting node"))
}

/// A node offers its own devices only.
fn slice(node: &str, what: &Attributes, object: Option<&Value>, old: Option<&Value>) -> Option<String> {
    let own = |slice: Option<&Value>| slice.is_some_and(|slice| slice["spec"]["nodeName"] == node);
    match what.verb.as_str() {
        "create" if !own(object) => {
            Some("can only create ResourceSlice with the same NodeName as the requesting node".into())
        }
        "update" | "patch" if !own(old) || !own(object) => {
            Some("can only update ResourceSlice with the same NodeName as the requesting node".into())
        }
        "delete" | "deletecollection" if !own(old) => {
            Some("can only delete ResourceSlice with the same NodeName as the requesting node".into())
        }
        _ => None,
    }
}

/// A node asks for certificates of its own name only.
fn signing(node: &str, object: Option<&Value>) -> Option<String> {
    let spec = &object?["spec"];
    if !KUBELET_SIGNERS.iter().any(|signer| spec["signerName"] == *signer) {
        return None;
    }
    let Some(names) = request_of_pem(spec["request"].as_str().unwrap_or_default()) else {
        return Some("unable to parse csr: malformed certificate request".into());
    };
    let wanted = format!("system:node:{node}");
    (names.common_name != wanted).then(|| format!("can only create a node CSR with CN={wanted}"))
}
