//! Checks of one field that many kinds share.

use super::fields::{int, list};
use crate::field::{Errors, Path};
use crate::quantity::Quantity;
use serde_json::Value;
use std::collections::BTreeSet;

/// What is wrong with a number or amount below nought.
pub const NOT_NEGATIVE: &str = "must be greater than or equal to 0";
/// What is wrong with a number or amount of nought or less.
pub const POSITIVE: &str = "must be greater than zero";

/// Refuses numbers below nought.
pub fn not_negative(value: &Value, fields: &[&str], path: &Path, errors: &mut Errors) {
    for field in fields {
        if let Some(number) = int(value, field).filter(|number| *number < 0) {
            errors.invalid(&path.child(field), number, NOT_NEGATIVE);
        }
    }
}

/// Reports all that a rule found wrong with a value.
pub fn fits(wrong: Vec<String>, value: &str, path: &Path, errors: &mut Errors) {
    for wrong in wrong {
        errors.invalid(path, value, &wrong);
    }
}

/// The value must be there and be one of those allowed.
pub fn one_of(value: &str, allowed: &[&str], path: &Path, errors: &mut Errors) {
    if value.is_empty() {
        errors.required(path, "");
    } else {
        one_of_or_empty(value, allowed, path, errors);
    }
}

/// The value, if there is one, must be one of those allowed.
pub fn one_of_or_empty(value: &str, allowed: &[&str], path: &Path, errors: &mut Errors) {
    if !value.is_empty() && !allowed.contains(&value) {
        errors.not_supported(path, value, allowed);
    }
}

/// The value must be there and fit a rule.
pub fn required(value: &str, rule: fn(&str) -> Vec<String>, path: &Path, errors: &mut Errors) {
    if value.is_empty() {
        errors.required(path, "");
    } else {
        fits(rule(value), value, path, errors);
    }
}

/// Reports a list or map that is too long; whether it is.
pub fn too_many(path: &Path, count: usize, max: usize, errors: &mut Errors) -> bool {
    if count > max {
        errors.too_many(path, count, max);
    }
    count > max
}

/// The texts of the list at a key.
pub fn texts<'a>(value: &'a Value, key: &str) -> Vec<&'a str> {
    list(value, key).iter().map(|text| text.as_str().unwrap_or("")).collect()
}

/// Reports texts that come a second time, each at its own place.
pub fn unique<'a>(texts: impl IntoIterator<Item = &'a str>, path: &Path, errors: &mut Errors) {
    let mut seen = BTreeSet::new();
    for (index, text) in texts.into_iter().enumerate() {
        if !seen.insert(text) {
            errors.duplicate(&path.index(index), text);
        }
    }
}

/// A list with `*` must have nothing else.
pub fn star_is_alone(value: &Value, key: &str, what: &str, path: &Path, errors: &mut Errors) {
    let texts = texts(value, key);
    if texts.len() > 1 && texts.contains(&"*") {
        errors.invalid(path, &texts, &format!("if '*' is present, must not specify other {what}"));
    }
}

/// Rewrites the amount at a key in its canonical form; what is no quantity is left for validation.
pub fn canonicalize_quantity(value: &mut Value, key: &str) {
    let shown = match value.get(key) {
        Some(Value::String(shown)) => shown.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => return,
    };
    if let Ok(quantity) = Quantity::parse(&shown) {
        value[key] = quantity.canonical().into();
    }
}

/// The quantity at a key, if it is one.
pub fn quantity(value: &Value, key: &str) -> Option<Quantity> {
    Quantity::parse(value[key].as_str()?).ok()
}

/// The name with the mark of a default class after it.
pub fn name_of_class(object: &Value, annotations: &[&str]) -> Value {
    let name = crate::meta::name(object);
    let is_default = |key: &&str| object["metadata"]["annotations"][*key] == "true";
    if annotations.iter().any(is_default) { format!("{name} (default)").into() } else { name.into() }
}
