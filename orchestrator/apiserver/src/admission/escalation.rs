//! Nobody grants what he does not hold.

use super::{Admission, Operation};
use crate::auth::check_escalation;
use orchestrator_apimachinery::ApiError;
use serde_json::Value;

/// Checks Roles and bindings.
pub(super) fn validate(admission: &Admission<'_>, object: &Value) -> Result<(), ApiError> {
    let writing = admission.writing;
    if admission.operation == Operation::Delete || writing.kind.group != "rbac.authorization.k8s.io" {
        return Ok(());
    }
    check_escalation(&admission.registry.rbac, writing.who, &writing.kind.plural, object, admission.old)
}
