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

    /// What SelfSubjectRulesReview shows of `who` in `namespace`.
    pub fn rules_for(&self, who: &Identity, namespace: &str) -> RulesFound {
        let mut found = RulesFound::default();
        if is_superuser(who) {
            found.resources.push(json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}));
            found.paths.push(json!({"verbs": ["*"], "nonResourceURLs": ["*"]}));
        }
        let mut errors: Vec<String> = Vec::new();
        for grant in self.snapshot().grants(who, namespace) {
            let rules = match &grant.rules {
                Ok(rules) => rules,
                Err(why) if errors.iter().any(|known| **known == **why) => continue,
                Err(why) => {
                    errors.push(why.to_string());
                    continue;
                }
            };
            for (resource, path) in rules.iter().map(Rule::review) {
                found.resources.extend(resource.filter(|rule| !found.resources.contains(rule)));
                found.paths.extend(path.filter(|rule| !found.paths.contains(rule)));
            }
        }
        if node::node_name(who).is_some() {
            found.incomplete = true;
            errors.push("node authorizer does not support user rule resolution".into());
        }
        found.errors = if errors.len() > 1 { format!("[{}]", errors.join(", ")) } else { errors.concat() };
        found
    }
}

/// What somebody may do in a namespace, as SelfSubjectRulesReview tells it.
#[derive(Debug, Default)]
pub struct RulesFound {
    /// `status.resourceRules`
    pub resources: Vec<Value>,
    /// `status.nonResourceRules`
    pub paths: Vec<Value>,
    /// Whether they may do more than the rules say.
    pub incomplete: bool,
    /// `status.evaluationError`, may be empty.
    pub errors: String,
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
