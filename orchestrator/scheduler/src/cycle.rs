//! One decision: a Pod, all Nodes, an answer. Pure.

use crate::plugins::{Candidate, Plugins};
use crate::snapshot::{NodeInfo, Snapshot, estimate, requests};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use std::collections::{BTreeMap, BTreeSet};

/// Where a Pod goes, or why it cannot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// This Node is the best.
    Node(String),
    /// None fits.
    Nowhere {
        /// Upstream's text: `0/2 nodes are available: 1 Insufficient cpu, 1 …`.
        message: String,
        /// The plugins that refused.
        refused_by: Vec<&'static str>,
    },
}

/// Decides for `pod`; `tie` breaks ties (a random number).
pub fn decide(plugins: &Plugins, snapshot: &Snapshot, pod: &Pod, tie: u64) -> Answer {
    let candidate = Candidate { pod, requests: requests(pod), estimate: estimate(pod) };
    let mut fitting: Vec<&NodeInfo> = Vec::new();
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    let mut refused_by = BTreeSet::new();
    for node in snapshot.nodes() {
        let refusal = plugins
            .filters
            .iter()
            .find_map(|filter| filter.filter(&candidate, node).err().map(|reasons| (filter.name(), reasons)));
        match refusal {
            None => fitting.push(node),
            Some((plugin, texts)) => {
                refused_by.insert(plugin);
                texts.into_iter().for_each(|text| *reasons.entry(text).or_insert(0) += 1);
            }
        }
    }
    if fitting.is_empty() {
        if snapshot.is_empty() {
            let message = "no nodes available to schedule pods".to_owned();
            return Answer::Nowhere { message, refused_by: vec!["NodeName"] };
        }
        let mut texts: Vec<String> = reasons.into_iter().map(|(text, count)| format!("{count} {text}")).collect();
        texts.sort();
        let message = format!("0/{} nodes are available: {}.", snapshot.len(), texts.join(", "));
        return Answer::Nowhere { message, refused_by: refused_by.into_iter().collect() };
    }
    Answer::Node(best(plugins, &candidate, &fitting, tie))
}

fn best(plugins: &Plugins, candidate: &Candidate<'_>, fitting: &[&NodeInfo], tie: u64) -> String {
    if let [only] = fitting {
        return only.node.name_any();
    }
    let mut totals = vec![0i64; fitting.len()];
    for plugin in &plugins.scores {
        let mut scores: Vec<i64> = fitting.iter().map(|node| plugin.score(candidate, node)).collect();
        plugin.normalize(&mut scores);
        for (total, score) in totals.iter_mut().zip(scores) {
            *total += score * plugin.weight();
        }
    }
    let highest = totals.iter().copied().max().unwrap_or(0);
    let top: Vec<&&NodeInfo> =
        fitting.iter().zip(&totals).filter(|(_, total)| **total == highest).map(|(n, _)| n).collect();
    let index = usize::try_from(tie).unwrap_or(0) % top.len().max(1);
    top.get(index).map(|node| node.node.name_any()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
