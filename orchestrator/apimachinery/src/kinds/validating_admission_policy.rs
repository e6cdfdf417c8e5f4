//! ValidatingAdmissionPolicy and its binding.

use super::admission::{self, CATEGORY, GROUP};
use super::checks::{fits, one_of_or_empty, texts};
use super::fields::{indexed, list, text};
use super::{cluster, conditions, names, state, status};
use crate::field::{Errors, Path};
use crate::kind::{Kind, Strategy};
use serde_json::Value;
use std::collections::BTreeSet;

/// The rows of the policy and the binding.
pub fn kinds() -> Vec<Kind> {
    vec![
        policy(),
        admission::binding("ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings", validate_binding),
    ]
}

fn policy() -> Kind {
    Kind {
        categories: super::texts(&[CATEGORY]),
        subresources: vec![status()],
        columns: admission::policy_columns(("Validations", "integer", 0, "How many validations it has.")),
        strategy: Strategy {
            default: admission::default_policy,
            validate,
            cells: |object, now| admission::policy_row(object, "validations", now),
            ..state::counted()
        },
        ..cluster(GROUP, "ValidatingAdmissionPolicy", "validatingadmissionpolicies")
    }
}

/// Reasons that a refusal may have.
const REASONS: [&str; 3] = ["Forbidden", "Invalid", "RequestEntityTooLarge"];
const ACTIONS: [&str; 3] = ["Audit", "Deny", "Warn"];
/// Annotations of the audit log that one policy may write.
const AUDIT_ANNOTATIONS_MAX: usize = 20;
const AUDIT_EXPRESSION_BYTES_MAX: usize = 5 * 1024;

fn validate(object: &Value, errors: &mut Errors) {
    let (spec, path) = (&object["spec"], Path::new("spec"));
    admission::validate_scope(spec, &path, errors);
    let declared = admission::validate_premises(spec, &path, errors);
    if list(spec, "validations").is_empty() && list(spec, "auditAnnotations").is_empty() {
        for field in ["validations", "auditAnnotations"] {
            let wrong = "validations or auditAnnotations must contain at least one item";
            errors.required(&path.child(field), wrong);
        }
    }
    if !admission::too_many_expressions(spec, "validations", &path, errors) {
        for (index, validation) in indexed(spec, "validations") {
            validate_validation(validation, &declared, &path.child("validations").index(index), errors);
        }
    }
    validate_audit_annotations(object, &path.child("auditAnnotations"), errors);
    validate_status(&object["status"], &Path::new("status"), errors);
}

fn validate_validation(validation: &Value, declared: &[&str], path: &Path, errors: &mut Errors) {
    let expression = text(validation, "expression");
    let at = path.child("expression");
    admission::validate_expression(expression, "expression is not specified", declared, &at, errors);
    let by_expression = text(validation, "messageExpression");
    let at = path.child("messageExpression");
    if !by_expression.is_empty() && by_expression.trim().is_empty() {
        errors.invalid(&at, by_expression, "must be non-empty if specified");
    } else if !by_expression.is_empty() {
        // What a user may do is no matter for a message.
        let declared: Vec<&str> = declared.iter().copied().filter(|name| *name != "authorizer").collect();
        admission::validate_expression(by_expression, "", &declared, &at, errors);
    }
    let (message, at) = (text(validation, "message"), path.child("message"));
    if !message.is_empty() && message.trim().is_empty() {
        errors.invalid(&at, message, "message must be non-empty if specified");
    } else if message.trim().contains(['\n', '\r']) {
        errors.invalid(&at, message, "message must not contain line breaks");
    }
    one_of_or_empty(text(validation, "reason"), &REASONS, &path.child("reason"), errors);
}

fn validate_audit_annotations(object: &Value, path: &Path, errors: &mut Errors) {
    let (spec, name) = (&object["spec"], crate::meta::name(object));
    let all = list(spec, "auditAnnotations");
    if all.len() > AUDIT_ANNOTATIONS_MAX {
        errors.invalid(path, all, &format!("must not have more than {AUDIT_ANNOTATIONS_MAX} auditAnnotations"));
        return;
    }
    let declared = admission::policy_variables(spec);
    let mut seen = BTreeSet::new();
    for (index, annotation) in all.iter().enumerate() {
        let (path, key) = (path.index(index), text(annotation, "key"));
        let full = format!("{name}/{key}");
        if name.is_empty() {
            errors.invalid(&path.child("key"), key, "requires metadata.name be non-empty");
        } else {
            fits(names::qualified(&full), &full, &path.child("key"), errors);
        }
        let (expression, at) = (text(annotation, "valueExpression"), path.child("valueExpression"));
        if expression.trim().len() > AUDIT_EXPRESSION_BYTES_MAX {
            errors.required(&at, &format!("must not exceed {AUDIT_EXPRESSION_BYTES_MAX} bytes in length"));
        } else {
            admission::validate_expression(expression, "valueExpression is not specified", &declared, &at, errors);
        }
        if !seen.insert(key) {
            errors.duplicate(&path.child("key"), key);
        }
    }
}

fn validate_status(status: &Value, path: &Path, errors: &mut Errors) {
    let at = path.child("typeChecking").child("expressionWarnings");
    for (index, warning) in indexed(&status["typeChecking"], "expressionWarnings") {
        for field in ["warning", "fieldRef"] {
            if text(warning, field).trim().is_empty() {
                errors.required(&at.index(index).child(field), "");
            }
        }
    }
    conditions::validate(status, &path.child("conditions"), errors);
}

fn validate_binding(object: &Value, errors: &mut Errors) {
    let (spec, path) = (&object["spec"], Path::new("spec"));
    admission::validate_references(spec, &path, errors);
    // The path is spelt as upstream does.
    admission::validate_match_resources(&spec["matchResources"], &path.child("matchResouces"), errors);
    let (actions, path) = (texts(spec, "validationActions"), path.child("validationActions"));
    let mut seen = BTreeSet::new();
    for (index, action) in actions.iter().enumerate() {
        if !ACTIONS.contains(action) {
            errors.not_supported(&path.index(index), action, &ACTIONS);
        }
        if !seen.insert(*action) {
            errors.duplicate(&path.index(index), action);
        }
    }
    if seen.contains("Deny") && seen.contains("Warn") {
        let wrong = "must not contain both Deny and Warn (repeating the same validation failure information in the API \
                     response and headers serves no purpose)";
        errors.invalid(&path, &actions, wrong);
    }
    if actions.is_empty() {
        errors.required(&path, "at least one validation action is required");
    }
}

#[cfg(test)]
mod tests;
