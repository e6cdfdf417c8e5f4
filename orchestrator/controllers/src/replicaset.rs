//! ReplicaSet: as many Pods as it asks for.
//!
//! Source: Kubernetes, "ReplicaSet"; the order of deletion is that of "Pod deletion cost".

use crate::caches::Caches;
use crate::driver::{Controller, ControllerError};
use crate::limits::BURST_PODS_MAX;
use crate::owner::{self, controller_of};
use crate::plan::{Now, Plan, Write};
use crate::pods;
use async_trait::async_trait;
use k8s_openapi::api::apps::v1::{ReplicaSet, ReplicaSetStatus};
use k8s_openapi::api::core::v1::Pod;
use kube::{Client, ResourceExt};
use orchestrator_client::recorder::reference;
use orchestrator_client::{Key, WorkQueue};
use serde_json::json;
use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

/// Creates and deletes the Pods of ReplicaSets.
pub struct ReplicaSetController;

/// What a plan looks at.
#[derive(Clone, Debug)]
pub struct World {
    /// The ReplicaSet.
    pub replica_set: Arc<ReplicaSet>,
    /// Pods that it controls.
    pub owned: Vec<Arc<Pod>>,
    /// Pods of the namespace that nobody controls.
    pub orphans: Vec<Arc<Pod>>,
}

#[async_trait]
impl Controller for ReplicaSetController {
    fn name(&self) -> &'static str {
        "replicaset-controller"
    }

    fn wire(&self, caches: &Caches, queue: &WorkQueue) {
        caches.replica_sets.feed(queue, |replica_set| vec![Key::of(replica_set)]);
        let replica_sets = caches.replica_sets.clone();
        caches.pods.feed(queue, move |pod| {
            let namespace = pod.metadata.namespace.as_deref().unwrap_or("");
            match controller_of(&pod.metadata) {
                Some(owner) if owner.kind == "ReplicaSet" => vec![Key::new(namespace, &owner.name)],
                Some(_) => Vec::new(),
                // An orphan wakes those who might adopt it.
                None => {
                    let all = replica_sets.list_namespace(namespace);
                    all.iter().filter(|rs| selects(rs, pod)).map(|rs| Key::of(&**rs)).collect()
                }
            }
        });
    }

    async fn plan(&self, caches: &Caches, _: &Client, key: &Key, now: Now) -> Result<Plan, ControllerError> {
        let Some(replica_set) = caches.replica_sets.get_key(key) else { return Ok(Plan::default()) };
        let owned = caches.pods.by_index("owner", replica_set.metadata.uid.as_deref().unwrap_or(""));
        let orphans = caches.pods.by_index("owner", &owner::orphans_of(&key.namespace));
        Ok(plan(&World { replica_set, owned, orphans }, now))
    }
}

fn selects(replica_set: &ReplicaSet, pod: &Pod) -> bool {
    let selector = replica_set.spec.as_ref().and_then(|spec| owner::selector(&spec.selector));
    selector.is_some_and(|selector| !selector.is_empty() && owner::selects(&selector, &pod.metadata))
}

/// What brings the world nearer to what the ReplicaSet asks for.
pub fn plan(world: &World, now: Now) -> Plan {
    let mut plan = Plan::default();
    let replica_set = &*world.replica_set;
    let deleting = replica_set.metadata.deletion_timestamp.is_some();
    let mut mine: Vec<&Pod> = Vec::new();
    for pod in &world.owned {
        if selects(replica_set, pod) {
            mine.push(pod);
        } else if !deleting && pods::is_active(pod) {
            let uid = replica_set.metadata.uid.as_deref().unwrap_or("");
            let owners = owner::released(&pod.metadata, uid);
            plan.writes.push(Write::patch(&**pod, json!({"metadata": {"ownerReferences": owners}})));
        }
    }
    if !deleting {
        for pod in world.orphans.iter().filter(|pod| pods::is_active(pod) && selects(replica_set, pod)) {
            let owners = owner::adopted(&pod.metadata, owner::controller_reference(replica_set));
            plan.writes.push(Write::patch(&**pod, json!({"metadata": {"ownerReferences": owners}})));
            mine.push(pod);
        }
        scale(replica_set, &mine, &mut plan);
    }
    status(replica_set, &mine, now, &mut plan);
    plan
}

fn wanted(replica_set: &ReplicaSet) -> usize {
    let replicas = replica_set.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    usize::try_from(replicas).unwrap_or(0)
}

fn scale(replica_set: &ReplicaSet, mine: &[&Pod], plan: &mut Plan) {
    let mut active: Vec<&Pod> = mine.iter().copied().filter(|pod| pods::is_active(pod)).collect();
    let wanted = wanted(replica_set);
    let about = reference(replica_set);
    if active.len() < wanted {
        let template = replica_set.spec.as_ref().and_then(|spec| spec.template.clone()).unwrap_or_default();
        let namespace = replica_set.metadata.namespace.as_deref().unwrap_or("");
        let owner = owner::controller_reference(replica_set);
        let pod = pods::from_template(&template, namespace, &replica_set.name_any(), owner);
        let missing = (wanted - active.len()).min(BURST_PODS_MAX);
        let create = Write::create(&pod).telling(about, "SuccessfulCreate", "Created pod: {name}");
        plan.writes.extend(std::iter::repeat_n(create, missing));
    } else if active.len() > wanted {
        active.sort_by_cached_key(|pod| deletion_rank(pod));
        for pod in active.iter().take((active.len() - wanted).min(BURST_PODS_MAX)) {
            let message = format!("Deleted pod: {}", pod.name_any());
            plan.writes.push(Write::delete(*pod).telling(about.clone(), "SuccessfulDelete", message));
        }
    }
}

/// Those that sort first are deleted first: not scheduled, not running, not ready, cheap to
/// delete, ready for a shorter time, restarted more often, younger.
fn deletion_rank(pod: &Pod) -> impl Ord + use<> {
    let scheduled = pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_some());
    let phase = match pods::phase(pod) {
        "Running" => 2,
        "Unknown" => 1,
        _ => 0,
    };
    let ready = pods::is_ready(pod);
    let cost = pod.annotations().get("controller.kubernetes.io/pod-deletion-cost");
    let cost: i32 = cost.and_then(|text| text.parse().ok()).unwrap_or(0);
    let ready_from = pods::condition(pod, "Ready").and_then(|c| c.last_transition_time.as_ref()).map(|time| time.0);
    let created = pod.metadata.creation_timestamp.as_ref().map(|time| time.0);
    let restarts = pods::restarts(pod);
    (scheduled, phase, ready, cost, Reverse(ready_from), Reverse(restarts), Reverse(created), pod.name_any())
}

fn status(replica_set: &ReplicaSet, mine: &[&Pod], now: Now, plan: &mut Plan) {
    let spec = replica_set.spec.clone().unwrap_or_default();
    let min_ready = Duration::from_secs(u64::try_from(spec.min_ready_seconds.unwrap_or(0)).unwrap_or(0));
    let template_labels = spec.template.and_then(|template| template.metadata).and_then(|meta| meta.labels);
    let template_labels = template_labels.unwrap_or_default();
    let (mut replicas, mut labeled, mut ready, mut available) = (0, 0, 0, 0);
    for pod in mine.iter().filter(|pod| pods::is_active(pod)) {
        replicas += 1;
        let labels = pod.labels();
        labeled += i32::from(template_labels.iter().all(|(key, value)| labels.get(key) == Some(value)));
        ready += i32::from(pods::is_ready(pod));
        match pods::is_available(pod, min_ready, now) {
            Ok(yes) => available += i32::from(yes),
            Err(wait) => plan.again_after(wait),
        }
    }
    let terminating = mine.iter().filter(|pod| pods::is_deleting(pod) && !pods::is_finished(pod)).count();
    let old = replica_set.status.clone().unwrap_or_default();
    let new = ReplicaSetStatus {
        replicas,
        fully_labeled_replicas: Some(labeled),
        ready_replicas: Some(ready),
        available_replicas: Some(available),
        terminating_replicas: Some(i32::try_from(terminating).unwrap_or(i32::MAX)),
        observed_generation: replica_set.metadata.generation,
        conditions: old.conditions.clone(),
    };
    // The server leaves out zeros; compare what they mean.
    let zeroed = ReplicaSetStatus {
        fully_labeled_replicas: old.fully_labeled_replicas.or(Some(0)),
        ready_replicas: old.ready_replicas.or(Some(0)),
        available_replicas: old.available_replicas.or(Some(0)),
        terminating_replicas: old.terminating_replicas.or(Some(0)),
        ..old
    };
    if new != zeroed {
        let changed = ReplicaSet { status: Some(new), ..replica_set.clone() };
        plan.writes.push(Write::replace_status(&changed));
    }
}

#[cfg(test)]
mod tests;
