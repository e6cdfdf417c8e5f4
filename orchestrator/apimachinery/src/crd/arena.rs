//! A structural schema as types of the arena, which apply and patches go by.

use super::shape::{Additional, List, Shape};
use crate::schema::types::{Field, ListType, MapType, Node, Patch, Shared, Type};
use crate::schema::{Schema, builtin_type};
use std::borrow::Cow;
use std::sync::Arc;

const METADATA: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

/// The schema of a kind.
pub(super) fn schema(name: &str, shape: &Shape) -> Schema {
    Schema { root: Node::Object(Shared::Owned(Arc::new(object(name, shape, true)))) }
}

fn object(name: &str, shape: &Shape, resource: bool) -> Type {
    let mut fields: Vec<Field> = shape
        .properties
        .iter()
        .filter(|(name, _)| !resource || !matches!(name.as_str(), "apiVersion" | "kind" | "metadata"))
        .map(|(name, shape)| field(name, node(shape), shape, false))
        .collect();
    if resource {
        let plain = Shape::default();
        fields.push(field("apiVersion", Node::Text, &plain, false));
        fields.push(field("kind", Node::Text, &plain, false));
        let metadata = builtin_type(METADATA).map_or(Node::Any, |found| Node::Object(Shared::Static(found)));
        fields.push(field("metadata", metadata, &plain, false));
    }
    for field in &mut fields {
        field.required = shape.required.iter().any(|name| *name == field.name);
    }
    fields.sort_by(|one, other| one.name.cmp(&other.name));
    Type {
        name: Cow::Owned(name.to_owned()),
        description: Cow::Owned(shape.description.clone()),
        map: if shape.atomic { MapType::Atomic } else { MapType::Unset },
        fields: Cow::Owned(fields),
    }
}

fn field(name: &str, node: Node, shape: &Shape, required: bool) -> Field {
    Field {
        name: Cow::Owned(name.to_owned()),
        description: Cow::Owned(shape.description.clone()),
        node,
        required,
        tags: Cow::Borrowed(&[]),
        list: match shape.list {
            _ if shape.type_ != "array" => ListType::Unset,
            List::Atomic => ListType::Atomic,
            List::Set => ListType::Set,
            List::Map => ListType::Map(Cow::Owned(shape.keys.iter().cloned().map(Cow::Owned).collect())),
        },
        patch: Patch { merge: false, replace: false, retain_keys: false, key: Cow::Borrowed("") },
        map: if shape.atomic { MapType::Atomic } else { MapType::Unset },
        zero: false,
        default: shape.default.as_ref().map_or(Cow::Borrowed(""), |value| Cow::Owned(value.to_string())),
    }
}

fn shared(shape: &Shape) -> Shared<Node> {
    Shared::Owned(Arc::new(node(shape)))
}

fn node(shape: &Shape) -> Node {
    if shape.int_or_string {
        return Node::IntOrString;
    }
    match (&*shape.type_, &shape.additional, &shape.items) {
        ("object" | "", Some(Additional::Of(values)), _) => Node::Map(shared(values)),
        ("object", _, _) if !shape.properties.is_empty() || shape.embedded => {
            Node::Object(Shared::Owned(Arc::new(object("", shape, shape.embedded))))
        }
        ("array", _, Some(items)) => Node::List(shared(items)),
        ("string", ..) => Node::Text,
        ("boolean", ..) => Node::Boolean,
        ("integer", ..) => Node::Integer64,
        ("number", ..) => Node::Number,
        _ => Node::Any,
    }
}
