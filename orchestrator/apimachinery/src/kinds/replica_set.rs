//! ReplicaSet.

use super::checks::not_negative;
use super::fields::{default, int, object_or_new, text};
use super::metadata::immutable;
use super::{
    AGE, CONTAINERS, IMAGES, NAME, SELECTOR, cells, columns, namespaced, pod_spec, scale, selector, state, status,
    texts,
};
use crate::field::{Errors, Path};
use crate::kind::{Kind, Strategy};
use serde_json::Value;

/// The row of ReplicaSet.
pub fn kind() -> Kind {
    let strategy = Strategy {
        default: fill,
        validate: |object, errors| {
            validate_spec(&object["spec"], &Path::new("spec"), errors);
            validate_counts(&object["status"], errors);
        },
        validate_update,
        cells: |object, now| row(object, cells::selector(&object["spec"]["selector"]), now),
        ..strategy()
    };
    replicating(namespaced("apps", "ReplicaSet", "replicasets"), "rs", strategy)
}

/// What ReplicaSet and ReplicationController have in common of a row.
pub(super) fn replicating(kind: Kind, short_name: &'static str, strategy: Strategy) -> Kind {
    Kind {
        short_names: texts(&[short_name]),
        categories: texts(&["all"]),
        subresources: vec![scale(), status()],
        selectable_fields: texts(&["status.replicas"]),
        columns: columns(&[
            NAME,
            ("Desired", "integer", 0, "Pods that are wanted."),
            ("Current", "integer", 0, "Pods that exist."),
            ("Ready", "integer", 0, "Pods that are ready."),
            AGE,
            CONTAINERS,
            IMAGES,
            SELECTOR,
        ]),
        strategy,
        ..kind
    }
}

/// What the rules of ReplicaSet and ReplicationController start from.
pub(super) fn strategy() -> Strategy {
    Strategy {
        prepare_create: |object| {
            state::create(object);
            object["status"]["replicas"] = 0.into();
        },
        warnings: named_warnings,
        update_warnings: Some(changed_template_warnings),
        field_text,
        ..state::counted()
    }
}

fn fill(object: &mut Value) {
    pod_spec::default_template(object);
    default(object_or_new(object, "spec"), "replicas", 1);
}

/// What the specs of ReplicaSet and Deployment have in common.
pub(super) fn validate_spec(spec: &Value, path: &Path, errors: &mut Errors) {
    not_negative(spec, &["replicas", "minReadySeconds"], path, errors);
    selector::validate_with_template(spec, "deployment", path, errors);
    let (template, path) = (&spec["template"], path.child("template"));
    pod_spec::validate_template(template, &path, errors);
    runs_for_ever(template, "ReplicaSet", &path, errors);
}

/// Refuses a template whose Pods would end; `kind` is named in the error.
pub(super) fn runs_for_ever(template: &Value, kind: &str, path: &Path, errors: &mut Errors) {
    let (policy, path) = (text(&template["spec"], "restartPolicy"), path.child("spec"));
    if !policy.is_empty() && policy != "Always" {
        errors.not_supported(&path.child("restartPolicy"), policy, &["Always"]);
    }
    if !template["spec"]["activeDeadlineSeconds"].is_null() {
        let wrong = format!("activeDeadlineSeconds in {kind} is not Supported");
        errors.forbidden(&path.child("activeDeadlineSeconds"), &wrong);
    }
}

/// What the statuses of ReplicaSet and ReplicationController have in common.
pub(super) fn validate_counts(status: &Value, errors: &mut Errors) {
    let of_all = ["fullyLabeledReplicas", "readyReplicas", "availableReplicas"];
    not_negative(status, &["replicas"], &Path::new("status"), errors);
    not_negative(status, &of_all, &Path::new("status"), errors);
    not_negative(status, &["observedGeneration"], &Path::new("status"), errors);
    at_most(status, &of_all, "replicas", "cannot be greater than status.replicas", errors);
    at_most(status, &["availableReplicas"], "readyReplicas", "cannot be greater than readyReplicas", errors);
}

/// Refuses counts of a status that are greater than another of its counts.
pub(super) fn at_most(status: &Value, fields: &[&str], most: &str, wrong: &str, errors: &mut Errors) {
    let most = int(status, most).unwrap_or(0);
    for field in fields {
        if let Some(count) = int(status, field).filter(|count| *count > most) {
            errors.invalid(&Path::new("status").child(field), count, wrong);
        }
    }
}

/// The warnings of `spec.template`.
pub(super) fn template_warnings(object: &Value) -> Vec<String> {
    pod_spec::warnings(&object["spec"]["template"], &Path::new("spec").child("template"))
}

/// The same, and what the name means for Pods that are named by it.
pub(super) fn named_warnings(object: &Value) -> Vec<String> {
    let name = pod_spec::name_warning(crate::meta::name(object), "Pod names and hostnames");
    name.into_iter().chain(template_warnings(object)).collect()
}

/// The warnings of a change of `spec.template`: none when the spec stays. Arguments: new, old.
pub(super) fn changed_template_warnings(object: &Value, old: &Value) -> Vec<String> {
    if object["spec"] == old["spec"] { Vec::new() } else { template_warnings(object) }
}

fn validate_update(object: &Value, old: &Value, errors: &mut Errors) {
    let path = Path::new("spec").child("selector");
    immutable(&object["spec"]["selector"], &old["spec"]["selector"], &path, errors);
}

fn field_text(object: &Value, path: &str) -> Option<String> {
    (path == "status.replicas").then(|| int(&object["status"], "replicas").unwrap_or(0).to_string())
}

/// The cells of a ReplicaSet or ReplicationController with this selector.
pub(super) fn row(object: &Value, selector: String, now: i64) -> Vec<Value> {
    let status = &object["status"];
    let [names, images, _] = cells::template(object);
    vec![
        cells::name(object),
        cells::number(&object["spec"]["replicas"]),
        cells::number(&status["replicas"]),
        cells::number(&status["readyReplicas"]),
        cells::age(object, now),
        names,
        images,
        selector.into(),
    ]
}

#[cfg(test)]
mod tests;
