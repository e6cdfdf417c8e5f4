//! NodeName: a Pod that names its Node goes there.

use super::{Candidate, ClusterEvent, Filter};
use crate::snapshot::NodeInfo;
use kube::ResourceExt;

/// The plugin.
pub struct NodeName;

impl Filter for NodeName {
    fn name(&self) -> &'static str {
        "NodeName"
    }
    fn filter(&self, candidate: &Candidate<'_>, node: &NodeInfo) -> Result<(), Vec<String>> {
        let wanted = candidate.pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()).unwrap_or("");
        if wanted.is_empty() || wanted == node.node.name_any() {
            return Ok(());
        }
        Err(vec!["node(s) didn't match the requested node name".into()])
    }
    fn wakes(&self, event: ClusterEvent) -> bool {
        event == ClusterEvent::Node
    }
}
