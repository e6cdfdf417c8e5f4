//! Rules of `metadata`, the same for every kind.

use super::checks::not_negative;
use super::fields::{entries, indexed, int, is_true, list, text};
use super::names;
use crate::field::{Errors, Path};
use crate::kind::{Kind, Scope};
use crate::limits::ANNOTATION_BYTES_MAX;
use serde_json::Value;
use std::collections::BTreeSet;

/// Finalizers without a domain of their own.
const STANDARD_FINALIZERS: [&str; 3] = ["kubernetes", "orphan", "foregroundDeletion"];
/// What is wrong with a change of a field that stays.
pub const IMMUTABLE: &str = "field is immutable";

/// Checks the metadata of a new object, or of the new state of one.
pub fn validate(kind: &Kind, object: &Value, errors: &mut Errors) {
    let path = Path::new("metadata");
    let metadata = &object["metadata"];
    validate_name(kind, metadata, &path, errors);
    validate_namespace(kind, metadata, &path, errors);
    not_negative(metadata, &["generation"], &path, errors);
    labels(metadata, &path.child("labels"), errors);
    annotations(metadata, &path.child("annotations"), errors);
    validate_owners(metadata, &path.child("ownerReferences"), errors);
    validate_finalizers(kind, metadata, &path.child("finalizers"), errors);
}

/// Checks what a change of metadata may not do. Arguments: new, old.
pub fn validate_update(object: &Value, old: &Value, errors: &mut Errors) {
    let path = Path::new("metadata");
    let (new, old) = (&object["metadata"], &old["metadata"]);
    for field in ["name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"] {
        if new[field] != old[field] {
            errors.invalid(&path.child(field), &new[field], IMMUTABLE);
        }
    }
    if int(new, "generation").unwrap_or(0) < int(old, "generation").unwrap_or(0) {
        errors.invalid(&path.child("generation"), &new["generation"], "must not be decremented");
    }
    if old["deletionTimestamp"].is_string() {
        let before = list(old, "finalizers");
        let added: Vec<&Value> = list(new, "finalizers").iter().filter(|name| !before.contains(name)).collect();
        if !added.is_empty() {
            let names: Vec<String> = added.iter().map(ToString::to_string).collect();
            let why = "no new finalizers can be added if the object is being deleted, found new finalizers";
            errors.forbidden(&path.child("finalizers"), &format!("{why} []string{{{}}}", names.join(", ")));
        }
    }
}

fn validate_name(kind: &Kind, metadata: &Value, path: &Path, errors: &mut Errors) {
    let (name, generate) = (text(metadata, "name"), text(metadata, "generateName"));
    if !generate.is_empty() {
        for wrong in (kind.strategy.name)(generate, true) {
            errors.invalid(&path.child("generateName"), generate, &wrong);
        }
    }
    if name.is_empty() {
        errors.required(&path.child("name"), "name or generateName is required");
        return;
    }
    for wrong in (kind.strategy.name)(name, false) {
        errors.invalid(&path.child("name"), name, &wrong);
    }
}

fn validate_namespace(kind: &Kind, metadata: &Value, path: &Path, errors: &mut Errors) {
    let (namespace, path) = (text(metadata, "namespace"), path.child("namespace"));
    match (kind.scope, namespace.is_empty()) {
        (Scope::Namespaced, true) => errors.required(&path, ""),
        (Scope::Namespaced, false) => {
            for wrong in names::dns_label(namespace) {
                errors.invalid(&path, namespace, &wrong);
            }
        }
        (Scope::Cluster, true) => {}
        (Scope::Cluster, false) => errors.forbidden(&path, "not allowed on this type"),
    }
}

/// Checks the labels at `value.labels`.
pub fn labels(value: &Value, path: &Path, errors: &mut Errors) {
    label_map(&value["labels"], path, errors);
}

/// Checks a map of labels, such as a nodeSelector.
pub fn label_map(map: &Value, path: &Path, errors: &mut Errors) {
    for (key, value) in map.as_object().into_iter().flatten() {
        for wrong in names::qualified(key) {
            errors.invalid(path, key, &wrong);
        }
        for wrong in names::label_value(value.as_str().unwrap_or("")) {
            errors.invalid(path, value, &wrong);
        }
    }
}

/// Checks the annotations at `value.annotations`.
pub fn annotations(value: &Value, path: &Path, errors: &mut Errors) {
    let mut bytes = 0;
    for (key, value) in entries(value, "annotations") {
        for wrong in names::qualified(&key.to_lowercase()) {
            errors.invalid(path, key, &wrong);
        }
        bytes += key.len() + value.as_str().map_or(0, str::len);
    }
    if bytes > ANNOTATION_BYTES_MAX {
        errors.too_long(path, ANNOTATION_BYTES_MAX);
    }
}

fn validate_owners(metadata: &Value, path: &Path, errors: &mut Errors) {
    let mut controller: Option<&str> = None;
    for owner in list(metadata, "ownerReferences") {
        let api_version = text(owner, "apiVersion");
        if crate::meta::split_api_version(api_version).1.is_empty() {
            errors.invalid(&path.child("apiVersion"), api_version, "version must not be empty");
        }
        for field in ["kind", "name", "uid"] {
            if text(owner, field).is_empty() {
                errors.invalid(&path.child(field), "", &format!("{field} must not be empty"));
            }
        }
        if (api_version, text(owner, "kind")) == ("v1", "Event") {
            errors.invalid(path, owner, "v1, Kind=Event is disallowed from being an owner");
        }
        if !is_true(owner, "controller") {
            continue;
        }
        match controller {
            None => controller = Some(text(owner, "name")),
            Some(first) => {
                let second = text(owner, "name");
                let why = "Only one reference can have Controller set to true. Found \"true\" in references for";
                errors.invalid(path, &metadata["ownerReferences"], &format!("{why} {first} and {second}"));
            }
        }
    }
}

fn validate_finalizers(kind: &Kind, metadata: &Value, path: &Path, errors: &mut Errors) {
    let mut seen = BTreeSet::new();
    for (index, finalizer) in indexed(metadata, "finalizers") {
        let name = finalizer.as_str().unwrap_or("");
        seen.insert(name);
        for wrong in names::qualified(name) {
            errors.invalid(path, name, &wrong);
        }
        if kind.group.is_empty() {
            finalizer_is_known(name, &path.index(index), errors);
        }
    }
    if seen.contains("orphan") && seen.contains("foregroundDeletion") {
        let why = "finalizer orphan and foregroundDeletion cannot be both set";
        errors.invalid(path, &metadata["finalizers"], why);
    }
}

/// Refuses a finalizer that has no domain and is not one of Kubernetes' own.
pub fn finalizer_is_known(name: &str, path: &Path, errors: &mut Errors) {
    if !name.contains('/') && !STANDARD_FINALIZERS.contains(&name) {
        errors.invalid(path, name, "name is neither a standard finalizer name nor is it fully qualified");
    }
}

/// Refuses a change of one field. Arguments: new, old.
pub fn immutable(new: &Value, old: &Value, path: &Path, errors: &mut Errors) {
    if new != old {
        errors.invalid(path, new, IMMUTABLE);
    }
}

#[cfg(test)]
mod tests;
