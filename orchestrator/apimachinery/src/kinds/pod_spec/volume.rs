//! Rules of volumes.

use super::container::{PULL_POLICIES, relative_path};
use super::environment::{FILE_FIELDS, validate_field, validate_resource_field};
use crate::field::{Errors, Path};
use crate::kinds::fields::{indexed, int, list, text};
use crate::kinds::{names, persistent_volume_claim};
use crate::quantity::Quantity;
use serde_json::Value;
use source::{Place, required};
use std::collections::BTreeSet;

mod projected;
pub mod source;

const MODE: &str = "must be a number between 0 and 0777 (octal), both inclusive";
/// Checks `volumes` and returns their names.
pub fn validate(spec: &Value, path: &Path, errors: &mut Errors) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    for (index, volume) in indexed(spec, "volumes") {
        let path = path.index(index);
        let name = text(volume, "name");
        let wrong = names::dns_label(name);
        if name.is_empty() {
            errors.required(&path.child("name"), "");
        } else if wrong.is_empty() && seen.contains(name) {
            errors.duplicate(&path.child("name"), name);
        } else {
            for wrong in &wrong {
                errors.invalid(&path.child("name"), name, wrong);
            }
        }
        seen.insert(name.to_owned());
        validate_source(volume, &path, errors);
    }
    seen
}

fn validate_source(volume: &Value, path: &Path, errors: &mut Errors) {
    let sources = volume.as_object().into_iter().flatten().filter(|(field, _)| *field != "name");
    let mut count = 0;
    for (field, source) in sources {
        count += 1;
        let path = path.child(field);
        if count > 1 {
            errors.forbidden(&path, "may not specify more than 1 volume type");
            continue;
        }
        match field.as_str() {
            "emptyDir" => validate_empty_dir(source, &path, errors),
            "secret" => {
                required(source, "secretName", &path, errors);
                validate_files(source, &path, errors);
            }
            "configMap" => {
                required(source, "name", &path, errors);
                validate_files(source, &path, errors);
            }
            "downwardAPI" => validate_downward(source, &path, errors),
            "projected" => projected::validate(source, &path, errors),
            "persistentVolumeClaim" => required(source, "claimName", &path, errors),
            "image" => validate_image(source, &path, errors),
            "gitRepo" => {
                required(source, "repository", &path, errors);
                relative_path(text(source, "directory"), &path.child("directory"), errors);
            }
            "ephemeral" if source["volumeClaimTemplate"].is_null() => {
                errors.required(&path.child("volumeClaimTemplate"), "");
            }
            "ephemeral" => {
                let at = path.child("volumeClaimTemplate");
                persistent_volume_claim::validate_template(&source["volumeClaimTemplate"], &at, errors);
            }
            field => source::validate(field, source, Place::Pod, &path, errors),
        }
    }
    if count == 0 {
        errors.required(path, "must specify a volume type");
    }
}

/// Checks the volume source of a PersistentVolume.
pub fn validate_persistent(field: &str, value: &Value, path: &Path, errors: &mut Errors) {
    source::validate(field, value, Place::PersistentVolume, path, errors);
}

/// Whether a container may use a volume as a device: it has to come from a claim.
pub fn is_claim(spec: &Value, name: &str) -> Option<bool> {
    let volume = list(spec, "volumes").iter().find(|volume| text(volume, "name") == name)?;
    Some(!volume["persistentVolumeClaim"].is_null() || !volume["ephemeral"].is_null())
}

fn validate_empty_dir(source: &Value, path: &Path, errors: &mut Errors) {
    let Some(limit) = source.get("sizeLimit") else { return };
    if !Quantity::parse(limit.as_str().unwrap_or("")).is_ok_and(|limit| !limit.is_negative()) {
        errors.forbidden(&path.child("sizeLimit"), "SizeLimit field must be a valid resource quantity");
    }
}

fn validate_image(source: &Value, path: &Path, errors: &mut Errors) {
    required(source, "reference", path, errors);
    let policy = text(source, "pullPolicy");
    if !policy.is_empty() && !PULL_POLICIES.contains(&policy) {
        errors.not_supported(&path.child("pullPolicy"), policy, &PULL_POLICIES);
    }
}

fn validate_mode(value: &Value, field: &str, path: &Path, errors: &mut Errors) {
    if let Some(mode) = int(value, field).filter(|mode| !(0..=0o777).contains(mode)) {
        errors.invalid(&path.child(field), mode, MODE);
    }
}

/// Checks `defaultMode` and `items` of a secret or configMap source.
fn validate_files(source: &Value, path: &Path, errors: &mut Errors) {
    validate_mode(source, "defaultMode", path, errors);
    for (index, item) in indexed(source, "items") {
        let path = path.child("items").index(index);
        required(item, "key", &path, errors);
        validate_file_path(item, &path, errors);
        validate_mode(item, "mode", &path, errors);
    }
}

fn validate_file_path(item: &Value, path: &Path, errors: &mut Errors) {
    let target = text(item, "path");
    required(item, "path", path, errors);
    let path = path.child("path");
    relative_path(target, &path, errors);
    if target.starts_with("..") && !target.starts_with("../") && target != ".." {
        errors.invalid(&path, target, "must not start with '..'");
    }
}

fn validate_downward(source: &Value, path: &Path, errors: &mut Errors) {
    validate_mode(source, "defaultMode", path, errors);
    for (index, item) in indexed(source, "items") {
        let path = path.child("items").index(index);
        validate_file_path(item, &path, errors);
        validate_mode(item, "mode", &path, errors);
        match (item.get("fieldRef"), item.get("resourceFieldRef")) {
            (Some(_), Some(_)) => {
                errors.invalid(&path, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously");
            }
            (Some(field), None) => validate_field(field, &FILE_FIELDS, &path.child("fieldRef"), errors),
            (None, Some(field)) => validate_resource_field(field, true, &path.child("resourceFieldRef"), errors),
            (None, None) => errors.required(&path, "one of fieldRef and resourceFieldRef is required"),
        }
    }
}
