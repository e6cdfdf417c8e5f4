//! RFC 6902 within bounds.

use crate::limits::{DEPTH_MAX, JSON_PATCH_COPY_BYTES_MAX, JSON_PATCH_OPERATIONS_MAX};
use crate::status::{ApiError, Cause};
use json_patch::{Patch, PatchOperation};
use serde::Deserialize;
use serde_json::Value;

pub(super) fn apply(target: &mut Value, patch: &Value) -> Result<(), ApiError> {
    let count = patch.as_array().map_or(0, Vec::len);
    if count > JSON_PATCH_OPERATIONS_MAX {
        return Err(ApiError::too_large(format!(
            "The allowed maximum operations in a JSON patch is {JSON_PATCH_OPERATIONS_MAX}, got {count}"
        )));
    }
    let patch = Patch::deserialize(patch)
        .map_err(|error| ApiError::bad_request(format!("error decoding JSON patch: {error}")))?;
    let mut patched = target.clone();
    let mut copied = 0;
    for operation in patch.0 {
        bound(&patched, &operation, &mut copied)?;
        json_patch::patch_unsafe(&mut patched, std::slice::from_ref(&operation))
            .map_err(|error| refuse(error.kind.to_string(), &error.path.to_string()))?;
    }
    *target = patched;
    Ok(())
}

/// A patch may neither nest a value without end nor double one with each operation.
fn bound(document: &Value, operation: &PatchOperation, copied: &mut usize) -> Result<(), ApiError> {
    let (tokens, depth) = match operation {
        PatchOperation::Add(add) => (add.path.tokens().count(), depth(&add.value)),
        PatchOperation::Replace(replace) => (replace.path.tokens().count(), depth(&replace.value)),
        PatchOperation::Move(from_to) => {
            (from_to.path.tokens().count(), document.pointer(from_to.from.as_str()).map_or(0, depth))
        }
        PatchOperation::Copy(from_to) => {
            let source = document.pointer(from_to.from.as_str());
            *copied += source.map_or(0, |source| source.to_string().len());
            if *copied > JSON_PATCH_COPY_BYTES_MAX {
                let message =
                    format!("the copy operations of the patch make more than {JSON_PATCH_COPY_BYTES_MAX} bytes");
                return Err(ApiError::too_large(message));
            }
            (from_to.path.tokens().count(), source.map_or(0, depth))
        }
        PatchOperation::Remove(_) | PatchOperation::Test(_) => (0, 0),
    };
    if tokens + depth > DEPTH_MAX {
        return Err(refuse(format!("the value would be nested deeper than {DEPTH_MAX} levels"), ""));
    }
    Ok(())
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

fn refuse(why: String, path: &str) -> ApiError {
    let message = format!("the server rejected our request due to an error in our request: {why} ({path})");
    let mut error = ApiError::new(422, "Invalid", message.trim_end_matches(" ()"));
    error.causes.push(Cause { reason: "UnexpectedServerResponse".into(), message: why, field: path.to_owned() });
    error
}
