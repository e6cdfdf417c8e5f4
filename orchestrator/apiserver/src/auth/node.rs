//! The Node authorizer: a node reads and writes what belongs to itself and to its Pods.
//!
//! Upstream keeps a graph of all relations; here a relation is looked up among the Pods of the
//! namespace that is asked about, which the watch cache holds in memory.

use super::{Attributes, Rule, read};
use crate::identity::Identity;
use crate::registry::reader::ObjectReader;
use bytes::Bytes;
use orchestrator_apimachinery::selector::FieldSelector;
use serde_json::Value;

/// What the Node authorizer says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Go on.
    Allowed,
    /// Not its business.
    Silent,
    /// A node asks for something that is not its own.
    Unrelated(String),
}

/// The name of the node behind an identity: user `system:node:NAME` of the group `system:nodes`.
pub(super) fn node_name(who: &Identity) -> Option<&str> {
    let name = who.name.strip_prefix("system:node:").filter(|name| !name.is_empty())?;
    who.groups.iter().any(|group| group == "system:nodes").then_some(name)
}

/// Decides for nodes; `rules` are those of the ClusterRole `system:node`.
pub(super) fn decide(who: &Identity, what: &Attributes, rules: &[Rule], objects: &dyn ObjectReader) -> Verdict {
    let Some(node) = node_name(who) else { return Verdict::Silent };
    if !rules.iter().any(|rule| rule.allows(what)) {
        return Verdict::Silent;
    }
    let refused = match (what.group.as_str(), what.resource.as_str()) {
        ("", "nodes") | ("storage.k8s.io", "csinodes") => own_node(node, what),
        ("", "pods") => own_pod(node, what, objects),
        ("", "secrets" | "configmaps" | "persistentvolumeclaims") => of_own_pod(node, what, objects),
        ("", "serviceaccounts") => account_of_own_pod(node, what, objects),
        ("coordination.k8s.io", "leases") => own_lease(node, what),
        _ => None,
    };
    match refused {
        None => Verdict::Allowed,
        Some(why) => Verdict::Unrelated(why),
    }
}

fn no_relation(node: &str) -> Option<String> {
    Some(format!("no relationship found between node '{node}' and this object"))
}

/// Whether a list or watch selects only objects whose field `path` is `value`.
fn selects(what: &Attributes, path: &str, value: &str) -> bool {
    FieldSelector::parse(&what.field_selector).is_ok_and(|selector| selector.exact(path) == Some(value))
}

fn own_node(node: &str, what: &Attributes) -> Option<String> {
    let own = match what.verb.as_str() {
        // The name comes with the object; `restrict_node` looks at it.
        "create" => what.name.is_empty() || what.name == node,
        "list" | "watch" => what.name == node || selects(what, "metadata.name", node),
        _ => what.name == node,
    };
    if own { None } else { Some(format!("node '{node}' cannot access other nodes")) }
}

fn own_pod(node: &str, what: &Attributes, objects: &dyn ObjectReader) -> Option<String> {
    match what.verb.as_str() {
        "list" | "watch" => {
            let own = selects(what, "spec.nodeName", node) || {
                let named = !what.name.is_empty() && !what.namespace.is_empty();
                named && bound_to(node, what, objects) == Some(true)
            };
            if own { None } else { Some("can only list/watch pods with spec.nodeName field selector".into()) }
        }
        "create" if what.subresource.is_empty() => None,
        "get" if bound_to(node, what, objects) == Some(true) => None,
        "get" => no_relation(node),
        // A write to a Pod that is gone gets its 404 later.
        _ if bound_to(node, what, objects) == Some(false) => no_relation(node),
        _ => None,
    }
}

/// Whether the Pod in the request is bound to `node`; `None` when there is no such Pod.
fn bound_to(node: &str, what: &Attributes, objects: &dyn ObjectReader) -> Option<bool> {
    let pod = read(objects, "", "pods", &what.namespace, &what.name)?;
    Some(pod["spec"]["nodeName"] == node)
}

fn own_lease(node: &str, what: &Attributes) -> Option<String> {
    if what.namespace != "kube-node-lease" {
        return Some("can only access leases in the \"kube-node-lease\" system namespace".into());
    }
    let own = what.name == node || (what.verb == "create" && what.name.is_empty());
    if own { None } else { Some("can only access node lease with the same name as the requesting node".into()) }
}

/// Reads of a single named object that a Pod of the node refers to.
fn of_own_pod(node: &str, what: &Attributes, objects: &dyn ObjectReader) -> Option<String> {
    if !matches!(what.verb.as_str(), "get" | "list" | "watch") || !what.subresource.is_empty() {
        return Some("can only read resources of this type".into());
    }
    if what.name.is_empty() || what.namespace.is_empty() {
        return Some("can only read namespaced object of this type".into());
    }
    let kind = match what.resource.as_str() {
        "secrets" => Referent::Secret,
        "configmaps" => Referent::ConfigMap,
        _ => Referent::Claim,
    };
    let related = pods(node, what, objects).any(|pod| refers(&pod, kind, &what.name));
    if related { None } else { no_relation(node) }
}

fn account_of_own_pod(node: &str, what: &Attributes, objects: &dyn ObjectReader) -> Option<String> {
    if what.subresource != "token" || what.verb != "create" || what.name.is_empty() || what.namespace.is_empty() {
        return Some("can only create tokens for individual service accounts".into());
    }
    let related = pods(node, what, objects).any(|pod| pod["spec"]["serviceAccountName"] == what.name.as_str());
    if related { None } else { no_relation(node) }
}

/// The node's Pods in the request's namespace that mention its name. Mirror Pods do not count: the
/// node makes them itself, and could name any Secret.
fn pods<'o>(node: &'o str, what: &'o Attributes, objects: &'o dyn ObjectReader) -> impl Iterator<Item = Value> + 'o {
    // Most Pods are told apart by their text, without decoding them.
    let mentions = move |bytes: &Bytes| {
        str::from_utf8(bytes).is_ok_and(|text| text.contains(node) && text.contains(what.name.as_str()))
    };
    let candidates = objects.list("", "pods", Some(&what.namespace)).into_iter().filter(mentions);
    candidates.filter_map(|bytes| serde_json::from_slice::<Value>(&bytes).ok()).filter(move |pod| {
        let mirror = pod["metadata"]["annotations"]["kubernetes.io/config.mirror"].is_string();
        pod["spec"]["nodeName"] == node && !mirror
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Referent {
    Secret,
    ConfigMap,
    Claim,
}

/// Whether a Pod's spec names the object: in volumes, environment or image pull secrets.
fn refers(pod: &Value, kind: Referent, name: &str) -> bool {
    let spec = &pod["spec"];
    let is = |value: &Value| value.as_str() == Some(name);
    let each = |list: &'_ Value| list.as_array().cloned().unwrap_or_default();
    let containers =
        ["containers", "initContainers", "ephemeralContainers"].into_iter().flat_map(|list| each(&spec[list]));
    let by_environment = |from: &str, key: &str| {
        containers.clone().any(|container| {
            each(&container["envFrom"]).iter().any(|source| is(&source[from]["name"]))
                || each(&container["env"]).iter().any(|variable| is(&variable["valueFrom"][key]["name"]))
        })
    };
    let volumes = each(&spec["volumes"]);
    let projected = |source: &str| {
        let sources = volumes.iter().flat_map(|volume| each(&volume["projected"]["sources"]));
        sources.into_iter().any(|projection| is(&projection[source]["name"]))
    };
    match kind {
        Referent::Claim => volumes.iter().any(|volume| {
            let ephemeral = volume["ephemeral"].is_object()
                && name
                    == format!(
                        "{}-{}",
                        pod["metadata"]["name"].as_str().unwrap_or(""),
                        volume["name"].as_str().unwrap_or("")
                    );
            is(&volume["persistentVolumeClaim"]["claimName"]) || ephemeral
        }),
        Referent::ConfigMap => {
            by_environment("configMapRef", "configMapKeyRef")
                || projected("configMap")
                || volumes.iter().any(|volume| is(&volume["configMap"]["name"]))
        }
        Referent::Secret => {
            by_environment("secretRef", "secretKeyRef")
                || projected("secret")
                || each(&spec["imagePullSecrets"]).iter().any(|secret| is(&secret["name"]))
                || volumes.iter().any(|volume| {
                    is(&volume["secret"]["secretName"]) || is(&volume["csi"]["nodePublishSecretRef"]["name"])
                })
        }
    }
}
