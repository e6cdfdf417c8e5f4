//! What of a Pod's spec may change after its creation.

use crate::field::{Errors, Path};
use crate::kinds::fields::{copy, entries, indexed, int, list, list_mut, text};
use serde_json::Value;

/// Differences that one error shows; stops a message from growing with the object.
const DIFFERENCES_MAX: usize = 10;
const CHANGEABLE: &str = "pod updates may not change fields other than `spec.containers[*].image`,\
    `spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing \
    tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

/// Checks a change of a Pod. Arguments: new, old.
pub fn validate(object: &Value, old: &Value, errors: &mut Errors) {
    let (new, old, path) = (&object["spec"], &old["spec"], Path::new("spec"));
    for containers in ["containers", "initContainers"] {
        if list(new, containers).len() != list(old, containers).len() {
            errors.forbidden(&path.child(containers), "pod updates may not add or remove containers");
            return;
        }
    }
    validate_deadline(new, old, &path.child("activeDeadlineSeconds"), errors);
    let gated = !list(old, "schedulingGates").is_empty();
    for (index, gate) in indexed(new, "schedulingGates") {
        if !list(old, "schedulingGates").contains(gate) {
            let wrong = format!("only deletion is allowed, but found new scheduling gate '{}'", text(gate, "name"));
            errors.forbidden(&path.child("schedulingGates").index(index).child("name"), &wrong);
        }
    }
    validate_tolerations(new, old, &path.child("tolerations"), errors);
    // What may change is taken over from the old spec; what differs then may not.
    let mut rest = new.clone();
    for containers in ["containers", "initContainers"] {
        for (container, before) in list_mut(&mut rest, containers).zip(list(old, containers)) {
            copy(container, before, "image");
        }
    }
    for field in ["activeDeadlineSeconds", "tolerations", "schedulingGates"] {
        copy(&mut rest, old, field);
    }
    if gated && entries(old, "nodeSelector").all(|(key, value)| new["nodeSelector"].get(key) == Some(value)) {
        copy(&mut rest, old, "nodeSelector");
    }
    let was_negative = int(old, "terminationGracePeriodSeconds").is_some_and(|seconds| seconds < 0);
    if was_negative && int(new, "terminationGracePeriodSeconds") == Some(1) {
        copy(&mut rest, old, "terminationGracePeriodSeconds");
    }
    if rest != *old {
        let mut differences = Vec::new();
        differ(&rest, old, "spec", &mut differences);
        differences.truncate(DIFFERENCES_MAX);
        errors.forbidden(&path, &format!("{CHANGEABLE}\n{}\n", differences.join("\n")));
    }
}

fn validate_deadline(new: &Value, old: &Value, path: &Path, errors: &mut Errors) {
    let (after, before) = (int(new, "activeDeadlineSeconds"), int(old, "activeDeadlineSeconds"));
    match (after, before) {
        (None, Some(_)) => errors.invalid(path, Value::Null, "must not update from a positive integer to nil value"),
        (Some(after), Some(before)) if after > before => {
            errors.invalid(path, after, "must be less than or equal to previous value");
        }
        _ => {}
    }
}

/// Tolerations may be added, and the seconds of one may change.
fn validate_tolerations(new: &Value, old: &Value, path: &Path, errors: &mut Errors) {
    let same = |a: &Value, b: &Value| {
        ["key", "operator", "value", "effect"].into_iter().all(|field| text(a, field) == text(b, field))
    };
    let kept = |before: &Value| list(new, "tolerations").iter().any(|after| same(before, after));
    if !list(old, "tolerations").iter().all(kept) {
        errors.forbidden(path, "existing toleration can not be modified except its tolerationSeconds");
    }
}

/// Adds a line for each value that was and each that is now.
fn differ(new: &Value, old: &Value, path: &str, differences: &mut Vec<String>) {
    match (new, old) {
        _ if new == old => {}
        (Value::Object(after), Value::Object(before)) => {
            let mut keys: Vec<&String> = after.keys().chain(before.keys()).collect();
            keys.sort();
            keys.dedup();
            for key in keys {
                differ(&new[key], &old[key], &format!("{path}.{key}"), differences);
            }
        }
        (Value::Array(after), Value::Array(before)) if after.len() == before.len() => {
            for (index, (after, before)) in after.iter().zip(before).enumerate() {
                differ(after, before, &format!("{path}[{index}]"), differences);
            }
        }
        _ => {
            for (sign, value) in [("-", old), ("+", new)] {
                if !value.is_null() {
                    differences.push(format!("{sign} {path}: {value}"));
                }
            }
        }
    }
}
