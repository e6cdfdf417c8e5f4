//! Binding: the wish to place a Pod on a node; never stored.

use super::fields::text;
use super::namespaced;
use crate::field::{Errors, Path};
use crate::kind::{Kind, Strategy, Verb};
use serde_json::Value;

/// The row of Binding.
pub fn kind() -> Kind {
    Kind {
        verbs: vec![Verb::Create],
        strategy: Strategy { validate, ..Strategy::default() },
        ..namespaced("", "Binding", "bindings")
    }
}

fn validate(object: &Value, errors: &mut Errors) {
    let (target, path) = (&object["target"], Path::new("target"));
    let kind = text(target, "kind");
    if !["", "Node"].contains(&kind) {
        errors.not_supported(&path.child("kind"), kind, &["Node", "<empty>"]);
    }
    if text(target, "name").is_empty() {
        errors.required(&path.child("name"), "");
    }
}

#[cfg(test)]
mod tests;
