//! PodTopologyLabels: a Pod carries the zone and the region of its node as labels.
//!
//! Source: KEP-4742

use super::{Admission, Operation};
use orchestrator_apimachinery::ApiError;
use serde_json::{Value, json};

/// The labels that Pods take over from their node.
const LABELS: [&str; 2] = ["topology.kubernetes.io/region", "topology.kubernetes.io/zone"];

/// Adds the labels of the node to a Binding, or to a Pod that is made for a node.
pub(super) fn mutate(admission: &Admission<'_>, object: &mut Value) -> Result<(), ApiError> {
    if admission.operation != Operation::Create || !super::is_pod(admission.writing) {
        return Ok(());
    }
    let target = &object["target"];
    let node = match &*admission.writing.what.subresource {
        "" => &object["spec"]["nodeName"],
        "binding" if matches!(target["kind"].as_str(), None | Some("" | "Node")) => &target["name"],
        _ => return Ok(()),
    };
    let Some(name) = node.as_str().filter(|name| !name.is_empty()) else { return Ok(()) };
    let Some(node) = admission.read("", "nodes", "", name) else { return Ok(()) };
    for label in LABELS {
        let value = &node["metadata"]["labels"][label];
        if !value.is_string() || object["metadata"]["labels"][label].is_string() {
            continue;
        }
        if !object["metadata"]["labels"].is_object() {
            object["metadata"]["labels"] = json!({});
        }
        object["metadata"]["labels"][label] = value.clone();
    }
    Ok(())
}
