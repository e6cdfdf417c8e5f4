//! The three kinds of patch that kubectl sends (server-side apply is a later one).

use crate::schema::Schema;
use crate::status::ApiError;
use serde_json::Value;

/// RFC 6902.
pub fn json_patch(target: &mut Value, patch: &Value) -> Result<(), ApiError> {
    let _ = (target, patch);
    todo!()
}

/// RFC 7396.
pub fn merge_patch(target: &mut Value, patch: &Value) {
    let _ = (target, patch);
    todo!()
}

/// Kubernetes' strategic merge: lists merge by key, with `$patch`, `$setElementOrder/…`,
/// `$retainKeys` and `$deleteFromPrimitiveList/…`.
pub fn strategic_merge(schema: &Schema, target: &mut Value, patch: &Value) -> Result<(), ApiError> {
    let _ = (schema, target, patch);
    todo!()
}
