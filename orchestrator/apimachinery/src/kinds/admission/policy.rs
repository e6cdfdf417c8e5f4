//! What validating and mutating policies and their bindings share.

use super::*;
use crate::kinds::ColumnText;

/// The kind of a policy's parameters.
pub(in crate::kinds) const PARAMETER_KIND_COLUMN: ColumnText =
    ("ParamKind", "string", 0, "The kind of the objects that its parameters are in.");
/// The parameters of a binding.
pub(in crate::kinds) const PARAMETER_COLUMN: ColumnText =
    ("ParamRef", "string", 0, "The objects that its parameters are in.");

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

/// Fills in `matchConstraints` or `matchResources` at a key of the spec.
pub(in crate::kinds) fn default_match_resources(spec: &mut Value, key: &str) {
    if let Some(resources) = object_mut(spec, key) {
        default_selectors(resources);
        default_rules(resources, "resourceRules");
        default_rules(resources, "excludeResourceRules");
    }
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
pub(in crate::kinds) fn validate_parameter_kind(spec: &Value, path: &Path, errors: &mut Errors) {
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

/// Checks `variables`.
pub(in crate::kinds) fn validate_variables(spec: &Value, path: &Path, errors: &mut Errors) {
    let declared = policy_variables(spec);
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
        validate_expression(expression, "expression is not specified", &declared, &path, errors);
    }
}

/// Checks `policyName` of a binding.
pub(in crate::kinds) fn validate_policy_name(spec: &Value, path: &Path, errors: &mut Errors) {
    required(text(spec, "policyName"), names::dns_subdomain, &path.child("policyName"), errors);
}

/// Checks `paramRef` of a binding.
pub(in crate::kinds) fn validate_parameter_reference(spec: &Value, path: &Path, errors: &mut Errors) {
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

/// The cell of [`PARAMETER_KIND_COLUMN`].
pub(in crate::kinds) fn parameter_kind(spec: &Value) -> Value {
    let kind = &spec["paramKind"];
    if kind.is_null() {
        return "<unset>".into();
    }
    format!("{}/{}", text(kind, "apiVersion"), text(kind, "kind")).into()
}

/// The cell of [`PARAMETER_COLUMN`].
pub(in crate::kinds) fn parameter(spec: &Value) -> Value {
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
