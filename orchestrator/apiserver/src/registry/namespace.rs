//! What is special to Namespaces: `spec.finalizers` hold a deleted one until its content is gone.

use orchestrator_apimachinery::field::Errors;
use orchestrator_apimachinery::kinds::namespace::validate_finalize;
use orchestrator_apimachinery::{ApiError, meta};
use serde_json::{Value, json};

/// Namespaces that the cluster cannot do without.
pub(super) fn is_protected(name: &str) -> bool {
    matches!(name, "default" | "kube-system" | "kube-public")
}

/// A Namespace that begins to be deleted is Terminating.
pub(super) fn deleting(namespace: &mut Value) {
    namespace["status"]["phase"] = json!("Terminating");
}

/// Whether its content is not yet gone.
pub(super) fn held(namespace: &Value) -> bool {
    namespace["spec"]["finalizers"].as_array().is_some_and(|finalizers| !finalizers.is_empty())
}

/// The `finalize` subresource: only `spec.finalizers` come from `new`.
pub(crate) fn finalize(new: &Value, old: &Value) -> Result<Value, ApiError> {
    let mut namespace = old.clone();
    let finalizers = new["spec"]["finalizers"].clone();
    if let Some(spec) = namespace["spec"].as_object_mut() {
        spec.remove("finalizers");
    }
    if finalizers.is_array() {
        namespace["spec"]["finalizers"] = finalizers;
    }
    let mut errors = Errors::default();
    validate_finalize(&namespace, &mut errors);
    if errors.is_empty() {
        return Ok(namespace);
    }
    Err(ApiError::invalid("", "Namespace", meta::name(old), &errors))
}
