//! The `scale` subresource: `autoscaling/v1 Scale` as a view of a workload's replicas.

use orchestrator_apimachinery::{ApiError, Kind, meta};
use serde_json::{Value, json};

/// The Scale of an object (with its resourceVersion).
pub(crate) fn of(kind: &Kind, object: &Value) -> Result<Value, ApiError> {
    let mut metadata = json!({});
    for field in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
        if let Some(value) = object["metadata"].get(field) {
            metadata[field] = value.clone();
        }
    }
    if let Some(paths) = kind.custom.as_ref().and_then(|custom| custom.scale.as_ref()) {
        let missing = || ApiError::internal(format!("the spec replicas field {:?} does not exist", paths.spec_path()));
        let mut status = json!({"replicas": paths.current(object)});
        if let Some(selector) = paths.selector(object) {
            status["selector"] = json!(selector);
        }
        let mut spec = json!({});
        match paths.wanted(object).ok_or_else(missing)? {
            0 => {}
            replicas => spec["replicas"] = json!(replicas),
        }
        return Ok(json!({
            "kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata, "spec": spec, "status": status,
        }));
    }
    Ok(json!({
        "kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata,
        "spec": {"replicas": object["spec"]["replicas"].as_i64().unwrap_or(0)},
        "status": {
            "replicas": object["status"]["replicas"].as_i64().unwrap_or(0),
            "selector": selector_text(&object["spec"]["selector"]),
        },
    }))
}

/// The object with a Scale's number of replicas, and its resourceVersion if it names one.
pub(crate) fn apply(kind: &Kind, scale: &Value, object: &Value) -> Result<Value, ApiError> {
    let replicas = match &scale["spec"]["replicas"] {
        Value::Null => 0,
        value => value.as_i64().ok_or_else(|| ApiError::bad_request("spec.replicas: expected an integer"))?,
    };
    if replicas < 0 {
        let mut errors = orchestrator_apimachinery::field::Errors::default();
        let path = orchestrator_apimachinery::field::Path::new("spec").child("replicas");
        errors.invalid(&path, replicas, "must be greater than or equal to 0");
        return Err(ApiError::invalid("autoscaling", "Scale", meta::name(object), &errors));
    }
    let mut object = object.clone();
    match kind.custom.as_ref().and_then(|custom| custom.scale.as_ref()) {
        Some(paths) => paths.set(&mut object, replicas),
        None => object["spec"]["replicas"] = json!(replicas),
    }
    match meta::resource_version(scale) {
        "" => super::remove_meta(&mut object, "resourceVersion"),
        revision => object["metadata"]["resourceVersion"] = json!(revision),
    }
    Ok(object)
}

/// A label selector as text, as in `kubectl get -l`.
fn selector_text(selector: &Value) -> String {
    let mut parts: Vec<String> = Vec::new();
    for (key, value) in selector["matchLabels"].as_object().into_iter().flatten() {
        parts.push(format!("{key}={}", value.as_str().unwrap_or_default()));
    }
    for expression in selector["matchExpressions"].as_array().into_iter().flatten() {
        let key = expression["key"].as_str().unwrap_or_default();
        let mut values: Vec<&str> =
            expression["values"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        values.sort_unstable();
        let values = values.join(",");
        parts.push(match expression["operator"].as_str().unwrap_or_default() {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "DoesNotExist" => format!("!{key}"),
            _ => key.to_owned(),
        });
    }
    parts.join(",")
}
