//! Admission: plugins that complete and refuse what authorized clients write. Each is a file
//! below; the lists here are their order. Dry runs pass through them too.

mod escalation;
mod node_restriction;
mod priority;
mod runtime_class;
mod service_account;
mod tolerations;

use crate::registry::{Registry, Writing};
use orchestrator_apimachinery::ApiError;
use serde_json::Value;
use std::sync::{Mutex, PoisonError};

/// What is being done to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Create,
    Update,
    Delete,
}

/// What plugins see of a request.
pub(crate) struct Admission<'a> {
    pub registry: &'a Registry,
    pub writing: &'a Writing<'a>,
    pub operation: Operation,
    /// The object that is changed or deleted.
    pub old: Option<&'a Value>,
    warnings: Mutex<Vec<String>>,
}

impl<'a> Admission<'a> {
    pub fn new(registry: &'a Registry, writing: &'a Writing<'a>, operation: Operation, old: Option<&'a Value>) -> Self {
        Admission { registry, writing, operation, old, warnings: Mutex::default() }
    }

    /// Adds texts for `Warning:` headers.
    fn warn(&self, texts: impl IntoIterator<Item = String>) {
        self.warnings.lock().unwrap_or_else(PoisonError::into_inner).extend(texts);
    }

    /// What plugins warned of.
    pub fn into_warnings(self) -> Vec<String> {
        self.warnings.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Admission<'_> {
    /// Whether a Pod is being created, which most plugins are about.
    fn creates_pod(&self) -> bool {
        let what = self.writing.what;
        self.operation == Operation::Create && is_pod(self.writing) && what.subresource.is_empty()
    }
}

fn is_pod(writing: &Writing<'_>) -> bool {
    writing.kind.group.is_empty() && writing.kind.plural == "pods"
}

type Mutate = fn(&Admission<'_>, &mut Value) -> Result<(), ApiError>;
type Validate = fn(&Admission<'_>, &Value) -> Result<(), ApiError>;

const MUTATING: [Mutate; 4] = [service_account::mutate, priority::mutate, tolerations::mutate, runtime_class::mutate];
const VALIDATING: [Validate; 3] = [service_account::validate, node_restriction::validate, escalation::validate];

/// Waits for what plugins will look up, before the first of them runs.
pub(crate) async fn wait(registry: &Registry, writing: &Writing<'_>, object: &Value) -> Result<(), ApiError> {
    if !is_pod(writing) {
        return Ok(());
    }
    registry.caches.fresh().await?;
    service_account::wait_for_default(registry, &writing.what.namespace, object).await;
    Ok(())
}

/// Runs the plugins that complete an object.
pub(crate) async fn mutate(admission: &Admission<'_>, object: &mut Value) -> Result<(), ApiError> {
    MUTATING.iter().try_for_each(|plugin| plugin(admission, object))
}

/// Runs the plugins that only refuse. On deletes, `object` is what is deleted.
pub(crate) async fn validate(admission: &Admission<'_>, object: &Value) -> Result<(), ApiError> {
    VALIDATING.iter().try_for_each(|plugin| plugin(admission, object))
}
