//! PersistentVolumeClaim.

use super::fields::{copy, default, default_text, entries, object_mut, object_or_new, remove, text};
use super::metadata::immutable;
use super::{
    AGE, NAME, access_modes, cells, columns, metadata, names, namespaced, pod_spec, selector, state, status, texts,
};
use crate::field::{Errors, Path};
use crate::kind::{Kind, Strategy};
use crate::quantity::Quantity;
use serde_json::{Value, json};

/// The row of PersistentVolumeClaim.
pub fn kind() -> Kind {
    Kind {
        short_names: texts(&["pvc"]),
        subresources: vec![status()],
        columns: columns(&[
            NAME,
            ("Status", "string", 0, "Pending, Bound or Lost."),
            ("Volume", "string", 0, "The PersistentVolume behind it."),
            ("Capacity", "string", 0, "The size of that volume."),
            ("Access Modes", "string", 0, "How that volume may be mounted."),
            ("StorageClass", "string", 0, "The class it asks for."),
            ("VolumeAttributesClass", "string", 0, "The class of attributes it asks for."),
            AGE,
            ("VolumeMode", "string", 1, "Filesystem or Block."),
        ]),
        strategy: strategy(),
        ..namespaced("", "PersistentVolumeClaim", "persistentvolumeclaims")
    }
}

const FIXED: &str = "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound \
    claims";
/// The older place of the class's name.
pub(super) const CLASS_ANNOTATION: &str = "volume.beta.kubernetes.io/storage-class";

fn strategy() -> Strategy {
    Strategy {
        default: fill,
        prepare_create: |object| {
            object["status"] = json!({"phase": "Pending"});
            same_source(&mut object["spec"]);
        },
        prepare_update: |object, old| {
            state::update_without_generation(object, old);
            same_source(&mut object["spec"]);
        },
        prepare_status_update: state::update_status,
        validate,
        validate_update,
        warnings: |object| {
            let mut said = Vec::new();
            if object["metadata"]["annotations"][CLASS_ANNOTATION].is_string() {
                let why = "deprecated since v1.8; use \"storageClassName\" attribute instead";
                said.push(format!("metadata.annotations[{CLASS_ANNOTATION}]: {why}"));
            }
            said.extend(warnings(&object["spec"], &Path::new("spec")));
            said
        },
        cells: row,
        ..Strategy::default()
    }
}

/// Fills in the defaults of a claim or of a template for claims.
pub(super) fn fill(object: &mut Value) {
    default_text(object_or_new(object, "status"), "phase", "Pending");
    fill_spec(object_or_new(object, "spec"));
    if let Some(status) = object_mut(object, "status") {
        pod_spec::resources::canonicalize(status, "capacity");
        pod_spec::resources::canonicalize(status, "allocatedResources");
    }
}

/// Fills in the defaults of a claim's spec.
pub(super) fn fill_spec(spec: &mut Value) {
    default(spec, "volumeMode", "Filesystem");
    if let Some(resources) = object_mut(spec, "resources") {
        pod_spec::resources::canonicalize(resources, "limits");
        pod_spec::resources::canonicalize(resources, "requests");
    }
}

/// `dataSource` and `dataSourceRef` tell the same unless the latter names a namespace.
fn same_source(spec: &mut Value) {
    let (source, reference) = (spec["dataSource"].clone(), spec["dataSourceRef"].clone());
    if source.is_object() && reference.is_null() {
        spec["dataSourceRef"] = source;
    } else if source.is_null() && reference.is_object() && text(&reference, "namespace").is_empty() {
        let mut source = reference;
        remove(&mut source, "namespace");
        spec["dataSource"] = source;
    }
}

fn validate(object: &Value, errors: &mut Errors) {
    validate_spec(&object["spec"], &Path::new("spec"), errors);
    for amounts in ["capacity", "allocatedResources"] {
        let path = Path::new("status").child(amounts);
        pod_spec::resources::validate_list(&object["status"][amounts], &path, errors);
    }
}

/// Checks the template of an ephemeral volume's claim.
pub(super) fn validate_template(template: &Value, path: &Path, errors: &mut Errors) {
    let at = path.child("metadata");
    metadata::annotations(&template["metadata"], &at.child("annotations"), errors);
    metadata::labels(&template["metadata"], &at.child("labels"), errors);
    for (field, _) in entries(template, "metadata") {
        if !["annotations", "labels", "creationTimestamp"].contains(&field.as_str()) {
            errors.forbidden(&at.child(field), "cannot be set");
        }
    }
    validate_spec(&template["spec"], &path.child("spec"), errors);
}

/// Checks a claim's spec.
fn validate_spec(spec: &Value, path: &Path, errors: &mut Errors) {
    access_modes::validate(spec, "at least 1 access mode is required", path, errors);
    selector::validate(&spec["selector"], &path.child("selector"), errors);
    let (amount, at) = (&spec["resources"]["requests"]["storage"], path.child("resources").key("storage"));
    if amount.is_null() {
        errors.required(&at, "");
    } else {
        access_modes::is_positive(amount, &at, errors);
    }
    access_modes::validate_class(spec, "storageClassName", path, errors);
    access_modes::validate_volume_mode(spec, path, errors);
    for source in ["dataSource", "dataSourceRef"] {
        validate_source(&spec[source], &path.child(source), errors);
    }
    let (source, reference) = (&spec["dataSource"], &spec["dataSourceRef"]);
    if source.is_object() && reference.is_object() {
        let differs = ["apiGroup", "kind", "name"].into_iter().any(|field| source[field] != reference[field]);
        if !text(reference, "namespace").is_empty() {
            let wrong = "may not be specified when dataSourceRef.namespace is specified";
            errors.invalid(path, path.child("dataSource").to_string(), wrong);
        } else if differs {
            errors.invalid(path, path.child("dataSource").to_string(), "must match dataSourceRef");
        }
    }
    access_modes::validate_class(spec, "volumeAttributesClassName", path, errors);
}

fn validate_source(source: &Value, path: &Path, errors: &mut Errors) {
    if source.is_null() {
        return;
    }
    for field in ["name", "kind"] {
        if text(source, field).is_empty() {
            errors.required(&path.child(field), "");
        }
    }
    let (group, kind) = (text(source, "apiGroup"), text(source, "kind"));
    if group.is_empty() && kind != "PersistentVolumeClaim" {
        let wrong = "must be 'PersistentVolumeClaim' when referencing the default apiGroup";
        errors.invalid(path, kind, wrong);
    }
    if !group.is_empty() {
        for wrong in names::dns_subdomain(group) {
            errors.invalid(&path.child("apiGroup"), group, &wrong);
        }
    }
    let namespace = text(source, "namespace");
    if !namespace.is_empty() {
        for wrong in names::dns_label(namespace) {
            errors.invalid(&path.child("namespace"), namespace, &wrong);
        }
    }
}

/// A claim is fixed once made; a bound one may ask for more.
fn validate_update(object: &Value, old: &Value, errors: &mut Errors) {
    let (new, before, path) = (&object["spec"], &old["spec"], Path::new("spec"));
    let is_bound = text(&old["status"], "phase") == "Bound";
    let mut rest = new.clone();
    if text(before, "volumeName").is_empty() {
        copy(&mut rest, before, "volumeName");
    }
    if is_bound && object_mut(&mut rest, "resources").is_some() && before["resources"].is_object() {
        copy(&mut rest["resources"], &before["resources"], "requests");
    }
    let class_dropped = !before["volumeAttributesClassName"].is_null() && new["volumeAttributesClassName"].is_null();
    if is_bound && !class_dropped {
        copy(&mut rest, before, "volumeAttributesClassName");
    }
    if rest != *before {
        errors.forbidden(&path, FIXED);
    }
    let storage = |spec: &Value| Quantity::parse(text(&spec["resources"]["requests"], "storage")).ok();
    if let (Some(after), Some(asked)) = (storage(new), storage(before)) {
        let capacity = Quantity::parse(text(&old["status"]["capacity"], "storage")).unwrap_or_default();
        if after < asked && after <= capacity {
            let at = path.child("resources").child("requests").child("storage");
            errors.forbidden(&at, "field can not be less than status.capacity");
        }
    }
    immutable(&new["volumeMode"], &before["volumeMode"], &Path::new("volumeMode"), errors);
}

/// What is allowed in a claim's spec but probably not meant.
pub(super) fn warnings(spec: &Value, path: &Path) -> Vec<String> {
    let shown = text(&spec["resources"]["requests"], "storage");
    let fractional = Quantity::parse(shown).is_ok_and(|quantity| !quantity.is_integer());
    let at = path.child("resources").child("requests").key("storage");
    fractional
        .then(|| format!("{at}: fractional byte value {shown:?} is invalid, must be an integer"))
        .into_iter()
        .collect()
}

/// The name of the class, from its older place first.
pub(super) fn class(object: &Value) -> &str {
    match object["metadata"]["annotations"][CLASS_ANNOTATION].as_str() {
        Some(class) => class,
        None => text(&object["spec"], "storageClassName"),
    }
}

fn row(object: &Value, now: i64) -> Vec<Value> {
    let (spec, status) = (&object["spec"], &object["status"]);
    let phase = if crate::meta::is_deleting(object) { "Terminating" } else { text(status, "phase") };
    let is_bound = !text(spec, "volumeName").is_empty();
    let modes = if is_bound { access_modes::short(super::fields::list(status, "accessModes")) } else { String::new() };
    let capacity = if is_bound { cells::or(text(&status["capacity"], "storage"), "0") } else { "" };
    vec![
        cells::name(object),
        phase.into(),
        text(spec, "volumeName").into(),
        capacity.into(),
        modes.into(),
        class(object).into(),
        spec["volumeAttributesClassName"].as_str().unwrap_or("<unset>").into(),
        cells::age(object, now),
        spec["volumeMode"].as_str().unwrap_or("<unset>").into(),
    ]
}

#[cfg(test)]
mod tests;
