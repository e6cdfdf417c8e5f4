//! What webhooks and admission policies share: rules of what they match, conditions, references.

use super::checks::{fits, one_of, required, star_is_alone, texts, too_many};
use super::fields::{default, default_text, entries, indexed, list, list_mut, object_mut, text};
use super::{domains, names, selector};
use crate::cel::Expression;
use crate::field::{Errors, Path};
use serde_json::{Value, json};
use std::collections::BTreeSet;

mod policy;

pub(super) use policy::{
    binding, default_policy, policy_columns, policy_row, validate_match_resources, validate_premises,
    validate_references, validate_scope,
};

/// The API group of webhooks and policies.
pub(super) const GROUP: &str = "admissionregistration.k8s.io";
/// What `kubectl get api-extensions` lists.
pub(super) const CATEGORY: &str = "api-extensions";
/// What becomes of a request when a webhook or policy fails.
pub(super) const FAILURE_POLICIES: [&str; 2] = ["Fail", "Ignore"];
/// Whether other versions of a resource match, too.
pub(super) const MATCH_POLICIES: [&str; 2] = ["Equivalent", "Exact"];
/// Whether a change by others brings another call.
pub(super) const REINVOCATION_POLICIES: [&str; 2] = ["IfNeeded", "Never"];
const OPERATIONS: [&str; 5] = ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];
const SCOPES: [&str; 3] = ["*", "Cluster", "Namespaced"];
/// Conditions of one webhook or policy.
const CONDITIONS_MAX: usize = 64;

/// The variables that expressions of a webhook see, and the first of those that a policy's see.
const VARIABLES: [&str; 4] = ["object", "oldObject", "request", "authorizer"];
/// Expressions of one list of a webhook or policy; stops compiling them from taking long.
const EXPRESSIONS_MAX: usize = 1000;

/// The variables that expressions of a policy see.
pub(super) fn policy_variables(spec: &Value) -> Vec<&'static str> {
    let mut variables = VARIABLES.to_vec();
    variables.extend(["namespaceObject", "variables"]);
    if !spec["paramKind"].is_null() {
        variables.push("params");
    }
    variables
}

/// Checks one CEL expression that may use the variables `declared`: every expression of the group
/// comes through here. `detail` is what is said of one that is blank.
pub(super) fn validate_expression(expression: &str, detail: &str, declared: &[&str], path: &Path, errors: &mut Errors) {
    if expression.trim().is_empty() {
        errors.required(path, detail);
    } else if let Err(wrong) = Expression::compile(expression, declared) {
        errors.invalid(path, expression, &wrong.0);
    }
}

/// Refuses a list of more expressions than are compiled; whether it is.
pub(super) fn too_many_expressions(value: &Value, key: &str, path: &Path, errors: &mut Errors) -> bool {
    too_many(&path.child(key), list(value, key).len(), EXPRESSIONS_MAX, errors)
}

/// Fills in what a webhook or MatchResources leaves open on the objects that it looks at.
pub(super) fn default_selectors(value: &mut Value) {
    default_text(value, "matchPolicy", "Equivalent");
    default(value, "namespaceSelector", json!({}));
    default(value, "objectSelector", json!({}));
}

/// Fills in the scope of rules.
pub(super) fn default_rules(value: &mut Value, key: &str) {
    list_mut(value, key).for_each(|rule| default_text(rule, "scope", "*"));
}

/// Checks the rules at a key.
pub(super) fn validate_rules(value: &Value, key: &str, path: &Path, errors: &mut Errors) {
    for (index, rule) in indexed(value, key) {
        validate_rule(rule, &path.child(key).index(index), errors);
    }
}

fn validate_rule(rule: &Value, path: &Path, errors: &mut Errors) {
    let at = path.child("operations");
    if list(rule, "operations").is_empty() {
        errors.required(&at, "");
    }
    star_is_alone(rule, "operations", "operations", &at, errors);
    for (index, operation) in texts(rule, "operations").into_iter().enumerate() {
        if !OPERATIONS.contains(&operation) {
            errors.not_supported(&at.index(index), operation, &OPERATIONS);
        }
    }
    for (field, what) in [("apiGroups", "API groups"), ("apiVersions", "API versions")] {
        let at = path.child(field);
        if list(rule, field).is_empty() {
            errors.required(&at, "");
        }
        star_is_alone(rule, field, what, &at, errors);
    }
    for (index, _) in texts(rule, "apiVersions").iter().enumerate().filter(|(_, version)| version.is_empty()) {
        errors.required(&path.child("apiVersions").index(index), "");
    }
    validate_resources(&texts(rule, "resources"), &path.child("resources"), errors);
    if let Some(scope) = rule["scope"].as_str().filter(|scope| !SCOPES.contains(scope)) {
        errors.not_supported(&path.child("scope"), scope, &SCOPES);
    }
}

/// Checks resources such as `pods`, `pods/*`, `*/scale`: none may be covered by one before it.
fn validate_resources(resources: &[&str], path: &Path, errors: &mut Errors) {
    if resources.is_empty() {
        errors.required(path, "");
    }
    let (mut all_of, mut everywhere) = (BTreeSet::new(), BTreeSet::new());
    let mut has_plain = false;
    for (index, resource) in resources.iter().enumerate() {
        let path = path.index(index);
        if resource.is_empty() {
            errors.required(&path, "");
            continue;
        }
        let Some((main, sub)) = resource.split_once('/') else {
            has_plain = *resource != "*";
            continue;
        };
        if all_of.contains(main) {
            errors.invalid(&path, resource, &format!("if '{main}/*' is present, must not specify {resource}"));
        }
        if everywhere.contains(sub) {
            errors.invalid(&path, resource, &format!("if '*/{sub}' is present, must not specify {resource}"));
        }
        if sub == "*" {
            all_of.insert(main);
        }
        if main == "*" {
            everywhere.insert(sub);
        }
    }
    if resources.len() > 1 && resources.contains(&"*/*") {
        errors.invalid(path, resources, "if '*/*' is present, must not specify other resources");
    }
    if has_plain && resources.contains(&"*") {
        let wrong = "if '*' is present, must not specify other resources without subresources";
        errors.invalid(path, resources, wrong);
    }
}

/// Checks `matchConditions` of a webhook.
pub(super) fn validate_conditions(hook: &Value, path: &Path, errors: &mut Errors) {
    validate_conditions_with(hook, &VARIABLES, path, errors);
}

/// Checks `matchConditions`, which may use the variables `declared`.
fn validate_conditions_with(value: &Value, declared: &[&str], path: &Path, errors: &mut Errors) {
    let path = path.child("matchConditions");
    if too_many(&path, list(value, "matchConditions").len(), CONDITIONS_MAX, errors) {
        return;
    }
    let mut seen = BTreeSet::new();
    for (index, condition) in indexed(value, "matchConditions") {
        let (path, name) = (path.index(index), text(condition, "name"));
        validate_expression(text(condition, "expression"), "", declared, &path.child("expression"), errors);
        required(name, names::qualified, &path.child("name"), errors);
        if !name.is_empty() && !seen.insert(name) {
            errors.duplicate(&path.child("name"), name);
        }
    }
}

/// Checks the selectors of a webhook or MatchResources.
pub(super) fn validate_selectors(value: &Value, path: &Path, errors: &mut Errors) {
    for field in ["namespaceSelector", "objectSelector"] {
        selector::validate(&value[field], &path.child(field), errors);
    }
}
