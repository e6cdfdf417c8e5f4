//! What of an object a request may write: spec by the main resource, status by the subresource.

use super::fields::{copy, remove};
use crate::kind::Strategy;
use serde_json::{Value, json};

/// What a kind with a spec and a status starts from that counts the generations of its spec.
pub fn counted() -> Strategy {
    Strategy {
        prepare_create: create,
        prepare_update: update,
        prepare_status_update: update_status,
        ..Strategy::default()
    }
}

/// What a kind with a spec and a status starts from that counts no generations.
pub fn uncounted() -> Strategy {
    Strategy {
        prepare_create: |object| object["status"] = json!({}),
        prepare_update: update_without_generation,
        prepare_status_update: update_status,
        ..Strategy::default()
    }
}

/// What a kind without a status starts from that counts the generations of its spec.
pub fn without_status() -> Strategy {
    Strategy {
        prepare_create: first_generation,
        prepare_update: |object, old| raise_generation(object, old, &["spec"]),
        ..Strategy::default()
    }
}

/// Sets the generation of a new object.
pub fn first_generation(object: &mut Value) {
    object["metadata"]["generation"] = 1.into();
}

/// Raises the generation when one of these fields changed. Arguments: new, old.
pub fn raise_generation(object: &mut Value, old: &Value, fields: &[&str]) {
    if fields.iter().any(|field| object[*field] != old[*field]) {
        let before = old["metadata"]["generation"].as_i64();
        object["metadata"]["generation"] = (before.unwrap_or(0) + 1).into();
    } else {
        copy(&mut object["metadata"], &old["metadata"], "generation");
    }
}

/// A new object has an empty status and is of the first generation.
pub fn create(object: &mut Value) {
    object["status"] = json!({});
    first_generation(object);
}

/// A change of the main resource keeps the status and raises the generation with the spec.
/// Arguments: new, old.
pub fn update(object: &mut Value, old: &Value) {
    copy(object, old, "status");
    raise_generation(object, old, &["spec"]);
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
