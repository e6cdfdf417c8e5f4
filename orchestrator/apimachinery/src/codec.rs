//! Bodies to values and back: JSON, YAML, protobuf.

use crate::schema::Schema;
use crate::status::ApiError;
use serde_json::Value;

/// A media type that bodies come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `application/json`
    Json,
    /// `application/yaml`
    Yaml,
    /// `application/vnd.kubernetes.protobuf`
    Protobuf,
}

impl Format {
    /// The format of a Content-Type header; JSON when there is none.
    pub fn from_content_type(content_type: Option<&str>) -> Result<Format, ApiError> {
        let _ = content_type;
        todo!()
    }
}

/// A decoded body and what strict decoding found (`duplicate field "spec.x"`); unknown fields
/// are the schema's to find.
#[derive(Debug)]
pub struct Decoded {
    /// The object.
    pub value: Value,
    /// Duplicate fields, in upstream's words.
    pub duplicates: Vec<String>,
}

/// Decodes one object. Protobuf bodies name their own apiVersion and kind; `schema_of` finds the
/// schema for them (and for JSON and YAML is not called).
pub fn decode(
    format: Format,
    body: &[u8],
    schema_of: &dyn Fn(&str, &str) -> Option<std::sync::Arc<Schema>>,
) -> Result<Decoded, ApiError> {
    let _ = (format, body, schema_of);
    todo!()
}
