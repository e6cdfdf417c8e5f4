//! Node: a kubelet that is silent makes its Node's state unknown.
//!
//! Source: Kubernetes, "Nodes", heartbeats; "Taints and Tolerations", taint based evictions.

use crate::caches::Caches;
use crate::driver::{Controller, ControllerError};
use crate::plan::{Now, Plan, Tell, Write, since};
use async_trait::async_trait;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Node, NodeCondition, Taint};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{Client, ResourceExt};
use orchestrator_client::recorder::reference;
use orchestrator_client::{Key, WorkQueue};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// How long a Node's Lease may stay unrenewed (upstream's node-monitor-grace-period).
pub const GRACE: Duration = Duration::from_secs(50);

const NOT_READY: &str = "node.kubernetes.io/not-ready";
const UNREACHABLE: &str = "node.kubernetes.io/unreachable";
const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";
/// Conditions whose `True` taints the Node.
const PRESSURES: [(&str, &str); 4] = [
    ("MemoryPressure", "node.kubernetes.io/memory-pressure"),
    ("DiskPressure", "node.kubernetes.io/disk-pressure"),
    ("PIDPressure", "node.kubernetes.io/pid-pressure"),
    ("NetworkUnavailable", "node.kubernetes.io/network-unavailable"),
];
const CONDITIONS: [&str; 4] = ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"];

/// Watches Leases.
pub struct NodeLifecycleController {
    watching_since: Now,
}

impl NodeLifecycleController {
    /// Watches from `now` on: what was silent while nobody watched is not held against a kubelet.
    pub fn new(now: Now) -> Self {
        NodeLifecycleController { watching_since: now }
    }
}

/// What a plan looks at.
#[derive(Clone, Debug)]
pub struct World {
    /// The Node.
    pub node: Arc<Node>,
    /// Its Lease, if there is one.
    pub lease: Option<Arc<Lease>>,
    /// Since when somebody watches: kubelets that start together with this controller have the
    /// whole grace period to renew their Leases.
    pub watching_since: Now,
}

#[async_trait]
impl Controller for NodeLifecycleController {
    fn name(&self) -> &'static str {
        "node-controller"
    }

    fn wire(&self, caches: &Caches, queue: &WorkQueue) {
        // Leases are not wired: a renewal only moves the time of the next look, and that look
        // reads the Lease as it is then.
        caches.nodes.feed(queue, |node| vec![Key::of(node)]);
    }

    async fn plan(&self, caches: &Caches, _: &Client, key: &Key, now: Now) -> Result<Plan, ControllerError> {
        let Some(node) = caches.nodes.get_key(key) else { return Ok(Plan::default()) };
        let lease = caches.node_leases.get("kube-node-lease", &key.name);
        Ok(plan(&World { node, lease, watching_since: self.watching_since }, now))
    }
}

/// Marks a silent Node, and taints by its state.
pub fn plan(world: &World, now: Now) -> Plan {
    let mut plan = Plan::default();
    let node = &*world.node;
    let renewed = world.lease.as_ref().and_then(|lease| lease.spec.as_ref()?.renew_time.as_ref()).map(|time| time.0);
    let created = node.metadata.creation_timestamp.as_ref().map(|time| time.0);
    let heard = [renewed, heartbeat(node), created].into_iter().flatten().fold(world.watching_since, Now::max);
    let silent = since(heard, now);
    let mut ready = condition(node, "Ready").map(|condition| condition.status.as_str());
    if silent > GRACE {
        if ready.is_none_or(|status| status != "Unknown") {
            mark_unknown(node, now, &mut plan);
        }
        ready = Some("Unknown");
    } else {
        plan.again_after(GRACE - silent + Duration::from_secs(1));
    }
    // A Node without the condition has just been made; its kubelet comes next.
    if let Some(ready) = ready {
        taint(node, ready, now, &mut plan);
    }
    plan
}

fn condition<'a>(node: &'a Node, type_: &str) -> Option<&'a NodeCondition> {
    node.status.as_ref()?.conditions.as_deref()?.iter().find(|condition| condition.type_ == type_)
}

fn heartbeat(node: &Node) -> Option<Now> {
    condition(node, "Ready")?.last_heartbeat_time.as_ref().map(|time| time.0)
}

fn mark_unknown(node: &Node, now: Now, plan: &mut Plan) {
    let mut changed = node.clone();
    let conditions = changed.status.get_or_insert_default().conditions.get_or_insert_default();
    for type_ in CONDITIONS {
        let known = conditions.iter().any(|condition| condition.type_ == type_);
        let (reason, message) = match known {
            true => ("NodeStatusUnknown", "Kubelet stopped posting node status."),
            false => ("NodeStatusNeverUpdated", "Kubelet never posted node status."),
        };
        let new = NodeCondition {
            type_: type_.into(),
            status: "Unknown".into(),
            reason: Some(reason.into()),
            message: Some(message.into()),
            last_transition_time: Some(Time(now)),
            last_heartbeat_time: conditions
                .iter()
                .find(|c| c.type_ == type_)
                .and_then(|c| c.last_heartbeat_time.clone()),
        };
        match conditions.iter_mut().find(|condition| condition.type_ == type_) {
            Some(old) if old.status == "Unknown" => {}
            Some(old) => *old = new,
            None => conditions.push(new),
        }
    }
    plan.writes.push(Write::replace_status(&changed));
    let about = reference(node);
    let message = format!("Node {} status is now: NodeNotReady", node.name_any());
    plan.tells.push(Tell { about, warning: false, reason: "NodeNotReady", message });
}

/// The taints that a Node's state asks for, as key and effect.
fn wanted_taints(node: &Node, ready: &str) -> Vec<(&'static str, &'static str)> {
    let mut wanted = match ready {
        "True" => vec![],
        "False" => vec![(NOT_READY, "NoSchedule"), (NOT_READY, "NoExecute")],
        _ => vec![(UNREACHABLE, "NoSchedule"), (UNREACHABLE, "NoExecute")],
    };
    let holds = |type_: &str| condition(node, type_).is_some_and(|condition| condition.status == "True");
    wanted.extend(PRESSURES.iter().filter(|(type_, _)| holds(type_)).map(|(_, key)| (*key, "NoSchedule")));
    if node.spec.as_ref().and_then(|spec| spec.unschedulable) == Some(true) {
        wanted.push((UNSCHEDULABLE, "NoSchedule"));
    }
    wanted
}

/// Puts the taints that the Node's state asks for in place of those of another state.
fn taint(node: &Node, ready: &str, now: Now, plan: &mut Plan) {
    let old = node.spec.as_ref().and_then(|spec| spec.taints.clone()).unwrap_or_default();
    let wanted = wanted_taints(node, ready);
    let ours = |taint: &Taint| match taint.key.as_str() {
        NOT_READY | UNREACHABLE => true,
        key => taint.effect == "NoSchedule" && (key == UNSCHEDULABLE || PRESSURES.iter().any(|(_, own)| *own == key)),
    };
    let is = |taint: &Taint, (key, effect): (&str, &str)| taint.key == key && taint.effect == effect;
    let mut new: Vec<Taint> =
        old.iter().filter(|taint| !ours(taint) || wanted.iter().any(|pair| is(taint, *pair))).cloned().collect();
    for (key, effect) in wanted {
        if !new.iter().any(|taint| is(taint, (key, effect))) {
            // The API keeps whole seconds.
            let added = Time(Now::from_second(now.as_second()).unwrap_or(now));
            let (key, effect) = (key.to_owned(), effect.to_owned());
            new.push(Taint { key, effect, time_added: Some(added), ..Taint::default() });
        }
    }
    if new != old {
        plan.writes.push(Write::patch(node, json!({"spec": {"taints": new}})));
    }
}

#[cfg(test)]
mod tests;
