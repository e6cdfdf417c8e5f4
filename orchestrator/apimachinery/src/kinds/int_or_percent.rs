//! Amounts that are a number or a percentage, such as `maxUnavailable`.

use super::checks::NOT_NEGATIVE;
use super::names;
use crate::field::{Errors, Path};
use serde_json::Value;

/// Checks that an amount is a percentage or a number that is not below nought.
pub fn validate(amount: &Value, path: &Path, errors: &mut Errors) {
    match amount {
        Value::String(share) => {
            for wrong in names::percent(share) {
                errors.invalid(path, amount, &wrong);
            }
        }
        other if other.as_i64().unwrap_or(0) < 0 => {
            errors.invalid(path, amount, NOT_NEGATIVE);
        }
        _ => {}
    }
}

/// Refuses a percentage above 100%.
pub fn at_most_all(amount: &Value, path: &Path, errors: &mut Errors) {
    if amount.is_string() && number(amount).is_some_and(|share| share > 100) {
        errors.invalid(path, amount, "must not be greater than 100%");
    }
}

/// The number, or that before the percent sign; nought when absent, nothing when it is neither.
pub fn number(amount: &Value) -> Option<i64> {
    match amount {
        Value::String(share) => share.strip_suffix('%').and_then(|share| share.parse().ok()),
        other => Some(other.as_i64().unwrap_or(0)),
    }
}
