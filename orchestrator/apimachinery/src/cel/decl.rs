//! What a schema declares of a value: its type, and how large it can be at most.
//!
//! Source: <https://kubernetes.io/docs/reference/using-api/cel/#type-checking>

use crate::limits::BODY_BYTES_MAX;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Bytes or elements of what nobody bounds: a request has no more.
pub(crate) const SIZE_UNKNOWN: u64 = BODY_BYTES_MAX as u64;

/// A type of CEL, as far as it is known when an expression is compiled.
#[derive(Clone, Debug)]
pub(crate) enum Type {
    /// Nobody knows: everything fits.
    Dyn,
    Null,
    Bool,
    Int,
    Uint,
    Double,
    String,
    Bytes,
    Timestamp,
    Duration,
    List(Arc<Decl>),
    /// Of keys and values.
    Map(Arc<Decl>, Arc<Decl>),
    Object(Arc<BTreeMap<String, Decl>>),
    Optional(Arc<Decl>),
    /// A value of a library: a URL, a quantity, an address.
    Other(&'static str),
}

/// A type and its largest size.
#[derive(Clone, Debug)]
pub(crate) struct Decl {
    pub kind: Type,
    /// Bytes of a text, elements of a list or map, 1 for a value without length, 0 for what a schema
    /// declares without length (comparing it costs nothing, as upstream counts), [`SIZE_UNKNOWN`] when nobody knows.
    pub size: u64,
}

impl Decl {
    /// A value of a type that has no length.
    pub fn scalar(kind: Type) -> Decl {
        Decl { kind, size: 1 }
    }

    /// A value of which nothing is known.
    pub fn unknown() -> Decl {
        Decl { kind: Type::Dyn, size: SIZE_UNKNOWN }
    }

    /// A text of at most that many bytes.
    pub fn text(size: u64) -> Decl {
        Decl { kind: Type::String, size }
    }

    /// A list of at most that many items.
    pub fn list(item: Decl, size: u64) -> Decl {
        Decl { kind: Type::List(Arc::new(item)), size }
    }

    /// A map with texts as keys and at most that many entries. As upstream counts, keys have no length.
    pub fn map(value: Decl, size: u64) -> Decl {
        Decl { kind: Type::Map(Arc::new(Decl::text(0)), Arc::new(value)), size }
    }

    /// Either of two: what both are, else nobody knows.
    pub fn join(self, other: Decl) -> Decl {
        let size = self.size.max(other.size);
        match (&self.kind, &other.kind) {
            // What an empty list has.
            (Type::Dyn, _) if self.size == 0 => other,
            (_, Type::Dyn) if other.size == 0 => self,
            // `optional.none()` is one of anything.
            (Type::Optional(inner), Type::Optional(_)) if inner.size == 0 => other,
            (Type::Null, _) => Decl { size, ..other },
            (_, Type::Null) => Decl { size, ..self },
            (Type::Dyn, _) | (_, Type::Dyn) => Decl { kind: Type::Dyn, size },
            (one, other) if one.agrees(other) => Decl { size, ..self },
            _ => Decl { kind: Type::Dyn, size },
        }
    }
}

impl Type {
    /// Whether values of both types may be of the same type.
    pub fn agrees(&self, other: &Type) -> bool {
        match (self, other) {
            (Type::Dyn, _) | (_, Type::Dyn) => true,
            (Type::Null, other) | (other, Type::Null) => other.may_be_null(),
            (Type::List(one), Type::List(other)) | (Type::Optional(one), Type::Optional(other)) => {
                one.kind.agrees(&other.kind)
            }
            (Type::Map(key, value), Type::Map(other_key, other)) => {
                key.kind.agrees(&other_key.kind) && value.kind.agrees(&other.kind)
            }
            // A literal of a map is no object to upstream; nobody is hurt when it is one here.
            (Type::Object(_), Type::Object(_) | Type::Map(..)) | (Type::Map(..), Type::Object(_)) => true,
            (Type::Other(one), Type::Other(other)) => one == other,
            (one, other) => std::mem::discriminant(one) == std::mem::discriminant(other),
        }
    }

    fn may_be_null(&self) -> bool {
        !matches!(
            self,
            Type::Bool
                | Type::Int
                | Type::Uint
                | Type::Double
                | Type::String
                | Type::Bytes
                | Type::List(_)
                | Type::Map(..)
        )
    }

    pub fn is_number(&self) -> bool {
        matches!(self, Type::Int | Type::Uint | Type::Double)
    }
}

/// The names that messages of cel-go have for types.
impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Dyn => f.write_str("dyn"),
            Type::Null => f.write_str("null"),
            Type::Bool => f.write_str("bool"),
            Type::Int => f.write_str("int"),
            Type::Uint => f.write_str("uint"),
            Type::Double => f.write_str("double"),
            Type::String => f.write_str("string"),
            Type::Bytes => f.write_str("bytes"),
            Type::Timestamp => f.write_str("timestamp"),
            Type::Duration => f.write_str("duration"),
            Type::List(item) => write!(f, "list({})", item.kind),
            Type::Map(key, value) => write!(f, "map({}, {})", key.kind, value.kind),
            Type::Object(_) => f.write_str("object"),
            Type::Optional(value) => write!(f, "optional_type({})", value.kind),
            Type::Other(name) => f.write_str(name),
        }
    }
}
