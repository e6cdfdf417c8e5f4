//! Unknown fields.

use super::types::{Node, Type};
use crate::limits::FIELD_REPORTS_MAX;
use crate::place::Place;
use serde_json::{Map, Value};

pub(super) fn node(shape: &Node, value: &mut Value, place: &Place<'_>, unknown: &mut Vec<String>) {
    match (shape, value) {
        (Node::Object(shape), Value::Object(map)) => object(shape, map, place, unknown),
        (Node::List(items), Value::Array(list)) => {
            for (index, item) in list.iter_mut().enumerate() {
                node(items, item, &Place::Item(place, index), unknown);
            }
        }
        (Node::Map(values), Value::Object(map)) => {
            for (key, value) in map.iter_mut() {
                node(values, value, &Place::Field(place, key), unknown);
            }
        }
        (Node::Either(shape, _), value @ Value::Object(_)) => node(shape, value, place, unknown),
        (Node::Either(_, other), value) => node(other, value, place, unknown),
        _ => {}
    }
}

fn object(shape: &Type, map: &mut Map<String, Value>, place: &Place<'_>, unknown: &mut Vec<String>) {
    map.retain(|name, value| {
        let below = Place::Field(place, name);
        match shape.field(name) {
            Some(field) => node(&field.node, value, &below, unknown),
            None if unknown.len() < FIELD_REPORTS_MAX => unknown.push(format!("unknown field \"{below}\"")),
            None => {}
        }
        shape.field(name).is_some()
    });
}
