//! What validating and mutating policies and their bindings share.

use super::*;
use crate::kind::{Column, Kind, Strategy};
use crate::kinds::fields::object_or_new;
use crate::kinds::{AGE, ColumnText, NAME, cells, cluster, columns, state};

/// Words that CEL keeps for itself.
const RESERVED: [&str; 21] = [
    "true",
    "false",
    "null",
    "in",
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];
const NOT_FOUND_ACTIONS: [&str; 2] = ["Allow", "Deny"];

/// The columns of a policy; `rules` says how many rules it has.
pub(in crate::kinds) fn policy_columns(rules: ColumnText) -> Vec<Column> {
    let parameters = ("ParamKind", "string", 0, "The kind of the objects that its parameters are in.");
    columns(&[NAME, rules, parameters, AGE])
}

/// The cells of a policy whose rules are at the key `rules` of its spec.
pub(in crate::kinds) fn policy_row(object: &Value, rules: &str, now: i64) -> Vec<Value> {
    let spec = &object["spec"];
    vec![cells::name(object), list(spec, rules).len().into(), parameter_kind(spec), cells::age(object, now)]
}

/// Fills in what a policy leaves open.
pub(in crate::kinds) fn default_policy(object: &mut Value) {
    let spec = object_or_new(object, "spec");
    default_text(spec, "failurePolicy", "Fail");
    default_match_resources(spec, "matchConstraints");
}

/// The row of a kind of bindings.
pub(in crate::kinds) fn binding(kind: &'static str, plural: &'static str, validate: fn(&Value, &mut Errors)) -> Kind {
    Kind {
        categories: crate::kinds::texts(&[CATEGORY]),
        columns: columns(&[
            NAME,
            ("PolicyName", "string", 0, "The policy that it puts in force."),
            ("ParamRef", "string", 0, "The objects that its parameters are in."),
            AGE,
        ]),
        strategy: Strategy {
            default: |object| {
                if let Some(spec) = object_mut(object, "spec") {
                    default_match_resources(spec, "matchResources");
                }
            },
            validate,
            cells: |object, now| {
                let spec = &object["spec"];
                let policy = text(spec, "policyName");
                vec![cells::name(object), policy.into(), parameter(spec), cells::age(object, now)]
            },
            ..state::without_status()
        },
        ..cluster(GROUP, kind, plural)
    }
}

/// Fills in `matchConstraints` or `matchResources` at a key of the spec.
fn default_match_resources(spec: &mut Value, key: &str) {
    if let Some(resources) = object_mut(spec, key) {
        default_selectors(resources);
        default_rules(resources, "resourceRules");
        default_rules(resources, "excludeResourceRules");
    }
}

/// Checks what a policy says of the requests that it is about, but for conditions.
pub(in crate::kinds) fn validate_scope(spec: &Value, path: &Path, errors: &mut Errors) {
    one_of(text(spec, "failurePolicy"), &FAILURE_POLICIES, &path.child("failurePolicy"), errors);
    validate_parameter_kind(spec, path, errors);
    let (constraints, path) = (&spec["matchConstraints"], path.child("matchConstraints"));
    if constraints.is_null() {
        errors.required(&path, "");
        return;
    }
    validate_match_resources(constraints, &path, errors);
    if list(constraints, "resourceRules").is_empty() {
        errors.required(&path.child("resourceRules"), "");
    }
}

/// Checks the conditions and variables of a policy; the variables that its rules may use.
pub(in crate::kinds) fn validate_premises(spec: &Value, path: &Path, errors: &mut Errors) -> Vec<&'static str> {
    let declared = policy_variables(spec);
    validate_conditions_with(spec, &declared, path, errors);
    validate_variables(spec, &declared, path, errors);
    declared
}

/// Checks which policy a binding names, and its parameters.
pub(in crate::kinds) fn validate_references(spec: &Value, path: &Path, errors: &mut Errors) {
    required(text(spec, "policyName"), names::dns_subdomain, &path.child("policyName"), errors);
    validate_parameter_reference(spec, path, errors);
}

/// Checks MatchResources.
pub(in crate::kinds) fn validate_match_resources(resources: &Value, path: &Path, errors: &mut Errors) {
    if resources.is_null() {
        return;
    }
    one_of(text(resources, "matchPolicy"), &MATCH_POLICIES, &path.child("matchPolicy"), errors);
    for field in ["namespaceSelector", "objectSelector"] {
        if resources[field].is_null() {
            errors.required(&path.child(field), "");
        }
    }
    validate_selectors(resources, path, errors);
    for rules in ["resourceRules", "excludeResourceRules"] {
        for (index, rule) in indexed(resources, rules) {
            let path = path.child(rules).index(index);
            let mut seen = BTreeSet::new();
            for (index, name) in texts(rule, "resourceNames").into_iter().enumerate() {
                let path = path.child("resourceNames").index(index);
                fits(domains::segment(name), name, &path, errors);
                if !seen.insert(name) {
                    errors.duplicate(&path, name);
                }
            }
            validate_rule(rule, &path, errors);
        }
    }
}

/// Checks `paramKind`.
fn validate_parameter_kind(spec: &Value, path: &Path, errors: &mut Errors) {
    let (kind, path) = (&spec["paramKind"], path.child("paramKind"));
    if kind.is_null() {
        return;
    }
    let (api_version, at) = (text(kind, "apiVersion"), path.child("apiVersion"));
    if api_version.is_empty() {
        errors.required(&at, "");
    } else if api_version.matches('/').count() > 1 {
        errors.invalid(&at, api_version, &format!("unexpected GroupVersion string: {api_version}"));
    } else {
        let (group, version) = crate::meta::split_api_version(api_version);
        let wrong = if group.is_empty() { Vec::new() } else { names::dns_subdomain(group) };
        if !wrong.is_empty() {
            errors.invalid(&at, group, &wrong.join(","));
        }
        let wrong = names::dns_1035_label(version);
        if version.is_empty() {
            errors.invalid(&at, api_version, "version must be specified");
        } else if !wrong.is_empty() {
            errors.invalid(&at, version, &wrong.join(","));
        }
    }
    let (name, at) = (text(kind, "kind"), path.child("kind"));
    let wrong = names::dns_1035_label(&name.to_lowercase());
    if name.is_empty() {
        errors.required(&at, "");
    } else if !wrong.is_empty() {
        let detail = format!("may have mixed case, but should otherwise match: {}", wrong.join(","));
        errors.invalid(&at, name, &detail);
    }
}

/// Checks `variables`, which may use the variables `declared`.
fn validate_variables(spec: &Value, declared: &[&str], path: &Path, errors: &mut Errors) {
    if too_many_expressions(spec, "variables", path, errors) {
        return;
    }
    for (index, variable) in indexed(spec, "variables") {
        let (path, name) = (path.child("variables").index(index), text(variable, "name"));
        let is_identifier = domains::c_identifier(name).is_empty() && !RESERVED.contains(&name);
        if name.trim().is_empty() {
            errors.required(&path.child("name"), "name is not specified");
        } else if !is_identifier {
            errors.invalid(&path.child("name"), name, "name is not a valid CEL identifier");
        }
        let (expression, path) = (text(variable, "expression"), path.child("expression"));
        validate_expression(expression, "expression is not specified", declared, &path, errors);
    }
}

/// Checks `paramRef` of a binding.
fn validate_parameter_reference(spec: &Value, path: &Path, errors: &mut Errors) {
    let (reference, path) = (&spec["paramRef"], path.child("paramRef"));
    if reference.is_null() {
        return;
    }
    const EXCLUSIVE: &str = "name and selector are mutually exclusive";
    let (name, has_selector) = (text(reference, "name"), !reference["selector"].is_null());
    fits(domains::segment(name), name, &path.child("name"), errors);
    if !name.is_empty() && has_selector {
        errors.forbidden(&path.child("name"), EXCLUSIVE);
    }
    selector::validate(&reference["selector"], &path.child("selector"), errors);
    if !name.is_empty() && has_selector {
        errors.forbidden(&path.child("selector"), EXCLUSIVE);
    }
    if name.is_empty() && !has_selector {
        errors.required(&path, "one of name or selector must be specified");
    }
    let action = text(reference, "parameterNotFoundAction");
    one_of(action, &NOT_FOUND_ACTIONS, &path.child("parameterNotFoundAction"), errors);
}

/// The cell of a policy's `paramKind`.
fn parameter_kind(spec: &Value) -> Value {
    let kind = &spec["paramKind"];
    if kind.is_null() {
        return "<unset>".into();
    }
    format!("{}/{}", text(kind, "apiVersion"), text(kind, "kind")).into()
}

/// The cell of a binding's `paramRef`.
fn parameter(spec: &Value) -> Value {
    let reference = &spec["paramRef"];
    let (namespace, name) = (text(reference, "namespace"), text(reference, "name"));
    if name.is_empty() {
        let selector = &reference["selector"];
        return if selector.is_null() { "<unset>".into() } else { go_selector(selector).into() };
    }
    // Without a namespace, parameters of a namespaced kind are those of the request's namespace.
    format!("{}/{name}", if namespace.is_empty() { "*" } else { namespace }).into()
}

/// A selector as Go prints the type.
fn go_selector(selector: &Value) -> String {
    let labels: Vec<String> = entries(selector, "matchLabels")
        .map(|(key, value)| format!("{key}: {},", value.as_str().unwrap_or("")))
        .collect();
    let expressions: Vec<String> = list(selector, "matchExpressions")
        .iter()
        .map(|one| {
            let values = texts(one, "values").join(" ");
            let (key, operator) = (text(one, "key"), text(one, "operator"));
            format!("LabelSelectorRequirement{{Key:{key},Operator:{operator},Values:[{values}],}},")
        })
        .collect();
    format!(
        "&LabelSelector{{MatchLabels:map[string]string{{{}}},MatchExpressions:[]LabelSelectorRequirement{{{}}},}}",
        labels.concat(),
        expressions.concat()
    )
}

#[cfg(test)]
mod tests;
