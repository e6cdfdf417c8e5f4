//! A node writes its own objects only (upstream's NodeRestriction).

use super::{Admission, Operation};
use crate::auth::restrict_node;
use orchestrator_apimachinery::ApiError;
use serde_json::Value;

/// Asks the rules of nodes.
pub(super) fn validate(admission: &Admission<'_>, object: &Value) -> Result<(), ApiError> {
    let writing = admission.writing;
    let new = (admission.operation != Operation::Delete).then_some(object);
    let registry = admission.registry;
    restrict_node(writing.who, writing.what, new, admission.old, &*registry.caches, &registry.rbac)
}
