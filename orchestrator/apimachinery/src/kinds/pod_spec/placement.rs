//! Rules of what decides where a Pod runs: tolerations, affinity, topology spread.

use crate::field::{Errors, Path};
use crate::kinds::checks::POSITIVE;
use crate::kinds::fields::{indexed, int, list, text};
use crate::kinds::{names, selector};
use serde_json::Value;
use std::collections::BTreeSet;

const EFFECTS: [&str; 3] = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

/// Checks tolerations, affinity and topologySpreadConstraints of a PodSpec.
pub fn validate(spec: &Value, path: &Path, errors: &mut Errors) {
    validate_tolerations(spec, &path.child("tolerations"), errors);
    let (affinity, at) = (&spec["affinity"], path.child("affinity"));
    validate_node_affinity(&affinity["nodeAffinity"], &at.child("nodeAffinity"), errors);
    for kind in ["podAffinity", "podAntiAffinity"] {
        validate_pod_affinity(&affinity[kind], &at.child(kind), errors);
    }
    validate_spread(spec, &path.child("topologySpreadConstraints"), errors);
}

fn validate_spread(spec: &Value, path: &Path, errors: &mut Errors) {
    let mut seen = BTreeSet::new();
    for (index, constraint) in indexed(spec, "topologySpreadConstraints") {
        let path = path.index(index);
        if int(constraint, "maxSkew").unwrap_or(0) <= 0 {
            errors.invalid(&path.child("maxSkew"), &constraint["maxSkew"], POSITIVE);
        }
        validate_topology_key(constraint, &path, errors);
        let otherwise = text(constraint, "whenUnsatisfiable");
        if !["DoNotSchedule", "ScheduleAnyway"].contains(&otherwise) {
            errors.not_supported(&path.child("whenUnsatisfiable"), otherwise, &["DoNotSchedule", "ScheduleAnyway"]);
        }
        let key = text(constraint, "topologyKey");
        if !seen.insert((key, otherwise)) {
            let at = path.child("{topologyKey, whenUnsatisfiable}");
            errors.duplicate(&at, format!("{{{key}, {otherwise}}}"));
        }
        if let Some(domains) = int(constraint, "minDomains") {
            let at = path.child("minDomains");
            if domains <= 0 {
                errors.invalid(&at, domains, POSITIVE);
            }
            if otherwise != "DoNotSchedule" {
                let wrong = format!("can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {otherwise}");
                errors.invalid(&at, domains, &wrong);
            }
        }
        for field in ["nodeAffinityPolicy", "nodeTaintsPolicy"] {
            if let Some(policy) = constraint[field].as_str().filter(|policy| !["Honor", "Ignore"].contains(policy)) {
                errors.not_supported(&path.child(field), policy, &["Honor", "Ignore"]);
            }
        }
        validate_label_keys(constraint, "matchLabelKeys", &path, errors);
        selector::validate(&constraint["labelSelector"], &path.child("labelSelector"), errors);
    }
}

/// Checks keys whose values are taken from the Pod that is placed.
fn validate_label_keys(value: &Value, field: &str, path: &Path, errors: &mut Errors) {
    let (keys, path) = (list(value, field), path.child(field));
    if keys.is_empty() {
        return;
    }
    let labels = &value["labelSelector"];
    if labels.is_null() {
        errors.forbidden(&path, "must not be specified when labelSelector is not set");
    }
    for (index, key) in keys.iter().enumerate() {
        let (key, path) = (key.as_str().unwrap_or(""), path.index(index));
        for wrong in names::qualified(key) {
            errors.invalid(&path, key, &wrong);
        }
        let expressions = list(labels, "matchExpressions");
        let selected = expressions.iter().any(|expression| text(expression, "key") == key);
        if field == "matchLabelKeys" && (selected || !labels["matchLabels"][key].is_null()) {
            errors.invalid(&path, key, "exists in both matchLabelKeys and labelSelector");
        }
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
                errors.invalid(&path.child("operator"), value, "value must be empty when `operator` is 'Exists'");
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
        validate_node_term(&preferred["preference"], false, &path.child("preference"), errors);
    }
}

/// Checks a NodeSelector.
pub fn validate_node_selector(selector: &Value, path: &Path, errors: &mut Errors) {
    let path = path.child("nodeSelectorTerms");
    if list(selector, "nodeSelectorTerms").is_empty() {
        errors.required(&path, "must have at least one node selector term");
    }
    for (index, term) in indexed(selector, "nodeSelectorTerms") {
        validate_node_term(term, true, &path.index(index), errors);
    }
}

/// Checks a term; the values of one that is only preferred may be no labels' values.
fn validate_node_term(term: &Value, required: bool, path: &Path, errors: &mut Errors) {
    for expressions in ["matchExpressions", "matchFields"] {
        for (index, expression) in indexed(term, expressions) {
            let path = path.child(expressions).index(index);
            if expressions == "matchFields" {
                validate_node_field(expression, &path, errors);
                continue;
            }
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
            for (index, value) in values.iter().enumerate().filter(|_| required) {
                for wrong in names::label_value(value.as_str().unwrap_or("")) {
                    errors.invalid(&path.child("values").index(index), value, &wrong);
                }
            }
        }
    }
}

/// Nodes are selected by one field only, their name.
fn validate_node_field(expression: &Value, path: &Path, errors: &mut Errors) {
    match text(expression, "operator") {
        "In" | "NotIn" if list(expression, "values").len() != 1 => {
            let wrong = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector";
            errors.required(&path.child("values"), wrong);
        }
        "In" | "NotIn" => {}
        other => errors.invalid(&path.child("operator"), other, "not a valid selector operator"),
    }
    let key = text(expression, "key");
    if key != "metadata.name" {
        errors.invalid(&path.child("key"), key, "not a valid field selector key");
        return;
    }
    for (index, value) in list(expression, "values").iter().enumerate() {
        for wrong in names::dns_subdomain(value.as_str().unwrap_or("")) {
            errors.invalid(&path.child("values").index(index), value, &wrong);
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
    for namespace in list(term, "namespaces") {
        for wrong in names::dns_label(namespace.as_str().unwrap_or("")) {
            errors.invalid(&path.child("namespace"), namespace, &wrong);
        }
    }
    validate_topology_key(term, path, errors);
    for field in ["matchLabelKeys", "mismatchLabelKeys"] {
        validate_label_keys(term, field, path, errors);
    }
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
