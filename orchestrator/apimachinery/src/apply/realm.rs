//! Which fields of an object a write owns: those that its resource or subresource may change.

use super::compare::{Claim, Gathered, fields_of, structs};
use super::form::{Form, Spot, Struct, metadata};
use super::set::{FieldSet, Fields, node, put};
use crate::schema::Schema;
use serde_json::{Map, Value};

/// What of an object a resource or subresource writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Realm {
    /// All of it.
    Whole,
    /// All but the status, which a subresource writes.
    WithoutStatus,
    /// Status and metadata alone.
    Status,
}

/// Fields of metadata that nobody owns.
const UNTRACKED: [&str; 10] = [
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "name",
    "namespace",
    "resourceVersion",
    "selfLink",
    "uid",
];

impl Realm {
    fn tracks(self, name: &str) -> bool {
        match name {
            "apiVersion" | "kind" | "metadata" => false,
            "status" => self != Realm::WithoutStatus,
            _ => self != Realm::Status,
        }
    }

    fn tracks_metadata(self, name: &str) -> bool {
        !UNTRACKED.contains(&name) && (self != Realm::Status || name != "ownerReferences")
    }

    /// What differs between two objects; all when there is no old one.
    pub(super) fn compare(self, schema: &Schema, old: Option<&Value>, new: &Value) -> (FieldSet, FieldSet) {
        let none = Map::new();
        let before = old.and_then(Value::as_object).unwrap_or(&none);
        let after = new.as_object().unwrap_or(&none);
        let mut gathered = match Spot::root(&schema.root).form(new) {
            Form::Struct(shape) => structs(shape, before, after, |name| self.tracks(name)),
            _ => Gathered::default(),
        };
        let before = before.get("metadata").and_then(Value::as_object).unwrap_or(&none);
        let after = after.get("metadata").and_then(Value::as_object).unwrap_or(&none);
        if let Some(shape) = metadata_shape() {
            let Gathered { touched, removed } = structs(shape, before, after, |name| self.tracks_metadata(name));
            put(&mut gathered.touched, "f:metadata".into(), node(false, touched));
            put(&mut gathered.removed, "f:metadata".into(), node(false, removed));
        }
        (FieldSet(gathered.touched), FieldSet(gathered.removed))
    }

    /// The fields that a configuration names.
    pub(super) fn named(self, schema: &Schema, config: &Value) -> FieldSet {
        let Some(map) = config.as_object() else { return FieldSet::default() };
        let mut fields = match Spot::root(&schema.root).form(config) {
            Form::Struct(shape) => fields_of(shape, map, Claim::Named, |name| self.tracks(name)),
            _ => Fields::new(),
        };
        if let (Some(shape), Some(map)) = (metadata_shape(), map.get("metadata").and_then(Value::as_object)) {
            let below = fields_of(shape, map, Claim::Named, |name| self.tracks_metadata(name));
            put(&mut fields, "f:metadata".into(), node(false, below));
        }
        FieldSet(fields)
    }
}

fn metadata_shape() -> Option<Struct<'static>> {
    match metadata().form(&Value::Object(Map::new())) {
        Form::Struct(shape) => Some(shape),
        _ => None,
    }
}
