//! ControllerRevision.

use super::checks::not_negative;
use super::fields::{int, is_true, list, text};
use super::metadata::immutable;
use super::{AGE, NAME, cells, columns, namespaced};
use crate::field::{Errors, Path};
use crate::kind::{Kind, Strategy};
use serde_json::Value;

/// The row of ControllerRevision.
pub fn kind() -> Kind {
    Kind {
        columns: columns(&[
            NAME,
            ("Controller", "string", 0, "The object whose state it keeps."),
            ("Revision", "string", 0, "Its number; the highest is the latest."),
            AGE,
        ]),
        strategy: Strategy {
            validate,
            validate_update: |object, old, errors| {
                immutable(&object["data"], &old["data"], &Path::new("data"), errors);
            },
            cells: row,
            ..Strategy::default()
        },
        ..namespaced("apps", "ControllerRevision", "controllerrevisions")
    }
}

fn validate(object: &Value, errors: &mut Errors) {
    if object["data"].is_null() {
        errors.required(&Path::new("data"), "data is mandatory");
    }
    not_negative(object, &["revision"], &Path::default(), errors);
}

fn row(object: &Value, now: i64) -> Vec<Value> {
    let owner = list(&object["metadata"], "ownerReferences").iter().find(|owner| is_true(owner, "controller"));
    let controller = owner.map_or_else(
        || cells::NONE.to_owned(),
        |owner| {
            let kind = text(owner, "kind").to_lowercase();
            let name = text(owner, "name");
            match crate::meta::split_api_version(text(owner, "apiVersion")).0 {
                "" => format!("{kind}/{name}"),
                group => format!("{kind}.{group}/{name}"),
            }
        },
    );
    vec![cells::name(object), controller.into(), int(object, "revision").unwrap_or(0).into(), cells::age(object, now)]
}

#[cfg(test)]
mod tests;
