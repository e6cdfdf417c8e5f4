//! Merging an applied configuration into an object.

use super::form::{Form, Items, Spot, elements};
use serde_json::Value;
use std::collections::HashMap;

/// Merges `config` into `target`: what it names is as it says, all else stays.
pub(super) fn merge(spot: Spot<'_>, target: &mut Value, config: &Value) {
    let (before, form) = (spot.form(target), spot.form(config));
    match (&form, target, config) {
        (Form::Struct(shape), Value::Object(fields), Value::Object(config)) if matches!(before, Form::Struct(_)) => {
            for (name, value) in config {
                match fields.get_mut(name) {
                    Some(target) => merge(shape.field(name).0, target, value),
                    None if says_nothing(shape.field(name).0, value) => {}
                    None => {
                        fields.insert(name.clone(), value.clone());
                    }
                }
            }
        }
        (Form::Map(entry), Value::Object(fields), Value::Object(config)) if matches!(before, Form::Map(_)) => {
            for (key, value) in config {
                match fields.get_mut(key) {
                    Some(target) => merge(*entry, target, value),
                    None => {
                        fields.insert(key.clone(), value.clone());
                    }
                }
            }
        }
        (Form::Set | Form::Items(_), target, Value::Array(items)) if !matches!(before, Form::Leaf) => {
            let items_of = match &form {
                Form::Items(items) => Some(*items),
                _ => None,
            };
            let names = elements(&before, target).zip(elements(&form, config));
            match (names, target) {
                (Some((live, wanted)), Value::Array(list)) => {
                    *list = weave(items_of, std::mem::take(list), &live, items, &wanted);
                }
                (_, target) => *target = config.clone(),
            }
        }
        (_, target, config) => target.clone_from(config),
    }
}

/// Whether a value is an empty list that built-in types cannot tell from none.
fn says_nothing(spot: Spot<'_>, value: &Value) -> bool {
    let empty = value.as_array().is_some_and(Vec::is_empty);
    empty && matches!(spot.form(value), Form::Set | Form::Items(_)) && !spot.tells_empty(value)
}

/// One list of two: the items of the configuration in its order, and between them those that only
/// the live list has, each before the next item that stood behind it.
fn weave(
    items: Option<Items<'_>>,
    live: Vec<Value>,
    live_names: &[String],
    config: &[Value],
    config_names: &[String],
) -> Vec<Value> {
    let mut places: HashMap<&str, Vec<usize>> = HashMap::new();
    for (place, name) in live_names.iter().enumerate() {
        places.entry(name).or_default().push(place);
    }
    let wanted: HashMap<&str, usize> = config_names.iter().enumerate().map(|(at, name)| (name.as_str(), at)).collect();
    let mut live: Vec<Option<Value>> = live.into_iter().map(Some).collect();
    let mut out = Vec::with_capacity(live.len() + config.len());
    let mut at = 0;
    for (index, item) in config.iter().enumerate() {
        let next = config_names[index..].iter().find(|name| places.contains_key(name.as_str()));
        while at < live.len() && Some(&live_names[at]) != next {
            if !wanted.contains_key(live_names[at].as_str()) {
                out.extend(live[at].take());
            }
            at += 1;
        }
        let name = config_names[index].as_str();
        if at < live.len() && live_names[at] == name {
            at += 1;
        }
        // Of an item that is there several times none is the one to merge with.
        let found = match places.get(name).map(Vec::as_slice) {
            Some([place]) => live[*place].take(),
            _ => None,
        };
        out.push(match (items, found) {
            (Some(items), Some(mut found)) => {
                merge(items.spot, &mut found, item);
                found
            }
            _ => item.clone(),
        });
    }
    for (place, name) in live_names.iter().enumerate().skip(at) {
        if !wanted.contains_key(name.as_str()) {
            out.extend(live[place].take());
        }
    }
    out
}
