//! The Node authorizer: a node reads and writes what belongs to itself and to its Pods.
//!
//! Source: Kubernetes, "Using Node Authorization".

mod relations;

use self::relations::{Referent, Relations};
use super::{Attributes, Rule};
use crate::identity::Identity;
use crate::registry::reader::ObjectReader;
use orchestrator_apimachinery::selector::FieldSelector;

pub(super) use relations::{claims, mentions_any};

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
    let slice = (what.group.as_str(), what.resource.as_str()) == ("resource.k8s.io", "resourceslices");
    if !slice && !rules.iter().any(|rule| rule.allows(what)) {
        return Verdict::Silent;
    }
    let relations = Relations { node, objects };
    let refused = match (what.group.as_str(), what.resource.as_str()) {
        ("", "nodes") => own_node(node, what),
        ("", "pods") => own_pod(&relations, what),
        ("", "secrets") => readable(&relations, what, Referent::Secret),
        ("", "configmaps") => readable(&relations, what, Referent::ConfigMap),
        ("", "persistentvolumeclaims") if what.subresource == "status" => {
            // A kubelet tells how far a resize is.
            related(&relations, what, |relations| relations.of_pods(what, Referent::Claim))
        }
        ("", "persistentvolumeclaims") => gettable(&relations, what, |r| r.of_pods(what, Referent::Claim)),
        ("", "persistentvolumes") => gettable(&relations, what, |r| r.of_volume(&what.name)),
        ("resource.k8s.io", "resourceclaims") => {
            gettable(&relations, what, |r| r.of_pods(what, Referent::ResourceClaim))
        }
        ("storage.k8s.io", "volumeattachments") => gettable(&relations, what, |r| r.is_attached(&what.name)),
        ("", "serviceaccounts") => account_of_own_pod(&relations, what),
        ("coordination.k8s.io", "leases") => own_lease(node, what),
        ("storage.k8s.io", "csinodes") => own_csi_node(node, what),
        ("resource.k8s.io", "resourceslices") => own_slice(&relations, what),
        _ => None,
    };
    match refused {
        None => Verdict::Allowed,
        Some(why) => Verdict::Unrelated(why),
    }
}

/// Whether a list or watch selects only objects whose field `path` is `value`.
fn selects(what: &Attributes, path: &str, value: &str) -> bool {
    FieldSelector::parse(&what.field_selector).is_ok_and(|selector| selector.exact(path) == Some(value))
}

fn own_node(node: &str, what: &Attributes) -> Option<String> {
    let name = what.name.as_str();
    match what.verb.as_str() {
        // The name comes with the object; `restrict_node` looks at it.
        "create" if name.is_empty() => None,
        _ if name == node => None,
        "list" | "watch" if selects(what, "metadata.name", node) => None,
        "get" | "list" | "watch" if name.is_empty() => {
            Some(format!("node '{node}' cannot read all nodes, only its own Node object"))
        }
        "get" | "list" | "watch" => Some(format!("node '{node}' cannot read '{name}', only its own Node object")),
        _ => Some(format!("node {node:?} is not allowed to modify node {name:?}")),
    }
}

fn own_pod(relations: &Relations<'_>, what: &Attributes) -> Option<String> {
    let bound = || relations.is_bound(&what.namespace, &what.name);
    match what.verb.as_str() {
        "list" | "watch" if selects(what, "spec.nodeName", relations.node) => None,
        "list" | "watch" if what.name.is_empty() => {
            Some("can only list/watch pods with spec.nodeName field selector".into())
        }
        "create" if what.subresource.is_empty() => None,
        "get" | "list" | "watch" if bound() == Some(true) => None,
        "get" | "list" | "watch" => relations.none(),
        // A write to a Pod that is gone gets its 404 later.
        _ if bound() == Some(false) => relations.none(),
        _ => None,
    }
}

fn own_lease(node: &str, what: &Attributes) -> Option<String> {
    if what.namespace != "kube-node-lease" {
        return Some("can only access leases in the \"kube-node-lease\" system namespace".into());
    }
    let own = what.name == node || (what.verb == "create" && what.name.is_empty());
    if own { None } else { Some("can only access node lease with the same name as the requesting node".into()) }
}

fn own_csi_node(node: &str, what: &Attributes) -> Option<String> {
    let own = what.name == node || (what.verb == "create" && what.name.is_empty());
    if own { None } else { Some("can only access CSINode with the same name as the requesting node".into()) }
}

/// Devices that a node offers; `restrict_node` looks at those that it makes.
fn own_slice(relations: &Relations<'_>, what: &Attributes) -> Option<String> {
    if !what.subresource.is_empty() {
        return Some("cannot authorize ResourceSlice subresources".into());
    }
    match what.verb.as_str() {
        "create" => None,
        "get" | "update" | "patch" | "delete" => related(relations, what, |r| r.offers(&what.name)),
        "list" | "watch" | "deletecollection" if selects(what, "spec.nodeName", relations.node) => None,
        "list" | "watch" | "deletecollection" => {
            Some("can only list/watch/deletecollection resourceslices with nodeName field selector".into())
        }
        _ => Some(
            "only the following verbs are allowed for a ResourceSlice: get, watch, list, create, update, patch, delete, \
             deletecollection"
                .into(),
        ),
    }
}

/// Reads of a single named object that a Pod of the node refers to.
fn readable(relations: &Relations<'_>, what: &Attributes, kind: Referent) -> Option<String> {
    if !matches!(what.verb.as_str(), "get" | "list" | "watch") {
        return Some("can only read resources of this type".into());
    }
    if !what.subresource.is_empty() {
        return Some("cannot read subresource".into());
    }
    if what.namespace.is_empty() {
        return Some("can only read namespaced object of this type".into());
    }
    related(relations, what, |relations| {
        relations.of_pods(what, kind)
            || (kind == Referent::Secret && relations.of_secret_of_volume(&what.namespace, &what.name))
    })
}

/// The same for objects that cannot be watched one by one.
fn gettable(
    relations: &Relations<'_>,
    what: &Attributes,
    holds: impl FnOnce(&Relations<'_>) -> bool,
) -> Option<String> {
    if what.verb != "get" {
        return Some("can only get individual resources of this type".into());
    }
    if !what.subresource.is_empty() {
        return Some("cannot get subresource".into());
    }
    related(relations, what, holds)
}

fn related(relations: &Relations<'_>, what: &Attributes, holds: impl FnOnce(&Relations<'_>) -> bool) -> Option<String> {
    if what.name.is_empty() {
        return Some("No Object name found".into());
    }
    if holds(relations) { None } else { relations.none() }
}

fn account_of_own_pod(relations: &Relations<'_>, what: &Attributes) -> Option<String> {
    let of_pod = |relations: &Relations<'_>| relations.of_pods(what, Referent::ServiceAccount);
    if what.verb == "get" && what.subresource.is_empty() {
        return related(relations, what, of_pod);
    }
    if what.verb != "create" || what.name.is_empty() {
        return Some("can only create tokens for individual service accounts".into());
    }
    if what.subresource != "token" {
        return Some("can only create token subresource of serviceaccount".into());
    }
    related(relations, what, of_pod)
}
