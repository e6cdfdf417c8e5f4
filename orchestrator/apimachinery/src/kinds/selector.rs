//! Rules of label selectors in objects, and of templates under them.

use super::fields::{indexed, list, text};
use super::{metadata, names};
use crate::field::{Errors, Path};
use crate::selector::LabelSelector;
use serde_json::Value;

/// Checks a `metav1.LabelSelector`.
pub fn validate(selector: &Value, path: &Path, errors: &mut Errors) {
    metadata::label_map(&selector["matchLabels"], &path.child("matchLabels"), errors);
    for (index, expression) in indexed(selector, "matchExpressions") {
        let path = path.child("matchExpressions").index(index);
        let values = list(expression, "values");
        match text(expression, "operator") {
            "In" | "NotIn" if values.is_empty() => {
                errors.required(&path.child("values"), "must be specified when `operator` is 'In' or 'NotIn'");
            }
            "Exists" | "DoesNotExist" if !values.is_empty() => {
                errors.forbidden(
                    &path.child("values"),
                    "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
                );
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            other => errors.invalid(&path.child("operator"), other, "not a valid selector operator"),
        }
        for wrong in names::qualified(text(expression, "key")) {
            errors.invalid(&path.child("key"), text(expression, "key"), &wrong);
        }
        for (index, value) in values.iter().enumerate() {
            for wrong in names::label_value(value.as_str().unwrap_or("")) {
                errors.invalid(&path.child("values").index(index), value, &wrong);
            }
        }
    }
}

/// Checks `spec.selector` and that the labels of `spec.template` satisfy it; `kind` is named when it
/// selects everything.
pub fn validate_with_template(spec: &Value, kind: &str, path: &Path, errors: &mut Errors) {
    let (selector, at) = (&spec["selector"], path.child("selector"));
    if selector.is_null() {
        errors.required(&at, "");
        return;
    }
    validate(selector, &at, errors);
    let empty = super::fields::entries(selector, "matchLabels").next().is_none()
        && list(selector, "matchExpressions").is_empty();
    if empty {
        errors.invalid(&at, selector, &format!("empty selector is invalid for {kind}"));
    }
    if !empty && misses_template(spec) {
        let template = &spec["template"];
        let labels = template["metadata"].get("labels").cloned().unwrap_or_else(|| serde_json::json!({}));
        let at = path.child("template").child("metadata").child("labels");
        errors.invalid(&at, labels, "`selector` does not match template `labels`");
    }
}

/// Whether `spec.selector` does not select Pods made from `spec.template`.
pub fn misses_template(spec: &Value) -> bool {
    LabelSelector::from_object(&spec["selector"]).is_ok_and(|selector| !selector.matches_object(&spec["template"]))
}
