//! Who owns whom, by uid; pure.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// The finalizer of an object that waits until its dependents are gone.
pub const FOREGROUND: &str = "foregroundDeletion";
/// The finalizer of an object that waits until its dependents have lost it as owner.
pub const ORPHAN: &str = "orphan";

/// An object as the collector sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// apiVersion and kind; shared by all objects of the kind.
    pub kind: Arc<(String, String)>,
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
    pub fn of(kind: &Arc<(String, String)>, meta: &ObjectMeta) -> Self {
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

    fn has(&self, finalizer: &str) -> bool {
        self.finalizers.iter().any(|name| name == finalizer)
    }

    fn waits_for(&self, finalizer: &str) -> bool {
        self.deleting && self.has(finalizer)
    }

    /// Whether it may own an object of that namespace; an owner of another namespace is no owner.
    fn reaches(&self, namespace: &str) -> bool {
        self.namespace.is_empty() || self.namespace == namespace
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
    /// It is deleted leaving its dependents: these lose it as owner, then its finalizer goes.
    ReleaseDependents(Vec<Node>),
    /// Nothing holds it any more: this finalizer goes.
    Release(&'static str),
    /// Some of its owners hold it no longer, or may be gone; [`Doubt::fate`] says what follows
    /// once the server was asked for the latter.
    CheckOwners(Doubt),
}

/// What speaks against an object's owners.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Doubt {
    /// Owners that the graph does not know.
    pub absent: Vec<String>,
    /// Owners that are deleted in the foreground, so that they hold nothing.
    pub waiting: Vec<String>,
    /// Whether it has dependents of its own.
    pub has_dependents: bool,
    /// Whether one of those is deleted in the foreground, too: a circle that would wait for itself.
    pub is_circle: bool,
}

/// What becomes of an object whose owners were looked at.
#[derive(Clone, Debug, PartialEq)]
pub enum Fate {
    /// It stays as it is.
    Keep,
    /// It stays with these owners.
    Disown(Vec<OwnerReference>),
    /// It goes.
    Delete {
        /// The propagation policy.
        policy: &'static str,
        /// Owner references to write first, so that no owner waits for it.
        unblocked: Option<Vec<OwnerReference>>,
    },
}

impl Doubt {
    /// What becomes of `node` if of the absent owners only those in `gone` are really gone. It goes
    /// when no owner holds it; otherwise it only loses those that do not.
    pub fn fate(&self, node: &Node, gone: &[String]) -> Fate {
        let lost = |owner: &OwnerReference| gone.contains(&owner.uid) || self.waiting.contains(&owner.uid);
        let held: Vec<OwnerReference> = node.owners.iter().filter(|owner| !lost(owner)).cloned().collect();
        if held.len() == node.owners.len() {
            return Fate::Keep;
        }
        if !held.is_empty() {
            return Fate::Disown(held);
        }
        let foreground = !self.waiting.is_empty() && self.has_dependents;
        let policy = match () {
            () if foreground => "Foreground",
            () if node.has(ORPHAN) => "Orphan",
            () if node.has(FOREGROUND) => "Foreground",
            () => "Background",
        };
        let unblocked = (foreground && self.is_circle).then(|| {
            let unblock =
                |owner: &OwnerReference| OwnerReference { block_owner_deletion: Some(false), ..owner.clone() };
            node.owners.iter().map(unblock).collect()
        });
        Fate::Delete { policy, unblocked }
    }
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
        if node.waits_for(FOREGROUND) {
            // Its dependents lose their hold.
            woken.extend(self.dependents.get(&uid).into_iter().flatten().cloned());
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

    fn dependents_of(&self, node: &Node) -> Vec<&Node> {
        let uids = self.dependents.get(&node.uid).into_iter().flatten();
        uids.filter_map(|uid| self.nodes.get(uid)).filter(|dependent| node.reaches(&dependent.namespace)).collect()
    }

    /// What to do about an object, if it is known.
    pub fn decide(&self, uid: &str) -> Option<(Node, Decision)> {
        let node = self.nodes.get(uid)?;
        let decision = if node.waits_for(ORPHAN) {
            Decision::ReleaseDependents(self.dependents_of(node).into_iter().cloned().collect())
        } else if node.waits_for(FOREGROUND) {
            match self.dependents_of(node).iter().any(|dependent| dependent.blocks(uid)) {
                true => Decision::Keep,
                false => Decision::Release(FOREGROUND),
            }
        } else if node.deleting {
            Decision::Keep
        } else {
            self.doubt(node)
        };
        Some((node.clone(), decision))
    }

    fn doubt(&self, node: &Node) -> Decision {
        let mut doubt = Doubt::default();
        for owner in &node.owners {
            match self.nodes.get(&owner.uid).filter(|known| known.reaches(&node.namespace)) {
                None => doubt.absent.push(owner.uid.clone()),
                Some(known) if known.waits_for(FOREGROUND) => doubt.waiting.push(owner.uid.clone()),
                Some(_) => {}
            }
        }
        if doubt.absent.is_empty() && doubt.waiting.is_empty() {
            return Decision::Keep;
        }
        let dependents = self.dependents_of(node);
        doubt.has_dependents = !dependents.is_empty();
        doubt.is_circle = dependents.iter().any(|dependent| dependent.waits_for(FOREGROUND));
        Decision::CheckOwners(doubt)
    }
}
