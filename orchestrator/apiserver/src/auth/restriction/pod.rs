//! The Pods that a node writes: mirrors of those that it runs by itself, and the status of those bound to it.

use super::super::node::{claims, mentions_any};
use super::super::{Attributes, read};
use crate::registry::reader::ObjectReader;
use orchestrator_apimachinery::meta;
use serde_json::Value;

/// Marks the API's copy of a Pod that a node runs by itself.
const MIRROR: &str = "kubernetes.io/config.mirror";

/// Why a node must not do this to a Pod.
pub(super) fn refusal(
    node: &str,
    what: &Attributes,
    object: Option<&Value>,
    old: Option<&Value>,
    objects: &dyn ObjectReader,
) -> Option<String> {
    let on_node = |pod: &Value| pod["spec"]["nodeName"] == node;
    match (what.verb.as_str(), what.subresource.as_str()) {
        ("create", "") => mirror(node, object?, objects),
        ("create", "eviction") => {
            let pod = read(objects, "", "pods", &what.namespace, &what.name)?;
            (!on_node(&pod)).then(|| format!("node {node:?} can only evict pods with spec.nodeName set to itself"))
        }
        ("delete" | "deletecollection", _) => {
            let own = old.is_some_and(on_node);
            (!own).then(|| format!("node {node:?} can only delete pods with spec.nodeName set to itself"))
        }
        ("update" | "patch", "status") => {
            if !old.is_none_or(on_node) {
                return Some(format!(
                    "node {node:?} can only update pod status for pods with spec.nodeName set to itself"
                ));
            }
            let (object, old) = object.zip(old)?;
            if object["metadata"]["labels"] != old["metadata"]["labels"] {
                return Some(format!("node {node:?} cannot update labels through pod status"));
            }
            let claims = |pod: &Value| {
                ["resourceClaimStatuses", "extendedResourceClaimStatus"].map(|field| pod["status"][field].clone())
            };
            (claims(object) != claims(old)).then(|| format!("node {node:?} cannot update resource claim statuses"))
        }
        ("get" | "list" | "watch", _) => None,
        (verb, _) => {
            Some(format!("unexpected operation {verb:?}, node {node:?} can only create and delete mirror pods"))
        }
    }
}

/// A mirror Pod must give its node nothing that the node has not already.
fn mirror(node: &str, pod: &Value, objects: &dyn ObjectReader) -> Option<String> {
    if !pod["metadata"]["annotations"][MIRROR].is_string() {
        return Some(format!("pod does not have {MIRROR:?} annotation, node {node:?} can only create mirror pods"));
    }
    if pod["spec"]["nodeName"] != node {
        return Some(format!("node {node:?} can only create pods with spec.nodeName set to itself"));
    }
    if let Some(why) = owner(node, pod, objects) {
        return Some(why);
    }
    let account = pod["spec"]["serviceAccountName"].as_str().is_some_and(|name| !name.is_empty());
    let resource_claims = pod["spec"]["resourceClaims"].as_array().is_some_and(|list| !list.is_empty());
    let references = [
        (account, "a service account"),
        (
            mentions_any(
                pod,
                &["secretRef", "secretKeyRef", "secret", "imagePullSecrets", "nodePublishSecretRef", "azureFile"],
            ),
            "secrets",
        ),
        (mentions_any(pod, &["configMapRef", "configMapKeyRef", "configMap"]), "configmaps"),
        (claims(pod).next().is_some(), "persistentvolumeclaims"),
        (resource_claims, "resourceclaims"),
    ];
    let (_, noun) = references.into_iter().find(|(refers, _)| *refers)?;
    Some(format!("node {node:?} can not create pods that reference {noun}"))
}

fn owner(node: &str, pod: &Value, objects: &dyn ObjectReader) -> Option<String> {
    let [owner] = pod["metadata"]["ownerReferences"].as_array().map_or(&[][..], Vec::as_slice) else {
        return Some(format!("node {node:?} can only create pods with a single owner reference set to itself"));
    };
    if owner["apiVersion"] != "v1" || owner["kind"] != "Node" || owner["name"] != node {
        return Some(format!("node {node:?} can only create pods with an owner reference set to itself"));
    }
    if owner["controller"] != true {
        return Some(format!("node {node:?} can only create pods with a controller owner reference set to itself"));
    }
    if owner["blockOwnerDeletion"] == true {
        return Some(format!("node {node:?} must not set blockOwnerDeletion on an owner reference"));
    }
    let uid = owner["uid"].as_str().unwrap_or_default();
    let own = read(objects, "", "nodes", "", node).map(|node| meta::uid(&node).to_owned()).unwrap_or_default();
    (own != uid).then(|| format!("UID mismatch: expected {own} got {uid}"))
}
