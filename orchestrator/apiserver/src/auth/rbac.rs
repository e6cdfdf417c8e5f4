//! Who may do what: the superusers' group, the nodes' relations, Roles and bindings.

use super::node::{self, Verdict};
use super::snapshot::{GROUP, Grant, PLURALS, Snapshot};
use super::{Attributes, Authorizer, Rule, SUPERUSERS};
use crate::identity::Identity;
use crate::registry::reader::ObjectReader;
use arc_swap::ArcSwap;
use async_trait::async_trait;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// The server's authorizer: `system:masters`, then the Node authorizer, then RBAC.
pub struct Rbac {
    objects: Arc<dyn ObjectReader>,
    changes: [watch::Receiver<u64>; 4],
    snapshot: ArcSwap<Snapshot>,
    /// Held while a snapshot is compiled, so that only one request does it.
    compiling: Mutex<()>,
    node_rules: Vec<Rule>,
}

impl Rbac {
    /// Over the Roles and bindings in `objects`; a change counts from the next request on.
    pub fn new(objects: Arc<dyn ObjectReader>) -> Self {
        let changes = PLURALS.map(|plural| objects.changes(GROUP, plural));
        let versions = changes.each_ref().map(|receiver| *receiver.borrow());
        let snapshot = ArcSwap::from_pointee(Snapshot::compile(&*objects, versions));
        let node_rules = Rule::all_of(&json!({"rules": crate::bootstrap::node_rules()}));
        Rbac { objects, changes, snapshot, compiling: Mutex::new(()), node_rules }
    }

    /// The rules as of now; compiled at most once for each change.
    pub(super) fn snapshot(&self) -> Arc<Snapshot> {
        let seen = || self.changes.each_ref().map(|receiver| *receiver.borrow());
        let current = self.snapshot.load_full();
        if current.versions == seen() {
            return current;
        }
        let _one = self.compiling.lock().unwrap_or_else(PoisonError::into_inner);
        // The counters are read before the objects: a change in between makes it compile again.
        let versions = seen();
        let current = self.snapshot.load_full();
        if current.versions == versions {
            return current;
        }
        let fresh = Arc::new(Snapshot::compile(&*self.objects, versions));
        self.snapshot.store(fresh.clone());
        fresh
    }

    /// Decides at once; see [`Authorizer::authorize`].
    pub fn decide(&self, who: &Identity, what: &Attributes) -> Result<(), String> {
        if is_superuser(who) {
            return Ok(());
        }
        let mut reasons = Vec::new();
        match node::decide(who, what, &self.node_rules, &*self.objects) {
            Verdict::Allowed => return Ok(()),
            Verdict::Silent => {}
            Verdict::Unrelated(why) => reasons.push(why),
        }
        let snapshot = self.snapshot();
        let mut missing: Vec<Arc<str>> = Vec::new();
        for grant in snapshot.grants(who, &what.namespace) {
            match &grant.rules {
                Ok(rules) if rules.iter().any(|rule| rule.allows(what)) => return Ok(()),
                Ok(_) => {}
                Err(why) if missing.contains(why) => {}
                Err(why) => missing.push(why.clone()),
            }
        }
        match missing.as_slice() {
            [] => {}
            [one] => reasons.push(format!("RBAC: {one}")),
            many => reasons.push(format!("RBAC: [{}]", many.join(", "))),
        }
        Err(reasons.join(", "))
    }

    /// Why something is allowed, for the audit log, in upstream's words; empty for superusers and nodes.
    pub fn reason(&self, who: &Identity, what: &Attributes) -> String {
        if is_superuser(who) || node::node_name(who).is_some() {
            return String::new();
        }
        let snapshot = self.snapshot();
        let mut grants = snapshot.grants(who, &what.namespace);
        let allows =
            |grant: &&Grant| grant.rules.as_ref().is_ok_and(|rules| rules.iter().any(|rule| rule.allows(what)));
        grants.find(allows).map_or_else(String::new, |grant| format!("RBAC: allowed by {}", grant.source))
    }

    /// What SelfSubjectRulesReview shows of `who` in `namespace`: `status.resourceRules` and
    /// `status.nonResourceRules`.
    pub fn rules_for(&self, who: &Identity, namespace: &str) -> (Value, Value) {
        if is_superuser(who) {
            return (
                json!([{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]),
                json!([{"verbs": ["*"], "nonResourceURLs": ["*"]}]),
            );
        }
        let (mut resources, mut paths) = (Vec::new(), Vec::new());
        for rule in self.snapshot().rules(who, namespace) {
            let (resource, path) = rule.review();
            resources.extend(resource);
            paths.extend(path);
        }
        (Value::Array(resources), Value::Array(paths))
    }
}

/// Whether `who` is of `system:masters`.
pub(super) fn is_superuser(who: &Identity) -> bool {
    who.groups.iter().any(|group| group == SUPERUSERS)
}

#[async_trait]
impl Authorizer for Rbac {
    async fn authorize(&self, who: &Identity, what: &Attributes) -> Result<(), String> {
        self.decide(who, what)
    }
}
