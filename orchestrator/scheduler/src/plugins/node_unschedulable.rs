//! NodeUnschedulable: a cordoned Node takes no new Pods.

use super::{Candidate, ClusterEvent, Filter, taint_toleration};
use crate::snapshot::NodeInfo;
use k8s_openapi::api::core::v1::Taint;

/// The plugin.
pub struct NodeUnschedulable;

impl Filter for NodeUnschedulable {
    fn name(&self) -> &'static str {
        "NodeUnschedulable"
    }
    fn filter(&self, candidate: &Candidate<'_>, node: &NodeInfo) -> Result<(), Vec<String>> {
        let cordoned = node.node.spec.as_ref().and_then(|spec| spec.unschedulable).unwrap_or(false);
        let key = "node.kubernetes.io/unschedulable".to_owned();
        let taint = Taint { key, effect: "NoSchedule".into(), ..Taint::default() };
        if !cordoned || taint_toleration::tolerates(candidate.pod, &taint) {
            return Ok(());
        }
        Err(vec!["node(s) were unschedulable".into()])
    }
    fn wakes(&self, event: ClusterEvent) -> bool {
        event == ClusterEvent::Node
    }
}
