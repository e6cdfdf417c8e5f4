//! Rules of a HorizontalPodAutoscaler in the form of autoscaling/v2.

use crate::field::{Errors, Path};
use crate::kinds::checks::{NOT_NEGATIVE, POSITIVE, not_negative};
use crate::kinds::fields::{indexed, int, list, text};
use crate::kinds::{access_modes, names, pod_spec};
use crate::quantity::Quantity;
use serde_json::Value;

const PERIOD_SECONDS_MAX: i64 = 1800;
const WINDOW_SECONDS_MAX: i64 = 3600;
/// The types of metrics, each with its field, in the order in which upstream looks at them.
const SOURCES: [(&str, &str); 5] = [
    ("Object", "object"),
    ("External", "external"),
    ("Pods", "pods"),
    ("Resource", "resource"),
    ("ContainerResource", "containerResource"),
];

/// Checks a HorizontalPodAutoscaler.
pub fn validate(object: &Value, errors: &mut Errors) {
    let (spec, path) = (&object["spec"], Path::new("spec"));
    let (least, most) = (int(spec, "minReplicas"), int(spec, "maxReplicas").unwrap_or(0));
    if let Some(least) = least.filter(|least| *least < 1) {
        errors.invalid(&path.child("minReplicas"), least, "must be greater than or equal to 1");
    }
    if most < 1 {
        errors.invalid(&path.child("maxReplicas"), most, "must be greater than 0");
    }
    if least.is_some_and(|least| most < least) {
        errors.invalid(&path.child("maxReplicas"), most, "must be greater than or equal to `minReplicas`");
    }
    validate_reference(&spec["scaleTargetRef"], &path.child("scaleTargetRef"), errors);
    for (index, metric) in indexed(spec, "metrics") {
        validate_metric(metric, &path.child("metrics").index(index), errors);
    }
    for direction in ["scaleUp", "scaleDown"] {
        let rules = &spec["behavior"][direction];
        if !rules.is_null() {
            validate_rules(rules, &path.child("behavior").child(direction), errors);
        }
    }
    not_negative(&object["status"], &["currentReplicas", "desiredReplicas"], &Path::new("status"), errors);
}

fn segment(value: &Value, field: &str, when_empty: &str, path: &Path, errors: &mut Errors) {
    let (name, path) = (text(value, field), path.child(field));
    if name.is_empty() {
        errors.required(&path, when_empty);
        return;
    }
    for wrong in names::path_segment(name, false) {
        errors.invalid(&path, name, &wrong);
    }
}

fn validate_reference(reference: &Value, path: &Path, errors: &mut Errors) {
    segment(reference, "kind", "", path, errors);
    segment(reference, "name", "", path, errors);
    // An apiVersion that is no group and version can never be found.
    let version = text(reference, "apiVersion");
    if version.matches('/').count() > 1 {
        errors.invalid(&path.child("apiVersion"), version, &format!("unexpected GroupVersion string: {version}"));
    }
}

fn validate_metric(metric: &Value, path: &Path, errors: &mut Errors) {
    let (type_, at) = (text(metric, "type"), path.child("type"));
    let types = SOURCES.map(|(type_, _)| type_);
    if type_.is_empty() {
        errors.required(&at, "must specify a metric source type");
    }
    let expected = SOURCES.iter().find(|(known, _)| *known == type_).map(|(_, field)| *field);
    if expected.is_none() {
        errors.not_supported(&at, type_, &types);
    }
    let given: Vec<&str> = SOURCES.iter().map(|(_, field)| *field).filter(|field| !metric[*field].is_null()).collect();
    if let Some(first) = given.first() {
        validate_source(first, &metric[*first], &path.child(first), errors);
    }
    match expected {
        Some(field) if !given.contains(&field) => {
            errors.required(&path.child(field), "must populate information for the given metric source");
        }
        Some(_) => {}
        None => errors.not_supported(&at, type_, &types),
    }
    if given.len() > 1 {
        for field in given.into_iter().filter(|field| Some(*field) != expected) {
            errors.forbidden(&path.child(field), "must populate the given metric source only");
        }
    }
}

fn validate_source(field: &str, source: &Value, path: &Path, errors: &mut Errors) {
    match field {
        "object" => validate_reference(&source["describedObject"], &path.child("describedObject"), errors),
        "resource" if text(source, "name").is_empty() => {
            errors.required(&path.child("name"), "must specify a resource name");
        }
        "containerResource" => validate_container_resource(source, path, errors),
        _ => {}
    }
    if ["object", "external", "pods"].contains(&field) {
        segment(&source["metric"], "name", "must specify a metric name", &path.child("metric"), errors);
    }
    let (target, path) = (&source["target"], path.child("target"));
    validate_target(target, &path, errors);
    let has = |field: &str| !target[field].is_null();
    match field {
        "object" if !has("value") && !has("averageValue") => {
            errors.required(&path.child("averageValue"), "must set either a target value or averageValue");
        }
        "external" if !has("value") && !has("averageValue") => {
            let wrong = "must set either a target value for metric or a per-pod target";
            errors.required(&path.child("averageValue"), wrong);
        }
        "external" if has("value") && has("averageValue") => {
            let wrong = "may not set both a target value for metric and a per-pod target";
            errors.forbidden(&path.child("value"), wrong);
        }
        "pods" if !has("averageValue") => {
            errors.required(&path.child("averageValue"), "must specify a positive target averageValue");
        }
        "resource" | "containerResource" => match (has("averageUtilization"), has("averageValue")) {
            (false, false) => {
                let wrong = "must set either a target raw value or a target utilization";
                errors.required(&path.child("averageUtilization"), wrong);
            }
            (true, true) => {
                let wrong = "may not set both a target raw value and a target utilization";
                errors.forbidden(&path.child("averageValue"), wrong);
            }
            _ => {}
        },
        _ => {}
    }
}

fn validate_container_resource(source: &Value, path: &Path, errors: &mut Errors) {
    let (name, container) = (text(source, "name"), text(source, "container"));
    if name.is_empty() {
        errors.required(&path.child("name"), "must specify a resource name");
    } else {
        pod_spec::resources::validate_name(name, &path.child("name"), errors);
    }
    if container.is_empty() {
        errors.required(&path.child("container"), "must specify a container");
    } else {
        for wrong in names::dns_label(container) {
            errors.invalid(&path.child("container"), container, &wrong);
        }
    }
}

fn validate_target(target: &Value, path: &Path, errors: &mut Errors) {
    let (type_, at) = (text(target, "type"), path.child("type"));
    if type_.is_empty() {
        errors.required(&at, "must specify a metric target type");
    }
    if !["Utilization", "Value", "AverageValue"].contains(&type_) {
        errors.invalid(&at, type_, "must be either Utilization, Value, or AverageValue");
    }
    for field in ["value", "averageValue"] {
        let Some(amount) = target[field].as_str() else { continue };
        match Quantity::parse(amount) {
            Ok(quantity) if !quantity.is_zero() && !quantity.is_negative() => {}
            Ok(_) => errors.invalid(&path.child(field), amount, "must be positive"),
            Err(_) => access_modes::is_positive(&target[field], &path.child(field), errors),
        }
    }
    if let Some(share) = int(target, "averageUtilization").filter(|share| *share < 1) {
        errors.invalid(&path.child("averageUtilization"), share, "must be greater than 0");
    }
}

fn validate_rules(rules: &Value, path: &Path, errors: &mut Errors) {
    let at = path.child("stabilizationWindowSeconds");
    match int(rules, "stabilizationWindowSeconds") {
        Some(seconds @ ..0) => errors.invalid(&at, seconds, "must be greater than or equal to zero"),
        Some(seconds) if seconds > WINDOW_SECONDS_MAX => {
            errors.invalid(&at, seconds, &format!("must be less than or equal to {WINDOW_SECONDS_MAX}"));
        }
        _ => {}
    }
    if let Some(policy) = rules["selectPolicy"].as_str()
        && !["Max", "Min", "Disabled"].contains(&policy)
    {
        errors.not_supported(&path.child("selectPolicy"), policy, &["Disabled", "Max", "Min"]);
    }
    if Quantity::parse(text(rules, "tolerance")).is_ok_and(Quantity::is_negative) {
        errors.invalid(&path.child("tolerance"), &rules["tolerance"], NOT_NEGATIVE);
    }
    let path = path.child("policies");
    if list(rules, "policies").is_empty() {
        errors.required(&path, "must specify at least one Policy");
    }
    for (index, policy) in indexed(rules, "policies") {
        let path = path.index(index);
        let type_ = text(policy, "type");
        if !["Pods", "Percent"].contains(&type_) {
            errors.not_supported(&path.child("type"), type_, &["Percent", "Pods"]);
        }
        for field in ["value", "periodSeconds"] {
            let number = int(policy, field).unwrap_or(0);
            if number <= 0 {
                errors.invalid(&path.child(field), number, POSITIVE);
            }
        }
        let period = int(policy, "periodSeconds").unwrap_or(0);
        if period > PERIOD_SECONDS_MAX {
            let wrong = format!("must be less than or equal to {PERIOD_SECONDS_MAX}");
            errors.invalid(&path.child("periodSeconds"), period, &wrong);
        }
    }
}
