//! A Pod's RuntimeClass must exist; its overhead and scheduling rules become the Pod's.

use super::Admission;
use crate::registry::ObjectReader;
use orchestrator_apimachinery::{ApiError, meta};
use serde_json::{Value, json};

/// Completes a new Pod from its RuntimeClass.
pub(super) fn mutate(admission: &Admission<'_>, pod: &mut Value) -> Result<(), ApiError> {
    if !admission.creates_pod() {
        return Ok(());
    }
    let Some(name) = pod["spec"]["runtimeClassName"].as_str().filter(|name| !name.is_empty()) else { return Ok(()) };
    let pod_name = &*meta::name(pod).to_owned();
    let found = admission.registry.caches.get("node.k8s.io", "runtimeclasses", "", name);
    let class: Value = match found.and_then(|bytes| serde_json::from_slice(&bytes).ok()) {
        Some(class) => class,
        None => {
            let why = format!("pod rejected: RuntimeClass {name:?} not found");
            return Err(admission.writing.forbidden(pod_name, &why));
        }
    };
    let overhead = &class["overhead"]["podFixed"];
    if overhead.is_object() {
        if pod["spec"]["overhead"].is_object() && pod["spec"]["overhead"] != *overhead {
            let why = "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead";
            return Err(admission.writing.forbidden(pod_name, why));
        }
        pod["spec"]["overhead"] = overhead.clone();
    }
    for (key, value) in class["scheduling"]["nodeSelector"].as_object().into_iter().flatten() {
        let own = &pod["spec"]["nodeSelector"][key];
        if !own.is_null() && own != value {
            let why = format!(
                "pod rejected: conflict: runtimeClass.scheduling.nodeSelector[{key}] = {value}; \
                 pod.spec.nodeSelector[{key}] = {own}"
            );
            return Err(admission.writing.forbidden(pod_name, &why));
        }
        pod["spec"]["nodeSelector"][key] = value.clone();
    }
    if let Some(tolerations) = class["scheduling"]["tolerations"].as_array() {
        if !pod["spec"]["tolerations"].is_array() {
            pod["spec"]["tolerations"] = json!([]);
        }
        if let Some(own) = pod["spec"]["tolerations"].as_array_mut() {
            let new: Vec<Value> = tolerations.iter().filter(|toleration| !own.contains(toleration)).cloned().collect();
            own.extend(new);
        }
    }
    Ok(())
}
