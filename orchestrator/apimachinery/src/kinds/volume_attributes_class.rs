//! VolumeAttributesClass.

use super::checks::name_of_class;
use super::fields::{entries, text};
use super::storage_class::{validate_parameters, validate_provisioner};
use super::{AGE, NAME, cells, cluster, columns, texts};
use crate::field::{Errors, Path};
use crate::kind::{Kind, Strategy};
use serde_json::Value;

/// The row of VolumeAttributesClass.
pub fn kind() -> Kind {
    Kind {
        short_names: texts(&["vac"]),
        columns: columns(&[NAME, ("DriverName", "string", 0, "Who changes its volumes."), AGE]),
        strategy: strategy(),
        ..cluster("storage.k8s.io", "VolumeAttributesClass", "volumeattributesclasses")
    }
}

const DEFAULT_ANNOTATION: &str = "volumeattributesclass.alpha.kubernetes.io/is-default-class";

fn strategy() -> Strategy {
    Strategy {
        validate,
        validate_update,
        cells: |object, now| {
            vec![
                name_of_class(object, &[DEFAULT_ANNOTATION]),
                text(object, "driverName").into(),
                cells::age(object, now),
            ]
        },
        ..Strategy::default()
    }
}

fn validate(object: &Value, errors: &mut Errors) {
    validate_provisioner(text(object, "driverName"), &Path::new("driverName"), errors);
    let path = Path::new("parameters");
    validate_parameters(object, &path, errors);
    if entries(object, "parameters").next().is_none() {
        errors.required(&path, "must contain at least one key/value pair");
    }
}

fn validate_update(object: &Value, old: &Value, errors: &mut Errors) {
    for field in ["driverName", "parameters"] {
        if object[field] != old[field] {
            errors.forbidden(&Path::new(field), &format!("updates to {field} are forbidden."));
        }
    }
}

#[cfg(test)]
mod tests;
