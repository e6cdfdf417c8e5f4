//! Deployment: moves from one ReplicaSet to the next.
//!
//! Source: Kubernetes, "Deployments".

mod rollout;
mod status;

use crate::caches::Caches;
use crate::driver::{Controller, ControllerError};
use crate::owner::{self, controller_of};
use crate::plan::{Now, Plan, Write};
use crate::pods;
use async_trait::async_trait;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet, ReplicaSetSpec};
use k8s_openapi::api::core::v1::{Pod, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::{Client, ResourceExt};
use orchestrator_client::recorder::reference;
use orchestrator_client::{Key, WorkQueue};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;

const HASH_LABEL: &str = "pod-template-hash";
const REVISION: &str = "deployment.kubernetes.io/revision";
const REVISION_HISTORY: &str = "deployment.kubernetes.io/revision-history";
const DESIRED_REPLICAS: &str = "deployment.kubernetes.io/desired-replicas";
const MAX_REPLICAS: &str = "deployment.kubernetes.io/max-replicas";
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Rolls Deployments out.
pub struct DeploymentController;

/// What a plan looks at.
#[derive(Clone, Debug)]
pub struct World {
    /// The Deployment.
    pub deployment: Arc<Deployment>,
    /// ReplicaSets that it controls.
    pub replica_sets: Vec<Arc<ReplicaSet>>,
    /// ReplicaSets of the namespace that nobody controls.
    pub orphans: Vec<Arc<ReplicaSet>>,
    /// Pods of the ReplicaSets (Recreate waits for their end).
    pub pods: Vec<Arc<Pod>>,
    /// A ReplicaSet of the name that a new one would get, whoever owns it.
    pub namesake: Option<Arc<ReplicaSet>>,
}

#[async_trait]
impl Controller for DeploymentController {
    fn name(&self) -> &'static str {
        "deployment-controller"
    }

    fn wire(&self, caches: &Caches, queue: &WorkQueue) {
        caches.deployments.feed(queue, |deployment| vec![Key::of(deployment)]);
        let deployments = caches.deployments.clone();
        caches.replica_sets.feed(queue, move |replica_set| {
            let namespace = replica_set.metadata.namespace.as_deref().unwrap_or("");
            match controller_of(&replica_set.metadata) {
                Some(owner) if owner.kind == "Deployment" => vec![Key::new(namespace, &owner.name)],
                Some(_) => Vec::new(),
                None => {
                    let all = deployments.list_namespace(namespace);
                    all.iter().filter(|d| selects(d, &replica_set.metadata)).map(|d| Key::of(&**d)).collect()
                }
            }
        });
        // Only Recreate looks at Pods: it waits until the last old one is gone.
        let (deployments, replica_sets) = (caches.deployments.clone(), caches.replica_sets.clone());
        caches.pods.feed(queue, move |pod| {
            let namespace = pod.metadata.namespace.as_deref().unwrap_or("");
            let replica_set = controller_of(&pod.metadata).and_then(|owner| replica_sets.get(namespace, &owner.name));
            let deployment = replica_set.and_then(|rs| controller_of(&rs.metadata).map(|owner| owner.name.clone()));
            let deployment = deployment.and_then(|name| deployments.get(namespace, &name));
            deployment.filter(|d| rollout::is_recreate(d)).map(|d| Key::of(&*d)).into_iter().collect()
        });
    }

    async fn plan(&self, caches: &Caches, _: &Client, key: &Key, now: Now) -> Result<Plan, ControllerError> {
        let Some(deployment) = caches.deployments.get_key(key) else { return Ok(Plan::default()) };
        let uid = deployment.metadata.uid.clone().unwrap_or_default();
        let replica_sets = caches.replica_sets.by_index("owner", &uid);
        let orphans = caches.replica_sets.by_index("owner", &owner::orphans_of(&key.namespace));
        let of = |rs: &Arc<ReplicaSet>| caches.pods.by_index("owner", rs.metadata.uid.as_deref().unwrap_or(""));
        let pods = replica_sets.iter().flat_map(of).collect();
        let namesake = caches.replica_sets.get(&key.namespace, &new_name(&deployment));
        Ok(plan(&World { deployment, replica_sets, orphans, pods, namesake }, now))
    }
}

fn selects(deployment: &Deployment, meta: &ObjectMeta) -> bool {
    let selector = deployment.spec.as_ref().and_then(|spec| owner::selector(&spec.selector));
    selector.is_some_and(|selector| !selector.is_empty() && owner::selects(&selector, meta))
}

/// What brings the world nearer to what the Deployment asks for.
pub fn plan(world: &World, now: Now) -> Plan {
    let mut plan = Plan::default();
    let deployment = &*world.deployment;
    if deployment.metadata.deletion_timestamp.is_some() {
        status::plan(world, &world.replica_sets, now, &mut plan);
        return plan;
    }
    for orphan in world.orphans.iter().filter(|rs| selects(deployment, &rs.metadata)) {
        if orphan.metadata.deletion_timestamp.is_none() {
            let owners = owner::adopted(&orphan.metadata, owner::controller_reference(deployment));
            plan.writes.push(Write::patch(&**orphan, json!({"metadata": {"ownerReferences": owners}})));
        }
    }
    if !plan.writes.is_empty() {
        // Adopted ReplicaSets count from the next plan on.
        return plan;
    }
    let paused = deployment.spec.as_ref().and_then(|spec| spec.paused).unwrap_or(false);
    let (new, old) = split(world);
    if paused || rollout::is_scaling(deployment, &world.replica_sets) {
        rollout::scale_in_proportion(deployment, new, &old, &mut plan);
    } else if rollout::is_recreate(deployment) && !rollout::old_is_gone(world, &old) {
        rollout::end(deployment, &old, &mut plan);
    } else {
        match new {
            Some(new) => {
                adjust(deployment, new, &old, &mut plan);
                rollout::roll(deployment, new, &old, &mut plan);
            }
            None => create(world, &old, &mut plan),
        }
    }
    if !paused {
        clean_up(deployment, &old, &mut plan);
    }
    status::plan(world, &world.replica_sets, now, &mut plan);
    plan
}

/// The ReplicaSet of the current template (the oldest, if there are several), and the others.
fn split(world: &World) -> (Option<&ReplicaSet>, Vec<&ReplicaSet>) {
    let template = template_of(&world.deployment);
    let mut all: Vec<&ReplicaSet> = world.replica_sets.iter().map(|rs| &**rs).collect();
    all.sort_by_key(|rs| (rs.metadata.creation_timestamp.as_ref().map(|time| time.0), rs.name_any()));
    let fits = |rs: &&ReplicaSet| {
        rs.spec.as_ref().and_then(|spec| spec.template.clone()).map(without_hash) == Some(template.clone())
    };
    let new = all.iter().copied().find(|rs| fits(rs));
    let old = all.into_iter().filter(|rs| new.is_none_or(|new| new.metadata.uid != rs.metadata.uid)).collect();
    (new, old)
}

fn template_of(deployment: &Deployment) -> PodTemplateSpec {
    without_hash(deployment.spec.as_ref().map(|spec| spec.template.clone()).unwrap_or_default())
}

fn without_hash(mut template: PodTemplateSpec) -> PodTemplateSpec {
    if let Some(labels) = template.metadata.as_mut().and_then(|meta| meta.labels.as_mut()) {
        labels.remove(HASH_LABEL);
    }
    template
}

/// A short name of the template's content, in the alphabet of generated names.
fn template_hash(deployment: &Deployment) -> String {
    let mut hasher = Sha256::new();
    hasher.update(json!(template_of(deployment)).to_string());
    let collisions = deployment.status.as_ref().and_then(|status| status.collision_count).unwrap_or(0);
    hasher.update(collisions.to_be_bytes());
    const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
    hasher.finalize().iter().take(10).map(|byte| ALPHABET[usize::from(*byte) % ALPHABET.len()] as char).collect()
}

fn new_name(deployment: &Deployment) -> String {
    format!("{}-{}", deployment.name_any(), template_hash(deployment))
}

fn revision(replica_set: &ReplicaSet) -> i64 {
    replica_set.annotations().get(REVISION).and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn next_revision(old: &[&ReplicaSet]) -> i64 {
    old.iter().map(|rs| revision(rs)).max().unwrap_or(0) + 1
}

/// The Deployment's annotations that its ReplicaSets carry too.
fn inherited(deployment: &Deployment) -> BTreeMap<String, String> {
    let own = [LAST_APPLIED, REVISION, REVISION_HISTORY, DESIRED_REPLICAS, MAX_REPLICAS];
    let all = deployment.annotations().iter();
    all.filter(|(key, _)| !own.contains(&key.as_str())).map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn replicas(deployment: &Deployment) -> i32 {
    deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1)
}

/// Creates the ReplicaSet of the current template.
fn create(world: &World, old: &[&ReplicaSet], plan: &mut Plan) {
    let deployment = &*world.deployment;
    if world.namesake.is_some() {
        // Another template has this hash: count the collision, which changes the name.
        let mut changed = deployment.clone();
        let status = changed.status.get_or_insert_default();
        status.collision_count = Some(status.collision_count.unwrap_or(0) + 1);
        plan.writes.push(Write::replace_status(&changed));
        return;
    }
    let hash = template_hash(deployment);
    let spec = deployment.spec.clone().unwrap_or_default();
    let mut template = spec.template;
    let labels = template.metadata.get_or_insert_default().labels.get_or_insert_default();
    labels.insert(HASH_LABEL.into(), hash.clone());
    let labels = labels.clone();
    let mut selector = spec.selector;
    selector.match_labels.get_or_insert_default().insert(HASH_LABEL.into(), hash);
    let count = rollout::new_replicas(deployment, None, old);
    let mut annotations = inherited(deployment);
    annotations.insert(REVISION.into(), next_revision(old).to_string());
    annotations.extend(rollout::size_annotations(deployment));
    let replica_set = ReplicaSet {
        metadata: ObjectMeta {
            name: Some(new_name(deployment)),
            namespace: deployment.metadata.namespace.clone(),
            labels: Some(labels),
            annotations: Some(annotations),
            owner_references: Some(vec![owner::controller_reference(deployment)]),
            ..ObjectMeta::default()
        },
        spec: Some(ReplicaSetSpec {
            replicas: Some(count),
            min_ready_seconds: spec.min_ready_seconds,
            selector,
            template: Some(template),
        }),
        status: None,
    };
    let message = format!("Scaled up replica set {} from 0 to {count}", replica_set.name_any());
    let create = Write::create(&replica_set);
    plan.writes.push(match count {
        0 => create,
        _ => create.telling(reference(deployment), "ScalingReplicaSet", message),
    });
    annotate(deployment, next_revision(old), plan);
}

/// Shows the revision on the Deployment; upstream's role lets the controller update Deployments,
/// not patch them.
fn annotate(deployment: &Deployment, revision: i64, plan: &mut Plan) {
    let text = revision.to_string();
    if deployment.annotations().get(REVISION) != Some(&text) {
        let mut changed = deployment.clone();
        changed.metadata.annotations.get_or_insert_default().insert(REVISION.into(), text);
        plan.writes.push(Write::replace(&changed));
    }
}

/// Keeps the new ReplicaSet's revision the highest, also when it is an old one come back.
fn adjust(deployment: &Deployment, new: &ReplicaSet, old: &[&ReplicaSet], plan: &mut Plan) {
    let wanted = next_revision(old).max(revision(new));
    let min_ready = deployment.spec.as_ref().and_then(|spec| spec.min_ready_seconds);
    let mut annotations = inherited(deployment);
    annotations.insert(REVISION.into(), wanted.to_string());
    if revision(new) != 0 && revision(new) != wanted {
        let history = new.annotations().get(REVISION_HISTORY).map(|text| format!("{text},")).unwrap_or_default();
        annotations.insert(REVISION_HISTORY.into(), format!("{history}{}", revision(new)));
    }
    let differs = annotations.iter().any(|(key, value)| new.annotations().get(key) != Some(value));
    let spec_differs = new.spec.as_ref().and_then(|spec| spec.min_ready_seconds).unwrap_or(0) != min_ready.unwrap_or(0);
    if differs || spec_differs {
        let body =
            json!({"metadata": {"annotations": annotations}, "spec": {"minReadySeconds": min_ready.unwrap_or(0)}});
        plan.writes.push(Write::patch(new, body));
    }
    annotate(deployment, wanted, plan);
}

/// Deletes the oldest ReplicaSets beyond the history that is to be kept.
fn clean_up(deployment: &Deployment, old: &[&ReplicaSet], plan: &mut Plan) {
    let limit = deployment.spec.as_ref().and_then(|spec| spec.revision_history_limit).unwrap_or(10);
    let idle = |rs: &&&ReplicaSet| {
        let spec = rs.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(0);
        let status = rs.status.as_ref();
        let observed = status.and_then(|status| status.observed_generation) >= rs.metadata.generation;
        spec == 0
            && status.is_none_or(|status| status.replicas == 0)
            && observed
            && rs.metadata.deletion_timestamp.is_none()
    };
    let mut idle: Vec<&&ReplicaSet> = old.iter().filter(idle).collect();
    idle.sort_by_key(|rs| revision(rs));
    let surplus = idle.len().saturating_sub(usize::try_from(limit).unwrap_or(usize::MAX));
    for replica_set in idle.into_iter().take(surplus) {
        plan.writes.push(Write::delete(*replica_set));
    }
}

/// A number of Pods from an absolute number or a percentage of `total`.
fn resolve(value: Option<&IntOrString>, total: i32, round_up: bool) -> i32 {
    match value {
        Some(IntOrString::Int(number)) => *number,
        Some(IntOrString::String(text)) => {
            let percent: i64 = text.trim_end_matches('%').parse().unwrap_or(0);
            let scaled = percent * i64::from(total);
            let number = if round_up { (scaled + 99).div_euclid(100) } else { scaled.div_euclid(100) };
            i32::try_from(number).unwrap_or(i32::MAX)
        }
        None => 0,
    }
}

/// Whether all of the Deployment's replicas are of the new template, available, and alone.
fn is_complete(deployment: &Deployment, counts: &status::Counts) -> bool {
    let wanted = replicas(deployment);
    counts.updated == wanted && counts.total == wanted && counts.available == wanted
}

/// The Pods of old ReplicaSets that are not finished yet.
fn unfinished<'a>(world: &'a World, old: &'a [&ReplicaSet]) -> impl Iterator<Item = &'a Arc<Pod>> {
    let old_uids: Vec<&str> = old.iter().filter_map(|rs| rs.metadata.uid.as_deref()).collect();
    world.pods.iter().filter(move |pod| {
        let owner = controller_of(&pod.metadata).map(|owner| owner.uid.as_str());
        !pods::is_finished(pod) && owner.is_some_and(|uid| old_uids.contains(&uid))
    })
}

#[cfg(test)]
mod tests;
