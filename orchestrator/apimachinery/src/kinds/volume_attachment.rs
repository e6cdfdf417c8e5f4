//! VolumeAttachment: the wish that a volume be attached to a node, and what came of it.

use super::checks::fits;
use super::fields::{entries, int, is_true, text};
use super::metadata::immutable;
use super::{AGE, NAME, cells, cluster, columns, domains, names, state, status};
use crate::field::{Errors, Path};
use crate::kind::{Kind, Strategy};
use serde_json::{Value, json};

/// The row of VolumeAttachment.
pub fn kind() -> Kind {
    let mut columns = columns(&[
        NAME,
        ("Attacher", "string", 0, "The driver that attaches."),
        ("PV", "string", 0, "The volume."),
        ("Node", "string", 0, "Where to."),
        ("Attached", "boolean", 0, "Whether it is attached."),
        AGE,
    ]);
    columns[1].format = "name".into();
    Kind {
        subresources: vec![status()],
        columns,
        strategy: strategy(),
        ..cluster("storage.k8s.io", "VolumeAttachment", "volumeattachments")
    }
}

/// Bytes of what the driver tells of an attached volume.
const METADATA_BYTES_MAX: usize = 256 * 1024;
/// Bytes of the message of a failure.
const MESSAGE_BYTES_MAX: usize = 1024;

fn strategy() -> Strategy {
    Strategy {
        prepare_create: |object| object["status"] = json!({"attached": false}),
        validate,
        validate_update: |object, old, errors| {
            immutable(&object["spec"], &old["spec"], &Path::new("spec"), errors);
        },
        cells: row,
        ..state::uncounted()
    }
}

fn validate(object: &Value, errors: &mut Errors) {
    let (spec, path) = (&object["spec"], Path::new("spec"));
    domains::driver(text(spec, "attacher"), &path.child("attacher"), errors);
    let (source, at) = (&spec["source"], path.child("source"));
    let wrong = "must specify exactly one of inlineVolumeSpec and persistentVolumeName";
    match (source["inlineVolumeSpec"].is_null(), source["persistentVolumeName"].as_str()) {
        (true, None) => errors.required(&at, wrong),
        (false, Some(_)) => errors.forbidden(&at, wrong),
        (true, Some("")) => {
            errors.required(&at.child("persistentVolumeName"), "must specify non empty persistentVolumeName");
        }
        (true, Some(name)) => fits(names::dns_subdomain(name), name, &at.child("persistentVolumeName"), errors),
        (false, None) => {}
    }
    let node = text(spec, "nodeName");
    fits(names::dns_subdomain(node), node, &path.child("nodeName"), errors);
    validate_status(&object["status"], &Path::new("status"), errors);
}

fn validate_status(status: &Value, path: &Path, errors: &mut Errors) {
    let bytes: usize =
        entries(status, "attachmentMetadata").map(|(key, value)| key.len() + value.as_str().map_or(0, str::len)).sum();
    if bytes > METADATA_BYTES_MAX {
        errors.too_long(&path.child("attachmentMetadata"), METADATA_BYTES_MAX);
    }
    for field in ["attachError", "detachError"] {
        let (error, path) = (&status[field], path.child(field));
        if text(error, "message").len() > MESSAGE_BYTES_MAX {
            errors.too_long(&path.child("message"), MESSAGE_BYTES_MAX);
        }
        if let Some(code) = int(error, "errorCode").filter(|code| *code < 0) {
            let wrong = format!("must be between 0 and {}, inclusive", i32::MAX);
            errors.invalid(&path.child("errorCode"), code, &wrong);
        }
    }
}

fn row(object: &Value, now: i64) -> Vec<Value> {
    let spec = &object["spec"];
    vec![
        cells::name(object),
        text(spec, "attacher").into(),
        text(&spec["source"], "persistentVolumeName").into(),
        text(spec, "nodeName").into(),
        is_true(&object["status"], "attached").into(),
        cells::age(object, now),
    ]
}

#[cfg(test)]
mod tests;
