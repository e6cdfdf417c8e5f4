//! Kubernetes' protobuf bodies, decoded by the schema's field numbers.

use crate::schema::Schema;
use crate::status::ApiError;
use serde_json::Value;
use std::sync::Arc;

pub(super) fn decode(
    body: &[u8],
    schema_of: &dyn Fn(&str, &str) -> Option<Arc<Schema>>,
) -> Result<Value, ApiError> {
    let _ = (body, schema_of);
    Err(ApiError::unsupported_media_type(super::ACCEPTED))
}

pub(crate) fn decode_message(schema: &Schema, bytes: &[u8]) -> Result<Value, ApiError> {
    let _ = (schema, bytes);
    Err(ApiError::unsupported_media_type(super::ACCEPTED))
}
