//! Job.

use super::fields::{default, default_text, entries, int, is_true, object_or_new, text};
use super::metadata::immutable;
use super::replica_set::{changed_template_warnings, named_warnings};
use super::{
    AGE, CONTAINERS, IMAGES, NAME, SELECTOR, cells, columns, names, namespaced, pod_spec, selector, state, texts,
};
use crate::field::{Errors, Path};
use crate::kind::{Kind, Strategy};
use crate::selector::LabelSelector;
use crate::table::human_duration;
use serde_json::Value;

mod rules;
mod status;

pub(super) use rules::validate_spec;

/// The row of Job.
pub fn kind() -> Kind {
    Kind {
        categories: texts(&["all"]),
        subresources: vec![super::status()],
        selectable_fields: texts(&["status.successful"]),
        columns: columns(&[
            NAME,
            ("Status", "string", 0, "Running, Complete, Failed, …"),
            ("Completions", "string", 0, "Pods that succeeded, of those wanted."),
            ("Duration", "string", 0, "Time from start to completion."),
            AGE,
            CONTAINERS,
            IMAGES,
            SELECTOR,
        ]),
        strategy: strategy(),
        ..namespaced("batch", "Job", "jobs")
    }
}

/// The label that ties a Pod to its Job.
const UID_LABEL: &str = "batch.kubernetes.io/controller-uid";
/// Its older name.
const OLD_UID_LABEL: &str = "controller-uid";
const NAME_LABEL: &str = "batch.kubernetes.io/job-name";
const OLD_NAME_LABEL: &str = "job-name";

fn strategy() -> Strategy {
    Strategy {
        default: fill,
        prepare_create,
        validate,
        validate_update,
        warnings: named_warnings,
        update_warnings: Some(changed_template_warnings),
        cells: row,
        field_text,
        ..state::counted()
    }
}

fn fill(object: &mut Value) {
    pod_spec::default_template(object);
    labels_from_template(object);
    let spec = object_or_new(object, "spec");
    if spec["completions"].is_null() && spec["parallelism"].is_null() {
        spec["completions"] = 1.into();
    }
    default(spec, "parallelism", 1);
    let limit = if spec["backoffLimitPerIndex"].is_null() { 6 } else { i64::from(i32::MAX) };
    default(spec, "backoffLimit", limit);
    default_text(spec, "completionMode", "NonIndexed");
    default(spec, "suspend", false);
    let replacement = if spec["podFailurePolicy"].is_null() { "TerminatingOrFailed" } else { "Failed" };
    default_text(spec, "podReplacementPolicy", replacement);
    fill_failure_policy(spec);
}

/// A condition that a failure policy names is meant to be true.
pub(super) fn fill_failure_policy(spec: &mut Value) {
    if let Some(rules) = spec.pointer_mut("/podFailurePolicy/rules").and_then(Value::as_array_mut) {
        for condition in rules.iter_mut().flat_map(|rule| super::fields::list_mut(rule, "onPodConditions")) {
            default_text(condition, "status", "True");
        }
    }
}

/// A Job without labels has those of its Pods.
fn labels_from_template(object: &mut Value) {
    let labels = object["spec"]["template"]["metadata"]["labels"].clone();
    if entries(&object["metadata"], "labels").next().is_none() && labels.is_object() {
        object["metadata"]["labels"] = labels;
    }
}

/// Gives the Job a selector of its own, so that no other Pods are taken for its Pods.
fn prepare_create(object: &mut Value) {
    state::create(object);
    let (name, uid) = (object["metadata"]["name"].clone(), object["metadata"]["uid"].clone());
    let spec = object_or_new(object, "spec");
    if is_true(spec, "manualSelector") {
        return;
    }
    let labels = object_or_new(object_or_new(object_or_new(spec, "template"), "metadata"), "labels");
    let own = [(UID_LABEL, &uid), (OLD_UID_LABEL, &uid), (NAME_LABEL, &name), (OLD_NAME_LABEL, &name)];
    for (label, value) in own {
        default(labels, label, value.clone());
    }
    default(object_or_new(object_or_new(spec, "selector"), "matchLabels"), UID_LABEL, uid);
    labels_from_template(object);
}

fn validate(object: &Value, errors: &mut Errors) {
    let (spec, path) = (&object["spec"], Path::new("spec"));
    validate_own_selector(object, &path, errors);
    validate_spec(spec, &path, errors);
    match spec["selector"].is_null() {
        true => errors.required(&path.child("selector"), ""),
        false => selector::validate(&spec["selector"], &path.child("selector"), errors),
    }
    if spec["selector"].is_object() && selector::misses_template(spec) {
        let at = path.child("template").child("metadata").child("labels");
        let labels = &spec["template"]["metadata"]["labels"];
        errors.invalid(&at, labels, "`selector` does not match template `labels`");
    }
    // Pods of an indexed Job are named after it and their index.
    let completions = int(spec, "completions").unwrap_or(0);
    if text(spec, "completionMode") == "Indexed" && completions > 0 {
        let name = crate::meta::name(object);
        let hostname = format!("{name}-{}", completions - 1);
        if !names::dns_label(&hostname).is_empty() {
            let wrong = format!("will not able to create pod with invalid DNS label: {hostname}");
            errors.invalid(&Path::new("metadata").child("name"), name, &wrong);
        }
    }
}

/// Checks that the selector is the one made at creation.
fn validate_own_selector(object: &Value, path: &Path, errors: &mut Errors) {
    let spec = &object["spec"];
    if is_true(spec, "manualSelector") || spec["selector"].is_null() {
        return;
    }
    let (uid, name) = (crate::meta::uid(object), crate::meta::name(object));
    if uid.is_empty() {
        errors.required(&Path::new("metadata").child("uid"), "");
    }
    let expected = [(UID_LABEL, uid), (NAME_LABEL, name), (OLD_UID_LABEL, uid), (OLD_NAME_LABEL, name)];
    let (labels, at) =
        (&spec["template"]["metadata"]["labels"], path.child("template").child("metadata").child("labels"));
    for (label, expected) in expected {
        match labels[label].as_str() {
            None => errors.required(&at.key(label), &format!("must be '{expected}'")),
            Some(value) if value != expected => {
                errors.invalid(&at.key(label), labels, &format!("must be '{expected}'"));
            }
            Some(_) => {}
        }
    }
    let own = |key: &str| expected.iter().find(|(label, _)| *label == key).map(|(_, value)| (*value).to_owned());
    if LabelSelector::from_object(&spec["selector"]).is_ok_and(|selector| !selector.matches(&own)) {
        errors.invalid(&path.child("selector"), &spec["selector"], "`selector` not auto-generated");
    }
}

fn validate_update(object: &Value, old: &Value, errors: &mut Errors) {
    let (new, before, path) = (&object["spec"], &old["spec"], Path::new("spec"));
    let (after, at) = (&new["completions"], path.child("completions"));
    if text(new, "completionMode") != "Indexed" {
        immutable(after, &before["completions"], &at, errors);
    } else if !after.is_null() && *after != before["completions"] && *after != new["parallelism"] {
        errors.invalid(&at, after, "can only be modified in tandem with spec.parallelism");
    }
    for field in
        ["selector", "completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy"]
    {
        immutable(&new[field], &before[field], &path.child(field), errors);
    }
    let (mut template, kept) = (new["template"].clone(), &before["template"]);
    // Before a suspended Job starts, a queue may still decide where its Pods go.
    if is_true(before, "suspend") && old["status"]["startTime"].is_null() {
        for field in ["nodeSelector", "tolerations", "affinity", "schedulingGates"] {
            super::fields::copy(&mut template["spec"], &kept["spec"], field);
        }
        for field in ["labels", "annotations"] {
            super::fields::copy(&mut template["metadata"], &kept["metadata"], field);
        }
        for containers in ["containers", "initContainers"] {
            let before = super::fields::list(&kept["spec"], containers);
            for (container, before) in super::fields::list_mut(&mut template["spec"], containers).zip(before) {
                if container["name"] == before["name"] {
                    super::fields::copy(container, before, "resources");
                }
            }
        }
    }
    immutable(&template, kept, &path.child("template"), errors);
    status::validate(object, old, errors);
}

fn field_text(object: &Value, path: &str) -> Option<String> {
    (path == "status.successful").then(|| int(&object["status"], "succeeded").unwrap_or(0).to_string())
}

fn progress(object: &Value) -> &'static str {
    let is = |condition| cells::condition_is_true(object, condition);
    match () {
        () if is("Complete") => "Complete",
        () if is("Failed") => "Failed",
        () if crate::meta::is_deleting(object) => "Terminating",
        () if is("Suspended") => "Suspended",
        () if is("FailureTarget") => "FailureTarget",
        () => "Running",
    }
}

fn row(object: &Value, now: i64) -> Vec<Value> {
    let (spec, status) = (&object["spec"], &object["status"]);
    let succeeded = int(status, "succeeded").unwrap_or(0);
    let completions = match (int(spec, "completions"), int(spec, "parallelism").unwrap_or(0)) {
        (Some(wanted), _) => format!("{succeeded}/{wanted}"),
        (None, parallelism @ 2..) => format!("{succeeded}/1 of {parallelism}"),
        (None, _) => format!("{succeeded}/1"),
    };
    let duration = cells::seconds(&status["startTime"])
        .map(|start| human_duration(cells::seconds(&status["completionTime"]).unwrap_or(now) - start));
    let mut row = vec![
        cells::name(object),
        progress(object).into(),
        completions.into(),
        duration.unwrap_or_default().into(),
        cells::age(object, now),
    ];
    row.extend(cells::template(object));
    row
}

#[cfg(test)]
mod tests;
