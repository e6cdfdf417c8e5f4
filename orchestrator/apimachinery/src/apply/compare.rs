//! Which fields a value has, and which fields differ between two values.

use super::form::{Form, Items, Spot, Struct, elements, field_element, value_element};
use super::set::{Fields, node, put};
use serde_json::{Map, Value};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// What a change did to the fields below a place, or to the place itself.
#[derive(Default)]
pub(super) struct Delta {
    /// Set anew or to something else.
    pub(super) touched: Option<Fields>,
    /// Gone.
    pub(super) removed: Option<Fields>,
}

/// The fields below a place, as they are gathered.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) touched: Fields,
    pub(super) removed: Fields,
}

impl Gathered {
    pub(super) fn add(&mut self, element: impl FnOnce() -> String, delta: Delta) {
        if delta.touched.is_none() && delta.removed.is_none() {
            return;
        }
        let element = element();
        if delta.removed.is_some() {
            put(&mut self.removed, element.clone(), delta.removed);
        }
        put(&mut self.touched, element, delta.touched);
    }

    fn finish(self) -> Delta {
        Delta { touched: node(false, self.touched), removed: node(false, self.removed) }
    }
}

/// Whose fields a value's are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Claim {
    /// Those that a configuration names: leaves, items of lists, entries of maps.
    Named,
    /// All that came with the value, the structs around them too.
    Everything,
}

/// The fields of a value and of what is in it. `member` says that the place itself is one.
pub(super) fn covered(spot: Spot<'_>, value: &Value, claim: Claim, member: bool) -> Option<Fields> {
    let member = member || claim == Claim::Everything;
    let form = spot.form(value);
    match (&form, value) {
        (Form::Struct(_) | Form::Map(_), Value::Object(map)) if map.is_empty() => Some(Fields::new()),
        (Form::Struct(shape), Value::Object(map)) => node(member, fields_of(*shape, map, claim, |_| true)),
        (Form::Map(entry), Value::Object(map)) => {
            let mut fields = Fields::new();
            for (key, value) in map {
                put(&mut fields, field_element(key), covered(*entry, value, claim, true));
            }
            node(member, fields)
        }
        (Form::Set | Form::Items(_), Value::Array(list)) if list.is_empty() => {
            node(member || spot.tells_empty(value), Fields::new())
        }
        (Form::Set, Value::Array(list)) => {
            let elements = list.iter().map(|value| (value_element(value), Value::Object(Map::new())));
            node(member, elements.collect())
        }
        (Form::Items(items), Value::Array(list)) => match elements(&form, value) {
            Some(elements) => node(member, items_of(*items, list, elements, claim)),
            None => Some(Fields::new()),
        },
        _ => Some(Fields::new()),
    }
}

/// The fields of those fields of an object that `tracked` picks.
pub(super) fn fields_of(
    shape: Struct<'_>,
    map: &Map<String, Value>,
    claim: Claim,
    tracked: impl Fn(&str) -> bool,
) -> Fields {
    let mut fields = Fields::new();
    for (name, value) in map.iter().filter(|(name, _)| tracked(name)) {
        let (spot, known) = shape.field(name);
        put(&mut fields, field_element(name), covered(spot, value, claim, !known));
    }
    fields
}

fn items_of(items: Items<'_>, list: &[Value], elements: Vec<String>, claim: Claim) -> Fields {
    let mut fields = Fields::new();
    for (item, element) in list.iter().zip(elements) {
        // Of items that come twice nobody owns more than that they are there.
        let below = match fields.contains_key(&element) {
            true => Some(Fields::new()),
            false => covered(items.spot, item, claim, true),
        };
        put(&mut fields, element, below);
    }
    fields
}

/// The differences between two values of a place. `always` says that upstream's types have the
/// place even when it is not written, so that it cannot come or go by itself.
pub(super) fn compare(spot: Spot<'_>, old: Option<&Value>, new: Option<&Value>, always: bool) -> Delta {
    match (old, new) {
        (Some(old), Some(new)) => within(spot, old, new),
        (None, Some(new)) if always => within(spot, &empty_like(new), new),
        (Some(old), None) if always => within(spot, old, &empty_like(old)),
        (None, Some(new)) => Delta { touched: covered(spot, new, Claim::Everything, true), removed: None },
        (Some(old), None) => Delta { touched: None, removed: covered(spot, old, Claim::Everything, true) },
        (None, None) => Delta::default(),
    }
}

fn empty_like(value: &Value) -> Value {
    match value {
        Value::Object(_) => Value::Object(Map::new()),
        Value::Array(_) => Value::Array(Vec::new()),
        _ => Value::Null,
    }
}

fn within(spot: Spot<'_>, old: &Value, new: &Value) -> Delta {
    let (old_form, new_form) = (spot.form(old), spot.form(new));
    match (&old_form, &new_form, old, new) {
        (Form::Struct(shape), Form::Struct(_), Value::Object(old), Value::Object(new)) => {
            structs(*shape, old, new, |_| true).finish()
        }
        (Form::Map(entry), Form::Map(_), Value::Object(old), Value::Object(new)) => {
            let mut gathered = Gathered::default();
            pairs(old, new, |key, old, new| gathered.add(|| field_element(key), compare(*entry, old, new, false)));
            gathered.finish()
        }
        (Form::Set, Form::Set, Value::Array(old), Value::Array(new)) if old != new => sets(old, new),
        (Form::Items(items), Form::Items(_), Value::Array(before), Value::Array(after)) if before != after => {
            match (elements(&old_form, old), elements(&new_form, new)) {
                (Some(old), Some(new)) => lists(*items, index(before, old), index(after, new)),
                _ => whole(spot, old, new),
            }
        }
        (Form::Leaf, Form::Leaf, ..) if old != new => Delta { touched: Some(Fields::new()), removed: None },
        (Form::Struct(_), Form::Struct(_), ..)
        | (Form::Map(_), Form::Map(_), ..)
        | (Form::Set, Form::Set, ..)
        | (Form::Items(_), Form::Items(_), ..)
        | (Form::Leaf, Form::Leaf, ..) => Delta::default(),
        _ => whole(spot, old, new),
    }
}

/// A value that is of another form now.
fn whole(spot: Spot<'_>, old: &Value, new: &Value) -> Delta {
    let removed = covered(spot, old, Claim::Everything, false).unwrap_or_default();
    let removed = removed.into_iter().filter(|(element, _)| element != ".").collect();
    Delta { touched: covered(spot, new, Claim::Everything, true), removed: node(false, removed) }
}

/// The differences of those fields that `tracked` picks.
pub(super) fn structs(
    shape: Struct<'_>,
    old: &Map<String, Value>,
    new: &Map<String, Value>,
    tracked: impl Fn(&str) -> bool,
) -> Gathered {
    let mut gathered = Gathered::default();
    pairs(old, new, |name, old, new| {
        if tracked(name) {
            let (spot, _) = shape.field(name);
            let always = (old.is_none() || new.is_none()) && shape.always_has(name);
            gathered.add(|| field_element(name), compare(spot, old, new, always));
        }
    });
    gathered
}

/// Visits the entries of two maps by key.
fn pairs(
    old: &Map<String, Value>,
    new: &Map<String, Value>,
    mut visit: impl FnMut(&str, Option<&Value>, Option<&Value>),
) {
    let (mut old, mut new) = (old.iter().peekable(), new.iter().peekable());
    loop {
        let order = match (old.peek(), new.peek()) {
            (Some((one, _)), Some((other, _))) => one.cmp(other),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => return,
        };
        let before = if order.is_le() { old.next() } else { None };
        let after = if order.is_ge() { new.next() } else { None };
        if let Some((key, _)) = before.or(after) {
            visit(key, before.map(|(_, value)| value), after.map(|(_, value)| value));
        }
    }
}

fn sets(old: &[Value], new: &[Value]) -> Delta {
    let (old, new): (BTreeSet<String>, BTreeSet<String>) =
        (old.iter().map(value_element).collect(), new.iter().map(value_element).collect());
    let members = |some: Vec<&String>| {
        node(false, some.into_iter().map(|element| (element.clone(), Value::Object(Map::new()))).collect())
    };
    Delta { touched: members(new.difference(&old).collect()), removed: members(old.difference(&new).collect()) }
}

/// Items by element; those that come several times together.
fn index<'a>(list: &'a [Value], elements: Vec<String>) -> BTreeMap<String, Vec<&'a Value>> {
    let mut index: BTreeMap<String, Vec<&'a Value>> = BTreeMap::new();
    for (item, element) in list.iter().zip(elements) {
        index.entry(element).or_default().push(item);
    }
    index
}

fn lists(items: Items<'_>, old: BTreeMap<String, Vec<&Value>>, new: BTreeMap<String, Vec<&Value>>) -> Delta {
    let mut gathered = Gathered::default();
    let none = Vec::new();
    for (element, before) in &old {
        let after = new.get(element).unwrap_or(&none);
        gathered.add(|| element.clone(), item(items, before, after));
    }
    for (element, after) in new.iter().filter(|(element, _)| !old.contains_key(*element)) {
        gathered.add(|| element.clone(), item(items, &none, after));
    }
    gathered.finish()
}

fn item(items: Items<'_>, old: &[&Value], new: &[&Value]) -> Delta {
    let only = |some: &[&Value]| some.len() == 1;
    let alone = || Some(Fields::new());
    match (old, new) {
        (old, new) if old == new => Delta::default(),
        (old, new) if old.len() <= 1 && new.len() <= 1 => {
            compare(items.spot, old.first().copied(), new.first().copied(), false)
        }
        // Several of one name are one thing; it comes, goes or changes as a whole.
        (old, []) if !only(old) => Delta { touched: None, removed: alone() },
        _ => Delta { touched: alone(), removed: None },
    }
}
