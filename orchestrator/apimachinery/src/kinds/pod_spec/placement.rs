//! Rules of what decides where a Pod runs: tolerations, affinity, topology spread.

use crate::field::{Errors, Path};
use crate::kinds::fields::{indexed, int, list, text};
use crate::kinds::{names, selector};
use serde_json::Value;

const EFFECTS: [&str; 3] = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

/// Checks tolerations, affinity and topologySpreadConstraints of a PodSpec.
pub fn validate(spec: &Value, path: &Path, errors: &mut Errors) {
    validate_tolerations(spec, &path.child("tolerations"), errors);
    let (affinity, at) = (&spec["affinity"], path.child("affinity"));
    validate_node_affinity(&affinity["nodeAffinity"], &at.child("nodeAffinity"), errors);
    for kind in ["podAffinity", "podAntiAffinity"] {
        validate_pod_affinity(&affinity[kind], &at.child(kind), errors);
    }
    for (index, constraint) in indexed(spec, "topologySpreadConstraints") {
        let path = path.child("topologySpreadConstraints").index(index);
        if int(constraint, "maxSkew").unwrap_or(0) <= 0 {
            errors.invalid(&path.child("maxSkew"), &constraint["maxSkew"], "must be greater than zero");
        }
        validate_topology_key(constraint, &path, errors);
        let otherwise = text(constraint, "whenUnsatisfiable");
        if !["DoNotSchedule", "ScheduleAnyway"].contains(&otherwise) {
            errors.not_supported(&path.child("whenUnsatisfiable"), otherwise, &["DoNotSchedule", "ScheduleAnyway"]);
        }
        selector::validate(&constraint["labelSelector"], &path.child("labelSelector"), errors);
    }
}

/// Checks `tolerations`.
pub fn validate_tolerations(spec: &Value, path: &Path, errors: &mut Errors) {
    for (index, toleration) in indexed(spec, "tolerations") {
        let path = path.index(index);
        let (key, operator) = (text(toleration, "key"), text(toleration, "operator"));
        let (value, effect) = (text(toleration, "value"), text(toleration, "effect"));
        if !key.is_empty() {
            for wrong in names::qualified(key) {
                errors.invalid(&path.child("key"), key, &wrong);
            }
        } else if operator != "Exists" {
            let wrong = "operator must be Exists when `key` is empty, which means \"match all values and all keys\"";
            errors.invalid(&path.child("operator"), operator, wrong);
        }
        if !toleration["tolerationSeconds"].is_null() && effect != "NoExecute" {
            let wrong = "effect must be 'NoExecute' when `tolerationSeconds` is set";
            errors.invalid(&path.child("effect"), effect, wrong);
        }
        match operator {
            "Equal" | "" => {
                let wrong = names::label_value(value);
                if !wrong.is_empty() {
                    errors.invalid(&path.child("operator"), value, &wrong.join(";"));
                }
            }
            "Exists" if !value.is_empty() => {
                errors.invalid(&path.child("operator"), toleration, "value must be empty when `operator` is 'Exists'");
            }
            "Exists" => {}
            other => errors.not_supported(&path.child("operator"), other, &["Equal", "Exists"]),
        }
        if !effect.is_empty() && !EFFECTS.contains(&effect) {
            errors.not_supported(&path.child("effect"), effect, &EFFECTS);
        }
    }
}

fn validate_node_affinity(affinity: &Value, path: &Path, errors: &mut Errors) {
    const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
    const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";
    if let Some(required) = affinity.get(REQUIRED) {
        validate_node_selector(required, &path.child(REQUIRED), errors);
    }
    for (index, preferred) in indexed(affinity, PREFERRED) {
        let path = path.child(PREFERRED).index(index);
        weight_is_in_range(preferred, &path, errors);
        validate_node_term(&preferred["preference"], &path.child("preference"), errors);
    }
}

/// Checks a NodeSelector.
pub fn validate_node_selector(selector: &Value, path: &Path, errors: &mut Errors) {
    let path = path.child("nodeSelectorTerms");
    if list(selector, "nodeSelectorTerms").is_empty() {
        errors.required(&path, "must have at least one node selector term");
    }
    for (index, term) in indexed(selector, "nodeSelectorTerms") {
        validate_node_term(term, &path.index(index), errors);
    }
}

fn validate_node_term(term: &Value, path: &Path, errors: &mut Errors) {
    for expressions in ["matchExpressions", "matchFields"] {
        for (index, expression) in indexed(term, expressions) {
            let path = path.child(expressions).index(index);
            let values = list(expression, "values");
            match text(expression, "operator") {
                "In" | "NotIn" if values.is_empty() => {
                    errors.required(&path.child("values"), "must be specified when `operator` is 'In' or 'NotIn'");
                }
                "Exists" | "DoesNotExist" if !values.is_empty() => {
                    let wrong = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
                    errors.forbidden(&path.child("values"), wrong);
                }
                "Gt" | "Lt" if values.len() != 1 => {
                    let wrong = "must be specified single value when `operator` is 'Lt' or 'Gt'";
                    errors.required(&path.child("values"), wrong);
                }
                "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt" => {}
                other => errors.invalid(&path.child("operator"), other, "not a valid selector operator"),
            }
            let key = text(expression, "key");
            for wrong in names::qualified(key) {
                errors.invalid(&path.child("key"), key, &wrong);
            }
        }
    }
}

fn validate_pod_affinity(affinity: &Value, path: &Path, errors: &mut Errors) {
    const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
    const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";
    for (index, term) in indexed(affinity, REQUIRED) {
        validate_pod_term(term, &path.child(REQUIRED).index(index), errors);
    }
    for (index, preferred) in indexed(affinity, PREFERRED) {
        let path = path.child(PREFERRED).index(index);
        weight_is_in_range(preferred, &path, errors);
        validate_pod_term(&preferred["podAffinityTerm"], &path.child("podAffinityTerm"), errors);
    }
}

fn validate_pod_term(term: &Value, path: &Path, errors: &mut Errors) {
    selector::validate(&term["labelSelector"], &path.child("labelSelector"), errors);
    selector::validate(&term["namespaceSelector"], &path.child("namespaceSelector"), errors);
    for (index, namespace) in indexed(term, "namespaces") {
        for wrong in names::dns_label(namespace.as_str().unwrap_or("")) {
            errors.invalid(&path.child("namespaces").index(index), namespace, &wrong);
        }
    }
    validate_topology_key(term, path, errors);
}

fn validate_topology_key(value: &Value, path: &Path, errors: &mut Errors) {
    let (key, path) = (text(value, "topologyKey"), path.child("topologyKey"));
    if key.is_empty() {
        errors.required(&path, "can not be empty");
        return;
    }
    for wrong in names::qualified(key) {
        errors.invalid(&path, key, &wrong);
    }
}

fn weight_is_in_range(preferred: &Value, path: &Path, errors: &mut Errors) {
    if !(1..=100).contains(&int(preferred, "weight").unwrap_or(0)) {
        errors.invalid(&path.child("weight"), &preferred["weight"], "must be in the range 1-100");
    }
}
