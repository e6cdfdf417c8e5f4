//! Admission: plugins that complete and refuse what authorized clients write. Each is a file
//! below; the lists here are their order. Dry runs pass through them too.

mod certificates;
mod conditions;
mod configurations;
mod device_access;
mod dynamic;
mod escalation;
mod ingress;
mod limit_ranger;
mod node_restriction;
mod pod_security;
mod policy;
mod priority;
pub(crate) mod quota;
mod request;
mod resize;
mod runtime_class;
mod service_account;
mod storage;
mod taint;
mod tolerations;
mod topology;
mod view;
mod webhook;

use crate::registry::{ObjectReader, Registry, Writing};
use orchestrator_apimachinery::status::Cause;
use orchestrator_apimachinery::{ApiError, Kind};
use orchestrator_store::Revision;
use serde_json::Value;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

pub(crate) use dynamic::Dynamic;

/// What is being done to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Create,
    Update,
    Delete,
    /// A stream to what an object stands for; the object at hand is what the client asks for in its query.
    Connect,
}

/// What plugins see of a request.
pub(crate) struct Admission<'a> {
    pub registry: &'a Registry,
    pub writing: &'a Writing<'a>,
    pub operation: Operation,
    /// The object that is changed or deleted.
    pub old: Option<&'a Value>,
    /// The revision of that object; 0 where it is not known.
    revision: Revision,
    /// What else is told as the operation's options.
    options: Value,
    warnings: Mutex<Vec<String>>,
    /// The versions of the resource beside the requested one.
    equivalents: OnceLock<Vec<Arc<Kind>>>,
    namespace: OnceLock<Option<Value>>,
}

impl<'a> Admission<'a> {
    pub fn new(registry: &'a Registry, writing: &'a Writing<'a>, operation: Operation, old: Option<&'a Value>) -> Self {
        Admission {
            registry,
            writing,
            operation,
            old,
            revision: 0,
            options: Value::Null,
            warnings: Mutex::default(),
            equivalents: OnceLock::new(),
            namespace: OnceLock::new(),
        }
    }

    /// The same, of an object that stands at a revision.
    pub fn at(self, revision: Revision) -> Self {
        Admission { revision, ..self }
    }

    /// The same, with what the client says of how it is to be done.
    pub fn with_options(self, options: Value) -> Self {
        Admission { options, ..self }
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
    /// An object of the watch caches.
    fn read(&self, group: &str, plural: &str, namespace: &str, name: &str) -> Option<Value> {
        serde_json::from_slice(&self.registry.caches.get(group, plural, namespace, name)?).ok()
    }

    /// Whether a Pod is being created, which most plugins are about.
    fn creates_pod(&self) -> bool {
        let what = self.writing.what;
        self.operation == Operation::Create && is_pod(self.writing) && what.subresource.is_empty()
    }
}

impl<'a> Admission<'a> {
    /// The Pod that is changed, if it is one, and not by a subresource.
    fn old_pod(&self) -> Option<&'a Value> {
        let main = self.operation == Operation::Update && self.writing.what.subresource.is_empty();
        self.old.filter(|_| main && is_pod(self.writing))
    }
}

fn is_pod(writing: &Writing<'_>) -> bool {
    writing.kind.group.is_empty() && writing.kind.plural == "pods"
}

type Mutate = fn(&Admission<'_>, &mut Value) -> Result<(), ApiError>;
type Validate = fn(&Admission<'_>, &Value) -> Result<(), ApiError>;

const MUTATING: [Mutate; 10] = [
    limit_ranger::mutate,
    service_account::mutate,
    taint::mutate,
    priority::mutate,
    tolerations::mutate,
    storage::mutate_class,
    runtime_class::mutate,
    certificates::mutate,
    ingress::mutate,
    topology::mutate,
];
const VALIDATING: [Validate; 10] = [
    limit_ranger::validate,
    service_account::validate,
    pod_security::validate,
    priority::validate,
    storage::validate_growth,
    certificates::validate,
    node_restriction::validate,
    escalation::validate,
    device_access::validate,
    resize::validate,
];

/// Waits for what plugins will look up, before the first of them runs.
pub(crate) async fn wait(registry: &Registry, writing: &Writing<'_>, object: &Value) -> Result<(), ApiError> {
    if !is_pod(writing) {
        return Ok(());
    }
    registry.caches.fresh().await?;
    service_account::wait_for_default(registry, &writing.what.namespace, object).await;
    Ok(())
}

/// Runs the plugins that complete an object, then policies and webhooks.
pub(crate) async fn mutate(admission: &Admission<'_>, object: &mut Value) -> Result<(), ApiError> {
    complete(admission, object)?;
    dynamic::mutate(admission, object).await
}

/// The plugins that complete an object.
fn complete(admission: &Admission<'_>, object: &mut Value) -> Result<(), ApiError> {
    MUTATING.iter().try_for_each(|plugin| plugin(admission, object))
}

/// Runs the plugins that only refuse, then policies and webhooks, then the quotas. On deletes, `object` is what is
/// deleted. What comes back is to be held until the object is written, and the caches know it.
pub(crate) async fn validate(admission: &Admission<'_>, object: &Value) -> Result<Option<quota::Turn>, ApiError> {
    VALIDATING.iter().try_for_each(|plugin| plugin(admission, object))?;
    dynamic::validate(admission, object).await?;
    // Last, so that nothing is counted that is refused for another reason, and nobody waits for a webhook.
    quota::admit(admission, object).await
}

/// Asks the webhooks that might change what is deleted. They cannot, but may refuse.
pub(crate) async fn ask_about_delete(admission: &Admission<'_>, object: &Value) -> Result<(), ApiError> {
    dynamic::ask_about_delete(admission, object).await
}

/// Admits the body of a subresource that is an object of its own: a Binding, an Eviction, a TokenRequest, or
/// the options of a stream. Answers what to warn of.
pub(crate) async fn admit(
    registry: &Registry,
    writing: &Writing<'_>,
    operation: Operation,
    body: &mut Value,
) -> Result<Vec<String>, ApiError> {
    let admission = Admission::new(registry, writing, operation, None);
    topology::mutate(&admission, body)?;
    dynamic::mutate(&admission, body).await?;
    node_restriction::validate(&admission, body)?;
    dynamic::validate(&admission, body).await?;
    Ok(admission.into_warnings())
}

/// `details.causes` of a Status.
fn causes(list: &Value) -> Vec<Cause> {
    let text = |cause: &Value, field: &str| cause[field].as_str().unwrap_or_default().to_owned();
    let causes = list.as_array().into_iter().flatten();
    causes
        .map(|cause| Cause {
            reason: text(cause, "reason"),
            message: text(cause, "message"),
            field: text(cause, "field"),
        })
        .collect()
}
