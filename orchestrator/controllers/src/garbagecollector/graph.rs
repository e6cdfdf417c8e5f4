//! Who owns whom, by uid; pure.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use std::collections::{BTreeSet, HashMap};

/// An object as the collector sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// apiVersion and kind.
    pub kind: (String, String),
    /// Namespace, empty for cluster-wide kinds.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// uid.
    pub uid: String,
    /// resourceVersion.
    pub version: String,
    /// Owners.
    pub owners: Vec<OwnerReference>,
    /// Finalizers.
    pub finalizers: Vec<String>,
    /// Whether a delete was asked for.
    pub deleting: bool,
}

impl Node {
    /// From an object's metadata.
    pub fn of(kind: &(String, String), meta: &ObjectMeta) -> Self {
        let text = |field: &Option<String>| field.clone().unwrap_or_default();
        Node {
            kind: kind.clone(),
            namespace: text(&meta.namespace),
            name: text(&meta.name),
            uid: text(&meta.uid),
            version: text(&meta.resource_version),
            owners: meta.owner_references.clone().unwrap_or_default(),
            finalizers: meta.finalizers.clone().unwrap_or_default(),
            deleting: meta.deletion_timestamp.is_some(),
        }
    }

    fn waits_for(&self, finalizer: &str) -> bool {
        self.deleting && self.finalizers.iter().any(|name| name == finalizer)
    }

    /// Whether its foreground-deleted owner waits for it.
    pub fn blocks(&self, owner: &str) -> bool {
        self.owners.iter().any(|reference| reference.uid == owner && reference.block_owner_deletion == Some(true))
    }
}

/// What to do about an object.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// Nothing.
    Keep,
    /// It is deleted in the foreground: these are to go first.
    DeleteDependents(Vec<Node>),
    /// It is deleted leaving its dependents: these lose it as owner, then its finalizer goes.
    ReleaseDependents(Vec<Node>),
    /// Nothing holds it any more: this finalizer goes.
    Release(&'static str),
    /// These owners are not known; if that is true of all its owners, the object goes.
    CheckOwners(Vec<String>),
}

/// All objects and their dependents.
#[derive(Debug, Default)]
pub struct Graph {
    nodes: HashMap<String, Node>,
    dependents: HashMap<String, BTreeSet<String>>,
}

impl Graph {
    /// Adds or replaces an object; returns the uids to look at.
    pub fn put(&mut self, node: Node) -> Vec<String> {
        let uid = node.uid.clone();
        let mut woken = self.unlink(&uid);
        for owner in &node.owners {
            self.dependents.entry(owner.uid.clone()).or_default().insert(uid.clone());
            // Its owner may wait for it in the foreground.
            woken.push(owner.uid.clone());
        }
        if !node.owners.is_empty() || node.deleting {
            woken.push(uid.clone());
        }
        self.nodes.insert(uid, node);
        woken
    }

    /// Removes an object; returns the uids to look at: its dependents and its owners.
    pub fn remove(&mut self, uid: &str) -> Vec<String> {
        let mut woken = self.unlink(uid);
        self.nodes.remove(uid);
        woken.extend(self.dependents.get(uid).into_iter().flatten().cloned());
        woken
    }

    /// Takes an object out of its owners' dependents; returns those owners.
    fn unlink(&mut self, uid: &str) -> Vec<String> {
        let owners = self.nodes.get(uid).map(|node| node.owners.clone()).unwrap_or_default();
        for owner in &owners {
            if let Some(dependents) = self.dependents.get_mut(&owner.uid) {
                dependents.remove(uid);
                if dependents.is_empty() {
                    self.dependents.remove(&owner.uid);
                }
            }
        }
        owners.into_iter().map(|owner| owner.uid).collect()
    }

    fn dependents_of(&self, uid: &str) -> Vec<Node> {
        let uids = self.dependents.get(uid);
        uids.into_iter().flatten().filter_map(|uid| self.nodes.get(uid).cloned()).collect()
    }

    /// What to do about an object, if it is known.
    pub fn decide(&self, uid: &str) -> Option<(Node, Decision)> {
        let node = self.nodes.get(uid)?.clone();
        let decision = if node.waits_for("orphan") {
            Decision::ReleaseDependents(self.dependents_of(uid))
        } else if node.waits_for("foregroundDeletion") {
            self.foreground(&node)
        } else if node.deleting {
            Decision::Keep
        } else {
            self.owners(&node)
        };
        Some((node, decision))
    }

    fn foreground(&self, node: &Node) -> Decision {
        let dependents = self.dependents_of(&node.uid);
        if !dependents.iter().any(|dependent| dependent.blocks(&node.uid)) {
            return Decision::Release("foregroundDeletion");
        }
        let standing: Vec<Node> = dependents.into_iter().filter(|dependent| !dependent.deleting).collect();
        if standing.is_empty() { Decision::Keep } else { Decision::DeleteDependents(standing) }
    }

    fn owners(&self, node: &Node) -> Decision {
        let known = |owner: &&OwnerReference| {
            // An owner of another namespace is no owner.
            self.nodes.get(&owner.uid).is_some_and(|o| o.namespace.is_empty() || o.namespace == node.namespace)
        };
        let absent: Vec<String> =
            node.owners.iter().filter(|owner| !known(owner)).map(|owner| owner.uid.clone()).collect();
        if absent.is_empty() { Decision::Keep } else { Decision::CheckOwners(absent) }
    }
}
