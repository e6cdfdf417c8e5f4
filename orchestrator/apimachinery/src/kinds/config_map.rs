//! ConfigMap.

use super::fields::{entries, is_true, text};
use super::{AGE, NAME, cells, columns, names, namespaced, texts};
use crate::field::{Errors, Path};
use crate::kind::{Kind, Strategy};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

/// The row of ConfigMap.
pub fn kind() -> Kind {
    Kind {
        short_names: texts(&["cm"]),
        columns: columns(&[NAME, ("Data", "string", 0, "How many entries it holds."), AGE]),
        strategy: strategy(),
        ..namespaced("", "ConfigMap", "configmaps")
    }
}

/// Bytes of all entries of a ConfigMap or Secret; stops one object from filling the store
/// (upstream's 1 MiB).
pub const DATA_BYTES_MAX: usize = 1024 * 1024;

fn strategy() -> Strategy {
    Strategy { validate, validate_update, cells: row, ..Strategy::default() }
}

fn validate(object: &Value, errors: &mut Errors) {
    let mut bytes = 0;
    for (key, value) in entries(object, "data") {
        let path = Path::new("data").key(key);
        key_is_valid(key, &path, errors);
        if object["binaryData"].get(key).is_some() {
            errors.invalid(&path, key, "duplicate of key present in binaryData");
        }
        bytes += value.as_str().map_or(0, str::len);
    }
    bytes += validate_encoded(object, "binaryData", errors);
    if bytes > DATA_BYTES_MAX {
        errors.too_long(&Path::new("[]"), DATA_BYTES_MAX);
    }
}

fn key_is_valid(key: &str, path: &Path, errors: &mut Errors) {
    for wrong in names::data_key(key) {
        errors.invalid(path, key, &wrong);
    }
}

/// Checks a map of base64 texts and returns how many bytes they stand for.
pub(super) fn validate_encoded(object: &Value, field: &str, errors: &mut Errors) -> usize {
    let mut bytes = 0;
    for (key, _) in entries(object, field) {
        let path = Path::new(field).key(key);
        key_is_valid(key, &path, errors);
        match BASE64_STANDARD.decode(text(&object[field], key)) {
            Ok(decoded) => bytes += decoded.len(),
            Err(_) => errors.invalid(&path, key, "the value must be encoded in base64"),
        }
    }
    bytes
}

fn validate_update(object: &Value, old: &Value, errors: &mut Errors) {
    stays_as_it_is(object, old, &["data", "binaryData"], errors);
}

/// Refuses changes of an object that is marked `immutable`.
pub(super) fn stays_as_it_is(object: &Value, old: &Value, fields: &[&str], errors: &mut Errors) {
    const WRONG: &str = "field is immutable when `immutable` is set";
    if !is_true(old, "immutable") {
        return;
    }
    if !is_true(object, "immutable") {
        errors.forbidden(&Path::new("immutable"), WRONG);
    }
    for field in fields {
        if object[field] != old[field] {
            errors.forbidden(&Path::new(field), WRONG);
        }
    }
}

fn row(object: &Value, now: i64) -> Vec<Value> {
    let count = entries(object, "data").count() + entries(object, "binaryData").count();
    vec![cells::name(object), count.into(), cells::age(object, now)]
}

#[cfg(test)]
mod tests;
