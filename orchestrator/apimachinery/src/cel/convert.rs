//! Values between JSON and CEL.

use super::CelError;
use kube_cel::cel::Value as Cel;
use kube_cel::cel::objects::{Key, Map};
use serde_json::{Map as JsonMap, Number, Value};
use std::collections::HashMap;
use std::sync::Arc;

/// A whole number is an int, as Kubernetes declares its integers.
pub(crate) fn to_cel(value: &Value) -> Cel {
    match value {
        Value::Null => Cel::Null,
        Value::Bool(value) => Cel::Bool(*value),
        Value::Number(number) => number_to_cel(number),
        Value::String(text) => Cel::String(Arc::new(text.clone())),
        Value::Array(list) => Cel::List(Arc::new(list.iter().map(to_cel).collect())),
        Value::Object(fields) => {
            let entries = fields.iter().map(|(name, value)| (Key::String(Arc::new(name.clone())), to_cel(value)));
            Cel::Map(Map { map: Arc::new(entries.collect::<HashMap<_, _>>()) })
        }
    }
}

fn number_to_cel(number: &Number) -> Cel {
    match (number.as_i64(), number.as_u64()) {
        (Some(value), _) => Cel::Int(value),
        (None, Some(value)) => Cel::UInt(value),
        _ => Cel::Float(number.as_f64().unwrap_or(f64::NAN)),
    }
}

pub(super) fn to_json(value: &Cel) -> Result<Value, CelError> {
    Ok(match value {
        Cel::Null => Value::Null,
        Cel::Bool(value) => Value::Bool(*value),
        Cel::Int(value) => (*value).into(),
        Cel::UInt(value) => (*value).into(),
        Cel::Float(value) => Number::from_f64(*value).map_or(Value::Null, Value::Number),
        Cel::String(text) => Value::String(text.to_string()),
        Cel::Timestamp(time) => Value::String(time.to_rfc3339()),
        Cel::List(list) => Value::Array(list.iter().map(to_json).collect::<Result<_, _>>()?),
        Cel::Map(map) => {
            let mut fields = JsonMap::new();
            for (key, value) in map.map.iter() {
                let Key::String(name) = key else {
                    return Err(CelError("a map with keys that are no strings has no JSON".into()));
                };
                fields.insert(name.to_string(), to_json(value)?);
            }
            Value::Object(fields)
        }
        other => return Err(CelError(format!("a value of type {} has no JSON", other.type_of()))),
    })
}

/// Before the name of a type, when it is a value: no text of an object begins so.
const TYPE_MARK: &str = "\u{1}type:";

/// A type as a value.
pub(super) fn type_value(name: &str) -> String {
    format!("{TYPE_MARK}{name}")
}

/// The type of a value, as a value.
pub(super) fn type_name(value: &Cel) -> String {
    type_value(match value {
        Cel::Null => "null_type",
        Cel::Bool(_) => "bool",
        Cel::Int(_) => "int",
        Cel::UInt(_) => "uint",
        Cel::Float(_) => "double",
        Cel::String(text) if text.starts_with(TYPE_MARK) => "type",
        Cel::String(_) => "string",
        Cel::Bytes(_) => "bytes",
        Cel::Timestamp(_) => "google.protobuf.Timestamp",
        Cel::Duration(_) => "google.protobuf.Duration",
        Cel::List(_) => "list",
        Cel::Map(_) => "map",
        Cel::Opaque(_) => "optional_type",
        Cel::Function(..) => "function",
    })
}
