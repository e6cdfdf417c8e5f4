//! Sets of fields, kept as the JSON of `FieldsV1` so that nothing is converted when an object is
//! stored. A path ends where it is a member: at an empty object, or at one that holds `.`.
//!
//! Source: <https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management>

use crate::limits::DEPTH_MAX;
use serde_json::{Map, Value};
use std::fmt::Write;

/// The elements below a path and what is below them.
pub(super) type Fields = Map<String, Value>;

/// Stands for the path itself where fields below it are members too.
const SELF: &str = ".";

/// A set of fields of an object, in the format `FieldsV1`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FieldSet(pub(super) Fields);

impl FieldSet {
    /// Reads `fieldsV1`; `None` when it is not of that format.
    pub fn parse(value: Value) -> Option<FieldSet> {
        let Value::Object(fields) = value else { return None };
        Some(FieldSet(canonical(fields, 0)?))
    }

    /// The value of `fieldsV1`.
    pub fn into_value(self) -> Value {
        Value::Object(self.0)
    }

    /// Whether no field is a member.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the path of these elements (`f:spec`, `k:{"name":"a"}`) is a member.
    pub fn contains(&self, path: &[&str]) -> bool {
        let mut fields = &self.0;
        for element in path {
            let Some(Value::Object(below)) = fields.get(*element) else { return false };
            fields = below;
        }
        !path.is_empty() && is_member(fields)
    }

    /// Adds the members of another set.
    pub fn union(&mut self, other: FieldSet) {
        union(&mut self.0, other.0);
    }

    /// Takes away the members of another set.
    pub fn subtract(&mut self, other: &FieldSet) {
        subtract(&mut self.0, &other.0);
    }

    /// The members of both.
    pub fn intersection(&self, other: &FieldSet) -> FieldSet {
        FieldSet(intersection(&self.0, &other.0))
    }

    /// The members as conflicts name them: `.spec.containers[name="a"].image`; those of a level
    /// come before those below it.
    pub fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        list(&self.0, "", &mut paths);
        paths
    }
}

impl<'a> FromIterator<&'a str> for FieldSet {
    /// A set of top elements.
    fn from_iter<I: IntoIterator<Item = &'a str>>(elements: I) -> Self {
        let leaf = || Value::Object(Map::new());
        FieldSet(elements.into_iter().map(|element| (element.to_owned(), leaf())).collect())
    }
}

/// The object of an element that is there; anything else than an object is none.
pub(super) fn below<'a>(fields: &'a Fields, element: &str) -> Option<&'a Fields> {
    fields.get(element).and_then(Value::as_object)
}

/// Whether the path that leads to these fields is a member.
pub(super) fn is_member(fields: &Fields) -> bool {
    fields.is_empty() || fields.contains_key(SELF)
}

/// What stands at a path: nothing when it is no member and nothing is below.
pub(super) fn node(member: bool, mut fields: Fields) -> Option<Fields> {
    if fields.is_empty() {
        return member.then_some(fields);
    }
    if member {
        fields.insert(SELF.to_owned(), Value::Object(Map::new()));
    }
    Some(fields)
}

/// Puts what stands at a path into the fields of its parent.
pub(super) fn put(fields: &mut Fields, element: String, node: Option<Fields>) {
    if let Some(node) = node {
        fields.insert(element, Value::Object(node));
    }
}

/// Whether the path is a member; then only what is below it is left.
fn take_member(fields: &mut Fields) -> bool {
    fields.is_empty() || fields.remove(SELF).is_some()
}

fn union(into: &mut Fields, other: Fields) {
    for (element, more) in other {
        let Value::Object(mut more) = more else { continue };
        match into.get_mut(&element) {
            Some(Value::Object(known)) => {
                let member = take_member(known) | take_member(&mut more);
                union(known, more);
                *known = node(member, std::mem::take(known)).unwrap_or_default();
            }
            _ => {
                into.insert(element, Value::Object(more));
            }
        }
    }
}

fn subtract(from: &mut Fields, other: &Fields) {
    for (element, less) in other {
        let (Value::Object(less), Some(Value::Object(known))) = (less, from.get_mut(element)) else { continue };
        let member = take_member(known) && !is_member(less);
        subtract(known, less);
        match node(member, std::mem::take(known)) {
            Some(rest) => *known = rest,
            None => {
                from.remove(element);
            }
        }
    }
}

fn intersection(one: &Fields, other: &Fields) -> Fields {
    let mut both = Fields::new();
    for (element, mine) in one.iter().filter(|(element, _)| *element != SELF) {
        let (Value::Object(mine), Some(theirs)) = (mine, below(other, element)) else { continue };
        let member = is_member(mine) && is_member(theirs);
        put(&mut both, element.clone(), node(member, intersection(mine, theirs)));
    }
    both
}

/// The fields in the one spelling that we compare; `None` when they are not `FieldsV1`.
fn canonical(fields: Fields, depth: usize) -> Option<Fields> {
    if depth > DEPTH_MAX {
        return None;
    }
    let mut out = Fields::new();
    for (element, value) in fields {
        let Value::Object(value) = value else { return None };
        if element == SELF {
            if !value.is_empty() {
                return None;
            }
            // Next to nothing else it says no more than an empty object, and at the root nothing.
            continue;
        }
        let member = is_member(&value);
        let value = node(member, canonical(value, depth + 1)?)?;
        union(&mut out, Fields::from_iter([(spelling(element)?, Value::Object(value))]));
    }
    Some(out)
}

fn spelling(element: String) -> Option<String> {
    let (kind, rest) = element.split_once(':')?;
    match kind {
        "f" => Some(element),
        "k" => {
            let keys: Map<String, Value> = serde_json::from_str(rest).ok()?;
            Some(format!("k:{}", Value::Object(keys)))
        }
        "v" => Some(format!("v:{}", serde_json::from_str::<Value>(rest).ok()?)),
        "i" => Some(format!("i:{}", rest.parse::<u32>().ok()?)),
        _ => None,
    }
}

/// Reads arbitrary bytes as `fieldsV1`; what is read is read back the same.
pub fn fuzz(bytes: &[u8]) {
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else { return };
    let Some(set) = FieldSet::parse(value) else { return };
    set.paths();
    assert_eq!(FieldSet::parse(set.clone().into_value()), Some(set), "one spelling is read as itself");
}

fn list(fields: &Fields, place: &str, paths: &mut Vec<String>) {
    let children = || fields.iter().filter(|(element, _)| *element != SELF);
    for (element, value) in children() {
        if value.as_object().is_some_and(is_member) {
            paths.push(format!("{place}{}", shown(element)));
        }
    }
    for (element, value) in children() {
        if let Value::Object(more) = value {
            list(more, &format!("{place}{}", shown(element)), paths);
        }
    }
}

/// An element as messages show it.
pub(super) fn shown(element: &str) -> String {
    let (kind, rest) = element.split_once(':').unwrap_or(("", element));
    match kind {
        "f" => format!(".{rest}"),
        "k" => {
            let mut text = String::from("[");
            let keys: Map<String, Value> = serde_json::from_str(rest).unwrap_or_default();
            for (index, (key, value)) in keys.iter().enumerate() {
                let comma = if index > 0 { "," } else { "" };
                let _ = write!(text, "{comma}{key}={value}");
            }
            text.push(']');
            text
        }
        "v" => format!("[={rest}]"),
        _ => format!("[{rest}]"),
    }
}
