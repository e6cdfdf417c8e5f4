//! Fields that other managers own and a configuration wants to be otherwise.

use super::entry::{Entry, Operation};
use super::set::FieldSet;
use crate::status::{ApiError, Cause};

/// What of one manager's fields a configuration would change.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Conflict {
    manager: String,
    pub(super) fields: FieldSet,
}

impl Conflict {
    pub(super) fn new(owner: &Entry, fields: FieldSet) -> Self {
        let mut manager = format!("{:?}", owner.manager);
        if !owner.subresource.is_empty() {
            manager.push_str(&format!(" with subresource {:?}", owner.subresource));
        }
        if owner.operation == Operation::Update {
            manager.push_str(&format!(" using {}", owner.api_version));
        }
        Conflict { manager, fields }
    }
}

/// 409 with a cause for each field, in upstream's words.
pub(super) fn refuse(mut conflicts: Vec<Conflict>) -> ApiError {
    conflicts.sort_by(|one, other| one.manager.cmp(&other.manager));
    let mut causes = Vec::new();
    let mut lines = Vec::new();
    for conflict in &conflicts {
        lines.push(format!("conflicts with {}:", conflict.manager));
        for path in conflict.fields.paths() {
            lines.push(format!("- {path}"));
            let message = format!("conflict with {}", conflict.manager);
            causes.push(Cause { reason: "FieldManagerConflict".into(), message, field: path });
        }
    }
    let message = match causes.as_slice() {
        [only] => format!("Apply failed with 1 conflict: {}: {}", only.message, only.field),
        _ => format!("Apply failed with {} conflicts: {}", causes.len(), lines.join("\n")),
    };
    let mut error = ApiError::new(409, "Conflict", message);
    error.causes = causes;
    error
}
