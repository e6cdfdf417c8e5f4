//! What a Deployment says of its progress.

use super::{World, is_complete, replicas, rollout, split};
use crate::plan::{Now, Plan, Write, since};
use k8s_openapi::api::apps::v1::{Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use std::sync::Arc;
use std::time::Duration;

/// Sums over the ReplicaSets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All Pods.
    pub total: i32,
    /// Pods of the current template.
    pub updated: i32,
    /// Ready Pods.
    pub ready: i32,
    /// Available Pods.
    pub available: i32,
    /// Pods that are ending.
    pub terminating: i32,
}

fn count(replica_sets: &[Arc<ReplicaSet>], new: Option<&ReplicaSet>) -> Counts {
    let mut counts = Counts::default();
    for status in replica_sets.iter().filter_map(|rs| rs.status.as_ref()) {
        counts.total += status.replicas;
        counts.ready += status.ready_replicas.unwrap_or(0);
        counts.available += status.available_replicas.unwrap_or(0);
        counts.terminating += status.terminating_replicas.unwrap_or(0);
    }
    counts.updated = new.and_then(|new| new.status.as_ref()).map_or(0, |status| status.replicas);
    counts
}

/// Adds the status to the plan, if it changes.
pub fn plan(world: &World, replica_sets: &[Arc<ReplicaSet>], now: Now, plan: &mut Plan) {
    let deployment = &*world.deployment;
    let (new, _) = split(world);
    let counts = count(replica_sets, new);
    let old = deployment.status.clone().unwrap_or_default();
    let mut status = DeploymentStatus {
        replicas: Some(counts.total),
        updated_replicas: Some(counts.updated),
        ready_replicas: Some(counts.ready),
        available_replicas: Some(counts.available),
        unavailable_replicas: Some((counts.total.max(replicas(deployment)) - counts.available).max(0)),
        terminating_replicas: Some(counts.terminating),
        observed_generation: deployment.metadata.generation,
        collision_count: old.collision_count,
        conditions: old.conditions.clone(),
    };
    let mut conditions = old.conditions.clone().unwrap_or_default();
    set(&mut conditions, availability(deployment, &counts), now);
    progress(deployment, new, &counts, &old, &mut conditions, now, plan);
    status.conditions = Some(conditions);
    let zero = |value: Option<i32>| value.or(Some(0));
    let same = DeploymentStatus {
        replicas: zero(old.replicas),
        updated_replicas: zero(old.updated_replicas),
        ready_replicas: zero(old.ready_replicas),
        available_replicas: zero(old.available_replicas),
        unavailable_replicas: zero(old.unavailable_replicas),
        terminating_replicas: zero(old.terminating_replicas),
        ..old
    };
    if status != same {
        let changed = Deployment { status: Some(status), ..deployment.clone() };
        plan.writes.push(Write::replace_status(&changed));
    }
}

fn condition(type_: &str, status: &str, reason: &str, message: String) -> DeploymentCondition {
    DeploymentCondition {
        type_: type_.into(),
        status: status.into(),
        reason: Some(reason.into()),
        message: Some(message),
        ..DeploymentCondition::default()
    }
}

/// Puts a condition in; its times change only with what it says.
fn set(conditions: &mut Vec<DeploymentCondition>, mut new: DeploymentCondition, now: Now) {
    let old = conditions.iter().position(|condition| condition.type_ == new.type_);
    if let Some(index) = old {
        let old = &conditions[index];
        if old.status == new.status && old.reason == new.reason && old.message == new.message {
            return;
        }
        if old.status == new.status {
            new.last_transition_time = old.last_transition_time.clone();
        }
    }
    // The API keeps whole seconds.
    let now = Time(whole_seconds(now));
    new.last_update_time = Some(now.clone());
    new.last_transition_time.get_or_insert(now);
    match old {
        Some(index) => conditions[index] = new,
        None => conditions.push(new),
    }
}

fn whole_seconds(now: Now) -> Now {
    Now::from_second(now.as_second()).unwrap_or(now)
}

fn availability(deployment: &Deployment, counts: &Counts) -> DeploymentCondition {
    if counts.available >= replicas(deployment) - rollout::max_unavailable(deployment) {
        let message = "Deployment has minimum availability.".to_owned();
        condition("Available", "True", "MinimumReplicasAvailable", message)
    } else {
        let message = "Deployment does not have minimum availability.".to_owned();
        condition("Available", "False", "MinimumReplicasUnavailable", message)
    }
}

fn progress(
    deployment: &Deployment,
    new: Option<&ReplicaSet>,
    counts: &Counts,
    old: &DeploymentStatus,
    conditions: &mut Vec<DeploymentCondition>,
    now: Now,
    plan: &mut Plan,
) {
    let spec = deployment.spec.clone().unwrap_or_default();
    let before = conditions.iter().find(|condition| condition.type_ == "Progressing").cloned();
    let reason_before = before.as_ref().and_then(|condition| condition.reason.clone()).unwrap_or_default();
    if spec.paused == Some(true) {
        let message = "Deployment is paused".to_owned();
        return set(conditions, condition("Progressing", "Unknown", "DeploymentPaused", message), now);
    }
    let name = new
        .map(|rs| format!("ReplicaSet {:?}", rs.name_any()))
        .unwrap_or(format!("Deployment {:?}", deployment.name_any()));
    let observed = old.observed_generation == deployment.metadata.generation;
    if is_complete(deployment, counts) && new.is_some() {
        let message = format!("{name} has successfully progressed.");
        set(conditions, condition("Progressing", "True", "NewReplicaSetAvailable", message), now);
    } else if reason_before == "NewReplicaSetAvailable"
        && observed
        && counts.updated >= old.updated_replicas.unwrap_or(0)
    {
        // Finished once; a Pod that comes or goes later is no new rollout.
    } else if before.is_none() && new.is_none() {
        let message = format!("Created new replica set {:?}", super::new_name(deployment));
        set(conditions, condition("Progressing", "True", "NewReplicaSetCreated", message), now);
    } else {
        let moved = counts.updated > old.updated_replicas.unwrap_or(0)
            || counts.ready > old.ready_replicas.unwrap_or(0)
            || counts.available > old.available_replicas.unwrap_or(0)
            || !observed;
        if moved || before.is_none() || reason_before == "DeploymentPaused" {
            let message = format!("{name} is progressing.");
            // A step forward restarts the deadline even when the words stay the same.
            conditions.retain(|c| c.type_ != "Progressing" || c.status != "True" || !moved);
            set(conditions, condition("Progressing", "True", "ReplicaSetUpdated", message), now);
            if let (Some(before), Some(after)) =
                (before.filter(|b| b.status == "True"), conditions.iter_mut().find(|c| c.type_ == "Progressing"))
            {
                after.last_transition_time = before.last_transition_time;
            }
        }
        deadline(spec.progress_deadline_seconds, &name, conditions, now, plan);
    }
}

/// Says that no progress was made for too long, or asks to be woken when that would be so.
fn deadline(seconds: Option<i32>, name: &str, conditions: &mut Vec<DeploymentCondition>, now: Now, plan: &mut Plan) {
    let limit = Duration::from_secs(u64::try_from(seconds.unwrap_or(600)).unwrap_or(600));
    let current = conditions.iter().find(|condition| condition.type_ == "Progressing" && condition.status == "True");
    let Some(updated) = current.and_then(|condition| condition.last_update_time.as_ref()) else { return };
    let waited = since(updated.0, now);
    if waited > limit {
        let message = format!("{name} has timed out progressing.");
        set(conditions, condition("Progressing", "False", "ProgressDeadlineExceeded", message), now);
    } else {
        plan.again_after(limit - waited + Duration::from_secs(1));
    }
}
