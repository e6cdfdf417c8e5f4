//! The rules of a schema, with the words that Kubernetes uses for them.
//!
//! What did not change in an update is not judged again (ratcheting, KEP-4008).

use super::format;
use super::prune::below;
use super::shape::{List, Shape};
use crate::field::{Errors, FieldError, Path, Reason};
use serde_json::{Number, Value};
use std::collections::BTreeSet;

/// Judges a value; `old` is what was there before, if that can be told.
pub(super) fn check(shape: &Shape, value: &Value, old: Option<&Value>, path: &str, errors: &mut Errors) {
    if old == Some(value) {
        return;
    }
    if !fits_type(shape, value, path, errors) || value.is_null() {
        return;
    }
    match value {
        Value::String(text) => check_text(shape, text, path, errors),
        Value::Number(number) => check_number(shape, number, path, errors),
        Value::Array(list) => check_list(shape, list, old, path, errors),
        Value::Object(_) => check_object(shape, value, old, path, errors),
        _ => {}
    }
    if !shape.choices.is_empty() && !shape.choices.contains(value) {
        not_supported(&shape.choices, value, path, errors);
    }
    check_logic(shape, value, old, path, errors);
}

fn field(path: &str) -> Path {
    Path::from_text(path.to_owned())
}

/// The path as messages show it: `spec.x in body`.
fn told(path: &str, what: impl std::fmt::Display) -> String {
    format!("{path} in body {what}")
}

fn invalid(value: impl serde::Serialize, path: &str, what: impl std::fmt::Display, errors: &mut Errors) {
    errors.invalid(&field(path), value, &told(path, what));
}

/// JSON's word for what a value is.
fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn is_whole(number: &Number) -> bool {
    !number.is_f64() || number.as_f64().is_some_and(|float| float.fract() == 0.0)
}

fn fits_type(shape: &Shape, value: &Value, path: &str, errors: &mut Errors) -> bool {
    if value.is_null() && shape.nullable {
        return true;
    }
    let (wanted, fits) = if shape.int_or_string {
        ("integer,string", value.is_string() || value.as_number().is_some_and(is_whole))
    } else {
        let fits = match (&*shape.type_, value) {
            ("", _) => true,
            ("integer", Value::Number(number)) => is_whole(number),
            ("number", Value::Number(_)) => true,
            (wanted, value) => wanted == type_of(value),
        };
        (&*shape.type_, fits)
    };
    if !fits {
        let found = type_of(value);
        let text = told(path, format_args!("must be of type {wanted}: {found:?}"));
        errors.type_invalid(&field(path), format!("Invalid value: {found:?}: {text}"));
    }
    fits
}

fn check_text(shape: &Shape, text: &str, path: &str, errors: &mut Errors) {
    let length = text.chars().count() as u64;
    if let Some(max) = shape.sizes.max_length.filter(|max| length > *max) {
        errors.too_long(&field(path), usize::try_from(max).unwrap_or(usize::MAX));
    }
    if let Some(min) = shape.sizes.min_length.filter(|min| length < *min) {
        invalid(text, path, format_args!("should be at least {min} chars long"), errors);
    }
    if let Some(pattern) = shape.pattern.as_ref().filter(|pattern| !pattern.regex.is_match(text)) {
        invalid(text, path, format_args!("should match '{}'", pattern.source), errors);
    }
    if !shape.format.is_empty() && !format::fits(&shape.format, text) {
        let message = told(path, format_args!("must be of type {}: {text:?}", shape.format));
        errors.type_invalid(&field(path), format!("Invalid value: {text:?}: {message}"));
    }
}

fn check_number(shape: &Shape, number: &Number, path: &str, errors: &mut Errors) {
    let value = number.as_f64().unwrap_or(f64::NAN);
    let float = |limit: &Value| limit.as_f64().unwrap_or(f64::NAN);
    let range = &shape.range;
    if let Some(limit) = &range.maximum {
        match range.exclusive_maximum {
            true if value >= float(limit) => invalid(number, path, format_args!("should be less than {limit}"), errors),
            false if value > float(limit) => {
                invalid(number, path, format_args!("should be less than or equal to {limit}"), errors);
            }
            _ => {}
        }
    }
    if let Some(limit) = &range.minimum {
        match range.exclusive_minimum {
            true if value <= float(limit) => {
                invalid(number, path, format_args!("should be greater than {limit}"), errors)
            }
            false if value < float(limit) => {
                invalid(number, path, format_args!("should be greater than or equal to {limit}"), errors);
            }
            _ => {}
        }
    }
    if let Some(factor) = &range.multiple_of {
        let parts = value / float(factor);
        if (parts - parts.round()).abs() > 1e-9 {
            invalid(number, path, format_args!("should be a multiple of {factor}"), errors);
        }
    }
    let fits = match &*shape.format {
        "int32" => number.as_i64().is_some_and(|value| i32::try_from(value).is_ok()),
        "int64" => number.as_i64().is_some() || is_whole(number),
        _ => true,
    };
    if shape.type_ == "integer" && !fits {
        invalid(number, path, format_args!("must be of type integer of format {}", shape.format), errors);
    }
}

fn check_list(shape: &Shape, list: &[Value], old: Option<&Value>, path: &str, errors: &mut Errors) {
    let length = list.len() as u64;
    if let Some(max) = shape.sizes.max_items.filter(|max| length > *max) {
        too_many(list.len(), max, path, errors);
    }
    if let Some(min) = shape.sizes.min_items.filter(|min| length < *min) {
        invalid(length, path, format_args!("should have at least {min} items"), errors);
    }
    let mut seen = BTreeSet::new();
    if shape.unique && !list.iter().all(|item| seen.insert(item.to_string())) {
        invalid("", path, "shouldn't contain duplicates", errors);
    }
    check_unique(shape, list, path, errors);
    let Some(items) = &shape.items else { return };
    for (index, item) in list.iter().enumerate() {
        check(items, item, counterpart(shape, item, old), &format!("{path}[{index}]"), errors);
    }
}

/// The item of the old list that is the same one, where keys tell.
pub(super) fn counterpart<'o>(shape: &Shape, item: &Value, old: Option<&'o Value>) -> Option<&'o Value> {
    if shape.list != List::Map {
        return None;
    }
    let same = |other: &&Value| shape.keys.iter().all(|key| other[key] == item[key]);
    old?.as_array()?.iter().find(same)
}

/// Sets and maps hold nothing twice.
fn check_unique(shape: &Shape, list: &[Value], path: &str, errors: &mut Errors) {
    let mut seen = BTreeSet::new();
    for (index, item) in list.iter().enumerate() {
        let identity = match shape.list {
            List::Atomic => return,
            List::Set => item.clone(),
            List::Map => shape.keys.iter().map(|key| (key.clone(), item[key].clone())).collect(),
        };
        if !seen.insert(identity.to_string()) {
            errors.duplicate(&field(&format!("{path}[{index}]")), identity);
        }
    }
}

fn too_many(found: usize, max: u64, path: &str, errors: &mut Errors) {
    errors.too_many(&field(path), found, usize::try_from(max).unwrap_or(usize::MAX));
}

/// The path of a field.
pub(super) fn child(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn check_object(shape: &Shape, value: &Value, old: Option<&Value>, path: &str, errors: &mut Errors) {
    let Some(map) = value.as_object() else { return };
    let count = map.len() as u64;
    if let Some(max) = shape.sizes.max_properties.filter(|max| count > *max) {
        too_many(map.len(), max, path, errors);
    }
    if let Some(min) = shape.sizes.min_properties.filter(|min| count < *min) {
        invalid(min, path, format_args!("should have at least {min} properties"), errors);
    }
    for name in shape.required.iter().filter(|name| !map.contains_key(*name)) {
        errors.required(&field(&child(path, name)), "");
    }
    if shape.embedded && !path.is_empty() {
        check_embedded(value, path, errors);
    }
    for (name, value) in map {
        if let Some(below) = below(shape, name) {
            check(below, value, old.and_then(|old| old.get(name)), &child(path, name), errors);
        }
    }
}

/// An object within an object says what it is.
fn check_embedded(value: &Value, path: &str, errors: &mut Errors) {
    for name in ["apiVersion", "kind"] {
        if value[name].as_str().unwrap_or_default().is_empty() {
            errors.required(&field(&child(path, name)), "must not be empty");
        }
    }
    if !matches!(value["metadata"], Value::Null | Value::Object(_)) {
        let path = child(path, "metadata");
        errors.invalid(&field(&path), &value["metadata"], "must be an object");
    }
}

fn not_supported(choices: &[Value], value: &Value, path: &str, errors: &mut Errors) {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let supported: Vec<String> = choices.iter().map(text).map(|text| format!("{text:?}")).collect();
    errors.0.push(FieldError {
        reason: Reason::NotSupported,
        field: path.to_owned(),
        message: format!("Unsupported value: {value}: supported values: {}", supported.join(", ")),
    });
}

/// An error of several schemas together, which upstream tells without a field.
fn composite(message: String, errors: &mut Errors) {
    errors.invalid(&field("<nil>"), "", &message);
}

fn check_logic(shape: &Shape, value: &Value, old: Option<&Value>, path: &str, errors: &mut Errors) {
    let judge = |shape: &Shape| {
        let mut found = Errors::default();
        check(shape, value, old, path, &mut found);
        found
    };
    if !shape.any_of.is_empty() && !shape.int_or_string {
        let found: Vec<Errors> = shape.any_of.iter().map(judge).collect();
        if found.iter().all(|errors| !errors.is_empty()) {
            composite(format!("{path:?} must validate at least one schema (anyOf)"), errors);
            extend_by_fewest(found, errors);
        }
    }
    if !shape.one_of.is_empty() {
        let found: Vec<Errors> = shape.one_of.iter().map(judge).collect();
        let valid = found.iter().filter(|errors| errors.is_empty()).count();
        let message = format!("{path:?} must validate one and only one schema (oneOf).");
        match valid {
            0 => {
                composite(format!("{message} Found none valid"), errors);
                extend_by_fewest(found, errors);
            }
            1 => {}
            _ => composite(format!("{message} Found {valid} valid alternatives"), errors),
        }
    }
    if !shape.all_of.is_empty() {
        let found: Vec<Errors> = shape.all_of.iter().map(judge).collect();
        let valid = found.iter().filter(|errors| errors.is_empty()).count();
        if valid < found.len() {
            let tail = if valid == 0 { ". None validated" } else { "" };
            composite(format!("{path:?} must validate all the schemas (allOf){tail}"), errors);
            errors.0.extend(found.into_iter().flat_map(|errors| errors.0));
        }
    }
    if shape.not.as_ref().is_some_and(|not| judge(not).is_empty()) {
        composite(format!("{path:?} must not validate the schema (not)"), errors);
    }
}

/// Of several that fail, what the one says that fails least.
fn extend_by_fewest(found: Vec<Errors>, errors: &mut Errors) {
    let fewest = found.into_iter().min_by_key(|errors| errors.0.len());
    errors.0.extend(fewest.into_iter().flat_map(|errors| errors.0));
}
