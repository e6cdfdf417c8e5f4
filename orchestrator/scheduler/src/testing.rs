//! Pods and Nodes for tests, and a snapshot of them.

use crate::snapshot::Snapshot;
use k8s_openapi::api::core::v1::{
    Container, Node, NodeSpec, NodeStatus, Pod, PodSpec, ResourceRequirements, Taint, Toleration,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A list of amounts, or of labels.
pub fn quantities(pairs: &[(&str, &str)]) -> BTreeMap<String, Quantity> {
    pairs.iter().map(|(name, amount)| ((*name).to_owned(), Quantity((*amount).to_owned()))).collect()
}

/// A container that asks for these amounts.
pub fn container(requests: &[(&str, &str)]) -> Container {
    let resources = ResourceRequirements { requests: Some(quantities(requests)), ..ResourceRequirements::default() };
    Container { resources: Some(resources), ..Container::default() }
}

/// A Pod of one container; its uid is its name.
pub fn pod(name: &str, requests: &[(&str, &str)]) -> Pod {
    let metadata = ObjectMeta {
        name: Some(name.into()),
        namespace: Some("n".into()),
        uid: Some(name.into()),
        ..ObjectMeta::default()
    };
    let spec = PodSpec { containers: vec![container(requests)], ..PodSpec::default() };
    Pod { metadata, spec: Some(spec), status: None }
}

/// A Node with room for 110 Pods and these amounts.
pub fn node(name: &str, allocatable: &[(&str, &str)]) -> Node {
    let mut amounts = quantities(&[("pods", "110")]);
    amounts.extend(quantities(allocatable));
    let status = NodeStatus { allocatable: Some(amounts), ..NodeStatus::default() };
    let metadata = ObjectMeta { name: Some(name.into()), ..ObjectMeta::default() };
    Node { metadata, spec: Some(NodeSpec::default()), status: Some(status) }
}

/// A taint from `KEY=VALUE:EFFECT`.
pub fn taint(text: &str) -> Taint {
    let (pair, effect) = text.split_once(':').unwrap();
    let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
    let value = Some(value.to_owned()).filter(|value| !value.is_empty());
    Taint { key: key.into(), value, effect: effect.into(), time_added: None }
}

/// A Node with taints.
pub fn tainted(mut node: Node, taints: &[&str]) -> Node {
    node.spec.get_or_insert_default().taints = Some(taints.iter().map(|text| taint(text)).collect());
    node
}

/// A toleration; empty texts are left out.
pub fn toleration(key: &str, operator: &str, value: &str, effect: &str) -> Toleration {
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    Toleration {
        key: some(key),
        operator: some(operator),
        value: some(value),
        effect: some(effect),
        toleration_seconds: None,
    }
}

/// A snapshot of empty Nodes.
pub fn snapshot(nodes: &[Node]) -> Snapshot {
    let mut snapshot = Snapshot::default();
    nodes.iter().for_each(|node| snapshot.put_node(Arc::new(node.clone())));
    snapshot
}
