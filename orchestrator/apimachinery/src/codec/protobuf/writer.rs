//! Values to Kubernetes' protobuf, by the schema's field numbers.

use super::MAGIC;
use super::wire::{Fault, Writer};
use crate::limits::DEPTH_MAX;
use crate::schema::types::{Field, Node, Type};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Map, Value};

/// A body: the magic, then `runtime.Unknown` with apiVersion, kind and the message.
pub(super) fn envelope(api_version: &str, kind: &str, raw: &[u8]) -> Vec<u8> {
    let mut out = Writer::with_capacity(raw.len() + api_version.len() + kind.len() + 32);
    out.raw(MAGIC);
    out.message(1, |out| {
        out.bytes(1, api_version.as_bytes());
        out.bytes(2, kind.as_bytes());
        Ok(())
    })
    .unwrap_or_else(|_| unreachable!("texts can be written"));
    out.bytes(2, raw);
    out.bytes(3, b"");
    out.bytes(4, b"");
    out.into_bytes()
}

/// The fields of an object.
pub(super) fn fields(shape: &Type, object: &Map<String, Value>, depth: usize, out: &mut Writer) -> Result<(), Fault> {
    part(shape, object, &[], depth, out)
}

/// The fields of an object whose numbers start with `prefix`; those deeper down lie in structs
/// that JSON writes inline, and each such struct is one message.
fn part(
    shape: &Type,
    object: &Map<String, Value>,
    prefix: &[u32],
    depth: usize,
    out: &mut Writer,
) -> Result<(), Fault> {
    if depth > DEPTH_MAX {
        return Err(Fault::new("it is nested too deeply"));
    }
    let level = prefix.len();
    for (at, field) in shape.fields.iter().enumerate() {
        let tags = &*field.tags;
        if tags.len() <= level || !tags.starts_with(prefix) {
            continue;
        }
        if tags.len() == level + 1 {
            if let Some(value) = object.get(&*field.name).filter(|value| !value.is_null()) {
                one(field, tags[level], value, depth, out).map_err(|fault| fault.within(&field.name))?;
            }
            continue;
        }
        let below = &tags[..=level];
        let done =
            shape.fields[..at].iter().any(|earlier| earlier.tags.len() > level + 1 && earlier.tags.starts_with(below));
        let is_set = |field: &Field| {
            field.tags.len() > level + 1
                && field.tags.starts_with(below)
                && object.get(&*field.name).is_some_and(|value| !value.is_null())
        };
        if !done && shape.fields.iter().any(is_set) {
            out.message(tags[level], |out| part(shape, object, below, depth + 1, out))?;
        }
    }
    Ok(())
}

fn one(field: &Field, number: u32, value: &Value, depth: usize, out: &mut Writer) -> Result<(), Fault> {
    match (&field.node, value) {
        (Node::List(items), Value::Array(list)) => {
            list.iter().try_for_each(|item| single(items, number, item, depth, out))
        }
        (Node::List(_), _) => Err(mismatch()),
        (Node::Map(values), Value::Object(map)) => entries(values, number, map, depth, out),
        (Node::Map(_), _) => Err(mismatch()),
        (shape, value) => single(shape, number, value, depth, out),
    }
}

fn entries(values: &Node, number: u32, map: &Map<String, Value>, depth: usize, out: &mut Writer) -> Result<(), Fault> {
    map.iter().try_for_each(|(key, value)| {
        out.message(number, |out| {
            out.bytes(1, key.as_bytes());
            single(values, 2, value, depth, out)
        })
    })
}

fn mismatch() -> Fault {
    Fault::new("it has another type than its schema says")
}

/// One value that is not repeated.
fn single(shape: &Node, number: u32, value: &Value, depth: usize, out: &mut Writer) -> Result<(), Fault> {
    match shape {
        Node::Text => out.bytes(number, value.as_str().ok_or_else(mismatch)?.as_bytes()),
        Node::Bytes => {
            let bytes = value.as_str().and_then(|text| STANDARD.decode(text).ok());
            out.bytes(number, &bytes.ok_or_else(mismatch)?);
        }
        Node::Integer32 | Node::Integer64 => {
            out.number(number, value.as_i64().ok_or_else(mismatch)?.cast_unsigned());
        }
        Node::Boolean => out.number(number, value.as_bool().ok_or_else(mismatch)?.into()),
        Node::Number => out.double(number, value.as_f64().ok_or_else(mismatch)?),
        Node::Time | Node::MicroTime => time(number, value, out)?,
        Node::IntOrString => out.message(number, |out| int_or_string(value, out))?,
        Node::Quantity => {
            let text = value.as_str().ok_or_else(mismatch)?;
            out.message(number, |out| {
                out.bytes(1, text.as_bytes());
                Ok(())
            })?;
        }
        Node::Any => {
            let raw = value.to_string();
            out.message(number, |out| {
                out.bytes(1, raw.as_bytes());
                Ok(())
            })?;
        }
        Node::Object(shape) => {
            let object = value.as_object().ok_or_else(mismatch)?;
            out.message(number, |out| fields(shape, object, depth + 1, out))?;
        }
        Node::Either(shape, other) => out.message(number, |out| either(shape, other, value, depth + 1, out))?,
        // A list or a map inside a map is a message of its own.
        Node::List(items) => {
            let list = value.as_array().ok_or_else(mismatch)?;
            out.message(number, |out| list.iter().try_for_each(|item| single(items, 1, item, depth + 1, out)))?;
        }
        Node::Map(values) => {
            let map = value.as_object().ok_or_else(mismatch)?;
            out.message(number, |out| entries(values, 1, map, depth + 1, out))?;
        }
    }
    Ok(())
}

fn time(number: u32, value: &Value, out: &mut Writer) -> Result<(), Fault> {
    let at = value.as_str().and_then(|text| text.parse::<Timestamp>().ok()).ok_or_else(mismatch)?;
    // Nanoseconds count forward from the second, before 1970 too.
    let nanos = i64::from(at.subsec_nanosecond());
    let (seconds, nanos) =
        if nanos < 0 { (at.as_second() - 1, nanos + 1_000_000_000) } else { (at.as_second(), nanos) };
    out.message(number, |out| {
        out.number(1, seconds.cast_unsigned());
        out.number(2, nanos.cast_unsigned());
        Ok(())
    })
}

fn int_or_string(value: &Value, out: &mut Writer) -> Result<(), Fault> {
    match (value.as_str(), value.as_i64()) {
        (Some(text), _) => {
            out.number(1, 1);
            out.number(2, 0);
            out.bytes(3, text.as_bytes());
        }
        (None, Some(whole)) => {
            out.number(1, 0);
            out.number(2, whole.cast_unsigned());
            out.bytes(3, b"");
        }
        (None, None) => return Err(mismatch()),
    }
    Ok(())
}

/// `JSONSchemaPropsOrBool` is {1: allows, 2: schema}; the others are {1: schema, 2: list}.
fn either(shape: &Node, other: &Node, value: &Value, depth: usize, out: &mut Writer) -> Result<(), Fault> {
    match (other, value) {
        (Node::Boolean, Value::Object(_)) => {
            out.number(1, 1);
            single(shape, 2, value, depth, out)
        }
        (Node::Boolean, _) => single(other, 1, value, depth, out),
        (Node::List(items), Value::Array(list)) => list.iter().try_for_each(|item| single(items, 2, item, depth, out)),
        _ => single(shape, 1, value, depth, out),
    }
}
