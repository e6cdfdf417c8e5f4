//! What controllers ask about Pods.

use crate::plan::{Now, since};
use k8s_openapi::api::core::v1::{Pod, PodCondition, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use std::time::Duration;

/// `status.phase`
pub fn phase(pod: &Pod) -> &str {
    pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or("")
}

/// Succeeded or Failed: its containers never run again.
pub fn is_finished(pod: &Pod) -> bool {
    matches!(phase(pod), "Succeeded" | "Failed")
}

/// Whether a delete was asked for.
pub fn is_deleting(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_some()
}

/// Counts as a replica: neither finished nor being deleted.
pub fn is_active(pod: &Pod) -> bool {
    !is_finished(pod) && !is_deleting(pod)
}

/// A condition of the Pod.
pub fn condition<'a>(pod: &'a Pod, type_: &str) -> Option<&'a PodCondition> {
    pod.status.as_ref()?.conditions.as_deref()?.iter().find(|condition| condition.type_ == type_)
}

/// Whether the condition Ready is True.
pub fn is_ready(pod: &Pod) -> bool {
    condition(pod, "Ready").is_some_and(|ready| ready.status == "True")
}

/// Whether the Pod has been Ready for `min_ready`; `Err` says how long it still takes.
pub fn is_available(pod: &Pod, min_ready: Duration, now: Now) -> Result<bool, Duration> {
    let Some(ready) = condition(pod, "Ready").filter(|ready| ready.status == "True") else { return Ok(false) };
    if min_ready.is_zero() {
        return Ok(true);
    }
    let Some(from) = &ready.last_transition_time else { return Ok(false) };
    let ready_for = since(from.0, now);
    if ready_for >= min_ready { Ok(true) } else { Err(min_ready - ready_for) }
}

/// Restarts of all containers together.
pub fn restarts(pod: &Pod) -> i32 {
    let status = pod.status.as_ref();
    let containers = status.and_then(|status| status.container_statuses.as_deref()).unwrap_or_default();
    let init = status.and_then(|status| status.init_container_statuses.as_deref()).unwrap_or_default();
    containers.iter().chain(init).map(|container| container.restart_count).sum()
}

/// A Pod of `template`, with a name that the server completes.
pub fn from_template(template: &PodTemplateSpec, namespace: &str, stem: &str, owner: OwnerReference) -> Pod {
    let meta = template.metadata.clone().unwrap_or_default();
    Pod {
        metadata: ObjectMeta {
            generate_name: Some(format!("{stem}-")),
            namespace: Some(namespace.to_owned()),
            labels: meta.labels,
            annotations: meta.annotations,
            finalizers: meta.finalizers,
            owner_references: Some(vec![owner]),
            ..ObjectMeta::default()
        },
        spec: template.spec.clone(),
        status: None,
    }
}
