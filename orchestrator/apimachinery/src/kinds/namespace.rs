//! Namespace.

use super::fields::{copy, indexed, list, object_or_new, text};
use super::{AGE, ALL_VERBS, NAME, cells, cluster, columns, metadata, names, state, status, subresource, texts};
use crate::field::{Errors, Path};
use crate::kind::{Kind, Strategy, Verb};
use serde_json::{Value, json};

/// The row of Namespace.
pub fn kind() -> Kind {
    Kind {
        short_names: texts(&["ns"]),
        verbs: ALL_VERBS.into_iter().filter(|verb| *verb != Verb::DeleteCollection).collect(),
        subresources: vec![subresource("finalize", &[Verb::Update]), status()],
        selectable_fields: texts(&["status.phase"]),
        columns: columns(&[NAME, ("Status", "string", 0, "Active or Terminating."), AGE]),
        strategy: strategy(),
        ..cluster("", "Namespace", "namespaces")
    }
}

/// The label that selects a namespace by its name.
const NAME_LABEL: &str = "kubernetes.io/metadata.name";
/// The finalizer that waits until the namespace is empty.
const FINALIZER: &str = "kubernetes";

fn strategy() -> Strategy {
    Strategy {
        name: |name, is_prefix| names::of_prefix(names::dns_label, name, is_prefix),
        default,
        prepare_create,
        prepare_update,
        prepare_status_update: state::update_status,
        validate,
        validate_update,
        cells: row,
        ..Strategy::default()
    }
}

fn default(object: &mut Value) {
    let name = object["metadata"]["name"].clone();
    if name.is_string() {
        object_or_new(&mut object["metadata"], "labels")[NAME_LABEL] = name;
    }
}

fn prepare_create(object: &mut Value) {
    default(object);
    object["status"] = json!({"phase": "Active"});
    let spec = object_or_new(object, "spec");
    let mut finalizers = list(spec, "finalizers").to_vec();
    if !finalizers.iter().any(|name| name == FINALIZER) {
        finalizers.push(FINALIZER.into());
    }
    spec["finalizers"] = finalizers.into();
}

fn prepare_update(object: &mut Value, old: &Value) {
    copy(object, old, "status");
    copy(object, old, "spec");
}

fn validate(object: &Value, errors: &mut Errors) {
    let path = Path::new("spec").child("finalizers");
    for name in list(&object["spec"], "finalizers").iter().map(|name| name.as_str().unwrap_or("")) {
        for wrong in names::qualified(name) {
            errors.invalid(&path, name, &wrong);
        }
        metadata::finalizer_is_known(name, &path, errors);
    }
}

/// Checks the finalizers that the subresource `finalize` sets.
pub fn validate_finalize(object: &Value, errors: &mut Errors) {
    for (index, name) in indexed(&object["spec"], "finalizers") {
        let (name, path) = (name.as_str().unwrap_or(""), Path::new("spec").child("finalizers").index(index));
        for wrong in names::qualified(name) {
            errors.invalid(&path, name, &wrong);
        }
        metadata::finalizer_is_known(name, &path, errors);
    }
}

fn validate_update(object: &Value, _old: &Value, errors: &mut Errors) {
    let (phase, path) = (text(&object["status"], "phase"), Path::new("status").child("Phase"));
    match (crate::meta::is_deleting(object), phase) {
        (_, "") | (false, "Active") | (true, "Terminating") => {}
        (false, _) => errors.invalid(&path, phase, "may only be 'Active' if `deletionTimestamp` is empty"),
        (true, _) => errors.invalid(&path, phase, "may only be 'Terminating' if `deletionTimestamp` is not empty"),
    }
}

fn row(object: &Value, now: i64) -> Vec<Value> {
    vec![cells::name(object), text(&object["status"], "phase").into(), cells::age(object, now)]
}

#[cfg(test)]
mod tests;
