//! What a configuration may not hold: fields that no type has, items without a name, items twice.

use super::form::{Form, Spot, value_element};
use super::set::shown;
use crate::limits::FIELD_REPORTS_MAX;
use crate::schema::Schema;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt;

/// Gathers faults in upstream's words, with the path that each is at.
pub(super) struct Faults(Vec<String>);

/// The elements down to a value, as a chain on the stack.
#[derive(Clone, Copy)]
struct Trail<'a> {
    above: Option<&'a Trail<'a>>,
    /// A field's name, or an item's element.
    name: &'a str,
    item: bool,
}

impl fmt::Display for Trail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(above) = self.above else { return Ok(()) };
        write!(f, "{above}")?;
        if self.item { f.write_str(&shown(self.name)) } else { write!(f, ".{}", self.name) }
    }
}

impl Faults {
    /// The faults of an object; those of types are for the schema's check to find.
    pub(super) fn of(schema: &Schema, value: &Value) -> Vec<String> {
        let mut faults = Faults(Vec::new());
        faults.look(Spot::root(&schema.root), value, &Trail { above: None, name: "", item: false });
        faults.0
    }

    fn add(&mut self, text: String) {
        if self.0.len() < FIELD_REPORTS_MAX {
            self.0.push(text);
        }
    }

    fn look(&mut self, spot: Spot<'_>, value: &Value, trail: &Trail<'_>) {
        match (spot.form(value), value) {
            (Form::Struct(shape), Value::Object(map)) => {
                for (name, value) in map {
                    let below = Trail { above: Some(trail), name, item: false };
                    if shape.lacks(name) {
                        self.add(format!("{below}: field not declared in schema"));
                    } else {
                        self.look(shape.field(name).0, value, &below);
                    }
                }
            }
            (Form::Map(entry), Value::Object(map)) => {
                for (name, value) in map {
                    self.look(entry, value, &Trail { above: Some(trail), name, item: false });
                }
            }
            (Form::Set, Value::Array(list)) => {
                let mut seen = BTreeSet::new();
                for element in list.iter().map(value_element) {
                    let text = shown(&element);
                    if !seen.insert(element) {
                        self.add(format!("{trail}: duplicate entries for key {text}"));
                    }
                }
            }
            (Form::Items(items), Value::Array(list)) => {
                let mut seen = BTreeSet::new();
                for (index, item) in list.iter().enumerate() {
                    let Some(element) = items.element(item) else {
                        self.add(format!(
                            "{trail}: element {index}: associative list with keys has an element that omits all key \
                             fields {} (and doesn't have default values for any key fields)",
                            items.keys()
                        ));
                        continue;
                    };
                    self.look(items.spot, item, &Trail { above: Some(trail), name: &element, item: true });
                    let text = shown(&element);
                    if !seen.insert(element) {
                        self.add(format!("{trail}: duplicate entries for key {text}"));
                    }
                }
            }
            // A list or struct under another type's name.
            _ => {}
        }
    }
}
