//! DefaultIngressClass: a new Ingress that names no class gets the default one.

use super::storage::default_class;
use super::{Admission, Operation};
use crate::registry::ObjectReader;
use orchestrator_apimachinery::ApiError;
use serde_json::{Value, json};

const GROUP: &str = "networking.k8s.io";
const DEFAULT_CLASS: &str = "ingressclass.kubernetes.io/is-default-class";
const OLD_CLASS: &str = "kubernetes.io/ingress.class";

pub(super) fn mutate(admission: &Admission<'_>, ingress: &mut Value) -> Result<(), ApiError> {
    let kind = admission.writing.kind;
    let about = kind.group == GROUP && kind.plural == "ingresses" && admission.operation == Operation::Create;
    let named =
        ingress["spec"]["ingressClassName"].is_string() || ingress["metadata"]["annotations"][OLD_CLASS].is_string();
    if !about || named {
        return Ok(());
    }
    let classes = admission.registry.caches.list(GROUP, "ingressclasses", None);
    if let Some(class) = default_class(&classes, DEFAULT_CLASS) {
        ingress["spec"]["ingressClassName"] = json!(class);
    }
    Ok(())
}
