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
        if i64::try_from(node.load.pods).unwrap_or(i64::MAX) >= pods_max {
            short.push("Too many pods".to_owned());
        }
        for (name, wanted) in candidate.requests.0.iter().filter(|(_, wanted)| **wanted > 0) {
            if *wanted > node.allocatable.get(name) - node.load.requested.get(name) {
                short.push(format!("Insufficient {name}"));
            }
        }
        if short.is_empty() { Ok(()) } else { Err(short) }
    }
    fn wakes(&self, _: ClusterEvent) -> bool {
        true
    }
}

/// The resources that scores look at.
const SCORED: [&str; 2] = ["cpu", "memory"];

impl Score for LeastAllocated {
    fn name(&self) -> &'static str {
        "NodeResourcesFit"
    }
    fn score(&self, candidate: &Candidate<'_>, node: &NodeInfo) -> i64 {
        let free = |name: &str| {
            let size = node.allocatable.get(name);
            let used = node.load.estimated.get(name) + candidate.estimate.get(name);
            (size > 0).then(|| (size - used).max(0).saturating_mul(100) / size)
        };
        let shares: Vec<i64> = SCORED.into_iter().filter_map(free).collect();
        shares.iter().sum::<i64>() / i64::try_from(shares.len().max(1)).unwrap_or(1)
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
        if SCORED.into_iter().all(|name| candidate.requests.get(name) == 0) {
            // A Pod that asks for nothing moves no balance.
            return 0;
        }
        let share = |name: &str| {
            let size = node.allocatable.get(name);
            let used = node.load.requested.get(name) + candidate.requests.get(name);
            (size > 0).then(|| (used as f64 / size as f64).min(1.0))
        };
        let deviation = match SCORED.map(share) {
            [Some(cpu), Some(memory)] => (cpu - memory).abs() / 2.0,
            _ => 0.0,
        };
        ((1.0 - deviation) * 100.0) as i64
    }
    fn weight(&self) -> i64 {
        1
    }
}
