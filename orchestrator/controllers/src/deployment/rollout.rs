//! How many Pods each ReplicaSet of a Deployment has, step by step.

use super::{DESIRED_REPLICAS, MAX_REPLICAS, World, replicas, resolve, unfinished};
use crate::plan::{Plan, Write};
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use kube::ResourceExt;
use orchestrator_client::recorder::reference;
use serde_json::json;
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// Whether the strategy is Recreate.
pub fn is_recreate(deployment: &Deployment) -> bool {
    let strategy = deployment.spec.as_ref().and_then(|spec| spec.strategy.as_ref());
    strategy.and_then(|strategy| strategy.type_.as_deref()) == Some("Recreate")
}

/// Pods that may be there beyond the wanted number.
fn max_surge(deployment: &Deployment) -> i32 {
    let rolling = deployment.spec.as_ref().and_then(|s| s.strategy.as_ref()).and_then(|s| s.rolling_update.as_ref());
    if is_recreate(deployment) {
        return 0;
    }
    resolve(rolling.and_then(|rolling| rolling.max_surge.as_ref()), replicas(deployment), true)
}

/// Pods that may be missing from the wanted number; at least 1 when nothing may be added.
pub fn max_unavailable(deployment: &Deployment) -> i32 {
    let rolling = deployment.spec.as_ref().and_then(|s| s.strategy.as_ref()).and_then(|s| s.rolling_update.as_ref());
    let wanted = replicas(deployment);
    if is_recreate(deployment) || wanted == 0 {
        return 0;
    }
    let value = resolve(rolling.and_then(|rolling| rolling.max_unavailable.as_ref()), wanted, false);
    let value = if value == 0 && max_surge(deployment) == 0 { 1 } else { value };
    value.min(wanted)
}

fn size(replica_set: &ReplicaSet) -> i32 {
    replica_set.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1)
}

fn available(replica_set: &ReplicaSet) -> i32 {
    replica_set.status.as_ref().and_then(|status| status.available_replicas).unwrap_or(0)
}

fn total(replica_sets: &[&ReplicaSet]) -> i32 {
    replica_sets.iter().map(|rs| size(rs)).sum()
}

/// The annotations by which a later plan sees that the Deployment was scaled meanwhile.
pub fn size_annotations(deployment: &Deployment) -> BTreeMap<String, String> {
    let wanted = replicas(deployment);
    let pairs = [(DESIRED_REPLICAS, wanted), (MAX_REPLICAS, wanted + max_surge(deployment))];
    pairs.into_iter().map(|(key, number)| (key.to_owned(), number.to_string())).collect()
}

/// Whether the wanted number changed since the ReplicaSets were sized.
pub fn is_scaling(deployment: &Deployment, replica_sets: &[std::sync::Arc<ReplicaSet>]) -> bool {
    let wanted = replicas(deployment).to_string();
    let sized = |rs: &ReplicaSet| rs.annotations().get(DESIRED_REPLICAS).is_some_and(|text| *text != wanted);
    replica_sets.iter().any(|rs| size(rs) > 0 && sized(rs))
}

/// Sizes a ReplicaSet, if that changes anything.
fn resize(deployment: &Deployment, replica_set: &ReplicaSet, to: i32, plan: &mut Plan) {
    let from = size(replica_set);
    let annotations = size_annotations(deployment);
    let annotated = annotations.iter().all(|(key, value)| replica_set.annotations().get(key) == Some(value));
    if from == to && annotated {
        return;
    }
    let body = json!({"metadata": {"annotations": annotations}, "spec": {"replicas": to}});
    let write = Write::patch(replica_set, body);
    let direction = match to.cmp(&from) {
        Ordering::Equal => return plan.writes.push(write),
        Ordering::Greater => "up",
        Ordering::Less => "down",
    };
    let message = format!("Scaled {direction} replica set {} from {from} to {to}", replica_set.name_any());
    plan.writes.push(write.telling(reference(deployment), "ScalingReplicaSet", message));
}

/// The size that the new ReplicaSet may have now.
pub fn new_replicas(deployment: &Deployment, new: Option<&ReplicaSet>, old: &[&ReplicaSet]) -> i32 {
    let wanted = replicas(deployment);
    if is_recreate(deployment) {
        return wanted;
    }
    let current = new.map_or(0, size);
    let room = wanted + max_surge(deployment) - total(old) - current;
    if current >= wanted { wanted } else { current + room.clamp(0, wanted - current) }
}

/// One step of a rolling update (or the whole of Recreate's second half).
pub fn roll(deployment: &Deployment, new: &ReplicaSet, old: &[&ReplicaSet], plan: &mut Plan) {
    let grown = new_replicas(deployment, Some(new), old);
    resize(deployment, new, grown, plan);
    if grown > size(new) {
        // One direction at a time, so that the next step sees its effect.
        return;
    }
    let old_total = total(old);
    if old_total == 0 {
        return;
    }
    let min_available = replicas(deployment) - max_unavailable(deployment);
    let new_unavailable = (size(new) - available(new)).max(0);
    let mut may_go = (old_total + size(new) - min_available - new_unavailable).max(0);
    let mut sizes: Vec<(&ReplicaSet, i32)> = old.iter().map(|rs| (*rs, size(rs))).collect();
    // Pods that serve nobody go first: they cost no availability.
    for (replica_set, left) in &mut sizes {
        let broken = (*left - available(replica_set)).max(0).min(may_go);
        *left -= broken;
        may_go -= broken;
    }
    let available_total: i32 =
        available(new).min(size(new)) + sizes.iter().map(|(rs, left)| available(rs).min(*left)).sum::<i32>();
    let mut may_go = may_go.min((available_total - min_available).max(0));
    for (_, left) in &mut sizes {
        let step = (*left).min(may_go);
        *left -= step;
        may_go -= step;
    }
    for (replica_set, left) in sizes {
        if left != size(replica_set) {
            resize(deployment, replica_set, left, plan);
        }
    }
}

/// Whether Recreate may go on: no old Pod is left.
pub fn old_is_gone(world: &World, old: &[&ReplicaSet]) -> bool {
    total(old) == 0 && unfinished(world, old).next().is_none()
}

/// Recreate's first half: all old ReplicaSets to 0.
pub fn end(deployment: &Deployment, old: &[&ReplicaSet], plan: &mut Plan) {
    for replica_set in old.iter().filter(|rs| size(rs) > 0) {
        resize(deployment, replica_set, 0, plan);
    }
}

/// After a change of the wanted number: one ReplicaSet takes it all, several share the
/// difference in proportion to their sizes, the largest taking what rounding leaves.
pub fn scale_in_proportion(deployment: &Deployment, new: Option<&ReplicaSet>, old: &[&ReplicaSet], plan: &mut Plan) {
    let wanted = replicas(deployment);
    let mut active: Vec<&ReplicaSet> = new.into_iter().chain(old.iter().copied()).filter(|rs| size(rs) > 0).collect();
    match active[..] {
        [] => return new.into_iter().for_each(|new| resize(deployment, new, wanted, plan)),
        [only] => return resize(deployment, only, wanted, plan),
        _ => {}
    }
    let finished = new.is_some_and(|new| size(new) == wanted && available(new) == wanted);
    if finished {
        return old.iter().filter(|rs| size(rs) > 0).for_each(|rs| resize(deployment, rs, 0, plan));
    }
    let before = total(&active);
    let allowed = if wanted > 0 { wanted + max_surge(deployment) } else { 0 };
    let difference = allowed - before;
    active.sort_by_key(|rs| (std::cmp::Reverse(size(rs)), rs.metadata.creation_timestamp.as_ref().map(|time| time.0)));
    let mut left = difference;
    let mut sizes: Vec<i32> = Vec::new();
    for replica_set in &active {
        let share = i64::from(size(replica_set)) * i64::from(difference) / i64::from(before.max(1));
        let share = i32::try_from(share).unwrap_or(0);
        let share = if difference >= 0 { share.clamp(0, left) } else { share.clamp(left, 0) };
        sizes.push(size(replica_set) + share);
        left -= share;
    }
    if let Some(first) = sizes.first_mut() {
        *first = (*first + left).max(0);
    }
    for (replica_set, to) in active.into_iter().zip(sizes) {
        resize(deployment, replica_set, to, plan);
    }
}
