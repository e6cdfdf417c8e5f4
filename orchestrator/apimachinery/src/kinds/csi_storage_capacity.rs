//! CSIStorageCapacity: how much storage of a class there is for some nodes.

use super::checks::{NOT_NEGATIVE, canonicalize_quantity, fits, quantity};
use super::fields::text;
use super::metadata::immutable;
use super::{NAME, cells, columns, names, namespaced, selector};
use crate::field::{Errors, Path};
use crate::kind::{Kind, Strategy};
use serde_json::Value;

/// The row of CSIStorageCapacity.
pub fn kind() -> Kind {
    Kind {
        columns: columns(&[
            NAME,
            ("StorageClassName", "string", 0, "The class that it tells of."),
            ("Capacity", "string", 0, "What is left."),
        ]),
        strategy: Strategy {
            default: |object| {
                for field in ["capacity", "maximumVolumeSize"] {
                    canonicalize_quantity(object, field);
                }
            },
            validate,
            validate_update,
            cells: row,
            ..Strategy::default()
        },
        ..namespaced("storage.k8s.io", "CSIStorageCapacity", "csistoragecapacities")
    }
}

fn validate(object: &Value, errors: &mut Errors) {
    selector::validate(&object["nodeTopology"], &Path::new("nodeTopology"), errors);
    let class = text(object, "storageClassName");
    fits(names::dns_subdomain(class), class, &Path::new("storageClassName"), errors);
    if quantity(object, "capacity").is_some_and(|capacity| capacity.is_negative()) {
        errors.invalid(&Path::new("capacity"), &object["capacity"], NOT_NEGATIVE);
    }
}

fn validate_update(object: &Value, old: &Value, errors: &mut Errors) {
    for field in ["nodeTopology", "storageClassName"] {
        immutable(&object[field], &old[field], &Path::new(field), errors);
    }
}

fn row(object: &Value, _now: i64) -> Vec<Value> {
    let capacity = cells::or(text(object, "capacity"), "<unset>");
    vec![cells::name(object), text(object, "storageClassName").into(), capacity.into()]
}

#[cfg(test)]
mod tests;
