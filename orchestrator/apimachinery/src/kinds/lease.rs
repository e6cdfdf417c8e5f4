//! Lease.

use super::checks::not_negative;
use super::fields::{int, text};
use super::{AGE, NAME, cells, columns, namespaced};
use crate::field::{Errors, Path};
use crate::kind::{Kind, Strategy};
use serde_json::Value;

/// The row of Lease.
pub fn kind() -> Kind {
    Kind {
        columns: columns(&[NAME, ("Holder", "string", 0, "Who holds it."), AGE]),
        strategy: strategy(),
        ..namespaced("coordination.k8s.io", "Lease", "leases")
    }
}

fn strategy() -> Strategy {
    Strategy { validate, cells: row, ..Strategy::default() }
}

fn validate(object: &Value, errors: &mut Errors) {
    let (spec, path) = (&object["spec"], Path::new("spec"));
    if let Some(seconds) = int(spec, "leaseDurationSeconds").filter(|seconds| *seconds <= 0) {
        errors.invalid(&path.child("leaseDurationSeconds"), seconds, "must be greater than 0");
    }
    not_negative(spec, &["leaseTransitions"], &path, errors);
}

fn row(object: &Value, now: i64) -> Vec<Value> {
    vec![cells::name(object), text(&object["spec"], "holderIdentity").into(), cells::age(object, now)]
}

#[cfg(test)]
mod tests;
