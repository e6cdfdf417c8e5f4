//! What decides where a Pod may go and where it goes best. Each plugin is a file below.
//!
//! Source: Kubernetes, "Scheduling Framework".

mod node_affinity;
mod node_name;
mod node_resources;
mod node_unschedulable;
mod taint_toleration;

use crate::snapshot::{Amounts, NodeInfo};
use k8s_openapi::api::core::v1::Pod;

/// What changed in the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClusterEvent {
    /// A Node is new, or its labels, taints or size changed.
    Node,
    /// A Pod that was on a Node went or shrank.
    PodGone,
}

/// A Pod with what is worked out of it once for all Nodes.
pub struct Candidate<'a> {
    /// The Pod.
    pub pod: &'a Pod,
    /// What it asks for.
    pub requests: Amounts,
    /// What scores count for it.
    pub estimate: Amounts,
}

/// Says no.
pub trait Filter: Send + Sync {
    /// Upstream's name of the plugin.
    fn name(&self) -> &'static str;
    /// `Err` with upstream's words when the Pod may not go there, such as `Insufficient cpu`.
    fn filter(&self, candidate: &Candidate<'_>, node: &NodeInfo) -> Result<(), Vec<String>>;
    /// Whether a Pod that this plugin refused may fit after `event`.
    fn wakes(&self, event: ClusterEvent) -> bool;
}

/// Says how good.
pub trait Score: Send + Sync {
    /// Upstream's name of the plugin.
    fn name(&self) -> &'static str;
    /// 0 to 100, or any number that [`Score::normalize`] brings into that range.
    fn score(&self, candidate: &Candidate<'_>, node: &NodeInfo) -> i64;
    /// Brings the scores of all Nodes into 0 to 100.
    fn normalize(&self, scores: &mut [i64]) {
        let _ = scores;
    }
    /// How much it counts.
    fn weight(&self) -> i64;
}

/// The plugins in their order.
pub struct Plugins {
    /// All must agree.
    pub filters: Vec<Box<dyn Filter>>,
    /// Their weighted sum decides.
    pub scores: Vec<Box<dyn Score>>,
}

impl Default for Plugins {
    fn default() -> Self {
        Plugins {
            filters: vec![
                Box::new(node_unschedulable::NodeUnschedulable),
                Box::new(node_name::NodeName),
                Box::new(taint_toleration::TaintToleration),
                Box::new(node_affinity::NodeAffinity),
                Box::new(node_resources::Fit),
            ],
            scores: vec![
                Box::new(taint_toleration::TaintToleration),
                Box::new(node_resources::LeastAllocated),
                Box::new(node_resources::BalancedAllocation),
            ],
        }
    }
}

impl Plugins {
    /// Whether `event` may help a Pod that the plugin `name` refused.
    pub fn wakes(&self, name: &str, event: ClusterEvent) -> bool {
        self.filters.iter().any(|filter| filter.name() == name && filter.wakes(event))
    }
}
