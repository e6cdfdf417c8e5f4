//! TaintToleration: a tainted Node takes only Pods that tolerate its taints.
//!
//! Source: Kubernetes, "Taints and Tolerations".

use super::{Candidate, ClusterEvent, Filter, Score};
use crate::snapshot::NodeInfo;
use k8s_openapi::api::core::v1::{Pod, Taint, Toleration};

/// The plugin.
pub struct TaintToleration;

/// Whether one of the Pod's tolerations covers the taint.
pub fn tolerates(pod: &Pod, taint: &Taint) -> bool {
    let tolerations = pod.spec.as_ref().and_then(|spec| spec.tolerations.as_deref()).unwrap_or_default();
    tolerations.iter().any(|toleration| covers(toleration, taint))
}

fn covers(toleration: &Toleration, taint: &Taint) -> bool {
    let any = |text: &Option<String>| text.as_deref().unwrap_or("").is_empty();
    if !any(&toleration.effect) && toleration.effect.as_deref() != Some(&taint.effect) {
        return false;
    }
    if !any(&toleration.key) && toleration.key.as_deref() != Some(&taint.key) {
        return false;
    }
    match toleration.operator.as_deref().unwrap_or("Equal") {
        "Exists" => true,
        "Equal" | "" => {
            !any(&toleration.key) && toleration.value.as_deref().unwrap_or("") == taint.value.as_deref().unwrap_or("")
        }
        _ => false,
    }
}

fn taints(node: &NodeInfo) -> &[Taint] {
    node.node.spec.as_ref().and_then(|spec| spec.taints.as_deref()).unwrap_or_default()
}

impl Filter for TaintToleration {
    fn name(&self) -> &'static str {
        "TaintToleration"
    }
    fn filter(&self, candidate: &Candidate<'_>, node: &NodeInfo) -> Result<(), Vec<String>> {
        let hard = |taint: &&Taint| taint.effect == "NoSchedule" || taint.effect == "NoExecute";
        match taints(node).iter().filter(hard).find(|taint| !tolerates(candidate.pod, taint)) {
            None => Ok(()),
            Some(taint) => {
                let value = taint.value.as_deref().unwrap_or("");
                Err(vec![format!("node(s) had untolerated taint {{{}: {value}}}", taint.key)])
            }
        }
    }
    fn wakes(&self, event: ClusterEvent) -> bool {
        event == ClusterEvent::Node
    }
}

impl Score for TaintToleration {
    fn name(&self) -> &'static str {
        "TaintToleration"
    }
    fn score(&self, candidate: &Candidate<'_>, node: &NodeInfo) -> i64 {
        let soft = taints(node).iter().filter(|taint| taint.effect == "PreferNoSchedule");
        i64::try_from(soft.filter(|taint| !tolerates(candidate.pod, taint)).count()).unwrap_or(i64::MAX)
    }
    fn normalize(&self, scores: &mut [i64]) {
        let most = scores.iter().copied().max().unwrap_or(0);
        for score in scores {
            *score = if most == 0 { 100 } else { 100 - 100 * *score / most };
        }
    }
    fn weight(&self) -> i64 {
        3
    }
}
