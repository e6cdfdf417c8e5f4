//! MutatingAdmissionPolicy and its binding.

use super::admission::{self, CATEGORY, GROUP, REINVOCATION_POLICIES};
use super::checks::{one_of, texts};
use super::fields::{indexed, list, text};
use super::{cluster, state};
use crate::field::{Errors, Path};
use crate::kind::{Kind, Strategy};
use serde_json::Value;

/// The rows of the policy and the binding.
pub fn kinds() -> Vec<Kind> {
    vec![
        policy(),
        admission::binding("MutatingAdmissionPolicyBinding", "mutatingadmissionpolicybindings", validate_binding),
    ]
}

fn policy() -> Kind {
    Kind {
        categories: super::texts(&[CATEGORY]),
        columns: admission::policy_columns(("Mutations", "integer", 0, "How many mutations it has.")),
        strategy: Strategy {
            default: admission::default_policy,
            validate,
            cells: |object, now| admission::policy_row(object, "mutations", now),
            ..state::without_status()
        },
        ..cluster(GROUP, "MutatingAdmissionPolicy", "mutatingadmissionpolicies")
    }
}

/// What may be mutated: there is nothing left to change of what goes away.
const OPERATIONS: [&str; 4] = ["*", "CONNECT", "CREATE", "UPDATE"];
/// The kinds of patches, and where the expression of each is.
const PATCHES: [(&str, &str); 2] = [("ApplyConfiguration", "applyConfiguration"), ("JSONPatch", "jsonPatch")];

fn validate(object: &Value, errors: &mut Errors) {
    let (spec, path) = (&object["spec"], Path::new("spec"));
    admission::validate_scope(spec, &path, errors);
    validate_operations(&spec["matchConstraints"], &path.child("matchConstraints"), errors);
    let declared = admission::validate_premises(spec, &path, errors);
    let at = path.child("mutations");
    if list(spec, "mutations").is_empty() {
        errors.required(&at, "mutations must contain at least one item");
    }
    if !admission::too_many_expressions(spec, "mutations", &path, errors) {
        for (index, mutation) in indexed(spec, "mutations") {
            validate_mutation(mutation, &declared, &at.index(index), errors);
        }
    }
    let at = path.child("reinvocationPolicy");
    one_of(text(spec, "reinvocationPolicy"), &REINVOCATION_POLICIES, &at, errors);
}

fn validate_operations(resources: &Value, path: &Path, errors: &mut Errors) {
    let path = path.child("resourceRules").child("operations");
    for rule in list(resources, "resourceRules") {
        for operation in texts(rule, "operations").iter().filter(|operation| !OPERATIONS.contains(*operation)) {
            errors.not_supported(&path, operation, &OPERATIONS);
        }
    }
}

fn validate_mutation(mutation: &Value, declared: &[&str], path: &Path, errors: &mut Errors) {
    let (type_, at) = (text(mutation, "patchType"), path.child("patchType"));
    one_of(type_, &PATCHES.map(|(type_, _)| type_), &at, errors);
    if !PATCHES.iter().any(|(known, _)| *known == type_) {
        return;
    }
    for (patch, field) in PATCHES {
        let (value, path) = (&mutation[field], path.child(field));
        match (patch == type_, value.is_null()) {
            (true, true) => errors.required(&path, &format!("must be specified when patchType is {type_}")),
            (true, false) => {
                let (expression, path) = (text(value, "expression"), path.child("expression"));
                admission::validate_expression(expression, "", declared, &path, errors);
            }
            (false, false) => {
                let wrong = format!("must not be specified when patchType is {type_}");
                errors.invalid(&path, format!("{{{field}}}"), &wrong);
            }
            (false, true) => {}
        }
    }
}

fn validate_binding(object: &Value, errors: &mut Errors) {
    let (spec, path) = (&object["spec"], Path::new("spec"));
    admission::validate_references(spec, &path, errors);
    let path = path.child("matchResources");
    admission::validate_match_resources(&spec["matchResources"], &path, errors);
    validate_operations(&spec["matchResources"], &path, errors);
}

#[cfg(test)]
mod tests;
