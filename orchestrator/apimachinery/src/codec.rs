//! Bodies to values and back: JSON, YAML, protobuf.

mod json;
pub mod protobuf;
mod syntax;
#[cfg(test)]
mod tests;

pub use json::Strict;
pub use syntax::summary;

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

/// Decodes one object; the words of an error are those of Kubernetes' own decoder, which
/// [`unrecognized`] puts into a sentence. Protobuf bodies name their own apiVersion and kind; `schema_of` finds the
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
    let strict: Strict = serde_json::from_slice(body).map_err(|_| ApiError::bad_request(syntax::fault(body)))?;
    Ok(Decoded { value: strict.value, duplicates: strict.duplicates })
}

fn decode_yaml(body: &[u8]) -> Result<Decoded, ApiError> {
    let refuse = |why: String| ApiError::bad_request(format!("yaml: {why}"));
    let text = std::str::from_utf8(body).map_err(|error| refuse(error.to_string()))?;
    let mut documents = crate::yaml::parse_all(text).map_err(|error| refuse(error.to_string()))?;
    match (documents.pop(), documents.len()) {
        (Some(document), 0) => Ok(Decoded { value: document.value, duplicates: Vec::new() }),
        (None, _) => Err(refuse("it is empty".into())),
        _ => Err(refuse("it holds more than one document".into())),
    }
}

/// What upstream says of a body that cannot be decoded as an object of this kind.
pub fn unrecognized(format: Format, kind: &str, body: &[u8], why: &ApiError) -> ApiError {
    let before = if format == Format::Json { "couldn't get version/kind; json parse error: " } else { "" };
    let (why, summary) = (&why.message, summary(body));
    ApiError::bad_request(format!(
        "the object provided is unrecognized (must be of type {kind}): {before}{why} ({summary})"
    ))
}

/// What upstream says of JSON that is no object.
pub fn not_an_object(value: &Value) -> Option<ApiError> {
    let what = match value {
        Value::Object(_) | Value::Null => return None,
        Value::Array(_) => "array",
        Value::String(_) => "string",
        Value::Number(_) => "number",
        Value::Bool(_) => "bool",
    };
    const WANTED: &str =
        r#"struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }"#;
    Some(ApiError::bad_request(format!("json: cannot unmarshal {what} into Go value of type {WANTED}")))
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
