//! What of an object a request may write: spec by the main resource, status by the subresource.

use super::fields::{copy, remove};
use serde_json::{Value, json};

/// A new object has an empty status and is of the first generation.
pub fn create(object: &mut Value) {
    object["status"] = json!({});
    object["metadata"]["generation"] = 1.into();
}

/// A change of the main resource keeps the status and raises the generation with the spec.
/// Arguments: new, old.
pub fn update(object: &mut Value, old: &Value) {
    copy(object, old, "status");
    let before = old["metadata"]["generation"].as_i64();
    if object["spec"] != old["spec"] {
        object["metadata"]["generation"] = (before.unwrap_or(0) + 1).into();
    } else {
        copy(&mut object["metadata"], &old["metadata"], "generation");
    }
}

/// A change of the main resource keeps the status; for kinds that count no generations.
pub fn update_without_generation(object: &mut Value, old: &Value) {
    copy(object, old, "status");
}

/// A change of the status keeps everything else but labels, annotations and finalizers, which
/// upstream lets the status subresource write. Arguments: new, old.
pub fn update_status(object: &mut Value, old: &Value) {
    let status = object.get("status").cloned();
    let metadata = object["metadata"].take();
    object.clone_from(old);
    match status {
        Some(status) => object["status"] = status,
        None => remove(object, "status"),
    }
    object["metadata"] = metadata;
    for field in ["generation", "ownerReferences", "deletionTimestamp", "deletionGracePeriodSeconds"] {
        copy(&mut object["metadata"], &old["metadata"], field);
    }
}
