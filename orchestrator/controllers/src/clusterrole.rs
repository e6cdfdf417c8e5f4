//! ClusterRole: the rules of one with an `aggregationRule` are those of the roles that it selects.
//!
//! Authorization selects by itself; the rules are written down for whoever reads the role.

use crate::caches::Caches;
use crate::driver::{Controller, ControllerError};
use crate::plan::{Now, Plan, Write};
use async_trait::async_trait;
use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule};
use kube::{Client, ResourceExt};
use orchestrator_apimachinery::selector::LabelSelector;
use orchestrator_client::{Key, WorkQueue};
use serde_json::json;
use std::sync::Arc;

/// Keeps aggregated ClusterRoles true.
pub struct ClusterRoleController;

#[async_trait]
impl Controller for ClusterRoleController {
    fn name(&self) -> &'static str {
        "clusterrole-aggregation-controller"
    }

    fn wire(&self, caches: &Caches, queue: &WorkQueue) {
        // Each may select each, so that one key stands for all.
        caches.cluster_roles.feed(queue, |_| vec![Key::new("", "all")]);
    }

    async fn plan(&self, caches: &Caches, _: &Client, _: &Key, _: Now) -> Result<Plan, ControllerError> {
        Ok(plan(&caches.cluster_roles.list()))
    }
}

/// Writes the rules of those that have others than they should. `roles` are all, by name.
pub fn plan(roles: &[Arc<ClusterRole>]) -> Plan {
    let mut plan = Plan::default();
    for role in roles {
        let Some(rules) = aggregated(role, roles) else { continue };
        if role.metadata.deletion_timestamp.is_none() && role.rules.as_deref().unwrap_or_default() != rules {
            plan.writes.push(Write::replace(&ClusterRole { rules: Some(rules), ..(**role).clone() }));
        }
    }
    plan
}

/// The rules of the roles that `role` selects, each once; `None` when it selects none by a rule.
fn aggregated(role: &ClusterRole, roles: &[Arc<ClusterRole>]) -> Option<Vec<PolicyRule>> {
    let selectors = role.aggregation_rule.as_ref()?.cluster_role_selectors.as_deref().unwrap_or_default();
    // One that cannot be read selects nothing.
    let selectors: Vec<LabelSelector> =
        selectors.iter().filter_map(|selector| LabelSelector::from_object(&json!(selector)).ok()).collect();
    let selected = |other: &&Arc<ClusterRole>| {
        let label = |key: &str| other.labels().get(key).cloned();
        other.name_any() != role.name_any() && selectors.iter().any(|selector| selector.matches(&label))
    };
    let mut rules: Vec<PolicyRule> = Vec::new();
    for rule in roles.iter().filter(selected).flat_map(|other| other.rules.iter().flatten()) {
        if !rules.contains(rule) {
            rules.push(rule.clone());
        }
    }
    Some(rules)
}

#[cfg(test)]
mod tests;
