//! Nobody grants what he does not hold: checks on writes of Roles and bindings.

use super::rbac::is_superuser;
use super::rule::quoted;
use super::snapshot::GROUP;
use super::{Attributes, Rbac, Rule};
use crate::identity::Identity;
use orchestrator_apimachinery::{ApiError, meta};
use serde_json::Value;

/// Refuses a create, update or patch of an object of `plural` (`roles`, `clusterroles`,
/// `rolebindings`, `clusterrolebindings`) that would grant more than `who` holds.
///
/// `object` is what will be stored, `old` what it replaces. The verbs `escalate` (on roles) and
/// `bind` (on the role that a binding refers to) allow it; other resources pass.
pub fn check_escalation(
    rbac: &Rbac,
    who: &Identity,
    plural: &str,
    object: &Value,
    old: Option<&Value>,
) -> Result<(), ApiError> {
    let known = matches!(plural, "roles" | "clusterroles" | "rolebindings" | "clusterrolebindings");
    if !known || is_superuser(who) || old.is_some_and(|old| same_but_for_collection(object, old)) {
        return Ok(());
    }
    if plural.ends_with("bindings") { binding(rbac, who, plural, object) } else { role(rbac, who, plural, object) }
}

/// Whether only fields differ that the garbage collector writes: it must be able to delete what it may not grant.
fn same_but_for_collection(object: &Value, old: &Value) -> bool {
    let strip = |object: &Value| {
        let mut object = object.clone();
        if let Some(metadata) = object["metadata"].as_object_mut() {
            for field in ["finalizers", "ownerReferences", "managedFields", "resourceVersion"] {
                metadata.remove(field);
            }
        }
        object
    };
    strip(object) == strip(old)
}

fn may(rbac: &Rbac, who: &Identity, verb: &str, resource: &str, namespace: &str, name: &str) -> bool {
    let what = Attributes {
        verb: verb.into(),
        group: GROUP.into(),
        version: "v1".into(),
        resource: resource.into(),
        namespace: namespace.into(),
        name: name.into(),
        ..Attributes::default()
    };
    rbac.decide(who, &what).is_ok()
}

fn role(rbac: &Rbac, who: &Identity, plural: &str, role: &Value) -> Result<(), ApiError> {
    let (namespace, name) = (meta::namespace(role), meta::name(role));
    if may(rbac, who, "escalate", plural, namespace, name) {
        return Ok(());
    }
    let held = rbac.snapshot().rules(who, namespace);
    confirm(who, &held, &Rule::all_of(role)).map_err(|why| ApiError::forbidden(GROUP, plural, name, &why))?;
    if plural == "clusterroles" && role["aggregationRule"].is_object() {
        let all = || vec!["*".to_owned()];
        let everything = [
            Rule { verbs: all(), api_groups: all(), resources: all(), ..Rule::default() },
            Rule { verbs: all(), non_resource_urls: all(), ..Rule::default() },
        ];
        if !Rule::missing(&held, &everything).is_empty() {
            let why = "must have cluster-admin privileges to use an aggregationRule";
            return Err(ApiError::forbidden(GROUP, plural, name, why));
        }
    }
    Ok(())
}

fn binding(rbac: &Rbac, who: &Identity, plural: &str, binding: &Value) -> Result<(), ApiError> {
    let (namespace, name, role) = (meta::namespace(binding), meta::name(binding), &binding["roleRef"]);
    let referred = role["name"].as_str().unwrap_or("");
    let resource = if role["kind"] == "Role" { "roles" } else { "clusterroles" };
    if may(rbac, who, "bind", resource, namespace, referred) {
        return Ok(());
    }
    let snapshot = rbac.snapshot();
    let rules = snapshot.referenced(role, namespace).map_err(|_| ApiError::not_found(GROUP, resource, referred))?;
    confirm(who, &snapshot.rules(who, namespace), &rules).map_err(|why| ApiError::forbidden(GROUP, plural, name, &why))
}

fn confirm(who: &Identity, held: &[Rule], wanted: &[Rule]) -> Result<(), String> {
    let missing = Rule::missing(held, wanted);
    if missing.is_empty() {
        return Ok(());
    }
    let mut lines: Vec<String> = missing.iter().map(Rule::describe).collect();
    lines.sort();
    let (user, groups) = (&who.name, quoted(&who.groups));
    Err(format!(
        "user {user:?} (groups={groups}) is attempting to grant RBAC permissions not currently held:\n{}",
        lines.join("\n")
    ))
}
