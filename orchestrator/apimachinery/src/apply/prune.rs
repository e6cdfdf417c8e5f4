//! Removing what an applier named before and names no more.

use super::form::{Form, Spot, value_element};
use super::set::{Fields, below, is_member};
use serde_json::{Map, Value};

/// Removes from `value` what is in `last`, the fields that the manager applied the last time,
/// unless it is in `managed`, all fields that anybody owns now. `keep` names fields that stay.
///
/// A struct goes when nobody owns anything in it, with all that is left in it (defaults). Items
/// and entries go when nobody owns themselves.
pub(super) fn prune(
    spot: Spot<'_>,
    value: &mut Value,
    last: &Fields,
    managed: Option<&Fields>,
    keep: &dyn Fn(&str) -> bool,
) {
    let form = spot.form(value);
    match (&form, value) {
        (Form::Struct(shape), Value::Object(map)) => {
            prune_map(map, last, managed, |name| shape.field(name), keep);
        }
        (Form::Map(entry), Value::Object(map)) => prune_map(map, last, managed, |_| (*entry, false), keep),
        (Form::Set, Value::Array(list)) => {
            list.retain(|value| {
                let element = value_element(value);
                !(last.contains_key(&element) && managed.is_none_or(|managed| !managed.contains_key(&element)))
            });
        }
        (Form::Items(items), Value::Array(list)) if last.keys().any(|element| element.starts_with("k:")) => {
            list.retain_mut(|item| {
                let Some(element) = items.element(item) else { return true };
                let Some(last) = below(last, &element) else { return true };
                let managed = managed.and_then(|managed| below(managed, &element));
                if is_member(last) && !managed.is_some_and(is_member) {
                    return false;
                }
                prune(items.spot, item, last, managed, &|name| items.is_key(name));
                true
            });
        }
        _ => {}
    }
}

fn prune_map<'s>(
    map: &mut Map<String, Value>,
    last: &Fields,
    managed: Option<&Fields>,
    field: impl Fn(&str) -> (Spot<'s>, bool),
    keep: &dyn Fn(&str) -> bool,
) {
    for (element, last) in last {
        let (Some(name), Some(last)) = (element.strip_prefix("f:"), last.as_object()) else { continue };
        if keep(name) {
            continue;
        }
        let Some(value) = map.get_mut(name) else { continue };
        let (spot, known) = field(name);
        let managed = managed.and_then(|managed| below(managed, element));
        let gone = match known {
            true => managed.is_none(),
            false => is_member(last) && !managed.is_some_and(is_member),
        };
        if !gone {
            let empty = is_empty(value);
            prune(spot, value, last, managed, &|_| false);
            // What somebody owns as such stays, empty, as in `emptyDir: {}`.
            if empty || !is_empty(value) || (spot.tells_empty(value) && managed.is_some_and(is_member)) {
                continue;
            }
        }
        map.remove(name);
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}
