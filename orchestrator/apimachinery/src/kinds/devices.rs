//! Rules of devices that the kinds of `resource.k8s.io` share: names, requests, selectors, configuration.

use super::checks::{POSITIVE, fits, one_of, one_of_or_empty, texts, too_many, unique};
use super::fields::{default_text, indexed, int, list, list_mut, text};
use super::{domains, names};
use crate::field::{Errors, Path};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The group of dynamic resource allocation.
pub(super) const GROUP: &str = "resource.k8s.io";
/// Requests of a claim, and names of requests wherever they are listed.
const REQUESTS_MAX: usize = 32;
/// Requests of which the first that can be met is taken.
const ALTERNATIVES_MAX: usize = 8;
const SELECTORS_MAX: usize = 32;
const CONSTRAINTS_MAX: usize = 32;
/// Configurations of a claim or a class.
pub(super) const CONFIGURATIONS_MAX: usize = 32;
const TOLERATIONS_MAX: usize = 16;
/// Conditions that bind a device, and those that fail it.
const BINDING_CONDITIONS_MAX: usize = 4;
const EXPRESSION_BYTES_MAX: usize = 10 * 1024;
/// Bytes of what a driver is told.
const PARAMETER_BYTES_MAX: usize = 10 * 1024;
const POOL_BYTES_MAX: usize = 253;
/// Bytes of the part of a name after the domain.
const IDENTIFIER_BYTES_MAX: usize = 32;
/// What a taint does.
pub(super) const EFFECTS: [&str; 3] = ["NoExecute", "NoSchedule", "None"];

/// Checks a DNS label, which is required.
pub(super) fn validate_label(name: &str, path: &Path, errors: &mut Errors) {
    fits(names::dns_label(name), name, path, errors);
}

/// Checks the name of a pool: subdomains with slashes between.
pub(super) fn validate_pool(name: &str, path: &Path, errors: &mut Errors) {
    if name.is_empty() {
        errors.required(path, "");
        return;
    }
    if name.len() > POOL_BYTES_MAX {
        errors.too_long(path, POOL_BYTES_MAX);
    }
    for part in name.split('/') {
        fits(names::dns_subdomain(part), part, path, errors);
    }
}

/// Checks the name of an attribute or a capacity: an identifier, perhaps after a domain.
pub(super) fn validate_qualified(name: &str, path: &Path, errors: &mut Errors) {
    let identifier = match name.split_once('/') {
        None => name,
        Some((_, rest)) if rest.contains('/') => {
            errors.invalid(path, name, "must not contain more than one slash");
            return;
        }
        Some((domain, rest)) => {
            if domain.is_empty() {
                errors.invalid(path, "", "the domain must not be empty");
            } else {
                domains::driver(domain, path, errors);
            }
            if rest.is_empty() {
                errors.invalid(path, "", "the name must not be empty");
                return;
            }
            rest
        }
    };
    if identifier.len() > IDENTIFIER_BYTES_MAX {
        errors.too_long(path, IDENTIFIER_BYTES_MAX);
    }
    fits(domains::c_identifier(identifier), identifier, path, errors);
}

fn validate_fully_qualified(name: &str, path: &Path, errors: &mut Errors) {
    validate_qualified(name, path, errors);
    if !name.contains('/') {
        let wrong = "a fully qualified name must be a domain and a name separated by a slash";
        errors.invalid(path, name, wrong);
    }
}

/// Fills in the spec of a claim.
pub(super) fn default_claim(spec: &mut Value) {
    let Some(devices) = spec.get_mut("devices") else { return };
    for request in list_mut(devices, "requests") {
        if let Some(exactly) = super::fields::object_mut(request, "exactly") {
            default_request(exactly);
        }
        list_mut(request, "firstAvailable").for_each(default_request);
    }
}

fn default_request(request: &mut Value) {
    default_text(request, "allocationMode", "ExactCount");
    if text(request, "allocationMode") == "ExactCount" && int(request, "count").unwrap_or(0) == 0 {
        request["count"] = 1.into();
    }
    default_tolerations(request);
}

/// Fills in tolerations.
pub(super) fn default_tolerations(value: &mut Value) {
    list_mut(value, "tolerations").for_each(|toleration| default_text(toleration, "operator", "Equal"));
}

/// Names of requests, each with those of its alternatives.
pub(super) struct Requests<'a>(BTreeMap<&'a str, BTreeSet<&'a str>>);

impl<'a> Requests<'a> {
    /// The requests of the spec of a claim.
    pub(super) fn of(spec: &'a Value) -> Self {
        let names = list(&spec["devices"], "requests").iter().map(|request| {
            let alternatives = list(request, "firstAvailable").iter().map(|one| text(one, "name"));
            (text(request, "name"), alternatives.collect())
        });
        Requests(names.collect())
    }

    fn has(&self, reference: &str) -> bool {
        match reference.split_once('/') {
            None => self.0.contains_key(reference),
            Some((request, alternative)) => self.0.get(request).is_some_and(|all| all.contains(alternative)),
        }
    }

    /// Checks a reference to a request or to one of its alternatives.
    pub(super) fn validate(&self, reference: &str, path: &Path, errors: &mut Errors) {
        let parts: Vec<&str> = reference.split('/').collect();
        if parts.len() <= 2 {
            parts.iter().for_each(|part| validate_label(part, path, errors));
        }
        if parts.len() > 2 || !self.has(reference) {
            let wrong = "must be the name of a request in the claim or the name of a request and a subrequest separated \
                         by '/'";
            errors.invalid(path, reference, wrong);
        }
    }

    /// Checks the references at `value.requests`.
    pub(super) fn validate_list(&self, value: &Value, path: &Path, errors: &mut Errors) {
        let (all, path) = (texts(value, "requests"), path.child("requests"));
        if too_many(&path, all.len(), REQUESTS_MAX, errors) {
            return;
        }
        for (index, reference) in all.iter().enumerate() {
            self.validate(reference, &path.index(index), errors);
        }
        unique(all, &path, errors);
    }
}

/// Checks the spec of a claim.
pub(super) fn validate_claim(spec: &Value, path: &Path, errors: &mut Errors) {
    let (claim, path, requests) = (&spec["devices"], path.child("devices"), Requests::of(spec));
    let at = path.child("requests");
    if !too_many(&at, list(claim, "requests").len(), REQUESTS_MAX, errors) {
        for (index, request) in indexed(claim, "requests") {
            validate_request(request, &at.index(index), errors);
        }
        unique(list(claim, "requests").iter().map(|request| text(request, "name")), &at, errors);
    }
    let at = path.child("constraints");
    if !too_many(&at, list(claim, "constraints").len(), CONSTRAINTS_MAX, errors) {
        for (index, constraint) in indexed(claim, "constraints") {
            validate_constraint(constraint, &requests, &at.index(index), errors);
        }
    }
    let at = path.child("config");
    if !too_many(&at, list(claim, "config").len(), CONFIGURATIONS_MAX, errors) {
        for (index, configuration) in indexed(claim, "config") {
            let path = at.index(index);
            requests.validate_list(configuration, &path, errors);
            validate_configuration(configuration, &path, errors);
        }
    }
}

fn validate_request(request: &Value, path: &Path, errors: &mut Errors) {
    validate_label(text(request, "name"), &path.child("name"), errors);
    let (exactly, alternatives) = (&request["exactly"], list(request, "firstAvailable"));
    let wrong = "exactly one of `exactly` or `firstAvailable` is required";
    match (exactly.is_null(), alternatives.is_empty()) {
        (true, true) => errors.required(path, wrong),
        (false, false) => errors.invalid(path, Value::Null, &format!("{wrong}, but multiple fields are set")),
        (false, true) => validate_exact(exactly, &path.child("exactly"), errors),
        (true, false) => {
            let path = path.child("firstAvailable");
            if too_many(&path, alternatives.len(), ALTERNATIVES_MAX, errors) {
                return;
            }
            for (index, alternative) in alternatives.iter().enumerate() {
                let path = path.index(index);
                validate_label(text(alternative, "name"), &path.child("name"), errors);
                validate_exact(alternative, &path, errors);
            }
            unique(alternatives.iter().map(|one| text(one, "name")), &path, errors);
        }
    }
}

fn validate_exact(request: &Value, path: &Path, errors: &mut Errors) {
    let (class, at) = (text(request, "deviceClassName"), path.child("deviceClassName"));
    super::checks::required(class, names::dns_subdomain, &at, errors);
    validate_selectors(request, path, errors);
    let (mode, count, at) = (text(request, "allocationMode"), int(request, "count").unwrap_or(0), path.child("count"));
    match mode {
        "All" if count != 0 => errors.invalid(&at, count, "must not be specified when allocationMode is 'All'"),
        "ExactCount" if count <= 0 => errors.invalid(&at, count, POSITIVE),
        "All" | "ExactCount" => {}
        other => errors.not_supported(&path.child("allocationMode"), other, &["All", "ExactCount"]),
    }
    validate_tolerations(request, path, errors);
}

/// Checks `selectors`.
pub(super) fn validate_selectors(value: &Value, path: &Path, errors: &mut Errors) {
    let path = path.child("selectors");
    if too_many(&path, list(value, "selectors").len(), SELECTORS_MAX, errors) {
        return;
    }
    for (index, selector) in indexed(value, "selectors") {
        let (cel, path) = (&selector["cel"], path.index(index).child("cel"));
        if cel.is_null() {
            errors.required(&path, "");
        } else {
            validate_expression(text(cel, "expression"), &path.child("expression"), errors);
        }
    }
}

/// Checks one CEL expression that selects devices: every such expression comes through here.
///
/// Whether it compiles is for whoever has the types that it may use.
fn validate_expression(expression: &str, path: &Path, errors: &mut Errors) {
    if expression.len() > EXPRESSION_BYTES_MAX {
        errors.too_long(path, EXPRESSION_BYTES_MAX);
    }
}

/// Checks `tolerations`.
pub(super) fn validate_tolerations(value: &Value, path: &Path, errors: &mut Errors) {
    let path = path.child("tolerations");
    if too_many(&path, list(value, "tolerations").len(), TOLERATIONS_MAX, errors) {
        return;
    }
    for (index, toleration) in indexed(value, "tolerations") {
        let (path, key, value) = (path.index(index), text(toleration, "key"), text(toleration, "value"));
        if !key.is_empty() {
            fits(names::qualified(key), key, &path.child("key"), errors);
        }
        match text(toleration, "operator") {
            "Exists" if !value.is_empty() => {
                errors.invalid(&path.child("value"), value, "must be empty for operator `Exists`");
            }
            "Equal" => fits(names::label_value(value), value, &path.child("value"), errors),
            operator => one_of(operator, &["Equal", "Exists"], &path.child("operator"), errors),
        }
        one_of_or_empty(text(toleration, "effect"), &EFFECTS, &path.child("effect"), errors);
    }
}

fn validate_constraint(constraint: &Value, requests: &Requests<'_>, path: &Path, errors: &mut Errors) {
    requests.validate_list(constraint, path, errors);
    let (same, distinct) = (constraint["matchAttribute"].as_str(), constraint["distinctAttribute"].as_str());
    match (same, distinct) {
        (Some(name), None) => validate_fully_qualified(name, &path.child("matchAttribute"), errors),
        (None, Some(name)) => validate_fully_qualified(name, &path.child("distinctAttribute"), errors),
        (Some(_), Some(_)) => {
            let wrong =
                "exactly one of `matchAttribute` or `distinctAttribute` is required, but multiple fields are set";
            errors.invalid(path, Value::Null, wrong);
        }
        (None, None) => {
            errors.required(path, "exactly one of \"matchAttribute\" or \"distinctAttribute\" is required");
        }
    }
}

/// Checks what a driver is told, in a class or a claim.
pub(super) fn validate_configuration(configuration: &Value, path: &Path, errors: &mut Errors) {
    let (opaque, path) = (&configuration["opaque"], path.child("opaque"));
    if opaque.is_null() {
        errors.required(&path, "");
        return;
    }
    domains::driver(text(opaque, "driver"), &path.child("driver"), errors);
    validate_raw(&opaque["parameters"], &path.child("parameters"), errors);
}

/// Checks an object of any form, which is required.
pub(super) fn validate_raw(value: &Value, path: &Path, errors: &mut Errors) {
    if value.is_null() {
        errors.required(path, "");
    } else if value.to_string().len() > PARAMETER_BYTES_MAX {
        errors.too_long(path, PARAMETER_BYTES_MAX);
    } else if !value.is_object() {
        errors.invalid(path, "<value omitted>", "must be a valid JSON object");
    }
}

/// Checks the conditions that a device waits for before it is bound.
pub(super) fn validate_binding_conditions(value: &Value, path: &Path, errors: &mut Errors) {
    const BINDING: &str = "bindingConditions";
    const FAILURE: &str = "bindingFailureConditions";
    for field in [BINDING, FAILURE] {
        let (conditions, path) = (texts(value, field), path.child(field));
        if too_many(&path, conditions.len(), BINDING_CONDITIONS_MAX, errors) {
            continue;
        }
        for (index, condition) in conditions.iter().enumerate() {
            fits(names::qualified(condition), condition, &path.index(index), errors);
        }
        unique(conditions, &path, errors);
    }
    let (binding, failure) = (texts(value, BINDING), texts(value, FAILURE));
    for (index, condition) in failure.iter().enumerate().filter(|(_, condition)| binding.contains(condition)) {
        let wrong = "bindingFailureConditions must not overlap with bindingConditions";
        errors.invalid(&path.child(FAILURE).index(index), condition, wrong);
    }
    match (binding.is_empty(), failure.is_empty()) {
        (true, false) => {
            let wrong = "bindingConditions are required to use bindingFailureConditions";
            errors.invalid(&path.child(BINDING), &binding, wrong);
        }
        (false, true) => {
            let wrong = "bindingFailureConditions are required to use bindingConditions";
            errors.invalid(&path.child(FAILURE), &failure, wrong);
        }
        _ => {}
    }
}
