//! ResourceQuota.

use super::checks::NOT_NEGATIVE;
use super::fields::{entries, list, object_mut, object_or_new, text};
use super::{AGE, NAME, cells, columns, metadata, namespaced, pod_spec, state, status, texts};
use crate::field::{Errors, Path};
use crate::kind::{Kind, Strategy};
use crate::quantity::Quantity;
use serde_json::Value;
use std::collections::BTreeSet;

/// The row of ResourceQuota.
pub fn kind() -> Kind {
    Kind {
        short_names: texts(&["quota"]),
        subresources: vec![status()],
        columns: columns(&[
            NAME,
            ("Request", "string", 0, "What is used, of what may be used."),
            ("Limit", "string", 0, "The limits that are set, of what may be set."),
            AGE,
        ]),
        strategy: Strategy {
            default: |object| {
                pod_spec::resources::canonicalize(object_or_new(object, "spec"), "hard");
                if let Some(status) = object_mut(object, "status") {
                    pod_spec::resources::canonicalize(status, "hard");
                    pod_spec::resources::canonicalize(status, "used");
                }
            },
            validate,
            validate_update,
            cells: row,
            ..state::uncounted()
        },
        ..namespaced("", "ResourceQuota", "resourcequotas")
    }
}

const COMPUTE: [&str; 9] = [
    "cpu",
    "memory",
    "ephemeral-storage",
    "requests.cpu",
    "requests.memory",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
];
const OBJECTS: [&str; 9] = [
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "persistentvolumeclaims",
    "configmaps",
    "services.nodeports",
    "services.loadbalancers",
];
/// Scopes that are or are not, and so take no values.
const PLAIN_SCOPES: [&str; 5] =
    ["BestEffort", "NotBestEffort", "Terminating", "NotTerminating", "CrossNamespacePodAffinity"];
const OPERATOR_WRONG: &str = "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, \
    ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or \
    ResourceQuotaScopeCrossNamespacePodAffinity";

fn is_scope(scope: &str) -> bool {
    PLAIN_SCOPES.contains(&scope) || scope == "PriorityClass" || scope == "VolumeAttributesClass"
}

fn is_standard(resource: &str) -> bool {
    let huge_pages = ["hugepages-", "requests.hugepages-"].iter().any(|start| resource.starts_with(start));
    COMPUTE.contains(&resource) || OBJECTS.contains(&resource) || resource == "requests.storage" || huge_pages
}

/// Whether the scope can choose among objects that use this resource.
fn fits(scope: &str, resource: &str) -> bool {
    match scope {
        "BestEffort" => resource == "pods",
        "VolumeAttributesClass" => ["persistentvolumeclaims", "requests.storage"].contains(&resource),
        _ => resource == "pods" || COMPUTE.contains(&resource),
    }
}

fn validate(object: &Value, errors: &mut Errors) {
    let (spec, path) = (&object["spec"], Path::new("spec"));
    for (amounts, path) in [
        (&spec["hard"], path.child("hard")),
        (&object["status"]["hard"], Path::new("status").child("hard")),
        (&object["status"]["used"], Path::new("status").child("used")),
    ] {
        for (resource, amount) in amounts.as_object().into_iter().flatten() {
            validate_amount(resource, amount, &path.key(resource), errors);
        }
    }
    validate_scopes(spec, &path.child("scopes"), errors);
    validate_selector(spec, &path.child("scopeSelector").child("matchExpressions"), errors);
}

fn validate_amount(resource: &str, amount: &Value, path: &Path, errors: &mut Errors) {
    pod_spec::resources::validate_any_name(resource, path, errors);
    if !resource.contains('/') && !is_standard(resource) {
        errors.invalid(path, resource, "must be a standard resource for quota");
    }
    match Quantity::parse(amount.as_str().unwrap_or("")) {
        Err(wrong) => errors.invalid(path, amount, &wrong),
        Ok(quantity) if quantity.is_negative() => {
            errors.invalid(path, amount, NOT_NEGATIVE);
        }
        Ok(quantity) if OBJECTS.contains(&resource) && !quantity.is_integer() => {
            errors.invalid(path, amount, "must be an integer");
        }
        Ok(_) => {}
    }
}

fn hard(spec: &Value) -> impl Iterator<Item = &str> {
    entries(spec, "hard").map(|(resource, _)| resource.as_str()).filter(|resource| is_standard(resource))
}

fn validate_scopes(spec: &Value, path: &Path, errors: &mut Errors) {
    let scopes = list(spec, "scopes");
    let names: BTreeSet<&str> = scopes.iter().filter_map(Value::as_str).collect();
    for scope in scopes.iter().map(|scope| scope.as_str().unwrap_or("")) {
        if !is_scope(scope) {
            errors.invalid(path, scopes, "unsupported scope");
        }
        for _ in hard(spec).filter(|resource| is_scope(scope) && !fits(scope, resource)) {
            errors.invalid(path, scopes, "unsupported scope applied to resource");
        }
    }
    refuse_conflicts(&names, spec, path, errors);
}

/// Scopes that nothing can be in both of.
fn refuse_conflicts(names: &BTreeSet<&str>, spec: &Value, path: &Path, errors: &mut Errors) {
    for (a, b) in [("BestEffort", "NotBestEffort"), ("Terminating", "NotTerminating")] {
        if names.contains(a) && names.contains(b) {
            errors.invalid(path, &spec["scopes"], "conflicting scopes");
        }
    }
}

fn validate_selector(spec: &Value, path: &Path, errors: &mut Errors) {
    for expression in list(&spec["scopeSelector"], "matchExpressions") {
        let (scope, operator) = (text(expression, "scopeName"), text(expression, "operator"));
        let values = list(expression, "values");
        if !is_scope(scope) {
            errors.invalid(&path.child("scopeName"), scope, "unsupported scope");
        }
        for _ in hard(spec).filter(|resource| is_scope(scope) && !fits(scope, resource)) {
            errors.invalid(path, &spec["scopeSelector"], "unsupported scope applied to resource");
        }
        if PLAIN_SCOPES.contains(&scope) && operator != "Exists" {
            errors.invalid(&path.child("operator"), operator, OPERATOR_WRONG);
        }
        match operator {
            "In" | "NotIn" if values.is_empty() => {
                let wrong = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector";
                errors.required(&path.child("values"), wrong);
            }
            "Exists" | "DoesNotExist" if !values.is_empty() => {
                let wrong = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector";
                errors.invalid(&path.child("values"), values, wrong);
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            other => errors.invalid(&path.child("operator"), other, "not a valid selector operator"),
        }
    }
    let scopes = list(&spec["scopeSelector"], "matchExpressions").iter();
    let scopes: BTreeSet<&str> = scopes.map(|expression| text(expression, "scopeName")).collect();
    refuse_conflicts(&scopes, spec, path, errors);
}

fn validate_update(object: &Value, old: &Value, errors: &mut Errors) {
    let scopes = |object: &Value| {
        let scopes = list(&object["spec"], "scopes").iter().filter_map(Value::as_str).map(str::to_owned);
        scopes.collect::<BTreeSet<_>>()
    };
    if scopes(object) != scopes(old) {
        let path = Path::new("spec").child("scopes");
        errors.invalid(&path, &object["spec"]["scopes"], metadata::IMMUTABLE);
    }
}

fn row(object: &Value, now: i64) -> Vec<Value> {
    let status = &object["status"];
    let (mut requests, mut limits) = (Vec::new(), Vec::new());
    for (resource, hard) in entries(status, "hard") {
        let used = cells::or(text(&status["used"], resource), "0");
        let shown = format!("{resource}: {used}/{}", hard.as_str().unwrap_or("0"));
        if resource.starts_with("limits.") { limits.push(shown) } else { requests.push(shown) }
    }
    vec![cells::name(object), requests.join(", ").into(), limits.join(", ").into(), cells::age(object, now)]
}

#[cfg(test)]
mod tests;
