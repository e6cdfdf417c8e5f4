//! PriorityClass.

use super::fields::{default_text, int, is_true, text};
use super::metadata::immutable;
use super::{AGE, NAME, cells, cluster, columns, state, texts};
use crate::field::{Errors, Path};
use crate::kind::{Kind, Strategy};
use serde_json::Value;

/// The row of PriorityClass.
pub fn kind() -> Kind {
    Kind {
        short_names: texts(&["pc"]),
        columns: columns(&[
            NAME,
            ("Value", "integer", 0, "The priority that its Pods get."),
            ("Global-Default", "boolean", 0, "Whether Pods without a class get it."),
            AGE,
            ("PreemptionPolicy", "string", 0, "Whether its Pods may push others out."),
        ]),
        strategy: strategy(),
        ..cluster("scheduling.k8s.io", "PriorityClass", "priorityclasses")
    }
}

/// Highest value of a class that a user makes.
const USER_VALUE_MAX: i64 = 1_000_000_000;
/// The classes that exist from the start, and their values.
pub const SYSTEM_CLASSES: [(&str, i64); 2] =
    [("system-cluster-critical", 2_000_000_000), ("system-node-critical", 2_000_001_000)];

fn strategy() -> Strategy {
    Strategy {
        default: |object| default_text(object, "preemptionPolicy", "PreemptLowerPriority"),
        prepare_create: state::first_generation,
        validate,
        validate_update,
        cells: row,
        ..Strategy::default()
    }
}

fn validate(object: &Value, errors: &mut Errors) {
    let (name, value) = (crate::meta::name(object), int(object, "value").unwrap_or(0));
    if name.starts_with("system-") {
        if !SYSTEM_CLASSES.contains(&(name, value)) {
            let wrong = "priority class names with 'system-' prefix are reserved for system use only";
            errors.forbidden(&Path::new("metadata").child("name"), wrong);
        }
    } else if value > USER_VALUE_MAX {
        let wrong = format!("maximum allowed value of a user defined priority is {USER_VALUE_MAX}");
        errors.forbidden(&Path::new("value"), &wrong);
    }
    match text(object, "preemptionPolicy") {
        "PreemptLowerPriority" | "Never" => {}
        "" => errors.required(&Path::new("preemptionPolicy"), ""),
        other => errors.not_supported(&Path::new("preemptionPolicy"), other, &["PreemptLowerPriority", "Never"]),
    }
}

fn validate_update(object: &Value, old: &Value, errors: &mut Errors) {
    if int(object, "value").unwrap_or(0) != int(old, "value").unwrap_or(0) {
        errors.forbidden(&Path::new("value"), "may not be changed in an update.");
    }
    let path = Path::new("preemptionPolicy");
    immutable(&object["preemptionPolicy"], &old["preemptionPolicy"], &path, errors);
}

fn row(object: &Value, now: i64) -> Vec<Value> {
    vec![
        cells::name(object),
        cells::number(&object["value"]),
        is_true(object, "globalDefault").into(),
        cells::age(object, now),
        text(object, "preemptionPolicy").into(),
    ]
}

#[cfg(test)]
mod tests;
