//! ReplicationController.

use super::checks::not_negative;
use super::fields::{default, entries, int, object_or_new};
use super::replica_set::{changed_template_warnings, named_warnings, runs_for_ever, validate_counts};
use super::{AGE, NAME, cells, columns, metadata, namespaced, pod_spec, scale, state, status, texts};
use crate::field::{Errors, Path};
use crate::kind::{Kind, Strategy};
use serde_json::Value;

/// The row of ReplicationController.
pub fn kind() -> Kind {
    Kind {
        short_names: texts(&["rc"]),
        categories: texts(&["all"]),
        subresources: vec![scale(), status()],
        selectable_fields: texts(&["status.replicas"]),
        columns: columns(&[
            NAME,
            ("Desired", "integer", 0, "Pods that are wanted."),
            ("Current", "integer", 0, "Pods that exist."),
            ("Ready", "integer", 0, "Pods that are ready."),
            AGE,
            ("Containers", "string", 1, "Names of the template's containers."),
            ("Images", "string", 1, "Images of the template's containers."),
            ("Selector", "string", 1, "The labels of its Pods."),
        ]),
        strategy: strategy(),
        ..namespaced("", "ReplicationController", "replicationcontrollers")
    }
}

fn strategy() -> Strategy {
    Strategy {
        default: fill,
        prepare_create: |object| {
            state::create(object);
            object["status"]["replicas"] = 0.into();
        },
        validate,
        warnings: named_warnings,
        update_warnings: Some(changed_template_warnings),
        cells: row,
        field_text: |object, path| {
            (path == "status.replicas").then(|| int(&object["status"], "replicas").unwrap_or(0).to_string())
        },
        ..state::counted()
    }
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

fn row(object: &Value, now: i64) -> Vec<Value> {
    let (spec, status) = (&object["spec"], &object["status"]);
    let [names, images, _] = cells::template(object);
    vec![
        cells::name(object),
        cells::number(&spec["replicas"]),
        cells::number(&status["replicas"]),
        cells::number(&status["readyReplicas"]),
        cells::age(object, now),
        names,
        images,
        cells::labels(spec, "selector").into(),
    ]
}

#[cfg(test)]
mod tests;
