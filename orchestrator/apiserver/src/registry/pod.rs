//! What is special to Pods: their binding to a node.

use super::timestamp;
use orchestrator_apimachinery::{ApiError, meta};
use serde_json::{Value, json};

/// The Pod as a Binding places it.
pub(crate) fn bind(pod: &Value, binding: &Value, now: i64) -> Result<Value, ApiError> {
    let name = meta::name(pod);
    let refuse = |why: &str| Err(ApiError::conflict("", "pods/binding", name, why));
    check_metadata(binding)?;
    let target = &binding["target"];
    let node = target["name"].as_str().unwrap_or_default();
    let mut errors = orchestrator_apimachinery::field::Errors::default();
    let path = orchestrator_apimachinery::field::Path::new("target");
    match target["kind"].as_str().unwrap_or_default() {
        "" | "Node" => {}
        kind => errors.not_supported(&path.child("kind"), kind, &["Node", "<empty>"]),
    }
    if node.is_empty() {
        errors.required(&path.child("name"), "");
    }
    if !errors.is_empty() {
        return Err(ApiError::invalid("", "Binding", name, &errors));
    }
    for (field, found) in [("uid", meta::uid(pod)), ("resourceVersion", meta::resource_version(pod))] {
        let wanted = meta::text(binding, field);
        if !wanted.is_empty() && wanted != found {
            return refuse(&format!("Precondition failed: {field} in precondition: {wanted}, in object meta: {found}"));
        }
    }
    if meta::is_deleting(pod) {
        return refuse(&format!("pod {name} is being deleted, cannot be assigned to a host"));
    }
    if let Some(taken) = pod["spec"]["nodeName"].as_str().filter(|node| !node.is_empty()) {
        return refuse(&format!("pod {name} is already assigned to node {taken:?}"));
    }
    if pod["spec"]["schedulingGates"].as_array().is_some_and(|gates| !gates.is_empty()) {
        return refuse(&format!("pod {name} has non-empty .spec.schedulingGates"));
    }
    let mut pod = pod.clone();
    pod["spec"]["nodeName"] = json!(node);
    for (key, value) in binding["metadata"]["annotations"].as_object().into_iter().flatten() {
        pod["metadata"]["annotations"][key] = value.clone();
    }
    for (key, value) in binding["metadata"]["labels"].as_object().into_iter().flatten() {
        if pod["metadata"]["labels"][key].is_null() {
            pod["metadata"]["labels"][key] = value.clone();
        }
    }
    set_scheduled(&mut pod, now);
    Ok(pod)
}

/// Checks the types of a Binding's metadata, which goes into a Pod.
pub(crate) fn check_metadata(binding: &Value) -> Result<(), ApiError> {
    let metadata = &binding["metadata"];
    let texts = |map: &Value| map.is_null() || map.as_object().is_some_and(|map| map.values().all(Value::is_string));
    if metadata.is_null() || (metadata.is_object() && texts(&metadata["labels"]) && texts(&metadata["annotations"])) {
        return Ok(());
    }
    let why = "Binding in version \"v1\" cannot be handled as a Binding: labels and annotations must be texts";
    Err(ApiError::bad_request(why))
}

fn set_scheduled(pod: &mut Value, now: i64) {
    let condition = json!({
        "type": "PodScheduled", "status": "True", "lastProbeTime": null, "lastTransitionTime": timestamp(now),
    });
    if !pod["status"]["conditions"].is_array() {
        pod["status"]["conditions"] = json!([]);
    }
    if let Some(conditions) = pod["status"]["conditions"].as_array_mut() {
        conditions.retain(|condition| condition["type"] != "PodScheduled");
        conditions.push(condition);
    }
}
