//! Deployment.

use super::checks::not_negative;
use super::fields::{copy, default, default_text, int, object_or_new, text};
use super::metadata::immutable;
use super::{
    AGE, CONTAINERS, IMAGES, NAME, SELECTOR, cells, columns, int_or_percent, namespaced, pod_spec, replica_set, scale,
    state, status, texts,
};
use crate::field::{Errors, Path};
use crate::kind::{Kind, Strategy};
use serde_json::Value;

/// The row of Deployment.
pub fn kind() -> Kind {
    Kind {
        short_names: texts(&["deploy"]),
        categories: texts(&["all"]),
        subresources: vec![scale(), status()],
        columns: columns(&[
            NAME,
            ("Ready", "string", 0, "Ready Pods, of those wanted."),
            ("Up-to-date", "string", 0, "Pods of the latest template."),
            ("Available", "string", 0, "Pods that have been ready for long enough."),
            AGE,
            CONTAINERS,
            IMAGES,
            SELECTOR,
        ]),
        strategy: strategy(),
        ..namespaced("apps", "Deployment", "deployments")
    }
}

fn strategy() -> Strategy {
    Strategy {
        default: fill,
        prepare_create: state::create,
        prepare_update,
        prepare_status_update: |object, old| {
            state::update_status(object, old);
            copy(&mut object["metadata"], &old["metadata"], "labels");
        },
        validate,
        validate_update,
        warnings: replica_set::named_warnings,
        update_warnings: Some(replica_set::changed_template_warnings),
        cells: row,
        ..Strategy::default()
    }
}

fn fill(object: &mut Value) {
    pod_spec::default_template(object);
    let spec = object_or_new(object, "spec");
    default(spec, "replicas", 1);
    default(spec, "revisionHistoryLimit", 10);
    default(spec, "progressDeadlineSeconds", 600);
    let strategy = object_or_new(spec, "strategy");
    default_text(strategy, "type", "RollingUpdate");
    if text(strategy, "type") == "RollingUpdate" {
        let update = object_or_new(strategy, "rollingUpdate");
        default(update, "maxUnavailable", "25%");
        default(update, "maxSurge", "25%");
    }
}

/// Unlike other kinds', a Deployment's generation counts changes of its annotations too.
fn prepare_update(object: &mut Value, old: &Value) {
    state::update(object, old);
    if object["metadata"]["annotations"] != old["metadata"]["annotations"] {
        object["metadata"]["generation"] = (int(&old["metadata"], "generation").unwrap_or(0) + 1).into();
    }
}

fn validate(object: &Value, errors: &mut Errors) {
    let (spec, path) = (&object["spec"], Path::new("spec"));
    replica_set::validate_spec(spec, &path, errors);
    validate_strategy(&spec["strategy"], &path.child("strategy"), errors);
    not_negative(spec, &["revisionHistoryLimit", "progressDeadlineSeconds"], &path, errors);
    let (deadline, ready) = (int(spec, "progressDeadlineSeconds"), int(spec, "minReadySeconds").unwrap_or(0));
    if let Some(seconds) = deadline.filter(|seconds| *seconds <= ready) {
        errors.invalid(&path.child("progressDeadlineSeconds"), seconds, "must be greater than minReadySeconds");
    }
    validate_status(&object["status"], errors);
}

fn validate_status(status: &Value, errors: &mut Errors) {
    let of_all = ["updatedReplicas", "readyReplicas", "availableReplicas"];
    let path = Path::new("status");
    not_negative(status, &["observedGeneration", "replicas"], &path, errors);
    not_negative(status, &of_all, &path, errors);
    not_negative(status, &["unavailableReplicas", "collisionCount"], &path, errors);
    replica_set::at_most(status, &of_all, "replicas", "cannot be greater than status.replicas", errors);
    let wrong = "cannot be greater than readyReplicas";
    replica_set::at_most(status, &["availableReplicas"], "readyReplicas", wrong, errors);
}

fn validate_strategy(strategy: &Value, path: &Path, errors: &mut Errors) {
    let update = &strategy["rollingUpdate"];
    match text(strategy, "type") {
        "RollingUpdate" => validate_rolling_update(update, &path.child("rollingUpdate"), errors),
        "Recreate" if !update.is_null() => {
            let wrong = "may not be specified when strategy `type` is 'Recreate'";
            errors.forbidden(&path.child("rollingUpdate"), wrong);
        }
        "Recreate" => {}
        other => errors.not_supported(&path.child("type"), other, &["Recreate", "RollingUpdate"]),
    }
}

fn validate_rolling_update(update: &Value, path: &Path, errors: &mut Errors) {
    for field in ["maxUnavailable", "maxSurge"] {
        int_or_percent::validate(&update[field], &path.child(field), errors);
    }
    let (unavailable, path) = (&update["maxUnavailable"], path.child("maxUnavailable"));
    let is_nought = |field: &str| int_or_percent::number(&update[field]) == Some(0);
    if is_nought("maxUnavailable") && is_nought("maxSurge") {
        errors.invalid(&path, unavailable, "may not be 0 when `maxSurge` is 0");
    }
    int_or_percent::at_most_all(unavailable, &path, errors);
}

fn validate_update(object: &Value, old: &Value, errors: &mut Errors) {
    let path = Path::new("spec").child("selector");
    immutable(&object["spec"]["selector"], &old["spec"]["selector"], &path, errors);
    let count = |object: &Value| int(&object["status"], "collisionCount");
    if let Some(before) = count(old)
        && count(object).is_none_or(|count| count < before)
    {
        let path = Path::new("status").child("collisionCount");
        errors.invalid(&path, count(object).unwrap_or(0), "cannot be decremented");
    }
}

fn row(object: &Value, now: i64) -> Vec<Value> {
    let status = &object["status"];
    let wanted = int(&object["spec"], "replicas").unwrap_or(0);
    let ready = int(status, "readyReplicas").unwrap_or(0);
    let mut row = vec![
        cells::name(object),
        format!("{ready}/{wanted}").into(),
        cells::number(&status["updatedReplicas"]),
        cells::number(&status["availableReplicas"]),
        cells::age(object, now),
    ];
    row.extend(cells::template(object));
    row
}

#[cfg(test)]
mod tests;
