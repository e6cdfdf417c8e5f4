//! Access modes, as PersistentVolumes and claims on them share them.

use super::checks::POSITIVE;
use super::fields::list;
use super::names;
use crate::field::{Errors, Path};
use crate::quantity::Quantity;
use serde_json::Value;

/// Each mode with its short form, in the order in which they are shown.
const MODES: [(&str, &str); 4] =
    [("ReadWriteOnce", "RWO"), ("ReadOnlyMany", "ROX"), ("ReadWriteMany", "RWX"), ("ReadWriteOncePod", "RWOP")];

/// Checks `accessModes`; `when_empty` is said when there is none.
pub fn validate(spec: &Value, when_empty: &str, path: &Path, errors: &mut Errors) {
    let (modes, path) = (list(spec, "accessModes"), path.child("accessModes"));
    if modes.is_empty() {
        errors.required(&path, when_empty);
    }
    let (mut once_pod, mut other) = (false, false);
    for mode in modes {
        let mode = mode.as_str().unwrap_or("");
        let known = MODES.iter().any(|(name, _)| *name == mode);
        if !known {
            errors.not_supported(&path, mode, &MODES.map(|(name, _)| name));
        }
        once_pod |= mode == "ReadWriteOncePod";
        other |= known && mode != "ReadWriteOncePod";
    }
    if once_pod && other {
        errors.forbidden(&path, "may not use ReadWriteOncePod with other access modes");
    }
}

/// `RWO,ROX`: the modes of a list in short.
pub fn short(modes: &[Value]) -> String {
    let given = MODES.iter().filter(|(name, _)| modes.iter().any(|mode| mode == name));
    given.map(|(_, short)| *short).collect::<Vec<_>>().join(",")
}

/// Checks `volumeMode` where it is given.
pub fn validate_volume_mode(spec: &Value, path: &Path, errors: &mut Errors) {
    if let Some(mode) = spec["volumeMode"].as_str().filter(|mode| !["Block", "Filesystem"].contains(mode)) {
        errors.not_supported(&path.child("volumeMode"), mode, &["Block", "Filesystem"]);
    }
}

/// Checks the name of a class where it is given and not empty.
pub fn validate_class(spec: &Value, field: &str, path: &Path, errors: &mut Errors) {
    if let Some(class) = spec[field].as_str().filter(|class| !class.is_empty()) {
        for wrong in names::dns_subdomain(class) {
            errors.invalid(&path.child(field), class, &wrong);
        }
    }
}

/// Checks that an amount is a quantity above nought.
pub fn is_positive(amount: &Value, path: &Path, errors: &mut Errors) {
    match Quantity::parse(amount.as_str().unwrap_or("")) {
        Err(wrong) => errors.invalid(path, amount, &wrong),
        Ok(quantity) if quantity.is_zero() || quantity.is_negative() => {
            errors.invalid(path, amount, POSITIVE);
        }
        Ok(_) => {}
    }
}
