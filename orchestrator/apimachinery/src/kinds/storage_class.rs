//! StorageClass.

use super::checks::{fits, name_of_class, one_of, one_of_or_empty, unique};
use super::fields::{default_text, entries, indexed, is_true, list, text};
use super::metadata::immutable;
use super::{AGE, NAME, cells, checks, cluster, columns, names, texts};
use crate::field::{Errors, Path};
use crate::kind::{Kind, Strategy};
use serde_json::Value;
use std::collections::BTreeSet;

/// The row of StorageClass.
pub fn kind() -> Kind {
    Kind {
        short_names: texts(&["sc"]),
        columns: columns(&[
            NAME,
            ("Provisioner", "string", 0, "Who makes its volumes."),
            ("ReclaimPolicy", "string", 0, "What becomes of a volume that nobody claims any more."),
            ("VolumeBindingMode", "string", 0, "When a claim gets its volume."),
            ("AllowVolumeExpansion", "string", 0, "Whether its volumes may grow."),
            AGE,
        ]),
        strategy: strategy(),
        ..cluster("storage.k8s.io", "StorageClass", "storageclasses")
    }
}

/// Annotations that make a class the default one.
pub const DEFAULT_ANNOTATIONS: [&str; 2] =
    ["storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"];
const RECLAIM_POLICIES: [&str; 2] = ["Delete", "Retain"];
const BINDING_MODES: [&str; 2] = ["Immediate", "WaitForFirstConsumer"];
/// Parameters of one class.
const PARAMETERS_MAX: usize = 512;
/// Bytes of all parameters of one class.
const PARAMETER_BYTES_MAX: usize = 256 * 1024;
/// Node labels that were renamed: the release that did it and the new name.
const RENAMED_LABELS: [(&str, &str, &str); 5] = [
    ("beta.kubernetes.io/arch", "v1.14", "kubernetes.io/arch"),
    ("beta.kubernetes.io/os", "v1.14", "kubernetes.io/os"),
    ("failure-domain.beta.kubernetes.io/region", "v1.17", "topology.kubernetes.io/region"),
    ("failure-domain.beta.kubernetes.io/zone", "v1.17", "topology.kubernetes.io/zone"),
    ("beta.kubernetes.io/instance-type", "v1.17", "node.kubernetes.io/instance-type"),
];

fn strategy() -> Strategy {
    Strategy {
        default: |object| {
            default_text(object, "reclaimPolicy", "Delete");
            default_text(object, "volumeBindingMode", "Immediate");
        },
        validate,
        validate_update,
        warnings: |object| topology_warnings(list(object, "allowedTopologies"), "allowedTopologies"),
        cells: row,
        ..Strategy::default()
    }
}

/// Texts about renamed node labels in topology terms.
fn topology_warnings(terms: &[Value], path: &str) -> Vec<String> {
    let mut warnings = Vec::new();
    for (term_index, term) in terms.iter().enumerate() {
        for (index, expression) in indexed(term, "matchLabelExpressions") {
            let key = text(expression, "key");
            if let Some((_, since, new)) = RENAMED_LABELS.iter().find(|(old, ..)| *old == key) {
                let at = format!("{path}[{term_index}].matchLabelExpressions[{index}].key");
                warnings.push(format!("{at}: {key} is deprecated since {since}; use {new:?} instead"));
            }
        }
    }
    warnings
}

fn validate(object: &Value, errors: &mut Errors) {
    validate_provisioner(text(object, "provisioner"), &Path::new("provisioner"), errors);
    validate_parameters(object, &Path::new("parameters"), errors);
    one_of_or_empty(text(object, "reclaimPolicy"), &RECLAIM_POLICIES, &Path::new("reclaimPolicy"), errors);
    one_of(text(object, "volumeBindingMode"), &BINDING_MODES, &Path::new("volumeBindingMode"), errors);
    validate_topologies(object, &Path::new("allowedTopologies"), errors);
}

/// Checks the name of a provisioner or driver.
pub(super) fn validate_provisioner(name: &str, path: &Path, errors: &mut Errors) {
    checks::required(&name.to_lowercase(), names::qualified, path, errors);
}

/// Checks the texts at `parameters`.
pub(super) fn validate_parameters(object: &Value, path: &Path, errors: &mut Errors) {
    if entries(object, "parameters").count() > PARAMETERS_MAX {
        errors.too_long(path, PARAMETERS_MAX);
        return;
    }
    let mut bytes = 0;
    for (key, value) in entries(object, "parameters") {
        if key.is_empty() {
            errors.invalid(path, key, "field can not be empty.");
        }
        bytes += key.len() + value.as_str().map_or(0, str::len);
    }
    if bytes > PARAMETER_BYTES_MAX {
        errors.too_long(path, PARAMETER_BYTES_MAX);
    }
}

fn validate_topologies(object: &Value, path: &Path, errors: &mut Errors) {
    let mut seen: Vec<BTreeSet<(&str, BTreeSet<&str>)>> = Vec::new();
    for (index, term) in indexed(object, "allowedTopologies") {
        let path = path.index(index).child("matchLabelExpressions");
        let (mut keys, mut all) = (BTreeSet::new(), BTreeSet::new());
        for (index, expression) in indexed(term, "matchLabelExpressions") {
            let (path, key) = (path.index(index), text(expression, "key"));
            let values = checks::texts(expression, "values");
            if values.is_empty() {
                errors.required(&path.child("values"), "");
            }
            unique(values.iter().copied(), &path.child("values"), errors);
            fits(names::qualified(key), key, &path.child("key"), errors);
            if !keys.insert(key) {
                errors.duplicate(&path.child("key"), key);
            }
            all.insert((key, values.into_iter().collect()));
        }
        if seen.contains(&all) {
            errors.duplicate(&path, "");
        }
        seen.push(all);
    }
}

fn validate_update(object: &Value, old: &Value, errors: &mut Errors) {
    let empty = serde_json::json!({});
    let parameters = |object: &Value| object.get("parameters").unwrap_or(&empty).clone();
    if parameters(object) != parameters(old) {
        errors.forbidden(&Path::new("parameters"), "updates to parameters are forbidden.");
    }
    for field in ["provisioner", "reclaimPolicy"] {
        if object[field] != old[field] {
            errors.forbidden(&Path::new(field), &format!("updates to {field} are forbidden."));
        }
    }
    let path = Path::new("volumeBindingMode");
    immutable(&object["volumeBindingMode"], &old["volumeBindingMode"], &path, errors);
}

fn row(object: &Value, now: i64) -> Vec<Value> {
    vec![
        name_of_class(object, &DEFAULT_ANNOTATIONS),
        text(object, "provisioner").into(),
        cells::or(text(object, "reclaimPolicy"), "Delete").into(),
        cells::or(text(object, "volumeBindingMode"), "Immediate").into(),
        is_true(object, "allowVolumeExpansion").into(),
        cells::age(object, now),
    ]
}

#[cfg(test)]
mod tests;
