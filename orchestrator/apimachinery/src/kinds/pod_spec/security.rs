//! Rules of security contexts.

use crate::field::{Errors, Path};
use crate::kinds::fields::{indexed, is_true, text};
use crate::kinds::names;
use serde_json::Value;

/// Checks `securityContext` of a PodSpec.
pub fn validate_pod(context: &Value, path: &Path, errors: &mut Errors) {
    validate_ids(context, &["runAsUser", "runAsGroup", "fsGroup"], path, errors);
    for (index, group) in indexed(context, "supplementalGroups") {
        id_is_in_range(group, &path.child("supplementalGroups").index(index), errors);
    }
    validate_profile(&context["seccompProfile"], &path.child("seccompProfile"), errors);
    let policy = text(context, "fsGroupChangePolicy");
    if !policy.is_empty() && !["Always", "OnRootMismatch"].contains(&policy) {
        errors.not_supported(&path.child("fsGroupChangePolicy"), policy, &["Always", "OnRootMismatch"]);
    }
}

/// Checks `securityContext` of a container.
pub fn validate_container(context: &Value, path: &Path, errors: &mut Errors) {
    validate_ids(context, &["runAsUser", "runAsGroup"], path, errors);
    validate_profile(&context["seccompProfile"], &path.child("seccompProfile"), errors);
    if context["allowPrivilegeEscalation"] != Value::Bool(false) {
        return;
    }
    if is_true(context, "privileged") {
        let wrong = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true";
        errors.invalid(path, context, wrong);
    }
    let added = context["capabilities"]["add"].as_array();
    if added.is_some_and(|added| added.iter().any(|name| name == "CAP_SYS_ADMIN")) {
        let wrong = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN";
        errors.invalid(path, context, wrong);
    }
}

fn validate_ids(context: &Value, fields: &[&str], path: &Path, errors: &mut Errors) {
    for field in fields {
        if let Some(id) = context.get(*field) {
            id_is_in_range(id, &path.child(field), errors);
        }
    }
}

fn id_is_in_range(id: &Value, path: &Path, errors: &mut Errors) {
    for wrong in names::in_range(id.as_i64().unwrap_or(-1), 0, i64::from(i32::MAX)) {
        errors.invalid(path, id, &wrong);
    }
}

fn validate_profile(profile: &Value, path: &Path, errors: &mut Errors) {
    if profile.is_null() {
        return;
    }
    let has_file = !text(profile, "localhostProfile").is_empty();
    match text(profile, "type") {
        "Localhost" if !has_file => {
            errors.required(&path.child("localhostProfile"), "must be set when seccomp type is Localhost");
        }
        "RuntimeDefault" | "Unconfined" if has_file => {
            errors.invalid(
                &path.child("localhostProfile"),
                &profile["localhostProfile"],
                "can only be set when seccomp type is Localhost",
            );
        }
        "Localhost" | "RuntimeDefault" | "Unconfined" => {}
        "" => errors.required(&path.child("type"), "type is required when seccompProfile is set"),
        other => errors.not_supported(&path.child("type"), other, &["Localhost", "RuntimeDefault", "Unconfined"]),
    }
}
