//! ResourceClaim.

use super::fields::{list, list_mut, object_mut, text};
use super::metadata::immutable;
use super::{AGE, NAME, cells, columns, devices, namespaced, state, status as status_part};
use crate::field::Path;
use crate::kind::{Kind, Strategy};
use serde_json::Value;

mod status;

/// The row of ResourceClaim.
pub fn kind() -> Kind {
    Kind {
        subresources: vec![status_part()],
        columns: columns(&[NAME, ("State", "string", 0, "Whether it has its devices and who uses them."), AGE]),
        strategy: Strategy {
            default: |object| {
                if let Some(spec) = object_mut(object, "spec") {
                    devices::default_claim(spec);
                }
                default_results(object);
            },
            validate: |object, errors| {
                devices::validate_claim(&object["spec"], &Path::new("spec"), errors);
                status::validate(object, errors);
            },
            validate_update: |object, old, errors| {
                immutable(&object["spec"], &old["spec"], &Path::new("spec"), errors);
                status::validate_update(object, old, errors);
            },
            cells: |object, now| vec![cells::name(object), state(object).into(), cells::age(object, now)],
            ..state::uncounted()
        },
        ..namespaced(devices::GROUP, "ResourceClaim", "resourceclaims")
    }
}

fn default_results(object: &mut Value) {
    let allocation = object_mut(object, "status").and_then(|status| object_mut(status, "allocation"));
    if let Some(devices) = allocation.and_then(|allocation| object_mut(allocation, "devices")) {
        list_mut(devices, "results").for_each(devices::default_tolerations);
    }
}

fn state(object: &Value) -> String {
    let status = &object["status"];
    let is_deleted = !text(&object["metadata"], "deletionTimestamp").is_empty();
    let is_allocated = !status["allocation"].is_null();
    let states = [
        ("deleted", is_deleted),
        ("pending", !is_allocated && !is_deleted),
        ("allocated", is_allocated),
        ("reserved", is_allocated && !list(status, "reservedFor").is_empty()),
    ];
    states.iter().filter(|(_, is)| *is).map(|(state, _)| *state).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests;
