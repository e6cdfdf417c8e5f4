//! Reviews: questions that the API server answers at once and never stores.

use super::fields::{list, text};
use super::{cluster, namespaced};
use crate::field::{Errors, Path};
use crate::kind::{Kind, Strategy, Verb};
use serde_json::Value;

/// The rows of the reviews of authentication.k8s.io and authorization.k8s.io.
pub fn kinds() -> Vec<Kind> {
    const AUTHENTICATION: &str = "authentication.k8s.io";
    const AUTHORIZATION: &str = "authorization.k8s.io";
    let rules = |validate| Strategy { validate, ..Strategy::default() };
    let nothing = Strategy::default;
    [
        (cluster(AUTHENTICATION, "SelfSubjectReview", "selfsubjectreviews"), nothing()),
        (cluster(AUTHENTICATION, "TokenReview", "tokenreviews"), nothing()),
        (namespaced(AUTHORIZATION, "LocalSubjectAccessReview", "localsubjectaccessreviews"), rules(validate_local)),
        (cluster(AUTHORIZATION, "SelfSubjectAccessReview", "selfsubjectaccessreviews"), rules(validate_access)),
        (cluster(AUTHORIZATION, "SelfSubjectRulesReview", "selfsubjectrulesreviews"), nothing()),
        (cluster(AUTHORIZATION, "SubjectAccessReview", "subjectaccessreviews"), rules(validate_subject)),
    ]
    .map(|(kind, strategy)| Kind { verbs: vec![Verb::Create], strategy, ..kind })
    .into()
}

fn validate_access(object: &Value, errors: &mut Errors) {
    let (spec, path) = (&object["spec"], Path::new("spec"));
    let (resource, other) = (&spec["resourceAttributes"], &spec["nonResourceAttributes"]);
    if !resource.is_null() && !other.is_null() {
        let wrong = "cannot be specified in combination with resourceAttributes";
        errors.invalid(&path.child("nonResourceAttributes"), other, wrong);
    }
    if resource.is_null() && other.is_null() {
        let wrong = "exactly one of nonResourceAttributes or resourceAttributes must be specified";
        errors.invalid(&path.child("resourceAttributes"), resource, wrong);
    }
}

fn validate_subject(object: &Value, errors: &mut Errors) {
    validate_access(object, errors);
    if text(&object["spec"], "user").is_empty() && list(&object["spec"], "groups").is_empty() {
        errors.invalid(&Path::new("spec").child("user"), "", "at least one of user or group must be specified");
    }
}

fn validate_local(object: &Value, errors: &mut Errors) {
    validate_subject(object, errors);
    let (spec, path) = (&object["spec"], Path::new("spec"));
    if !spec["nonResourceAttributes"].is_null() {
        let wrong = "disallowed on this kind of request";
        errors.invalid(&path.child("nonResourceAttributes"), &spec["nonResourceAttributes"], wrong);
    }
    let namespace = text(&spec["resourceAttributes"], "namespace");
    if namespace != crate::meta::namespace(object) {
        let wrong = "must match metadata.namespace";
        errors.invalid(&path.child("resourceAttributes").child("namespace"), namespace, wrong);
    }
}

#[cfg(test)]
mod tests;
