//! ResourceClaimTemplate.

use super::fields::object_mut;
use super::metadata::{annotations, immutable, labels};
use super::{AGE, NAME, cells, columns, devices, namespaced};
use crate::field::{Errors, Path};
use crate::kind::{Kind, Strategy};
use serde_json::Value;

/// The row of ResourceClaimTemplate.
pub fn kind() -> Kind {
    Kind {
        columns: columns(&[NAME, AGE]),
        strategy: Strategy {
            default: |object| {
                if let Some(spec) = object_mut(object, "spec").and_then(|spec| object_mut(spec, "spec")) {
                    devices::default_claim(spec);
                }
            },
            validate,
            validate_update: |object, old, errors| {
                immutable(&object["spec"], &old["spec"], &Path::new("spec"), errors);
            },
            cells: |object, now| vec![cells::name(object), cells::age(object, now)],
            ..Strategy::default()
        },
        ..namespaced(devices::GROUP, "ResourceClaimTemplate", "resourceclaimtemplates")
    }
}

fn validate(object: &Value, errors: &mut Errors) {
    let (spec, path) = (&object["spec"], Path::new("spec"));
    let at = path.child("metadata");
    labels(&spec["metadata"], &at.child("labels"), errors);
    annotations(&spec["metadata"], &at.child("annotations"), errors);
    devices::validate_claim(&spec["spec"], &path.child("spec"), errors);
}

#[cfg(test)]
mod tests;
