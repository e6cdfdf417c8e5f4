//! The worker of one Pod: gathers the world, plans, begins operations, takes reports in, writes
//! the status.

use crate::kubelet::{Handle, Shared, lock};
use crate::limits::{REPORTS_WAITING_MAX, STATUS_RETRY, STATUS_SETTLE};
use crate::operations;
use crate::plan::{Operation, World, ending, is_gone, is_over, plan};
use crate::pod::{self, between, pod_ref};
use crate::record::{PodRecord, Report};
use crate::status::status;
use crate::volumes::MountedVolumes;
use futures::FutureExt;
use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::{Pod, PodStatus};
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, Patch, PatchParams};
use orchestrator_client::Key;
use runtime_base::Tasks;
use runtime_proxy::HttpServer;
use runtime_spec::{Container, PodRef, Sandbox};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::Instant;
use tracing::{debug, warn};

/// What an operation hands to the worker besides its report.
pub(crate) enum Effect {
    None,
    Sandbox(Arc<Sandbox>),
    Volumes(Arc<MountedVolumes>),
    Run(String, Run),
}

/// A report with what belongs to it.
pub(crate) struct Message {
    pub(crate) report: Report,
    pub(crate) effect: Effect,
}

impl From<Report> for Message {
    fn from(report: Report) -> Self {
        Message { report, effect: Effect::None }
    }
}

/// One run of a container, with all that ends with it.
pub(crate) struct Run {
    pub(crate) attempt: u32,
    pub(crate) container: Arc<dyn Container>,
    /// What answers HTTP for it; taken when it is stopped.
    pub(crate) http: Arc<Mutex<Option<HttpServer>>>,
    /// When it is to have ended; moved forward by later stops.
    pub(crate) stop_by: watch::Sender<Option<Timestamp>>,
    /// Its watcher and its probes.
    pub(crate) tasks: Tasks,
}

impl Drop for Run {
    fn drop(&mut self) {
        self.tasks.cancel();
    }
}

/// A status on its way to the server.
struct Writing {
    status: PodStatus,
    done: BoxFuture<'static, kube::Result<()>>,
}

pub(crate) struct Worker {
    pub(crate) shared: Arc<Shared>,
    pub(crate) pod: Arc<Pod>,
    pub(crate) me: PodRef,
    pub(crate) sandbox: Option<Arc<Sandbox>>,
    pub(crate) volumes: Arc<MountedVolumes>,
    pub(crate) runs: HashMap<String, Run>,
    pub(crate) sender: mpsc::Sender<Message>,
    pub(crate) tasks: Tasks,
    key: Key,
    present: bool,
    record: PodRecord,
    receiver: mpsc::Receiver<Message>,
    wake: Arc<Notify>,
    shown: Arc<Mutex<PodStatus>>,
    written: PodStatus,
    writing: Option<Writing>,
    write_at: Instant,
    write_failures: u32,
}

impl Worker {
    /// Starts the worker of `pod`.
    pub(crate) fn start(shared: Arc<Shared>, key: Key, pod: Arc<Pod>) -> Handle {
        let (sender, receiver) = mpsc::channel(REPORTS_WAITING_MAX);
        let wake = Arc::new(Notify::new());
        let written = pod.status.clone().unwrap_or_default();
        let shown = Arc::new(Mutex::new(written.clone()));
        let handle = Handle { key: key.clone(), wake: wake.clone(), sender: sender.clone(), status: shown.clone() };
        let worker = Worker {
            me: pod_ref(&pod),
            record: PodRecord::new(&pod, shared.now()),
            sandbox: None,
            volumes: Arc::default(),
            runs: HashMap::new(),
            tasks: shared.tasks.child(),
            present: true,
            write_at: shared.config.clock.monotonic() + STATUS_SETTLE,
            write_failures: 0,
            writing: None,
            shared: shared.clone(),
            key,
            pod,
            sender,
            receiver,
            wake,
            shown,
            written,
        };
        shared.tasks.spawn("pod-worker", worker.run());
        handle
    }

    async fn run(mut self) {
        debug!(pod = %self.me, uid = self.me.uid, "worker started");
        loop {
            self.refresh();
            let now = self.shared.now();
            if is_gone(self.world()) {
                break;
            }
            let plan = plan(self.world(), now);
            let next = status(self.world(), &self.written, &self.shared.facts, now);
            lock(&self.shown).clone_from(&next);
            let settled = next == self.written || !self.present;
            for operation in plan.operations {
                // The last status is told before the Pod goes.
                if operation == Operation::Delete && !settled && self.write_failures < 3 {
                    continue;
                }
                self.record.begin(&operation);
                operations::begin(&mut self, operation);
            }
            if !settled {
                self.write_when_due(next);
            }
            self.wait(plan.wake_at.map(|at| between(now, at)), !settled).await;
        }
        self.finish();
    }

    fn world(&self) -> World<'_> {
        World { pod: &self.pod, present: self.present, record: &self.record }
    }

    /// Looks at the cache; a Pod of the same name with another uid means that ours is gone.
    fn refresh(&mut self) {
        match self.shared.pods.get_key(&self.key) {
            Some(pod) if pod.metadata.uid.as_deref() == Some(&self.me.uid) => self.pod = pod,
            _ => self.present = false,
        }
    }

    /// Waits until there is something to plan for.
    async fn wait(&mut self, wake_in: Option<Duration>, unsettled: bool) {
        let clock = self.shared.config.clock.clone();
        let mut until = wake_in.map(|delay| clock.monotonic() + delay);
        if unsettled && self.writing.is_none() {
            until = Some(until.map_or(self.write_at, |until| until.min(self.write_at)));
        }
        let timer = async {
            match until {
                Some(until) => clock.sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        let writing = async {
            match &mut self.writing {
                Some(writing) => (&mut writing.done).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.wake.notified() => {}
            () = timer => {}
            message = self.receiver.recv() => {
                let mut message = message;
                while let Some(one) = message {
                    self.take_in(one);
                    message = self.receiver.try_recv().ok();
                }
            }
            result = writing => self.written_or_not(result),
        }
    }

    fn take_in(&mut self, message: Message) {
        match message.effect {
            Effect::None => {}
            Effect::Sandbox(sandbox) => self.sandbox = Some(sandbox),
            Effect::Volumes(volumes) => self.volumes = volumes,
            Effect::Run(name, run) => {
                self.runs.insert(name, run);
            }
        }
        if let Report::Exited { container, attempt, .. } = &message.report {
            self.shared.logs.end(&self.me, container, *attempt);
            if self.runs.get(container).is_some_and(|run| run.attempt == *attempt) {
                self.runs.remove(container);
            }
        }
        let now = self.shared.now();
        let exited =
            if let Report::Exited { container, .. } = &message.report { Some(container.clone()) } else { None };
        self.record.apply(&self.pod, message.report, now);
        if let Some(name) = exited {
            self.note_back_off(&name);
        }
    }

    /// Tells of a container that now waits before it is started again.
    fn note_back_off(&self, name: &str) {
        let Some((container, role)) = pod::container(&self.pod, name) else { return };
        let Some(record) = self.record.containers.get(name) else { return };
        let waits = record.ended.as_ref().is_some_and(|end| !end.delay.is_zero());
        let ends = ending(self.world(), self.shared.now()).is_some();
        if waits && !ends && !is_over(&self.pod, container, role, record) {
            let note = format!("Back-off restarting failed container {name} in pod {}", pod::full_name(&self.me));
            self.shared.recorder.warning(&pod::container_reference(&self.pod, name), "BackOff", note);
        }
    }

    /// Begins to write `next`, unless another write is under way or it is too early.
    fn write_when_due(&mut self, next: PodStatus) {
        let now = self.shared.config.clock.monotonic();
        // A first status waits a little for more to say: most Pods are ready by then.
        let made = is_ready(&next) || matches!(next.phase.as_deref(), Some("Succeeded" | "Failed"));
        let early = self.write_at > now && (self.write_failures > 0 || !made);
        if self.writing.is_some() || early {
            return;
        }
        let api: Api<Pod> = Api::namespaced(self.shared.client.clone(), &self.me.namespace);
        let patch = status_patch(&self.me.uid, &self.written, &next);
        let name = self.me.name.clone();
        let done =
            async move { api.patch_status(&name, &PatchParams::default(), &Patch::Strategic(patch)).await.map(|_| ()) };
        self.writing = Some(Writing { status: next, done: done.boxed() });
    }

    fn written_or_not(&mut self, result: kube::Result<()>) {
        let Some(writing) = self.writing.take() else { return };
        let clock = &self.shared.config.clock;
        match result {
            Ok(()) => {
                self.written = writing.status;
                self.write_failures = 0;
            }
            Err(error) => {
                // A Pod that is gone (404) or another of its name (409) shows in the cache soon.
                let delay = STATUS_RETRY.delay(self.write_failures);
                self.write_failures += 1;
                self.write_at = clock.monotonic() + delay;
                match error {
                    kube::Error::Api(status) if status.code == 404 || status.code == 409 => {
                        debug!(pod = %self.me, code = status.code, "status not written");
                    }
                    error => warn!(pod = %self.me, %error, retry_in = ?delay, "status not written"),
                }
            }
        }
    }

    /// The Pod is gone from the API and from the node.
    fn finish(self) {
        self.tasks.cancel();
        self.shared.references.release(&self.me.uid);
        self.shared.logs.remove(&self.me);
        let removed = self.shared.workers().remove(&self.me.uid);
        drop(removed);
        debug!(pod = %self.me, uid = self.me.uid, "worker ended");
    }

    /// The Pod's grace, for hooks.
    pub(crate) fn grace(&self) -> Duration {
        pod::grace(&self.pod)
    }
}

fn is_ready(status: &PodStatus) -> bool {
    status.conditions.iter().flatten().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// The strategic merge patch that makes `before` into `next`.
fn status_patch(uid: &str, before: &PodStatus, next: &PodStatus) -> serde_json::Value {
    let mut status = serde_json::to_value(next).unwrap_or_default();
    if let Some(fields) = status.as_object_mut() {
        for (name, gone) in [
            ("message", before.message.is_some() && next.message.is_none()),
            ("reason", before.reason.is_some() && next.reason.is_none()),
        ] {
            if gone {
                fields.insert(name.to_owned(), serde_json::Value::Null);
            }
        }
        // A condition that has come true says no longer why it was not: merging alone would keep it.
        for condition in fields.get_mut("conditions").and_then(serde_json::Value::as_array_mut).into_iter().flatten() {
            for name in ["message", "reason"] {
                if condition[name].is_null() {
                    condition[name] = serde_json::Value::Null;
                }
            }
        }
    }
    serde_json::json!({"metadata": {"uid": uid}, "status": status})
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::PodCondition;

    #[test]
    fn a_condition_without_a_reason_takes_back_the_old_one() {
        let ready = PodCondition { type_: "Ready".into(), status: "True".into(), ..PodCondition::default() };
        let next = PodStatus { conditions: Some(vec![ready]), ..PodStatus::default() };
        let patch = status_patch("u", &PodStatus::default(), &next);
        let condition = patch["status"]["conditions"][0].as_object().unwrap();
        assert!(condition["reason"].is_null() && condition.contains_key("message"), "{patch}");
    }
}
