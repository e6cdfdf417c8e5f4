//! Bodies to values and back: JSON, YAML, protobuf.

mod json;
pub mod protobuf;
#[cfg(test)]
mod tests;

pub use json::Strict;

use crate::schema::Schema;
use crate::status::ApiError;
use serde_json::Value;
use std::sync::Arc;

/// The media types that bodies of objects come in, as errors list them.
pub const ACCEPTED: &str = "application/json, application/yaml, application/vnd.kubernetes.protobuf";

/// The media types that objects without a protobuf form come in.
pub const WITHOUT_PROTOBUF: &str = "application/json, application/yaml";

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
        let media_type = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        match media_type.to_ascii_lowercase().as_str() {
            "" | "application/json" => Ok(Format::Json),
            "application/yaml" => Ok(Format::Yaml),
            "application/vnd.kubernetes.protobuf" => Ok(Format::Protobuf),
            _ => Err(ApiError::unsupported_media_type(ACCEPTED)),
        }
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
    schema_of: &dyn Fn(&str, &str) -> Option<Arc<Schema>>,
) -> Result<Decoded, ApiError> {
    match format {
        Format::Json => decode_json(body),
        Format::Yaml => decode_yaml(body),
        Format::Protobuf => protobuf::decode(body, schema_of).map(|value| Decoded { value, duplicates: Vec::new() }),
    }
}

fn decode_json(body: &[u8]) -> Result<Decoded, ApiError> {
    let strict: Strict = serde_json::from_slice(body)
        .map_err(|error| ApiError::bad_request(format!("the body is not valid JSON: {error}")))?;
    Ok(Decoded { value: strict.value, duplicates: strict.duplicates })
}

fn decode_yaml(body: &[u8]) -> Result<Decoded, ApiError> {
    let refuse = |why: String| ApiError::bad_request(format!("the body is not valid YAML: {why}"));
    let text = std::str::from_utf8(body).map_err(|error| refuse(error.to_string()))?;
    let mut documents = crate::yaml::parse_all(text).map_err(|error| refuse(error.to_string()))?;
    match (documents.pop(), documents.len()) {
        (Some(document), 0) => Ok(Decoded { value: document.value, duplicates: Vec::new() }),
        (None, _) => Err(refuse("it is empty".into())),
        _ => Err(refuse("it holds more than one document".into())),
    }
}

/// Feeds arbitrary bytes to the three decoders; what JSON gives must be written and read back.
pub fn fuzz(bytes: &[u8]) {
    if let Ok(decoded) = decode(Format::Json, bytes, &|_, _| None) {
        let written = decoded.value.to_string();
        assert!(decode_json(written.as_bytes()).is_ok(), "what was read is written as JSON again");
    }
    let _ = decode(Format::Yaml, bytes, &|_, _| None);
    let pod = crate::schema::builtin("io.k8s.api.core.v1.Pod");
    let _ = decode(Format::Protobuf, bytes, &|_, _| Some(pod.clone()));
    let _ = protobuf::decode_message(&pod, bytes);
}
