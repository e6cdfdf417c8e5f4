//! ReplicationController.

use super::checks::not_negative;
use super::fields::{default, entries, object_or_new};
use super::replica_set::{self, runs_for_ever, validate_counts};
use super::{cells, metadata, namespaced, pod_spec};
use crate::field::{Errors, Path};
use crate::kind::{Kind, Strategy};
use serde_json::Value;

/// The row of ReplicationController.
pub fn kind() -> Kind {
    let strategy = Strategy {
        default: fill,
        validate,
        cells: |object, now| replica_set::row(object, cells::labels(&object["spec"], "selector"), now),
        ..replica_set::strategy()
    };
    replica_set::replicating(namespaced("", "ReplicationController", "replicationcontrollers"), "rc", strategy)
}

/// The template's labels stand in for a selector and for labels of its own.
fn fill(object: &mut Value) {
    pod_spec::default_template(object);
    let labels = object["spec"]["template"]["metadata"]["labels"].clone();
    if entries(&object["spec"]["template"]["metadata"], "labels").next().is_some() {
        if entries(&object["spec"], "selector").next().is_none() {
            object["spec"]["selector"] = labels.clone();
        }
        if entries(&object["metadata"], "labels").next().is_none() {
            object["metadata"]["labels"] = labels;
        }
    }
    default(object_or_new(object, "spec"), "replicas", 1);
}

fn validate(object: &Value, errors: &mut Errors) {
    let (spec, path) = (&object["spec"], Path::new("spec"));
    not_negative(spec, &["minReadySeconds"], &path, errors);
    metadata::label_map(&spec["selector"], &path.child("selector"), errors);
    if entries(spec, "selector").next().is_none() {
        errors.required(&path.child("selector"), "");
    }
    not_negative(spec, &["replicas"], &path, errors);
    let (template, at) = (&spec["template"], path.child("template"));
    let labels = &template["metadata"]["labels"];
    if entries(spec, "selector").any(|(key, value)| labels.get(key) != Some(value)) {
        let wrong = "`selector` does not match template `labels`";
        errors.invalid(&at.child("metadata").child("labels"), labels, wrong);
    }
    pod_spec::validate_template(template, &at, errors);
    runs_for_ever(template, "ReplicationController", &at, errors);
    validate_counts(&object["status"], errors);
}

#[cfg(test)]
mod tests;
