//! Unknown fields, nulls and defaults of custom resources.

use super::shape::{Additional, Shape};
use crate::limits::FIELD_REPORTS_MAX;
use crate::place::Place;
use serde_json::{Map, Value};

/// Fields of every object, whatever its schema says.
const OWN: [&str; 3] = ["apiVersion", "kind", "metadata"];

/// Removes what a schema does not know; `is_root` is true for the object itself, whose metadata
/// is not looked into.
pub(super) fn prune(shape: &Shape, value: &mut Value, is_root: bool, place: &Place<'_>, unknown: &mut Vec<String>) {
    match value {
        Value::Object(map) => object(shape, map, is_root, place, unknown),
        Value::Array(list) => {
            let Some(items) = &shape.items else { return };
            for (index, item) in list.iter_mut().enumerate() {
                prune(items, item, false, &Place::Item(place, index), unknown);
            }
        }
        _ => {}
    }
}

fn object(shape: &Shape, map: &mut Map<String, Value>, is_root: bool, place: &Place<'_>, unknown: &mut Vec<String>) {
    let resource = is_root || shape.embedded;
    map.retain(|name, value| {
        let below = Place::Field(place, name);
        if resource && OWN.contains(&name.as_str()) {
            return true;
        }
        if let Some(known) = shape.properties.get(name) {
            prune(known, value, false, &below, unknown);
            return true;
        }
        match &shape.additional {
            Some(Additional::Of(values)) => {
                prune(values, value, false, &below, unknown);
                true
            }
            Some(Additional::Any) => true,
            _ if shape.preserves => true,
            _ => {
                if unknown.len() < FIELD_REPORTS_MAX {
                    unknown.push(format!("unknown field \"{below}\""));
                }
                false
            }
        }
    });
}

/// Removes nulls where the schema allows none.
pub(super) fn drop_nulls(shape: &Shape, value: &mut Value) {
    match value {
        Value::Object(map) => map.retain(|name, value| {
            let Some(below) = below(shape, name) else { return true };
            if value.is_null() && !below.nullable {
                return false;
            }
            drop_nulls(below, value);
            true
        }),
        Value::Array(list) => {
            if let Some(items) = &shape.items {
                list.iter_mut().for_each(|item| drop_nulls(items, item));
            }
        }
        _ => {}
    }
}

/// Puts defaults where nothing is.
pub(super) fn fill(shape: &Shape, value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (name, below) in &shape.properties {
                let Some(default) = &below.default else { continue };
                if map.get(name).is_none_or(|value| value.is_null() && !below.nullable) {
                    map.insert(name.clone(), default.clone());
                }
            }
            for (name, value) in map.iter_mut() {
                if let Some(below) = below(shape, name) {
                    fill_one(below, value);
                }
            }
        }
        Value::Array(list) => {
            if let Some(items) = &shape.items {
                list.iter_mut().for_each(|item| fill_one(items, item));
            }
        }
        _ => {}
    }
}

fn fill_one(shape: &Shape, value: &mut Value) {
    if let (true, false, Some(default)) = (value.is_null(), shape.nullable, &shape.default) {
        value.clone_from(default);
    }
    fill(shape, value);
}

/// The shape of a field or of a map's value.
pub(super) fn below<'s>(shape: &'s Shape, name: &str) -> Option<&'s Shape> {
    shape.properties.get(name).or(match &shape.additional {
        Some(Additional::Of(values)) => Some(values),
        _ => None,
    })
}
