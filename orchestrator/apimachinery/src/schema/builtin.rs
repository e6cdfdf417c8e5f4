//! The built-in types, as the build script wrote them.

#![allow(clippy::all, reason = "generated")]

use super::types::{Field, ListType, MapType, Node, Patch, Shared, Type};
use std::borrow::Cow;

include!(concat!(env!("OUT_DIR"), "/types.rs"));

pub(super) fn find(name: &str) -> Option<&'static Type> {
    let at = TYPES.binary_search_by(|one| (*one.name).cmp(name)).ok()?;
    Some(TYPES[at])
}

pub(super) fn of_kind(api_version: &str, kind: &str) -> Option<&'static Type> {
    let at = KINDS.binary_search_by(|(version, name, _)| (*version, *name).cmp(&(api_version, kind))).ok()?;
    Some(KINDS[at].2)
}

/// Changes whenever a built-in type does.
pub(super) fn digest() -> &'static str {
    DIGEST
}

#[cfg(test)]
pub(super) fn all() -> &'static [&'static Type] {
    &TYPES
}

#[cfg(test)]
pub(super) fn kinds() -> impl Iterator<Item = (&'static str, &'static str)> {
    KINDS.iter().map(|(version, kind, _)| (*version, *kind))
}
