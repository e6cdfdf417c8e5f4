//! Kubernetes' protobuf bodies, decoded and encoded by the schema's field numbers.
//!
//! Clients write in Go's manner: a field that is no pointer is written even when it is zero. JSON
//! leaves such zeros out, so they are dropped here, by the arena's `zero` fact.

mod output;
#[cfg(test)]
mod tests;
mod wire;
mod writer;

pub use output::{List, encode, encode_json, frame, is_known};

use crate::limits::DEPTH_MAX;
use crate::schema::Schema;
use crate::schema::types::{Field, Node, Type};
use crate::status::ApiError;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Map, Value};
use std::sync::Arc;
use wire::{Fault, Fields, Scalar};

/// What each body starts with.
const MAGIC: &[u8] = b"k8s\0";

/// Decodes a body: the magic, then `runtime.Unknown` with apiVersion, kind and the object.
pub(super) fn decode(body: &[u8], schema_of: &dyn Fn(&str, &str) -> Option<Arc<Schema>>) -> Result<Value, ApiError> {
    let unknown = body.strip_prefix(MAGIC).ok_or_else(|| refuse(Fault::new("it does not start with \"k8s\\0\"")))?;
    let (api_version, kind, raw) = envelope(unknown).map_err(refuse)?;
    let schema = schema_of(&api_version, &kind)
        .ok_or_else(|| ApiError::bad_request(format!("no kind {kind:?} is registered for version {api_version:?}")))?;
    let mut value = decode_message(&schema, raw)?;
    if let Value::Object(fields) = &mut value {
        fields.insert("apiVersion".into(), Value::String(api_version));
        fields.insert("kind".into(), Value::String(kind));
    }
    Ok(value)
}

/// Decodes one message of a schema, without magic and envelope.
pub(crate) fn decode_message(schema: &Schema, bytes: &[u8]) -> Result<Value, ApiError> {
    match &schema.root {
        Node::Object(shape) => message(shape, bytes, 0).map(Value::Object).map_err(refuse),
        _ => Err(ApiError::unsupported_media_type("application/json, application/yaml")),
    }
}

fn refuse(fault: Fault) -> ApiError {
    ApiError::bad_request(format!("the body is not valid protobuf: {fault}"))
}

fn envelope(bytes: &[u8]) -> Result<(String, String, &[u8]), Fault> {
    let (mut api_version, mut kind, mut raw) = (String::new(), String::new(), &[][..]);
    for field in Fields::new(bytes) {
        match field? {
            (1, scalar) => {
                for field in Fields::new(scalar.bytes()?) {
                    match field? {
                        (1, text) => api_version = text.text()?.to_owned(),
                        (2, text) => kind = text.text()?.to_owned(),
                        _ => {}
                    }
                }
            }
            (2, scalar) => raw = scalar.bytes()?,
            (3, encoding) if !encoding.bytes()?.is_empty() => return Err(Fault::new("its content is encoded")),
            _ => {}
        }
    }
    Ok((api_version, kind, raw))
}

fn message(shape: &Type, bytes: &[u8], depth: usize) -> Result<Map<String, Value>, Fault> {
    let mut object = Map::new();
    inline(shape, bytes, &mut Vec::new(), depth, &mut object)?;
    Ok(object)
}

/// The fields of a message whose numbers stand behind `prefix` in the tags of `shape`.
fn inline(
    shape: &Type,
    bytes: &[u8],
    prefix: &mut Vec<u32>,
    depth: usize,
    object: &mut Map<String, Value>,
) -> Result<(), Fault> {
    if depth > DEPTH_MAX {
        return Err(Fault::new("it is nested too deeply"));
    }
    for field in Fields::new(bytes) {
        let (number, scalar) = field?;
        prefix.push(number);
        let known = shape.fields.iter().find(|field| field.tags.starts_with(prefix));
        match known {
            Some(field) if field.tags.len() == prefix.len() => {
                assign(field, &scalar, depth, object).map_err(|fault| fault.within(&field.name))?;
            }
            Some(_) => inline(shape, scalar.bytes()?, prefix, depth + 1, object)?,
            None => {}
        }
        prefix.pop();
    }
    Ok(())
}

fn assign(field: &Field, scalar: &Scalar<'_>, depth: usize, object: &mut Map<String, Value>) -> Result<(), Fault> {
    match &field.node {
        Node::List(items) => {
            let list = object.entry(field.name.as_ref()).or_insert_with(|| Value::Array(Vec::new()));
            if let Value::Array(list) = list {
                append(items, scalar, depth, list)?;
            }
        }
        Node::Map(values) => {
            let (key, value) = entry(values, scalar.bytes()?, depth)?;
            let map = object.entry(field.name.as_ref()).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(map) = map {
                map.insert(key, value);
            }
        }
        shape => {
            let value = single(shape, scalar, depth)?;
            let empty = match &value {
                Value::Null => true,
                Value::String(text) => field.zero && text.is_empty(),
                Value::Number(number) => field.zero && number.as_f64() == Some(0.0),
                Value::Bool(flag) => field.zero && !flag,
                _ => false,
            };
            if !empty {
                object.insert(field.name.clone().into_owned(), value);
            }
        }
    }
    Ok(())
}

/// One element of a repeated field, or several packed numbers.
fn append(items: &Node, scalar: &Scalar<'_>, depth: usize, list: &mut Vec<Value>) -> Result<(), Fault> {
    match (items, scalar) {
        (Node::Integer32 | Node::Integer64 | Node::Boolean, Scalar::Bytes(packed)) => {
            let mut rest = *packed;
            while !rest.is_empty() {
                list.push(single(items, &Scalar::Varint(wire::varint(&mut rest)?), depth)?);
            }
        }
        _ => list.push(single(items, scalar, depth)?),
    }
    Ok(())
}

fn entry(values: &Node, bytes: &[u8], depth: usize) -> Result<(String, Value), Fault> {
    let (mut key, mut value) = (String::new(), None);
    for field in Fields::new(bytes) {
        match field? {
            (1, scalar) => key = scalar.text()?.to_owned(),
            (2, scalar) => value = Some(single(values, &scalar, depth)?),
            _ => {}
        }
    }
    let empty = || match values {
        Node::Text | Node::Bytes => Value::String(String::new()),
        Node::Boolean => Value::Bool(false),
        Node::Integer32 | Node::Integer64 => Value::from(0),
        Node::List(_) => Value::Array(Vec::new()),
        _ => Value::Object(Map::new()),
    };
    Ok((key, value.unwrap_or_else(empty)))
}

/// A value that is not repeated; null for a zero time or an empty extension.
fn single(shape: &Node, scalar: &Scalar<'_>, depth: usize) -> Result<Value, Fault> {
    Ok(match shape {
        Node::Text => Value::String(scalar.text()?.to_owned()),
        Node::Bytes => Value::String(STANDARD.encode(scalar.bytes()?)),
        Node::Integer32 | Node::Integer64 => Value::from(scalar.integer()?),
        Node::Boolean => Value::Bool(scalar.integer()? != 0),
        Node::Number => Value::from(scalar.number()?),
        Node::Object(shape) => Value::Object(message(shape, scalar.bytes()?, depth + 1)?),
        Node::Time => time(scalar.bytes()?, "%Y-%m-%dT%H:%M:%SZ")?,
        Node::MicroTime => time(scalar.bytes()?, "%Y-%m-%dT%H:%M:%S%.6fZ")?,
        Node::IntOrString => int_or_string(scalar.bytes()?)?,
        Node::Quantity => match first(scalar.bytes()?, 1)? {
            Some(text) if !text.text()?.is_empty() => Value::String(text.text()?.to_owned()),
            _ => Value::String("0".into()),
        },
        Node::Any => match first(scalar.bytes()?, 1)? {
            Some(raw) if !raw.bytes()?.is_empty() => {
                serde_json::from_slice(raw.bytes()?).map_err(|_| Fault::new("an extension is not JSON"))?
            }
            _ => Value::Null,
        },
        Node::Either(shape, other) => either(shape, other, scalar.bytes()?, depth + 1)?,
        // A list inside a map is a message of its own.
        Node::List(items) => {
            let mut list = Vec::new();
            for field in Fields::new(scalar.bytes()?) {
                if let (1, scalar) = field? {
                    append(items, &scalar, depth + 1, &mut list)?;
                }
            }
            Value::Array(list)
        }
        Node::Map(values) => {
            let mut map = Map::new();
            for field in Fields::new(scalar.bytes()?) {
                if let (1, scalar) = field? {
                    map.extend([entry(values, scalar.bytes()?, depth + 1)?]);
                }
            }
            Value::Object(map)
        }
    })
}

fn first(bytes: &[u8], wanted: u32) -> Result<Option<Scalar<'_>>, Fault> {
    for field in Fields::new(bytes) {
        let (number, scalar) = field?;
        if number == wanted {
            return Ok(Some(scalar));
        }
    }
    Ok(None)
}

fn int_or_string(bytes: &[u8]) -> Result<Value, Fault> {
    let is_text = first(bytes, 1)?.map_or(Ok(0), |kind| kind.integer())? != 0;
    if is_text {
        let text = first(bytes, 3)?.map(|text| text.text().map(str::to_owned)).transpose()?;
        return Ok(Value::String(text.unwrap_or_default()));
    }
    Ok(Value::from(first(bytes, 2)?.map_or(Ok(0), |number| number.integer())?))
}

fn time(bytes: &[u8], format: &str) -> Result<Value, Fault> {
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    let seconds = first(bytes, 1)?.map_or(Ok(0), |part| part.integer())?;
    let nanos = first(bytes, 2)?.map_or(Ok(0), |part| part.integer())?;
    let at = i32::try_from(nanos).ok().and_then(|nanos| Timestamp::new(seconds, nanos).ok());
    at.map(|at| Value::String(at.strftime(format).to_string())).ok_or_else(|| Fault::new("a time is out of range"))
}

/// `JSONSchemaPropsOrBool` is {1: allows, 2: schema}; the others are {1: schema, 2: list}.
fn either(shape: &Node, other: &Node, bytes: &[u8], depth: usize) -> Result<Value, Fault> {
    let (of_shape, of_other) = if matches!(other, Node::Boolean) { (2, 1) } else { (1, 2) };
    if let Some(scalar) = first(bytes, of_shape)? {
        return single(shape, &scalar, depth);
    }
    if let Node::List(items) = other {
        let mut list = Vec::new();
        for field in Fields::new(bytes) {
            let (number, scalar) = field?;
            if number == of_other {
                append(items, &scalar, depth, &mut list)?;
            }
        }
        return Ok(Value::Array(list));
    }
    first(bytes, of_other)?.map_or(Ok(Value::Bool(false)), |scalar| single(other, &scalar, depth))
}
