//! Job: a finished one goes after its time to live.
//!
//! Source: Kubernetes, "Automatic Cleanup for Finished Jobs". It has an identity of its own, since
//! upstream's role of the Job controller lets it delete no Job.

use crate::caches::Caches;
use crate::driver::{Controller, ControllerError};
use crate::job;
use crate::plan::{Now, Plan, Write, since};
use async_trait::async_trait;
use k8s_openapi::api::batch::v1::Job;
use kube::Client;
use orchestrator_client::{Key, WorkQueue};
use serde_json::json;
use std::time::Duration;

/// Deletes finished Jobs.
pub struct TtlAfterFinishedController;

#[async_trait]
impl Controller for TtlAfterFinishedController {
    fn name(&self) -> &'static str {
        "ttl-after-finished-controller"
    }

    fn wire(&self, caches: &Caches, queue: &WorkQueue) {
        caches.jobs.feed(queue, |job| if has_limit(job) { vec![Key::of(job)] } else { Vec::new() });
    }

    async fn plan(&self, caches: &Caches, _: &Client, key: &Key, now: Now) -> Result<Plan, ControllerError> {
        Ok(caches.jobs.get_key(key).map(|job| plan(&job, now)).unwrap_or_default())
    }
}

fn has_limit(job: &Job) -> bool {
    job.spec.as_ref().is_some_and(|spec| spec.ttl_seconds_after_finished.is_some())
}

/// Deletes the Job with its Pods, or asks to be woken when it is time.
pub fn plan(job: &Job, now: Now) -> Plan {
    let mut plan = Plan::default();
    let seconds = job.spec.as_ref().and_then(|spec| spec.ttl_seconds_after_finished);
    let finished = job::finished(job).and_then(|condition| condition.last_transition_time.as_ref());
    let (Some(seconds), Some(finished)) = (seconds, finished) else { return plan };
    if job.metadata.deletion_timestamp.is_some() {
        return plan;
    }
    let (limit, passed) = (Duration::from_secs(u64::try_from(seconds).unwrap_or(0)), since(finished.0, now));
    if passed < limit {
        plan.again_after(limit - passed);
        return plan;
    }
    let mut write = Write::delete(job);
    write.body["propagationPolicy"] = json!("Foreground");
    plan.writes.push(write);
    plan
}

#[cfg(test)]
mod tests;
