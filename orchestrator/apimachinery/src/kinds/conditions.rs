//! Rules of `metav1.Condition` lists.

use super::checks::{fits, one_of};
use super::fields::{indexed, int, text};
use super::names;
use crate::field::{Errors, Path};
use serde_json::Value;
use std::collections::BTreeSet;

/// What a condition's status may be.
pub const STATUSES: [&str; 3] = ["False", "True", "Unknown"];
const REASON_BYTES_MAX: usize = 1024;
const MESSAGE_BYTES_MAX: usize = 32 * 1024;

/// Checks the conditions at `value.conditions`.
pub fn validate(value: &Value, path: &Path, errors: &mut Errors) {
    let mut seen = BTreeSet::new();
    for (index, condition) in indexed(value, "conditions") {
        let (path, type_) = (path.index(index), text(condition, "type"));
        if type_.is_empty() {
            errors.required(&path.child("type"), "must be set");
        } else {
            fits(names::qualified(type_), type_, &path.child("type"), errors);
        }
        if !seen.insert(type_) {
            errors.duplicate(&path.child("type"), type_);
        }
        one_of(text(condition, "status"), &STATUSES, &path.child("status"), errors);
        if let Some(generation) = int(condition, "observedGeneration").filter(|generation| *generation < 0) {
            let wrong = "must be greater than or equal to zero";
            errors.invalid(&path.child("observedGeneration"), generation, wrong);
        }
        if text(condition, "lastTransitionTime").is_empty() {
            errors.required(&path.child("lastTransitionTime"), "must be set");
        }
        validate_reason(text(condition, "reason"), &path.child("reason"), errors);
        if text(condition, "message").len() > MESSAGE_BYTES_MAX {
            errors.too_long(&path.child("message"), MESSAGE_BYTES_MAX);
        }
    }
}

fn validate_reason(reason: &str, path: &Path, errors: &mut Errors) {
    if reason.is_empty() {
        errors.required(path, "must be set");
        return;
    }
    let bytes = reason.as_bytes();
    let is_word = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
    let fits = bytes[0].is_ascii_alphabetic()
        && bytes.iter().all(|b| is_word(b) || b",:".contains(b))
        && bytes.last().is_some_and(is_word);
    if !fits {
        let message = "a condition reason must start with alphabetic character, optionally followed by a string of \
                       alphanumeric characters or '_,:', and must end with an alphanumeric character or '_'";
        let regex = "[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?";
        let examples = "e.g. 'my_name',  or 'MY_NAME',  or 'MyName',  or 'ReasonA,ReasonB',  or 'ReasonA:ReasonB'";
        errors.invalid(path, reason, &format!("{message} ({examples}, regex used for validation is '{regex}')"));
    }
    if reason.len() > REASON_BYTES_MAX {
        errors.too_long(path, REASON_BYTES_MAX);
    }
}

#[cfg(test)]
mod tests;
