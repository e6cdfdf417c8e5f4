//! What functions give: types, sizes and costs, as far as they are known before evaluation.
//!
//! Source: <https://kubernetes.io/docs/reference/using-api/cel/#cel-options-language-features-and-libraries>

use super::decl::{Decl, SIZE_UNKNOWN, Type};
use super::rewrite::STEP;
use std::sync::Arc;

/// Bytes of a number, a truth or a time as text, at most.
const SHORT_TEXT_BYTES: u64 = 64;

/// Functions of the libraries that the interpreter has and that nothing below speaks of.
const OTHERS: &[&str] = &[
    "add",
    "allowed",
    "asInteger",
    "bool",
    "byte",
    "cel",
    "check",
    "cidr",
    "containsCIDR",
    "containsIP",
    "distinct",
    "dyn",
    "errored",
    "error",
    "family",
    "fieldSelector",
    "find",
    "first",
    "flatMap",
    "flatten",
    "format",
    "group",
    "ip",
    "ip.isCanonical",
    "isCanonical",
    "key",
    "labelSelector",
    "last",
    "major",
    "masked",
    "minor",
    "name",
    "named",
    "namespace",
    "patch",
    "path",
    "prefixLength",
    "quote",
    "range",
    "reason",
    "resource",
    "reverse",
    "semver",
    "serviceAccount",
    "sign",
    "slice",
    "sort",
    "sortBy",
    "sub",
    "subresource",
    "type",
];
/// Libraries whose functions are called by `library.function(…)`.
const LIBRARIES: [&str; 7] = ["base64.", "format.", "jsonpatch.", "lists.", "math.", "sets.", "strings."];

/// What traversing a text of that size costs: a tenth for each byte.
pub(super) fn traversal(size: u64) -> u64 {
    size.div_ceil(10)
}

/// What a pattern of that size adds to each byte that is matched: a quarter for each of its bytes.
fn matching(pattern: u64) -> u64 {
    pattern.div_ceil(4)
}

/// What a call gives and costs, without its arguments; `None` when there is no such function.
/// The first operand is the target where there is one.
pub(super) fn call(name: &str, operands: &[Decl]) -> Option<(Decl, u64)> {
    let first = operands.first().cloned().unwrap_or_else(Decl::unknown);
    let second = operands.get(1).map_or(1, |second| second.size);
    let of = |kind: Type, cost: u64| Some((Decl::scalar(kind), cost));
    match name {
        STEP => of(Type::Bool, 0),
        "size" | "getDate" | "getDayOfMonth" | "getDayOfWeek" | "getDayOfYear" | "getFullYear" | "getHours"
        | "getMilliseconds" | "getMinutes" | "getMonth" | "getSeconds" | "compareTo" => of(Type::Int, 1),
        "int" => of(Type::Int, 1),
        "uint" => of(Type::Uint, 1),
        "double" | "asApproximateFloat" => of(Type::Double, 1),
        "timestamp" => of(Type::Timestamp, 1),
        "duration" => of(Type::Duration, 1),
        "string" => match first.kind {
            Type::String => Some((first.clone(), 1)),
            Type::Bytes => Some((Decl::text(first.size), traversal(first.size))),
            _ => Some((Decl::text(SHORT_TEXT_BYTES), 1)),
        },
        "bytes" => Some((Decl { kind: Type::Bytes, size: first.size }, traversal(first.size))),
        "startsWith" | "endsWith" => of(Type::Bool, traversal(second)),
        "contains" => of(Type::Bool, traversal(first.size).saturating_mul(traversal(second))),
        "matches" => of(Type::Bool, searched(&first, second)),
        "lowerAscii" | "upperAscii" | "trim" | "substring" => Some((Decl::text(first.size), traversal(first.size))),
        "charAt" => Some((Decl::text(4), 1)),
        "replace" => Some((Decl::text(SIZE_UNKNOWN), traversal(first.size))),
        "split" => Some((Decl::list(Decl::text(first.size), first.size), traversal(first.size))),
        "findAll" => Some((Decl::list(Decl::text(first.size), first.size), searched(&first, second))),
        "find" => Some((Decl::text(first.size), searched(&first, second))),
        "join" => Some((Decl::text(SIZE_UNKNOWN), traversal(first.size))),
        "indexOf" | "lastIndexOf" => of(Type::Int, compared(&first)),
        "isSorted" => of(Type::Bool, compared(&first)),
        "sum" | "min" | "max" => Some((element(&first), compared(&first))),
        "url" => of(Type::Other("kubernetes.URL"), traversal(first.size)),
        "quantity" => of(Type::Other("kubernetes.Quantity"), traversal(first.size)),
        "isURL" | "isQuantity" | "isIP" | "isCIDR" | "isSemver" => of(Type::Bool, traversal(first.size)),
        "isInteger"
        | "isLessThan"
        | "isGreaterThan"
        | "isUnspecified"
        | "isLoopback"
        | "isLinkLocalMulticast"
        | "isLinkLocalUnicast"
        | "isGlobalUnicast"
        | "hasValue" => of(Type::Bool, 1),
        "getScheme" | "getHost" | "getHostname" | "getPort" | "getEscapedPath" => {
            Some((Decl::text(SIZE_UNKNOWN), traversal(first.size)))
        }
        "getQuery" => Some((Decl::map(Decl::list(Decl::text(SIZE_UNKNOWN), SIZE_UNKNOWN), SIZE_UNKNOWN), 1)),
        "orValue" => match (&first.kind, operands.get(1)) {
            (Type::Optional(value), Some(other)) => Some(((**value).clone().join(other.clone()), 1)),
            _ => Some((Decl::unknown(), 1)),
        },
        "value" => match &first.kind {
            Type::Optional(value) => Some(((**value).clone(), 1)),
            _ => Some((Decl::unknown(), 1)),
        },
        "or" => match (&first.kind, operands.get(1)) {
            (Type::Optional(_), Some(other)) => Some((first.clone().join(other.clone()), 1)),
            _ => Some((Decl::unknown(), 1)),
        },
        "optional.of" | "optional.ofNonZeroValue" => {
            Some((Decl { size: first.size, kind: Type::Optional(Arc::new(first)) }, 1))
        }
        "optional.none" => {
            let nothing = Decl { kind: Type::Dyn, size: 0 };
            Some((Decl { size: 0, kind: Type::Optional(Arc::new(nothing)) }, 1))
        }
        "validate" => Some((Decl::unknown(), traversal(second))),
        "sets.contains" | "sets.intersects" | "sets.equivalent" => {
            of(Type::Bool, first.size.saturating_mul(second).max(1))
        }
        name if OTHERS.contains(&name) || LIBRARIES.iter().any(|library| name.starts_with(library)) => {
            Some((Decl::unknown(), 1))
        }
        _ => None,
    }
}

/// What searching a text by a pattern costs.
fn searched(text: &Decl, pattern: u64) -> u64 {
    traversal(text.size.saturating_add(1)).saturating_mul(matching(pattern))
}

fn element(list: &Decl) -> Decl {
    match &list.kind {
        Type::List(item) => (**item).clone(),
        _ => Decl::unknown(),
    }
}

/// What looking at each element of a list costs, or at each byte of a text.
fn compared(list: &Decl) -> u64 {
    match &list.kind {
        Type::List(item) => {
            let each = match item.kind {
                Type::String | Type::Bytes => 1 + traversal(item.size),
                _ => 1,
            };
            list.size.saturating_mul(each)
        }
        _ => traversal(list.size),
    }
}
