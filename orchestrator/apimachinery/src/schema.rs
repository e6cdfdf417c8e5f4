//! The schema arena: every type of the API with its merge facts and protobuf field numbers. It
//! drives unknown-field checks, type checks, strategic merge, protobuf decoding and OpenAPI.
//!
//! The built-in types are statics that the build script joins from k8s-openapi's schemas, k8s-pb's
//! field numbers and `build/facts.txt`: nothing is parsed or compiled at run time.

mod builtin;
mod check;
mod prune;
#[cfg(test)]
mod tests;
pub(crate) mod types;

use crate::field::Errors;
use crate::place::Place;
use serde_json::Value;
use std::sync::Arc;
use types::{Node, Shared, Type};

/// A compiled type; cheap to clone and share.
#[derive(Clone, Debug)]
pub struct Schema {
    pub(crate) root: Node,
}

/// What to do with fields that the schema does not know (`fieldValidation`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldValidation {
    /// Drop them silently.
    Ignore,
    /// Drop them and warn.
    Warn,
    /// Refuse the request.
    Strict,
}

/// The built-in type of this name; panics never: an unknown name gives a schema that accepts anything.
pub fn builtin(name: &str) -> Arc<Schema> {
    Arc::new(Schema { root: builtin::find(name).map_or(Node::Any, object) })
}

/// The built-in type of an object's `apiVersion` and `kind`, served or not; DeleteOptions are the
/// same in every group.
pub fn of_kind(api_version: &str, kind: &str) -> Option<Arc<Schema>> {
    if kind == "DeleteOptions" {
        return Some(builtin("io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions"));
    }
    builtin::of_kind(api_version, kind).map(|found| Arc::new(Schema { root: object(found) }))
}

/// A built-in type by name.
pub(crate) fn builtin_type(name: &str) -> Option<&'static Type> {
    builtin::find(name)
}

/// apiVersion and kind of each built-in type that has them.
#[cfg(test)]
pub(crate) fn kinds() -> impl Iterator<Item = (&'static str, &'static str)> {
    builtin::kinds()
}

/// The built-in type of an `apiVersion` and `kind`, if there is one.
pub(crate) fn builtin_of_kind(api_version: &str, kind: &str) -> Option<&'static Type> {
    if kind == "DeleteOptions" {
        return builtin_type("io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions");
    }
    builtin::of_kind(api_version, kind)
}

/// Changes whenever a built-in type does.
pub(crate) fn digest() -> &'static str {
    builtin::digest()
}

fn object(found: &'static Type) -> Node {
    Node::Object(Shared::Static(found))
}

impl Schema {
    /// The schema that accepts anything.
    pub fn any() -> Self {
        Schema { root: Node::Any }
    }

    /// Removes unknown fields and returns a text for each: `unknown field "spec.foo"`; at most
    /// [`FIELD_REPORTS_MAX`](crate::limits::FIELD_REPORTS_MAX) texts.
    pub fn prune(&self, value: &mut Value) -> Vec<String> {
        self.prune_at(value, &Place::Root)
    }

    /// The same for a value that stands somewhere in an object.
    pub(crate) fn prune_at(&self, value: &mut Value, place: &Place<'_>) -> Vec<String> {
        let mut unknown = Vec::new();
        prune::node(&self.root, value, place, &mut unknown);
        unknown
    }

    /// Removes `null`s and optional lists and maps without entries (as upstream's types do), and checks JSON types and formats (`expected integer, got string "x"`).
    /// Times and quantities get upstream's spelling: seconds in UTC, canonical suffixes.
    ///
    /// As in upstream's decoding an absent field is no fault: that required fields are there is
    /// for the kind's validation to say.
    pub fn check(&self, value: &mut Value, errors: &mut Errors) {
        self.check_at(value, &Place::Root, errors);
    }

    /// The same for a value that stands somewhere in an object.
    pub(crate) fn check_at(&self, value: &mut Value, place: &Place<'_>, errors: &mut Errors) {
        check::node(&self.root, value, place, errors);
    }
}
