//! What a structural schema declares to CEL: types, and sizes in the worst request.
//!
//! Source: <https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#resource-use-by-validation-functions>

use super::shape::{Additional, Shape};
use crate::cel::{Decl, SIZE_UNKNOWN, Type};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Bytes that a code point takes at most.
const CODE_POINT_BYTES_MAX: u64 = 4;
/// Bytes of a duration, a date and a time as JSON, at most and at least.
const DURATION_BYTES: (u64, u64) = (32, 4);
const DATE_BYTES: (u64, u64) = (12, 12);
const TIME_BYTES: (u64, u64) = (37, 22);

/// Bytes of the least value that a schema allows, as JSON.
pub(super) fn bytes_min(shape: &Shape) -> u64 {
    if shape.int_or_string {
        return 1;
    }
    match &*shape.type_ {
        "object" if shape.additional.is_none() => shape
            .properties
            .iter()
            .filter(|(name, below)| shape.required.contains(name) && below.default.is_none())
            // Quotes, a colon and a comma.
            .fold(2, |sum: u64, (name, below)| sum.saturating_add(name.len() as u64 + bytes_min(below) + 4)),
        "object" | "array" => 2,
        "boolean" => 4,
        "string" => of_format(shape).map_or(2, |(_, min)| min),
        _ => 1,
    }
}

/// Most and least bytes of a text in one of these formats.
fn of_format(shape: &Shape) -> Option<(u64, u64)> {
    match &*shape.format {
        "duration" => Some(DURATION_BYTES),
        "date" => Some(DATE_BYTES),
        "date-time" => Some(TIME_BYTES),
        _ => None,
    }
}

/// How many values of that least size a request holds.
pub(super) fn count_max(bytes_min: u64) -> u64 {
    SIZE_UNKNOWN / bytes_min.saturating_add(1)
}

/// Items that a list can have.
pub(super) fn items_max(shape: &Shape) -> u64 {
    let least = shape.items.as_ref().map_or(1, |items| bytes_min(items));
    shape.sizes.max_items.unwrap_or((SIZE_UNKNOWN - 2) / (least + 1))
}

/// Entries that a map can have.
pub(super) fn entries_max(shape: &Shape, values: &Shape) -> u64 {
    // A key's quotes, a colon and a comma.
    shape.sizes.max_properties.unwrap_or((SIZE_UNKNOWN - 2) / (bytes_min(values) + 6))
}

fn text(shape: &Shape) -> Decl {
    let longest = shape.choices.iter().filter_map(|choice| choice.as_str()).map(str::len).max();
    let size = match (shape.sizes.max_length, longest, of_format(shape)) {
        (Some(max), ..) => max.saturating_mul(CODE_POINT_BYTES_MAX),
        (None, Some(longest), _) => longest as u64,
        (None, None, Some((max, _))) => max,
        _ => SIZE_UNKNOWN - 2,
    };
    match &*shape.format {
        "byte" => Decl { kind: Type::Bytes, size },
        "duration" => Decl { kind: Type::Duration, size },
        "date" | "date-time" => Decl { kind: Type::Timestamp, size },
        _ => Decl::text(size),
    }
}

/// What a schema declares; `is_resource` is true for an object with apiVersion, kind and metadata.
pub(super) fn decl(shape: &Shape, is_resource: bool) -> Decl {
    if shape.int_or_string {
        return Decl { kind: Type::Dyn, size: SIZE_UNKNOWN - 2 };
    }
    match (&*shape.type_, &shape.items) {
        ("array", Some(items)) => Decl::list(decl(items, items.embedded), items_max(shape)),
        ("object", _) => object(shape, is_resource || shape.embedded),
        ("string", _) => text(shape),
        ("boolean", _) => Decl { kind: Type::Bool, size: 0 },
        ("integer", _) => Decl { kind: Type::Int, size: 0 },
        ("number", _) => Decl { kind: Type::Double, size: 0 },
        _ => Decl::unknown(),
    }
}

fn object(shape: &Shape, is_resource: bool) -> Decl {
    match &shape.additional {
        Some(Additional::Of(values)) => return Decl::map(decl(values, values.embedded), entries_max(shape, values)),
        Some(Additional::Any) => return Decl::map(Decl::unknown(), SIZE_UNKNOWN),
        _ => {}
    }
    let mut fields: BTreeMap<String, Decl> =
        shape.properties.iter().map(|(name, below)| (name.clone(), decl(below, below.embedded))).collect();
    if is_resource {
        let text = || Decl::text(SIZE_UNKNOWN);
        fields.insert("apiVersion".into(), text());
        fields.insert("kind".into(), text());
        // Rules see nothing else of an object's metadata.
        let metadata = ["name", "generateName"].map(|name| (name.to_owned(), text())).into_iter().collect();
        fields.insert("metadata".into(), Decl { kind: Type::Object(Arc::new(metadata)), size: 0 });
    }
    Decl { kind: Type::Object(Arc::new(fields)), size: 0 }
}
