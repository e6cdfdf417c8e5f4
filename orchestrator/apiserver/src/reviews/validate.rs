//! What access reviews may say.

use orchestrator_apimachinery::field::{Errors, Path};
use orchestrator_apimachinery::kinds::names;
use serde_json::{Value, json};

/// What is wrong with a review of this plural.
pub(super) fn access_review(review: &Value, plural: &str) -> Errors {
    let (spec, path) = (&review["spec"], Path::new("spec"));
    let local = plural == "localsubjectaccessreviews";
    let (resource, other) = (&spec["resourceAttributes"], &spec["nonResourceAttributes"]);
    let mut errors = Errors::default();
    match (resource.is_object(), other.is_object()) {
        (true, true) => {
            let why = "cannot be specified in combination with resourceAttributes";
            errors.invalid(&path.child("nonResourceAttributes"), other, why);
        }
        (false, false) => {
            let why = "exactly one of nonResourceAttributes or resourceAttributes must be specified";
            errors.invalid(&path.child("resourceAttributes"), other, why);
        }
        _ => {}
    }
    if plural != "selfsubjectaccessreviews" {
        let groups = spec["groups"].as_array().is_some_and(|groups| !groups.is_empty());
        let user = spec["user"].as_str().unwrap_or_default();
        if user.is_empty() && !groups {
            errors.invalid(&path.child("user"), user, "at least one of user or group must be specified");
        }
    }
    selectors(resource, &path.child("resourceAttributes"), &mut errors);
    metadata(&review["metadata"], local, &mut errors);
    if local {
        let namespace = &review["metadata"]["namespace"];
        if resource.is_object() && resource["namespace"].as_str().unwrap_or_default() != namespace {
            let at = path.child("resourceAttributes").child("namespace");
            errors.invalid(&at, &resource["namespace"], "must match metadata.namespace");
        }
        if other.is_object() {
            let at = path.child("nonResourceAttributes");
            errors.invalid(&at, other, "disallowed on this kind of request");
        }
    }
    errors
}

/// A review is no object that is kept: it has no metadata but its namespace.
fn metadata(metadata: &Value, local: bool, errors: &mut Errors) {
    let mut left = metadata.clone();
    if let Some(fields) = left.as_object_mut() {
        fields.remove("managedFields");
        if local {
            fields.remove("namespace");
        }
        fields.retain(|_, value| !value.is_null() && *value != "" && *value != json!({}) && *value != json!([]));
        if !fields.is_empty() {
            let but = if local { "must be empty except for namespace" } else { "must be empty" };
            errors.invalid(&Path::new("metadata"), metadata, but);
        }
    }
}

fn selectors(resource: &Value, path: &Path, errors: &mut Errors) {
    for field in ["fieldSelector", "labelSelector"] {
        let (selector, path) = (&resource[field], path.child(field));
        if !selector.is_object() {
            continue;
        }
        let raw = selector["rawSelector"].as_str().unwrap_or_default();
        let requirements = selector["requirements"].as_array().map_or(&[][..], Vec::as_slice);
        if !raw.is_empty() && !requirements.is_empty() {
            errors.invalid(&path.child("rawSelector"), raw, "may not specified at the same time as requirements");
        }
        if raw.is_empty() && requirements.is_empty() {
            let why = format!("when {path} is specified, requirements or rawSelector is required");
            errors.required(&path.child("requirements"), &why);
        }
        for (index, one) in requirements.iter().enumerate() {
            requirement(one, field == "labelSelector", &path.child("requirements").index(index), errors);
        }
    }
}

/// Operators that are not known pass: a newer client may know more, and a selector that is not
/// understood only narrows nothing.
fn requirement(one: &Value, of_labels: bool, path: &Path, errors: &mut Errors) {
    let values = one["values"].as_array().map_or(&[][..], Vec::as_slice);
    match one["operator"].as_str().unwrap_or_default() {
        "In" | "NotIn" if values.is_empty() => {
            errors.required(&path.child("values"), "must be specified when `operator` is 'In' or 'NotIn'");
        }
        "Exists" | "DoesNotExist" if !values.is_empty() => {
            errors
                .forbidden(&path.child("values"), "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
        }
        _ => {}
    }
    let key = one["key"].as_str().unwrap_or_default();
    if !of_labels {
        if key.is_empty() {
            errors.required(&path.child("key"), "must be specified");
        }
        return;
    }
    for wrong in names::qualified(key) {
        errors.invalid(&path.child("key"), key, &wrong);
    }
    for (index, value) in values.iter().enumerate() {
        for wrong in names::label_value(value.as_str().unwrap_or_default()) {
            errors.invalid(&path.child("values").index(index), value, &wrong);
        }
    }
}
