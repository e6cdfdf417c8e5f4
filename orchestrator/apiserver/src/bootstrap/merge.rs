//! What has to be written so that an object is as it should be at least.

use super::RBAC;
use crate::auth::Rule;
use orchestrator_apimachinery::meta;
use serde::Serialize;
use serde_json::{Value, json};

/// The annotation that keeps an admin's changes of a default role.
const AUTO_UPDATE: &str = "rbac.authorization.kubernetes.io/autoupdate";

/// The annotation that keeps an admin's changes of a default flow schema or priority level.
const AUTO_UPDATE_SPEC: &str = "apf.kubernetes.io/autoupdate-spec";

/// The object to write; `None` when the existing one will do.
pub(super) fn merge(existing: Option<&Value>, wanted: &Value) -> Option<Value> {
    let Some(existing) = existing else { return Some(wanted.clone()) };
    let mut next = existing.clone();
    match wanted["kind"].as_str() {
        Some("ClusterRole" | "Role" | "ClusterRoleBinding" | "RoleBinding") => {
            if existing["metadata"]["annotations"][AUTO_UPDATE] == "false" {
                return None;
            }
            add_entries(&mut next, wanted, "labels");
            add_entries(&mut next, wanted, "annotations");
            if wanted["roleRef"].is_object() { add_subjects(&mut next, wanted) } else { add_rules(&mut next, wanted) }
        }
        Some("Service") => next["spec"]["ports"][0]["targetPort"] = wanted["spec"]["ports"][0]["targetPort"].clone(),
        Some("ConfigMap") => {
            for (key, value) in wanted["data"].as_object().into_iter().flatten() {
                next["data"][key] = value.clone();
            }
        }
        Some("FlowSchema" | "PriorityLevelConfiguration") => {
            if existing["metadata"]["annotations"][AUTO_UPDATE_SPEC] == "false" {
                return None;
            }
            if !same_at_least(&existing["spec"], &wanted["spec"]) {
                next["spec"] = wanted["spec"].clone();
            }
        }
        Some("EndpointSlice") => {
            for field in ["endpoints", "ports"] {
                if !same_at_least(&existing[field], &wanted[field]) {
                    next[field] = wanted[field].clone();
                }
            }
        }
        _ => {}
    }
    (next != *existing).then_some(next)
}

/// Whether every value of `wanted` stands in `existing` too, which may hold more fields.
fn same_at_least(existing: &Value, wanted: &Value) -> bool {
    match (existing, wanted) {
        (Value::Object(existing), Value::Object(wanted)) => {
            wanted.iter().all(|(key, value)| existing.get(key).is_some_and(|own| same_at_least(own, value)))
        }
        (Value::Array(existing), Value::Array(wanted)) => {
            existing.len() == wanted.len() && existing.iter().zip(wanted).all(|(own, value)| same_at_least(own, value))
        }
        _ => existing == wanted,
    }
}

/// Adds those labels or annotations that are missing; others keep their values.
fn add_entries(next: &mut Value, wanted: &Value, field: &str) {
    for (key, value) in wanted["metadata"][field].as_object().into_iter().flatten() {
        if next["metadata"][field].get(key).is_none() {
            next["metadata"][field][key] = value.clone();
        }
    }
}

fn push(next: &mut Value, field: &str, item: Value) {
    match next[field].as_array_mut() {
        Some(list) => list.push(item),
        None => next[field] = json!([item]),
    }
}

fn add_rules(next: &mut Value, wanted: &Value) {
    let missing = Rule::missing(&Rule::all_of(next), &Rule::all_of(wanted));
    for rule in missing {
        let rule = rule.serialize(serde_json::value::Serializer).expect("a rule is plain data");
        push(next, "rules", rule);
    }
    if let Some(selectors) = wanted["aggregationRule"]["clusterRoleSelectors"].as_array() {
        for selector in selectors {
            let own = next["aggregationRule"]["clusterRoleSelectors"].as_array();
            if !own.is_some_and(|list| list.contains(selector)) {
                push(&mut next["aggregationRule"], "clusterRoleSelectors", selector.clone());
            }
        }
    }
}

fn add_subjects(next: &mut Value, wanted: &Value) {
    if ["kind", "name"].iter().any(|field| next["roleRef"][field] != wanted["roleRef"][field]) {
        // A roleRef cannot be changed; the admin who made this binding has his reasons.
        tracing::warn!(name = meta::name(next), "a default binding refers to another role; left as it is ({RBAC})");
        return;
    }
    for subject in wanted["subjects"].as_array().into_iter().flatten() {
        let same = |own: &Value| ["kind", "name", "namespace"].iter().all(|field| own[field] == subject[field]);
        if !next["subjects"].as_array().is_some_and(|list| list.iter().any(same)) {
            push(next, "subjects", subject.clone());
        }
    }
}
