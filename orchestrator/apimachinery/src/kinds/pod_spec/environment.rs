//! Rules of a container's environment and of references to fields.

use super::container::relative_path;
use crate::field::{Errors, Path};
use crate::kinds::fields::{indexed, text};
use crate::kinds::names;
use serde_json::Value;
use std::collections::BTreeSet;

/// Fields that `fieldRef` of an environment variable may name.
const VARIABLE_FIELDS: [&str; 9] = [
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];
/// Fields that `fieldRef` of a downward API file may name.
pub const FILE_FIELDS: [&str; 5] =
    ["metadata.name", "metadata.namespace", "metadata.labels", "metadata.annotations", "metadata.uid"];
const RESOURCE_FIELDS: [&str; 6] = [
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
    "requests.cpu",
    "requests.memory",
    "requests.ephemeral-storage",
];
const ONLY_ONE: &str = "may not have more than one field specified at a time";

/// Checks `env` and `envFrom` of a container.
/// `volumes` are the names of the Pod's volumes.
pub fn validate(container: &Value, volumes: &BTreeSet<String>, path: &Path, errors: &mut Errors) {
    for (index, variable) in indexed(container, "env") {
        let path = path.child("env").index(index);
        let name = text(variable, "name");
        if name.is_empty() {
            errors.required(&path.child("name"), "");
        } else {
            for wrong in names::environment_variable(name) {
                errors.invalid(&path.child("name"), name, &wrong);
            }
        }
        if !variable["valueFrom"].is_null() {
            validate_source(variable, volumes, &path.child("valueFrom"), errors);
        }
    }
    for (index, from) in indexed(container, "envFrom") {
        validate_from(from, &path.child("envFrom").index(index), errors);
    }
}

fn validate_source(variable: &Value, volumes: &BTreeSet<String>, path: &Path, errors: &mut Errors) {
    let from = &variable["valueFrom"];
    let mut sources = 0;
    for source in ["fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef"] {
        let (reference, path) = (&from[source], path.child(source));
        if reference.is_null() {
            continue;
        }
        sources += 1;
        match source {
            "fieldRef" => validate_field(reference, &VARIABLE_FIELDS, &path, errors),
            "resourceFieldRef" => validate_resource_field(reference, false, &path, errors),
            "fileKeyRef" => validate_file_key(reference, volumes, &path, errors),
            _ => validate_key(reference, &path, errors),
        }
    }
    if !text(variable, "value").is_empty() && sources > 0 {
        errors.invalid(path, "", "may not be specified when `value` is not empty");
    } else if sources > 1 {
        errors.invalid(path, "", ONLY_ONE);
    }
    if sources == 0 {
        let wrong = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or \
                     `fileKeyRef`";
        errors.invalid(path, "", wrong);
    }
}

/// Checks a `fieldRef`.
pub fn validate_field(reference: &Value, supported: &[&str], path: &Path, errors: &mut Errors) {
    if text(reference, "apiVersion").is_empty() {
        errors.required(&path.child("apiVersion"), "");
    }
    let (field, path) = (text(reference, "fieldPath"), path.child("fieldPath"));
    if field.is_empty() {
        errors.required(&path, "");
        return;
    }
    let key = ["metadata.labels['", "metadata.annotations['"]
        .into_iter()
        .find_map(|start| field.strip_prefix(start)?.strip_suffix("']"));
    match key {
        Some(key) => {
            for wrong in names::qualified(&key.to_lowercase()) {
                errors.invalid(&path, field, &wrong);
            }
        }
        None if supported.contains(&field) => {}
        None => errors.not_supported(&path, field, supported),
    }
}

/// Checks a `resourceFieldRef`; in a volume it has to name the container.
pub fn validate_resource_field(reference: &Value, in_volume: bool, path: &Path, errors: &mut Errors) {
    if in_volume && text(reference, "containerName").is_empty() {
        errors.required(&path.child("containerName"), "");
    }
    let (resource, path) = (text(reference, "resource"), path.child("resource"));
    let huge_pages = ["limits.hugepages-", "requests.hugepages-"].iter().any(|start| resource.starts_with(start));
    if resource.is_empty() {
        errors.required(&path, "");
    } else if !RESOURCE_FIELDS.contains(&resource) && !huge_pages {
        errors.not_supported(&path, resource, &RESOURCE_FIELDS);
    }
}

/// A variable from a file that another container wrote to a volume.
fn validate_file_key(reference: &Value, volumes: &BTreeSet<String>, path: &Path, errors: &mut Errors) {
    let (volume, at) = (text(reference, "volumeName"), path.child("volumeName"));
    if volume.is_empty() {
        errors.required(&at, "");
    } else if !volumes.contains(volume) {
        errors.not_found(&at, volume);
    }
    let (file, at) = (text(reference, "path"), path.child("path"));
    if file.is_empty() {
        errors.required(&at, "");
    } else {
        relative_path(file, &at, errors);
    }
    let (key, at) = (text(reference, "key"), path.child("key"));
    if key.is_empty() {
        errors.required(&at, "");
        return;
    }
    for wrong in names::environment_variable(key) {
        errors.invalid(&at, key, &wrong);
    }
}

fn validate_key(reference: &Value, path: &Path, errors: &mut Errors) {
    let (key, path) = (text(reference, "key"), path.child("key"));
    if key.is_empty() {
        errors.required(&path, "");
        return;
    }
    for wrong in names::data_key(key) {
        errors.invalid(&path, key, &wrong);
    }
}

fn validate_from(from: &Value, path: &Path, errors: &mut Errors) {
    let prefix = text(from, "prefix");
    if !prefix.is_empty() {
        for wrong in names::environment_variable(prefix) {
            errors.invalid(&path.child("prefix"), prefix, &wrong);
        }
    }
    let given = ["configMapRef", "secretRef"].into_iter().filter(|source| !from[*source].is_null());
    let mut sources = 0;
    for source in given {
        sources += 1;
        if text(&from[source], "name").is_empty() {
            errors.required(&path.child(source).child("name"), "");
        }
    }
    match sources {
        0 => errors.invalid(path, "", "must specify one of: `configMapRef` or `secretRef`"),
        1 => {}
        _ => errors.invalid(path, "", ONLY_ONE),
    }
}
