//! Admission that objects of the cluster configure: webhooks and policies.

use super::configurations::{Compiled, Configured, Parts};
use super::policy::{self, Binding, Mutation, Policy, Validation};
use super::webhook::{self, Webhook};
use super::{Admission, Operation, complete};
use crate::registry::Registry;
use orchestrator_apimachinery::ApiError;
use serde_json::Value;
use std::sync::Arc;

const GROUP: &str = "admissionregistration.k8s.io";

/// What is compiled of the configurations.
#[derive(Default)]
pub(crate) struct Dynamic {
    mutating_hooks: Compiled<Webhook>,
    validating_hooks: Compiled<Webhook>,
    mutating_policies: Compiled<Policy<Mutation>>,
    mutating_bindings: Compiled<Binding>,
    validating_policies: Compiled<Policy<Validation>>,
    validating_bindings: Compiled<Binding>,
}

/// The parts of all objects of a kind; none where the kind is not served.
fn current<T: Configured>(registry: &Registry, compiled: &Compiled<T>, plural: &str) -> Result<Parts<T>, ApiError> {
    match registry.caches.cache(GROUP, plural) {
        Some(cache) => compiled.current(&cache),
        None => Ok(Arc::from(Vec::new())),
    }
}

/// Whether a request is beyond dynamic admission, which could otherwise lock its own mend out.
fn is_exempt(admission: &Admission<'_>) -> bool {
    admission.writing.kind.group == GROUP
}

pub(super) async fn mutate(admission: &Admission<'_>, object: &mut Value) -> Result<(), ApiError> {
    if is_exempt(admission) {
        return Ok(());
    }
    let (registry, compiled) = (admission.registry, &admission.registry.dynamic);
    let settle = |object: &mut Value| settle(admission, object);
    let policies = current(registry, &compiled.mutating_policies, "mutatingadmissionpolicies")?;
    if !policies.is_empty() && admission.operation != Operation::Delete {
        let bindings = current(registry, &compiled.mutating_bindings, "mutatingadmissionpolicybindings")?;
        policy::mutate(admission, &policies, &bindings, object, &settle)?;
    }
    let hooks = current(registry, &compiled.mutating_hooks, "mutatingwebhookconfigurations")?;
    webhook::mutate(admission, &hooks, object, &settle).await
}

/// Completes an object that somebody changed: types and defaults as for a client's object, and
/// what the built-in plugins add.
fn settle(admission: &Admission<'_>, object: &mut Value) -> Result<(), ApiError> {
    let kind = admission.writing.kind;
    let unknown = kind.prune(object);
    admission.warn(unknown);
    let mut errors = orchestrator_apimachinery::field::Errors::default();
    kind.check(object, &mut errors);
    if !errors.is_empty() {
        let name = admission.object_name(object);
        return Err(ApiError::invalid(&kind.group, &kind.kind, &name, &errors));
    }
    kind.default(object);
    complete(admission, object)
}

pub(super) async fn validate(admission: &Admission<'_>, object: &Value) -> Result<(), ApiError> {
    if is_exempt(admission) {
        return Ok(());
    }
    let (registry, compiled) = (admission.registry, &admission.registry.dynamic);
    let policies = current(registry, &compiled.validating_policies, "validatingadmissionpolicies")?;
    if !policies.is_empty() {
        let bindings = current(registry, &compiled.validating_bindings, "validatingadmissionpolicybindings")?;
        policy::validate(admission, &policies, &bindings, object)?;
    }
    let hooks = current(registry, &compiled.validating_hooks, "validatingwebhookconfigurations")?;
    webhook::validate(admission, &hooks, object).await
}
