//! Rules of volumes.

use super::container::{no_backsteps, relative_path};
use super::environment::{FILE_FIELDS, validate_field, validate_resource_field};
use crate::field::{Errors, Path};
use crate::kinds::fields::{indexed, int, text};
use crate::kinds::names;
use crate::quantity::Quantity;
use serde_json::Value;
use std::collections::BTreeSet;

const MODE: &str = "must be a number between 0 and 0777 (octal), both inclusive";
const HOST_PATH_TYPES: [&str; 7] =
    ["BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"];

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
            "hostPath" => validate_host_path(source, &path, errors),
            "secret" => {
                required(source, "secretName", &path, errors);
                validate_files(source, &path, errors);
            }
            "configMap" => {
                required(source, "name", &path, errors);
                validate_files(source, &path, errors);
            }
            "downwardAPI" => validate_downward(source, &path, errors),
            "projected" => validate_projected(source, &path, errors),
            "persistentVolumeClaim" => required(source, "claimName", &path, errors),
            "csi" => required(source, "driver", &path, errors),
            "nfs" => {
                required(source, "server", &path, errors);
                required(source, "path", &path, errors);
            }
            "image" => required(source, "reference", &path, errors),
            "ephemeral" => required_object(source, "volumeClaimTemplate", &path, errors),
            _ => {}
        }
    }
    if count == 0 {
        errors.required(path, "must specify a volume type");
    }
}

fn required(source: &Value, field: &str, path: &Path, errors: &mut Errors) {
    if text(source, field).is_empty() {
        errors.required(&path.child(field), "");
    }
}

fn required_object(source: &Value, field: &str, path: &Path, errors: &mut Errors) {
    if !source[field].is_object() {
        errors.required(&path.child(field), "");
    }
}

fn validate_empty_dir(source: &Value, path: &Path, errors: &mut Errors) {
    let Some(limit) = source.get("sizeLimit") else { return };
    if !Quantity::parse(limit.as_str().unwrap_or("")).is_ok_and(|limit| !limit.is_negative()) {
        errors.forbidden(&path.child("sizeLimit"), "SizeLimit field must be a valid resource quantity");
    }
}

fn validate_host_path(source: &Value, path: &Path, errors: &mut Errors) {
    required(source, "path", path, errors);
    no_backsteps(text(source, "path"), &path.child("path"), errors);
    let type_ = text(source, "type");
    if !type_.is_empty() && !HOST_PATH_TYPES.contains(&type_) {
        errors.not_supported(&path.child("type"), type_, &HOST_PATH_TYPES);
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

fn validate_projected(source: &Value, path: &Path, errors: &mut Errors) {
    validate_mode(source, "defaultMode", path, errors);
    for (index, projection) in indexed(source, "sources") {
        let path = path.child("sources").index(index);
        let mut count = 0;
        for (field, source) in projection.as_object().into_iter().flatten() {
            count += 1;
            let path = path.child(field);
            if count > 1 {
                errors.forbidden(&path, "may not specify more than 1 volume type per source");
                continue;
            }
            match field.as_str() {
                "secret" | "configMap" => {
                    required(source, "name", &path, errors);
                    validate_files(source, &path, errors);
                }
                "downwardAPI" => validate_downward(source, &path, errors),
                "serviceAccountToken" => validate_token(source, &path, errors),
                _ => {}
            }
        }
        if count == 0 {
            errors.required(&path, "must specify a volume type");
        }
    }
}

fn validate_token(source: &Value, path: &Path, errors: &mut Errors) {
    let at = path.child("expirationSeconds");
    match int(source, "expirationSeconds").unwrap_or(3600) {
        seconds @ ..600 => errors.invalid(&at, seconds, "may not specify a duration less than 10 minutes"),
        seconds if seconds > 1 << 32 => {
            errors.invalid(&at, seconds, "may not specify a duration larger than 2^32 seconds")
        }
        _ => {}
    }
    validate_file_path(source, path, errors);
}
