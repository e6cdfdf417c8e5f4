//! JSON types and formats.

use super::types::{Field, Node, Type};
use crate::field::{Errors, Path};
use crate::place::Place;
use crate::quantity::Quantity;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Map, Value};

/// Characters of a wrong value that an error shows.
const SHOWN_MAX: usize = 64;

pub(super) fn node(shape: &Node, value: &mut Value, place: &Place<'_>, errors: &mut Errors) {
    let fault = match shape {
        Node::Any => None,
        Node::Text => wrong("string", value, value.is_string()),
        Node::Boolean => wrong("boolean", value, value.is_boolean()),
        Node::Number => wrong("number", value, value.is_number()),
        Node::Integer32 => integer(value, i64::from(i32::MIN), i64::from(i32::MAX), "32-bit integer"),
        Node::Integer64 => integer(value, i64::MIN, i64::MAX, "64-bit integer"),
        Node::IntOrString if value.is_string() => None,
        Node::IntOrString => integer(value, i64::from(i32::MIN), i64::from(i32::MAX), "integer or string"),
        Node::Bytes => bytes(value),
        Node::Time => time(value, "%Y-%m-%dT%H:%M:%SZ"),
        Node::MicroTime => time(value, "%Y-%m-%dT%H:%M:%S%.6fZ"),
        Node::Quantity => quantity(value),
        Node::Either(shape, other) => {
            return node(if value.is_object() { shape } else { other }, value, place, errors);
        }
        Node::Object(_) | Node::List(_) | Node::Map(_) => below(shape, value, place, errors),
    };
    if let Some(message) = fault {
        errors.type_invalid(&Path::from_text(place.to_string()), message);
    }
}

fn below(shape: &Node, value: &mut Value, place: &Place<'_>, errors: &mut Errors) -> Option<String> {
    match (shape, value) {
        (Node::Object(shape), Value::Object(map)) => object(shape, map, place, errors),
        (Node::List(items), Value::Array(list)) => {
            for (index, item) in list.iter_mut().enumerate() {
                node(items, item, &Place::Item(place, index), errors);
            }
        }
        (Node::Map(values), Value::Object(map)) => {
            // As Go decodes it: a null text is the empty one.
            if matches!(**values, Node::Text) {
                map.values_mut()
                    .filter(|value| value.is_null())
                    .for_each(|value| *value = Value::String(String::new()));
            }
            map.retain(|_, value| !value.is_null());
            for (key, value) in map.iter_mut() {
                node(values, value, &Place::Key(place, key), errors);
            }
        }
        (Node::List(_), value) => return wrong("list", value, false),
        (_, value) => return wrong("object", value, false),
    }
    None
}

fn object(shape: &Type, map: &mut Map<String, Value>, place: &Place<'_>, errors: &mut Errors) {
    map.retain(|name, value| {
        let Some(field) = shape.field(name) else { return true };
        if value.is_null() && !matches!(field.node, Node::Any) {
            return false;
        }
        node(&field.node, value, &Place::Field(place, name), errors);
        !says_nothing(field, value)
    });
}

/// Whether a field is left out as upstream writes it: an optional list or map without entries.
fn says_nothing(field: &Field, value: &Value) -> bool {
    !field.required
        && match (&field.node, value) {
            (Node::List(_), Value::Array(list)) => list.is_empty(),
            (Node::Map(_), Value::Object(map)) => map.is_empty(),
            _ => false,
        }
}

fn wrong(expected: &str, value: &Value, fits: bool) -> Option<String> {
    (!fits).then(|| format!("expected {expected}, got {}", describe(value)))
}

fn describe(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(flag) => format!("boolean {flag}"),
        Value::Number(number) => format!("number {number}"),
        Value::String(text) => {
            let shown: String = text.chars().take(SHOWN_MAX).collect();
            let dots = if shown.len() < text.len() { "…" } else { "" };
            format!("string {shown:?}{dots}")
        }
        Value::Array(_) => "list".into(),
        Value::Object(_) => "object".into(),
    }
}

/// Whole numbers; `3.0` becomes 3.
fn integer(value: &mut Value, min: i64, max: i64, expected: &str) -> Option<String> {
    let number = value.as_i64().or_else(|| {
        // Exact up to 2^53; beyond that a fraction cannot be seen.
        let float = value.as_f64().filter(|float| value.is_f64() && float.fract() == 0.0 && float.abs() < 9e15)?;
        #[allow(clippy::cast_possible_truncation, reason = "whole and within 2^53")]
        Some(float as i64)
    });
    match number.filter(|number| (min..=max).contains(number)) {
        Some(number) => {
            *value = Value::from(number);
            None
        }
        None if value.is_number() => wrong(expected, value, false),
        None => wrong(if expected.ends_with("string") { expected } else { "integer" }, value, false),
    }
}

/// Base64 with or without line breaks, as Go decodes it.
fn bytes(value: &mut Value) -> Option<String> {
    let Value::String(text) = value else { return wrong("base64 string", value, false) };
    if text.contains(['\n', '\r']) {
        text.retain(|c| !matches!(c, '\n' | '\r'));
    }
    if text.len() % 4 == 0 && STANDARD.decode(text.as_bytes()).is_ok() {
        return None;
    }
    Some("expected base64 string, got illegal base64 data".into())
}

fn time(value: &mut Value, format: &str) -> Option<String> {
    let parsed = value.as_str().and_then(|text| text.parse::<Timestamp>().ok());
    match parsed {
        Some(at) => {
            *value = Value::String(at.strftime(format).to_string());
            None
        }
        None => wrong("RFC 3339 time", value, false),
    }
}

fn quantity(value: &mut Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return wrong("quantity", value, false),
    };
    match Quantity::parse(&text) {
        Ok(parsed) => {
            *value = Value::String(parsed.canonical());
            None
        }
        Err(why) => Some(why),
    }
}
