//! Reviews: questions that the API server answers at once and never stores.

use super::{cluster, namespaced};
use crate::kind::{Kind, Verb};

/// The rows of the reviews of authentication.k8s.io and authorization.k8s.io.
pub fn kinds() -> Vec<Kind> {
    const AUTHENTICATION: &str = "authentication.k8s.io";
    const AUTHORIZATION: &str = "authorization.k8s.io";
    [
        cluster(AUTHENTICATION, "SelfSubjectReview", "selfsubjectreviews"),
        cluster(AUTHENTICATION, "TokenReview", "tokenreviews"),
        namespaced(AUTHORIZATION, "LocalSubjectAccessReview", "localsubjectaccessreviews"),
        cluster(AUTHORIZATION, "SelfSubjectAccessReview", "selfsubjectaccessreviews"),
        cluster(AUTHORIZATION, "SelfSubjectRulesReview", "selfsubjectrulesreviews"),
        cluster(AUTHORIZATION, "SubjectAccessReview", "subjectaccessreviews"),
    ]
    .map(|kind| Kind { verbs: vec![Verb::Create], ..kind })
    .into()
}
