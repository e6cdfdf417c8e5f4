//! MutatingAdmissionPolicy and its binding.

use super::admission::{self, CATEGORY, FAILURE_POLICIES, GROUP, REINVOCATION_POLICIES};
use super::checks::{first_generation, one_of, raise_generation, texts};
use super::fields::{default_text, indexed, list, object_mut, object_or_new, text};
use super::validating_admission_policy::binding_row;
use super::{AGE, NAME, cells, cluster, columns};
use crate::field::{Errors, Path};
use crate::kind::{Kind, Strategy};
use serde_json::Value;

/// The rows of the policy and the binding.
pub fn kinds() -> Vec<Kind> {
    vec![policy(), binding()]
}

fn policy() -> Kind {
    Kind {
        categories: super::texts(&[CATEGORY]),
        columns: columns(&[
            NAME,
            ("Mutations", "integer", 0, "How many mutations it has."),
            admission::PARAMETER_KIND_COLUMN,
            AGE,
        ]),
        strategy: Strategy {
            default: |object| {
                let spec = object_or_new(object, "spec");
                default_text(spec, "failurePolicy", "Fail");
                admission::default_match_resources(spec, "matchConstraints");
            },
            prepare_create: first_generation,
            prepare_update: |object, old| raise_generation(object, old, &["spec"]),
            validate,
            cells: |object, now| {
                let spec = &object["spec"];
                let mutations = list(spec, "mutations").len();
                vec![cells::name(object), mutations.into(), admission::parameter_kind(spec), cells::age(object, now)]
            },
            ..Strategy::default()
        },
        ..cluster(GROUP, "MutatingAdmissionPolicy", "mutatingadmissionpolicies")
    }
}

fn binding() -> Kind {
    Kind {
        categories: super::texts(&[CATEGORY]),
        columns: columns(&[
            NAME,
            ("PolicyName", "string", 0, "The policy that it puts in force."),
            admission::PARAMETER_COLUMN,
            AGE,
        ]),
        strategy: Strategy {
            default: |object| {
                if let Some(spec) = object_mut(object, "spec") {
                    admission::default_match_resources(spec, "matchResources");
                }
            },
            prepare_create: first_generation,
            prepare_update: |object, old| raise_generation(object, old, &["spec"]),
            validate: validate_binding,
            cells: binding_row,
            ..Strategy::default()
        },
        ..cluster(GROUP, "MutatingAdmissionPolicyBinding", "mutatingadmissionpolicybindings")
    }
}

/// What may be mutated: there is nothing left to change of what goes away.
const OPERATIONS: [&str; 4] = ["*", "CONNECT", "CREATE", "UPDATE"];
/// The kinds of patches, and where the expression of each is.
const PATCHES: [(&str, &str); 2] = [("ApplyConfiguration", "applyConfiguration"), ("JSONPatch", "jsonPatch")];

fn validate(object: &Value, errors: &mut Errors) {
    let (spec, path) = (&object["spec"], Path::new("spec"));
    one_of(text(spec, "failurePolicy"), &FAILURE_POLICIES, &path.child("failurePolicy"), errors);
    admission::validate_parameter_kind(spec, &path, errors);
    let (constraints, at) = (&spec["matchConstraints"], path.child("matchConstraints"));
    if constraints.is_null() {
        errors.required(&at, "");
    } else {
        admission::validate_match_resources(constraints, &at, errors);
        if list(constraints, "resourceRules").is_empty() {
            errors.required(&at.child("resourceRules"), "");
        }
        validate_operations(constraints, &at, errors);
    }
    let declared = admission::policy_variables(spec);
    admission::validate_conditions_with(spec, &declared, &path, errors);
    admission::validate_variables(spec, &path, errors);
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
    admission::validate_policy_name(spec, &path, errors);
    admission::validate_parameter_reference(spec, &path, errors);
    let path = path.child("matchResources");
    admission::validate_match_resources(&spec["matchResources"], &path, errors);
    validate_operations(&spec["matchResources"], &path, errors);
}

#[cfg(test)]
mod tests;
