//! CSINode: the drivers of a node.

use super::checks::{fits, not_negative, texts};
use super::fields::{indexed, list, remove, text};
use super::metadata::immutable;
use super::{AGE, NAME, cells, cluster, columns, domains, names};
use crate::field::{Errors, Path};
use crate::kind::{Kind, Strategy};
use serde_json::Value;
use std::collections::BTreeSet;

/// The row of CSINode.
pub fn kind() -> Kind {
    Kind {
        columns: columns(&[NAME, ("Drivers", "integer", 0, "How many drivers the node has."), AGE]),
        strategy: Strategy {
            validate,
            validate_update,
            cells: |object, now| {
                let drivers = list(&object["spec"], "drivers").len();
                vec![cells::name(object), drivers.into(), cells::age(object, now)]
            },
            ..Strategy::default()
        },
        ..cluster("storage.k8s.io", "CSINode", "csinodes")
    }
}

/// Longest name that a driver may have for a node.
const NODE_ID_BYTES_MAX: usize = 256;

fn validate(object: &Value, errors: &mut Errors) {
    let mut seen = BTreeSet::new();
    for (index, driver) in indexed(&object["spec"], "drivers") {
        let path = Path::new("spec").child("drivers").index(index);
        let (name, id) = (text(driver, "name"), text(driver, "nodeID"));
        domains::driver(name, &path.child("name"), errors);
        if id.is_empty() {
            errors.required(&path.child("nodeID"), "");
        } else if id.len() > NODE_ID_BYTES_MAX {
            let wrong = format!("must be {NODE_ID_BYTES_MAX} characters or less");
            errors.invalid(&path.child("nodeID"), id, &wrong);
        }
        not_negative(&driver["allocatable"], &["count"], &path.child("allocatable"), errors);
        if !seen.insert(name) {
            errors.duplicate(&path.child("name"), name);
        }
        let mut keys = BTreeSet::new();
        for key in texts(driver, "topologyKeys") {
            if key.is_empty() {
                errors.required(&path, "");
            }
            if !keys.insert(key) {
                errors.duplicate(&path, key);
            }
            fits(names::qualified(key), key, &path, errors);
        }
    }
}

/// A driver may come and go, and change how many volumes it takes, but nothing else.
fn validate_update(object: &Value, old: &Value, errors: &mut Errors) {
    let fixed = |driver: &Value| {
        let mut driver = driver.clone();
        remove(&mut driver, "allocatable");
        driver
    };
    for before in list(&old["spec"], "drivers") {
        for after in list(&object["spec"], "drivers").iter().filter(|after| after["name"] == before["name"]) {
            immutable(&fixed(after), &fixed(before), &Path::new("spec").child("drivers"), errors);
        }
    }
}

#[cfg(test)]
mod tests;
