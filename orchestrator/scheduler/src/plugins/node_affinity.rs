//! NodeAffinity: for now its `nodeSelector` part.
//!
//! Source: Kubernetes, "Assigning Pods to Nodes".

use super::{Candidate, ClusterEvent, Filter};
use crate::snapshot::NodeInfo;
use kube::ResourceExt;

/// The plugin.
pub struct NodeAffinity;

impl Filter for NodeAffinity {
    fn name(&self) -> &'static str {
        "NodeAffinity"
    }
    fn filter(&self, candidate: &Candidate<'_>, node: &NodeInfo) -> Result<(), Vec<String>> {
        let labels = node.node.labels();
        let mut wanted = candidate.pod.spec.iter().filter_map(|spec| spec.node_selector.as_ref()).flatten();
        if wanted.all(|(key, value)| labels.get(key) == Some(value)) {
            return Ok(());
        }
        Err(vec!["node(s) didn't match Pod's node affinity/selector".into()])
    }
    fn wakes(&self, event: ClusterEvent) -> bool {
        event == ClusterEvent::Node
    }
}
