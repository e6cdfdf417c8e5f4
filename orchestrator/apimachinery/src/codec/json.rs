//! JSON that remembers which fields came twice.

use crate::limits::FIELD_REPORTS_MAX;
use crate::place::Place;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::cell::RefCell;
use std::fmt::{self, Write};

/// A JSON value and its duplicate fields; of two values of a field the last stays.
///
/// Nesting is bounded by serde_json's own limit of 128 levels.
#[derive(Debug)]
pub struct Strict {
    /// The value.
    pub value: Value,
    /// `duplicate field "spec.x"`, at most [`FIELD_REPORTS_MAX`].
    pub duplicates: Vec<String>,
}

impl<'de> serde::Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let report = RefCell::default();
        let value = Seed { report: &report, place: &Place::Root }.deserialize(deserializer)?;
        Ok(Strict { value, duplicates: report.into_inner() })
    }
}

struct Seed<'a> {
    report: &'a RefCell<Vec<String>>,
    place: &'a Place<'a>,
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Bool(flag))
    }
    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Number(number.into()))
    }
    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Number(number.into()))
    }
    fn visit_f64<E: Error>(self, number: f64) -> Result<Value, E> {
        Number::from_f64(number).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }
    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }
    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::String(text))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        loop {
            let place = Place::Item(self.place, items.len());
            let Some(item) = list.next_element_seed(Seed { report: self.report, place: &place })? else {
                return Ok(Value::Array(items));
            };
            items.push(item);
        }
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            let place = Place::Field(self.place, &key);
            let value = map.next_value_seed(Seed { report: self.report, place: &place })?;
            if fields.contains_key(&key) {
                let mut report = self.report.borrow_mut();
                if report.len() < FIELD_REPORTS_MAX {
                    let mut text = String::new();
                    let _ = write!(text, "duplicate field \"{place}\"");
                    report.push(text);
                }
            }
            fields.insert(key, value);
        }
        Ok(Value::Object(fields))
    }
}
