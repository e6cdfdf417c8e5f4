//! Admission that objects of the cluster configure: webhooks and policies.

use super::configurations::{Compiled, Configured, Parts};
use super::policy::{self, Binding, Mutation, Policy, Validation};
use super::view::Views;
use super::webhook::{self, Webhook};
use super::{Admission, Operation};
use crate::registry::Registry;
use futures::FutureExt;
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

fn mutating_hooks(registry: &Registry) -> Result<Parts<Webhook>, ApiError> {
    current(registry, &registry.dynamic.mutating_hooks, "mutatingwebhookconfigurations")
}

/// Lets policies change an object, then webhooks; those that want to see what came after them come twice.
pub(super) async fn mutate(admission: &Admission<'_>, object: &mut Value) -> Result<(), ApiError> {
    if is_exempt(admission) {
        return Ok(());
    }
    let (registry, compiled) = (admission.registry, &admission.registry.dynamic);
    let hooks = mutating_hooks(registry)?;
    let policies = current(registry, &compiled.mutating_policies, "mutatingadmissionpolicies")?;
    if hooks.is_empty() && policies.is_empty() {
        return Ok(());
    }
    let mut policies_again = Vec::new();
    if !policies.is_empty() && admission.operation != Operation::Delete {
        let bindings = current(registry, &compiled.mutating_bindings, "mutatingadmissionpolicybindings")?;
        policies_again = policy::mutate(admission, (&policies, &bindings), object).boxed().await?;
    }
    let hooks_again = webhook::mutate(admission, &hooks, object).boxed().await?;
    policy::mutate_again(admission, policies_again, object).boxed().await?;
    webhook::mutate_again(admission, hooks_again, object).boxed().await
}

/// Asks the mutating webhooks about an object that is deleted.
pub(super) async fn ask_about_delete(admission: &Admission<'_>, object: &Value) -> Result<(), ApiError> {
    let hooks = if is_exempt(admission) { return Ok(()) } else { mutating_hooks(admission.registry)? };
    match hooks.is_empty() {
        true => Ok(()),
        false => webhook::mutate(admission, &hooks, &mut object.clone()).boxed().await.map(drop),
    }
}

pub(super) async fn validate(admission: &Admission<'_>, object: &Value) -> Result<(), ApiError> {
    if is_exempt(admission) {
        return Ok(());
    }
    let (registry, compiled) = (admission.registry, &admission.registry.dynamic);
    let policies = current(registry, &compiled.validating_policies, "validatingadmissionpolicies")?;
    let hooks = current(registry, &compiled.validating_hooks, "validatingwebhookconfigurations")?;
    let mut views = Views::new(admission, object);
    if !policies.is_empty() {
        let bindings = current(registry, &compiled.validating_bindings, "validatingadmissionpolicybindings")?;
        policy::validate(admission, (&policies, &bindings), object, &mut views).boxed().await?;
    }
    match hooks.is_empty() {
        true => Ok(()),
        false => webhook::validate(admission, &hooks, object, &mut views).boxed().await,
    }
}
