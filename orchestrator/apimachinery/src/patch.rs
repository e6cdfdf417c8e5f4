//! The three kinds of patch that change an object as they say; the fourth, server-side apply, is
//! [`crate::apply`].

mod json;
mod strategic;
#[cfg(test)]
mod tests;

use crate::schema::Schema;
use crate::status::ApiError;
use serde_json::{Map, Value};

/// The media types of patches, as errors list them.
pub const ACCEPTED: &str = "application/json-patch+json, application/merge-patch+json, \
                            application/strategic-merge-patch+json, application/apply-patch+yaml";

/// Whether a Content-Type header names a server-side apply: `application/apply-patch+yaml`.
pub fn is_apply(content_type: Option<&str>) -> bool {
    let media_type = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    media_type.eq_ignore_ascii_case("application/apply-patch+yaml")
}

/// What kind of patch a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchType {
    /// `application/json-patch+json`
    Json,
    /// `application/merge-patch+json`
    Merge,
    /// `application/strategic-merge-patch+json`
    Strategic,
}

impl PatchType {
    /// The type that a Content-Type header names; 415 for any other.
    pub fn from_content_type(content_type: Option<&str>) -> Result<PatchType, ApiError> {
        let media_type = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        match media_type.to_ascii_lowercase().as_str() {
            "application/json-patch+json" => Ok(PatchType::Json),
            "application/merge-patch+json" => Ok(PatchType::Merge),
            "application/strategic-merge-patch+json" => Ok(PatchType::Strategic),
            _ => Err(ApiError::unsupported_media_type(ACCEPTED)),
        }
    }

    /// Applies a decoded patch body of this type.
    pub fn apply(self, schema: &Schema, target: &mut Value, patch: &Value) -> Result<(), ApiError> {
        if self != PatchType::Json && !patch.is_object() {
            return Err(ApiError::bad_request("the patch must be a JSON object"));
        }
        match self {
            PatchType::Json => json_patch(target, patch),
            PatchType::Merge => {
                merge_patch(target, patch);
                Ok(())
            }
            PatchType::Strategic => strategic_merge(schema, target, patch),
        }
    }
}

/// RFC 6902. A body that is no JSON patch is 400, too many operations or too much copying 413, an
/// operation that cannot be done (also a failed `test`) 422; then `target` is as before.
pub fn json_patch(target: &mut Value, patch: &Value) -> Result<(), ApiError> {
    json::apply(target, patch)
}

/// RFC 7396.
pub fn merge_patch(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(fields) = target else { return };
    for (name, value) in patch {
        if value.is_null() {
            fields.remove(name);
        } else {
            merge_patch(fields.entry(name.as_str()).or_insert(Value::Null), value);
        }
    }
}

/// Kubernetes' strategic merge: lists merge by key, with `$patch`, `$setElementOrder/…`,
/// `$retainKeys` and `$deleteFromPrimitiveList/…`. After an error `target` may be half patched.
///
/// Source: <https://github.com/kubernetes/community/blob/main/contributors/devel/sig-api-machinery/strategic-merge-patch.md>
pub fn strategic_merge(schema: &Schema, target: &mut Value, patch: &Value) -> Result<(), ApiError> {
    strategic::apply(&schema.root, target, patch)
}

/// Feeds arbitrary bytes as each kind of patch to a small Deployment.
pub fn fuzz(bytes: &[u8]) {
    let Ok(patch) = serde_json::from_slice::<Value>(bytes) else { return };
    let schema = crate::schema::builtin("io.k8s.api.apps.v1.Deployment");
    let target = serde_json::json!({"metadata": {"name": "a", "finalizers": ["x", "y"]}, "spec": {"template": {"spec": {
        "containers": [{"name": "b", "env": [{"name": "c", "value": "d"}]}], "volumes": [{"name": "e", "emptyDir": {}}]}}}});
    for kind in [PatchType::Json, PatchType::Merge, PatchType::Strategic] {
        let mut patched = target.clone();
        let result = kind.apply(&schema, &mut patched, &patch);
        assert!(result.is_ok() || kind != PatchType::Json || patched == target, "a failed JSON patch changes nothing");
    }
}
