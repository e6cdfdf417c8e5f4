//! CSIDriver.

use super::checks::{one_of_or_empty, texts};
use super::fields::{default, default_text, indexed, int, is_true, list, object_or_new, text};
use super::metadata::immutable;
use super::{AGE, NAME, cells, cluster, columns, state};
use crate::field::{Errors, Path};
use crate::kind::{Kind, Strategy};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The row of CSIDriver.
pub fn kind() -> Kind {
    Kind {
        columns: columns(&[
            NAME,
            ("AttachRequired", "boolean", 0, "Whether volumes are attached before they are mounted."),
            ("PodInfoOnMount", "boolean", 0, "Whether the driver is told of the Pod."),
            ("StorageCapacity", "boolean", 0, "Whether the scheduler looks at its capacity."),
            ("TokenRequests", "string", 0, "Audiences of the tokens that it is given."),
            ("RequiresRepublish", "boolean", 0, "Whether it is called again from time to time."),
            ("Modes", "string", 0, "The kinds of volumes that it serves."),
            AGE,
        ]),
        strategy: strategy(),
        ..cluster("storage.k8s.io", "CSIDriver", "csidrivers")
    }
}

const GROUP_POLICIES: [&str; 3] = ["File", "None", "ReadWriteOnceWithFSType"];
const MODES: [&str; 2] = ["Ephemeral", "Persistent"];
const TOKEN_SECONDS_MIN: i64 = 600;
const TOKEN_SECONDS_MAX: i64 = 1 << 32;
const UPDATE_SECONDS_MIN: i64 = 10;

fn strategy() -> Strategy {
    Strategy {
        default: fill,
        prepare_update: |object, old| state::raise_generation(object, old, &["spec"]),
        validate,
        validate_update,
        cells: row,
        ..Strategy::default()
    }
}

fn fill(object: &mut Value) {
    let spec = object_or_new(object, "spec");
    default(spec, "attachRequired", true);
    for field in ["podInfoOnMount", "storageCapacity", "requiresRepublish", "seLinuxMount"] {
        default(spec, field, false);
    }
    default_text(spec, "fsGroupPolicy", "ReadWriteOnceWithFSType");
    if list(spec, "volumeLifecycleModes").is_empty() {
        spec["volumeLifecycleModes"] = json!(["Persistent"]);
    }
}

fn validate(object: &Value, errors: &mut Errors) {
    let (spec, path) = (&object["spec"], Path::new("spec"));
    one_of_or_empty(text(spec, "fsGroupPolicy"), &GROUP_POLICIES, &path.child("fsGroupPolicy"), errors);
    let mut audiences = BTreeSet::new();
    for (index, token) in indexed(spec, "tokenRequests") {
        let (path, audience) = (path.child("tokenRequests").index(index), text(token, "audience"));
        if !audiences.insert(audience) {
            errors.duplicate(&path.child("audience"), audience);
            continue;
        }
        let path = path.child("expirationSeconds");
        match int(token, "expirationSeconds") {
            Some(seconds) if seconds < TOKEN_SECONDS_MIN => {
                errors.invalid(&path, seconds, "may not specify a duration less than 10 minutes");
            }
            Some(seconds) if seconds > TOKEN_SECONDS_MAX => {
                errors.invalid(&path, seconds, "may not specify a duration larger than 2^32 seconds");
            }
            _ => {}
        }
    }
    for mode in texts(spec, "volumeLifecycleModes").iter().filter(|mode| !MODES.contains(*mode)) {
        errors.not_supported(&path.child("volumeLifecycleModes"), mode, &MODES);
    }
    let period = int(spec, "nodeAllocatableUpdatePeriodSeconds");
    if let Some(seconds) = period.filter(|seconds| *seconds < UPDATE_SECONDS_MIN) {
        let wrong = "must be greater than or equal to 10 seconds";
        errors.invalid(&path.child("nodeAllocatableUpdatePeriodSeconds"), seconds, wrong);
    }
}

fn validate_update(object: &Value, old: &Value, errors: &mut Errors) {
    // The first path is spelt as upstream does.
    for (field, shown) in [("attachRequired", "attachedRequired"), ("volumeLifecycleModes", "volumeLifecycleModes")] {
        immutable(&object["spec"][field], &old["spec"][field], &Path::new("spec").child(shown), errors);
    }
}

fn row(object: &Value, now: i64) -> Vec<Value> {
    let spec = &object["spec"];
    let audiences: Vec<&str> = list(spec, "tokenRequests").iter().map(|token| text(token, "audience")).collect();
    let audiences = if spec["tokenRequests"].is_null() { "<unset>".to_owned() } else { audiences.join(",") };
    vec![
        cells::name(object),
        spec["attachRequired"].as_bool().unwrap_or(true).into(),
        is_true(spec, "podInfoOnMount").into(),
        is_true(spec, "storageCapacity").into(),
        audiences.into(),
        is_true(spec, "requiresRepublish").into(),
        cells::or(&texts(spec, "volumeLifecycleModes").join(","), cells::NONE).into(),
        cells::age(object, now),
    ]
}

#[cfg(test)]
mod tests;
