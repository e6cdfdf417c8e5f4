//! NodeResourcesFit and NodeResourcesBalancedAllocation: there is room, and it is used evenly.

use super::{Candidate, ClusterEvent, Filter, Score};
use crate::snapshot::NodeInfo;

/// NodeResourcesFit as a filter.
pub struct Fit;
/// NodeResourcesFit as a score: the emptier Node wins.
pub struct LeastAllocated;
/// NodeResourcesBalancedAllocation: the Node whose cpu and memory fill alike wins.
pub struct BalancedAllocation;

impl Filter for Fit {
    fn name(&self) -> &'static str {
        "NodeResourcesFit"
    }
    fn filter(&self, candidate: &Candidate<'_>, node: &NodeInfo) -> Result<(), Vec<String>> {
        let mut short = Vec::new();
        let pods_max = node.allocatable.get("pods");
        if i64::try_from(node.pods).unwrap_or(i64::MAX) >= pods_max {
            short.push("Too many pods".to_owned());
        }
        for (name, wanted) in candidate.requests.0.iter().filter(|(_, wanted)| **wanted > 0) {
            if *wanted > node.allocatable.get(name) - node.requested.get(name) {
                short.push(format!("Insufficient {name}"));
            }
        }
        if short.is_empty() { Ok(()) } else { Err(short) }
    }
    fn wakes(&self, _: ClusterEvent) -> bool {
        true
    }
}

/// The used share of a resource after the Pod has come, 0 to 1.
fn share(candidate: &Candidate<'_>, node: &NodeInfo, name: &str) -> f64 {
    let allocatable = node.allocatable.get(name);
    if allocatable <= 0 {
        return 1.0;
    }
    let used = node.requested.get(name) + candidate.requests.get(name);
    (used as f64 / allocatable as f64).clamp(0.0, 1.0)
}

impl Score for LeastAllocated {
    fn name(&self) -> &'static str {
        "NodeResourcesFit"
    }
    fn score(&self, candidate: &Candidate<'_>, node: &NodeInfo) -> i64 {
        let free = (1.0 - share(candidate, node, "cpu") + 1.0 - share(candidate, node, "memory")) / 2.0;
        (free * 100.0) as i64
    }
    fn weight(&self) -> i64 {
        1
    }
}

impl Score for BalancedAllocation {
    fn name(&self) -> &'static str {
        "NodeResourcesBalancedAllocation"
    }
    fn score(&self, candidate: &Candidate<'_>, node: &NodeInfo) -> i64 {
        let difference = (share(candidate, node, "cpu") - share(candidate, node, "memory")).abs() / 2.0;
        ((1.0 - difference) * 100.0) as i64
    }
    fn weight(&self) -> i64 {
        1
    }
}
