//! Job: Pods that run to their end.
//!
//! Source: Kubernetes, "Jobs". Finished Pods are counted as long as they exist; counting them
//! beyond their deletion by finalizers, per-index back-off and Pod failure policies come later.

mod indexes;

use crate::caches::Caches;
use crate::driver::{Controller, ControllerError};
use crate::limits::BURST_PODS_MAX;
use crate::owner::{self, controller_of};
use crate::plan::{Now, Plan, Tell, Write, since};
use crate::pods;
use async_trait::async_trait;
use k8s_openapi::api::batch::v1::{Job, JobCondition, JobSpec, JobStatus};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{Client, ResourceExt};
use orchestrator_client::recorder::reference;
use orchestrator_client::{Key, WorkQueue};
use runtime_base::Backoff;
use std::sync::Arc;
use std::time::Duration;

/// The pause after a failed Pod (upstream: 10 s doubling up to 10 min).
const POD_BACKOFF: Backoff = Backoff::doubling(Duration::from_secs(10), Duration::from_secs(600));

/// Runs Jobs.
pub struct JobController;

/// What a plan looks at.
#[derive(Clone, Debug)]
pub struct World {
    /// The Job.
    pub job: Arc<Job>,
    /// Pods that it controls.
    pub pods: Vec<Arc<Pod>>,
}

#[async_trait]
impl Controller for JobController {
    fn name(&self) -> &'static str {
        "job-controller"
    }

    fn wire(&self, caches: &Caches, queue: &WorkQueue) {
        caches.jobs.feed(queue, |job| vec![Key::of(job)]);
        caches.pods.feed(queue, |pod| {
            let owner = controller_of(&pod.metadata).filter(|owner| owner.kind == "Job");
            let namespace = pod.metadata.namespace.as_deref().unwrap_or("");
            owner.map(|owner| Key::new(namespace, &owner.name)).into_iter().collect()
        });
    }

    async fn plan(&self, caches: &Caches, _: &Client, key: &Key, now: Now) -> Result<Plan, ControllerError> {
        let Some(job) = caches.jobs.get_key(key) else { return Ok(Plan::default()) };
        let pods = caches.pods.by_index("owner", job.metadata.uid.as_deref().unwrap_or(""));
        Ok(plan(&World { job, pods }, now))
    }
}

/// The Job's Pods, sorted by what became of them.
struct Tally<'a> {
    spec: JobSpec,
    active: Vec<&'a Pod>,
    ready: i32,
    succeeded: i32,
    failed: i32,
    terminating: i32,
    /// Restarts of containers in Pods that restart them in place.
    restarts: i32,
    last_failure: Option<Now>,
}

fn tally<'a>(job: &Job, pods: &'a [Arc<Pod>]) -> Tally<'a> {
    let spec = job.spec.clone().unwrap_or_default();
    let mut tally = Tally {
        spec,
        active: vec![],
        ready: 0,
        succeeded: 0,
        failed: 0,
        terminating: 0,
        restarts: 0,
        last_failure: None,
    };
    for pod in pods {
        match pods::phase(pod) {
            "Succeeded" => tally.succeeded += 1,
            "Failed" => {
                tally.failed += 1;
                tally.last_failure = tally.last_failure.max(finished_at(pod));
            }
            _ if pods::is_deleting(pod) => tally.terminating += 1,
            _ => {
                tally.restarts += pods::restarts(pod);
                tally.ready += i32::from(pods::is_ready(pod));
                tally.active.push(pod);
            }
        }
    }
    let indexed = tally.spec.completion_mode.as_deref() == Some("Indexed");
    if indexed {
        let done = indexes::succeeded(pods);
        tally.succeeded = i32::try_from(done.len()).unwrap_or(i32::MAX);
    }
    tally
}

fn finished_at(pod: &Pod) -> Option<Now> {
    let containers = pod.status.as_ref()?.container_statuses.as_deref().unwrap_or_default();
    let ends = containers.iter().filter_map(|c| c.state.as_ref()?.terminated.as_ref()?.finished_at.as_ref());
    ends.map(|time| time.0).max().or_else(|| pod.metadata.creation_timestamp.as_ref().map(|time| time.0))
}

fn condition<'a>(job: &'a Job, type_: &str) -> Option<&'a JobCondition> {
    let conditions = job.status.as_ref()?.conditions.as_deref()?;
    conditions.iter().find(|condition| condition.type_ == type_ && condition.status == "True")
}

/// The condition that says that the Job has ended.
pub(crate) fn finished(job: &Job) -> Option<&JobCondition> {
    condition(job, "Complete").or_else(|| condition(job, "Failed"))
}

/// Why a Job has failed: reason and message.
type Failure = (&'static str, String);

fn failure(tally: &Tally<'_>, started: Option<Now>, now: Now, plan: &mut Plan) -> Option<Failure> {
    let limit = tally.spec.backoff_limit.unwrap_or(6);
    let in_place =
        tally.spec.template.spec.as_ref().and_then(|spec| spec.restart_policy.as_deref()) == Some("OnFailure");
    // A restart in place is a failure, too, and the limit of 0 allows none.
    if tally.failed > limit || (in_place && tally.restarts >= limit.max(1)) {
        return Some(("BackoffLimitExceeded", "Job has reached the specified backoff limit".into()));
    }
    if let (Some(seconds), Some(started)) = (tally.spec.active_deadline_seconds, started) {
        let limit = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
        let ran = since(started, now);
        if ran >= limit {
            return Some(("DeadlineExceeded", "Job was active longer than specified deadline".into()));
        }
        plan.again_after(limit - ran);
    }
    None
}

/// What brings the Job nearer to its end.
pub fn plan(world: &World, now: Now) -> Plan {
    let mut plan = Plan::default();
    let job = &*world.job;
    let tally = tally(job, &world.pods);
    if job.metadata.deletion_timestamp.is_some() {
        return plan;
    }
    if finished(job).is_some() {
        // What still runs of it ends.
        plan.writes.extend(tally.active.iter().map(|pod| Write::delete(*pod)));
        return plan;
    }
    let suspended = tally.spec.suspend == Some(true);
    let mut status = job.status.clone().unwrap_or_default();
    if status.start_time.is_none() && !suspended {
        status.start_time = Some(Time(whole(now)));
    }
    let started = status.start_time.as_ref().map(|time| time.0);
    let failed = failure(&tally, started, now, &mut plan);
    let complete = failed.is_none() && is_complete(&tally);
    let active = if failed.is_some() || complete || suspended {
        plan.writes.extend(tally.active.iter().map(|pod| Write::delete(*pod)));
        0
    } else {
        run(job, &tally, &world.pods, now, &mut plan)
    };
    suspend(job, &mut status, suspended, now, &mut plan);
    let ended = active == 0 && tally.active.is_empty() && tally.terminating == 0;
    finish(job, &mut status, failed.as_ref(), complete, ended, now, &mut plan);
    count(job, &mut status, &tally, &world.pods, active);
    write_status(job, status, &mut plan);
    plan
}

/// The API keeps whole seconds.
fn whole(now: Now) -> Now {
    Now::from_second(now.as_second()).unwrap_or(now)
}

fn is_complete(tally: &Tally<'_>) -> bool {
    match tally.spec.completions {
        Some(completions) => tally.succeeded >= completions,
        // A work queue is done once one Pod succeeded and all others have ended.
        None => tally.succeeded > 0 && tally.active.is_empty(),
    }
}

/// Creates or deletes Pods; returns how many are active after it.
fn run(job: &Job, tally: &Tally<'_>, pods: &[Arc<Pod>], now: Now, plan: &mut Plan) -> usize {
    let parallelism = tally.spec.parallelism.unwrap_or(1).max(0);
    let wanted = match tally.spec.completions {
        Some(completions) => parallelism.min((completions - tally.succeeded).max(0)),
        None if tally.succeeded > 0 => i32::try_from(tally.active.len()).unwrap_or(i32::MAX).min(parallelism),
        None => parallelism,
    };
    let wanted = usize::try_from(wanted).unwrap_or(0);
    let active = tally.active.len();
    if active > wanted {
        let mut surplus = tally.active.clone();
        surplus.sort_by_key(|pod| {
            (pods::is_ready(pod), std::cmp::Reverse(pod.metadata.creation_timestamp.clone().map(|t| t.0)))
        });
        for pod in surplus.into_iter().take(active - wanted) {
            let message = format!("Deleted pod: {}", pod.name_any());
            plan.writes.push(Write::delete(pod).telling(reference(job), "SuccessfulDelete", message));
        }
        return wanted;
    }
    let replace_early = tally.spec.pod_replacement_policy.as_deref() != Some("Failed");
    let terminating = if replace_early { 0 } else { usize::try_from(tally.terminating).unwrap_or(0) };
    let missing = (wanted - active).saturating_sub(terminating).min(BURST_PODS_MAX);
    if missing == 0 {
        return active;
    }
    if let Some(last) = tally.last_failure.filter(|_| tally.failed > 0) {
        let failures = u32::try_from(tally.failed - 1).unwrap_or(0);
        let (delay, waited) = (POD_BACKOFF.delay(failures), since(last, now));
        if waited < delay {
            plan.again_after(delay - waited);
            return active;
        }
    }
    for pod in new_pods(job, tally, pods, missing) {
        plan.writes.push(Write::create(&pod).telling(reference(job), "SuccessfulCreate", "Created pod: {name}"));
    }
    active + missing
}

fn new_pods(job: &Job, tally: &Tally<'_>, pods: &[Arc<Pod>], count: usize) -> Vec<Pod> {
    let namespace = job.metadata.namespace.as_deref().unwrap_or("");
    let owner = owner::controller_reference(job);
    let pod = |stem: &str| pods::from_template(&tally.spec.template, namespace, stem, owner.clone());
    if tally.spec.completion_mode.as_deref() == Some("Indexed") {
        let free = indexes::free(pods, tally.spec.completions.unwrap_or(0), count);
        let name = job.name_any();
        free.into_iter().map(|index| indexes::assign(pod(&format!("{name}-{index}")), &name, index)).collect()
    } else {
        vec![pod(&job.name_any()); count]
    }
}

fn set(status: &mut JobStatus, type_: &str, state: &str, reason: &str, message: &str, now: Now) {
    let conditions = status.conditions.get_or_insert_default();
    if conditions.iter().any(|condition| condition.type_ == type_ && condition.status == state) {
        return;
    }
    conditions.retain(|condition| condition.type_ != type_);
    conditions.push(JobCondition {
        type_: type_.into(),
        status: state.into(),
        reason: Some(reason.into()),
        message: Some(message.into()),
        last_probe_time: Some(Time(whole(now))),
        last_transition_time: Some(Time(whole(now))),
    });
}

fn suspend(job: &Job, status: &mut JobStatus, suspended: bool, now: Now, plan: &mut Plan) {
    let before = condition(job, "Suspended").is_some();
    if suspended && !before {
        set(status, "Suspended", "True", "JobSuspended", "Job suspended", now);
        status.start_time = None;
        tell(job, false, "Suspended", "Job suspended", plan);
    } else if !suspended && before {
        set(status, "Suspended", "False", "JobResumed", "Job resumed", now);
        status.start_time = Some(Time(whole(now)));
        tell(job, false, "Resumed", "Job resumed", plan);
    }
}

fn tell(job: &Job, warning: bool, reason: &'static str, message: &str, plan: &mut Plan) {
    plan.tells.push(Tell { about: reference(job), warning, reason, message: message.into() });
}

/// First the decision is shown (FailureTarget, SuccessCriteriaMet), and once no Pod is left, the end.
fn finish(
    job: &Job,
    status: &mut JobStatus,
    failed: Option<&Failure>,
    complete: bool,
    ended: bool,
    now: Now,
    plan: &mut Plan,
) {
    let decided = condition(job, "FailureTarget").cloned();
    let failed =
        decided.and_then(|c| Some((c.reason?, c.message?))).or(failed.map(|(r, m)| ((*r).to_owned(), m.clone())));
    if let Some((reason, message)) = failed {
        set(status, "FailureTarget", "True", &reason, &message, now);
        if ended {
            set(status, "Failed", "True", &reason, &message, now);
            let reason = if reason == "DeadlineExceeded" { "DeadlineExceeded" } else { "BackoffLimitExceeded" };
            tell(job, true, reason, &message, plan);
        }
    } else if complete {
        let (reason, message) = ("CompletionsReached", "Reached expected number of succeeded pods");
        set(status, "SuccessCriteriaMet", "True", reason, message, now);
        if ended {
            set(status, "Complete", "True", reason, message, now);
            status.completion_time = Some(Time(whole(now)));
            tell(job, false, "Completed", "Job completed", plan);
        }
    }
}

fn count(job: &Job, status: &mut JobStatus, tally: &Tally<'_>, pods: &[Arc<Pod>], active: usize) {
    let some = |number: i32| Some(number).filter(|number| *number != 0);
    status.active = some(i32::try_from(active).unwrap_or(i32::MAX));
    status.ready = Some(tally.ready.min(i32::try_from(active).unwrap_or(i32::MAX)));
    // Deleted Pods do not uncount what they did.
    status.succeeded = some(tally.succeeded.max(status.succeeded.unwrap_or(0)));
    status.failed = some(tally.failed.max(status.failed.unwrap_or(0)));
    let dropped = tally.active.len().saturating_sub(active);
    status.terminating = Some(tally.terminating + i32::try_from(dropped).unwrap_or(0));
    status.uncounted_terminated_pods.get_or_insert_default();
    if job.spec.as_ref().and_then(|spec| spec.completion_mode.as_deref()) == Some("Indexed") {
        status.completed_indexes = Some(indexes::text(&indexes::succeeded(pods))).filter(|text| !text.is_empty());
    }
}

fn write_status(job: &Job, status: JobStatus, plan: &mut Plan) {
    let mut old = job.status.clone().unwrap_or_default();
    // The server leaves out zeros; compare what they mean.
    old.ready = old.ready.or(Some(0));
    old.terminating = old.terminating.or(Some(0));
    old.uncounted_terminated_pods.get_or_insert_default();
    if status != old {
        let changed = Job { status: Some(status), ..job.clone() };
        plan.writes.push(Write::replace_status(&changed));
    }
}

#[cfg(test)]
mod tests;
