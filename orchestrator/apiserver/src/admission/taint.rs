//! TaintNodesByCondition: a new Node takes no Pods until it is known to be ready.

use super::{Admission, Operation};
use orchestrator_apimachinery::ApiError;
use serde_json::{Value, json};

const NOT_READY: &str = "node.kubernetes.io/not-ready";

pub(super) fn mutate(admission: &Admission<'_>, node: &mut Value) -> Result<(), ApiError> {
    let kind = admission.writing.kind;
    if !kind.group.is_empty() || kind.plural != "nodes" || admission.operation != Operation::Create {
        return Ok(());
    }
    if !node["spec"]["taints"].is_array() {
        node["spec"]["taints"] = json!([]);
    }
    if let Some(taints) = node["spec"]["taints"].as_array_mut() {
        let taint = json!({"key": NOT_READY, "effect": "NoSchedule"});
        if !taints.contains(&taint) {
            taints.push(taint);
        }
    }
    Ok(())
}
