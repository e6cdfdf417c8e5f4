//! The loop around the pure parts: informers in, bindings out.

use crate::cycle::{Answer, decide};
use crate::limits::BINDINGS_IN_FLIGHT_MAX;
use crate::plugins::{ClusterEvent, Plugins};
use crate::queue::Queue;
use crate::snapshot::Snapshot;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{Api, Patch, PatchParams};
use kube::{Client, ResourceExt};
use orchestrator_client::informer::Filter;
use orchestrator_client::recorder::reference;
use orchestrator_client::{Informer, Recorder};
use runtime_base::{Clock, Rng, Tasks, error};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;
use tracing::{debug, info, warn};

/// The name in `spec.schedulerName` of the Pods that it schedules.
const NAME: &str = "default-scheduler";

/// What the scheduler needs.
pub struct SchedulerConfig {
    /// Acts as `system:kube-scheduler`.
    pub client: Client,
    /// Time.
    pub clock: Clock,
    /// Random numbers, for ties.
    pub rng: Rng,
}

/// A running scheduler.
pub struct Scheduler {
    state: Mutex<State>,
    wake: Notify,
    client: Client,
    clock: Clock,
    rng: Rng,
    plugins: Plugins,
    recorder: Recorder,
    bindings: Arc<Semaphore>,
    tasks: Tasks,
}

#[derive(Default)]
struct State {
    queue: Queue,
    snapshot: Snapshot,
}

/// What the loop does next.
enum Step {
    Decided(Arc<Pod>, Answer),
    /// Nothing until then, or until something changes.
    Wait(Option<Instant>),
}

impl Scheduler {
    /// Starts scheduling; it ends with `tasks`.
    pub fn start(config: SchedulerConfig, tasks: &Tasks) -> Arc<Self> {
        let SchedulerConfig { client, clock, rng } = config;
        let recorder = Recorder::new(client.clone(), NAME, "", clock.clone(), rng.clone(), tasks);
        let scheduler = Arc::new(Scheduler {
            state: Mutex::default(),
            wake: Notify::new(),
            client: client.clone(),
            clock,
            rng,
            plugins: Plugins::default(),
            recorder,
            bindings: Arc::new(Semaphore::new(BINDINGS_IN_FLIGHT_MAX)),
            tasks: tasks.clone(),
        });
        let nodes: Informer<Node> = Informer::start(Api::all(client.clone()), Filter::default(), tasks);
        let unfinished = "status.phase!=Succeeded,status.phase!=Failed".to_owned();
        let filter = Filter { fields: Some(unfinished), ..Filter::default() };
        let pods: Informer<Pod> = Informer::start(Api::all(client), filter, tasks);
        let shared = scheduler.clone();
        nodes.on_change(move |old, new| shared.node_changed(old, new));
        let shared = scheduler.clone();
        pods.on_change(move |old, new| shared.pod_changed(old, new));
        let shared = scheduler.clone();
        tasks.spawn("scheduler", async move {
            nodes.synced().await;
            pods.synced().await;
            shared.run().await;
        });
        scheduler
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn node_changed(&self, old: Option<&Arc<Node>>, new: Option<&Arc<Node>>) {
        let mut state = self.lock();
        match (old, new) {
            (_, Some(new)) => {
                state.snapshot.put_node(new.clone());
                let facts = |node: &Node| {
                    let allocatable = node.status.as_ref().and_then(|status| status.allocatable.clone());
                    (node.spec.clone(), node.labels().clone(), allocatable)
                };
                if old.is_none_or(|old| facts(old) != facts(new)) {
                    self.wake_queue(&mut state, ClusterEvent::Node);
                }
            }
            (Some(old), None) => state.snapshot.remove_node(&old.name_any()),
            (None, None) => {}
        }
    }

    fn wake_queue(&self, state: &mut State, event: ClusterEvent) {
        state.queue.wake(event, |plugin, event| self.plugins.wakes(plugin, event));
        self.wake.notify_one();
    }

    fn pod_changed(&self, old: Option<&Arc<Pod>>, new: Option<&Arc<Pod>>) {
        let Some(pod) = new.or(old) else { return };
        let uid = pod.metadata.uid.clone().unwrap_or_default();
        let node = pod.spec.as_ref().and_then(|spec| spec.node_name.clone()).filter(|node| !node.is_empty());
        let mut state = self.lock();
        match (new, node) {
            (Some(pod), Some(node)) => {
                state.queue.remove(&uid);
                state.snapshot.place(&uid, &node, pod, false);
            }
            (Some(pod), None) if is_ours(pod) => {
                state.queue.put(pod.clone());
                drop(state);
                self.wake.notify_one();
            }
            (Some(_), None) => state.queue.remove(&uid),
            (None, _) => {
                state.queue.remove(&uid);
                state.snapshot.remove(&uid);
                self.wake_queue(&mut state, ClusterEvent::PodGone);
            }
        }
    }

    async fn run(self: Arc<Self>) {
        loop {
            match self.next() {
                Step::Decided(pod, answer) => self.carry_out(pod, answer).await,
                Step::Wait(Some(due)) => {
                    tokio::select! {
                        () = self.clock.sleep_until(due) => {}
                        () = self.wake.notified() => {}
                    }
                }
                Step::Wait(None) => self.wake.notified().await,
            }
        }
    }

    /// Takes a Pod, decides and notes the outcome in one go, so that no change of the cluster comes
    /// between a refusal and what would have woken the Pod.
    fn next(&self) -> Step {
        let (now, tie) = (self.clock.monotonic(), self.rng.below(u64::MAX));
        let mut state = self.lock();
        let Some(pod) = state.queue.pop(now) else { return Step::Wait(state.queue.next_due()) };
        let uid = pod.metadata.uid.clone().unwrap_or_default();
        let answer = decide(&self.plugins, &state.snapshot, &pod, tie);
        match &answer {
            Answer::Node(node) => state.snapshot.place(&uid, node, &pod, true),
            Answer::Nowhere { refused_by, .. } => state.queue.refuse(&uid, refused_by.clone(), now),
        }
        Step::Decided(pod, answer)
    }

    async fn carry_out(self: &Arc<Self>, pod: Arc<Pod>, answer: Answer) {
        match answer {
            Answer::Node(node) => {
                let Ok(permit) = self.bindings.clone().acquire_owned().await else { return };
                let shared = self.clone();
                self.tasks.spawn("bind", async move {
                    let uid = pod.metadata.uid.clone().unwrap_or_default();
                    shared.bind(&pod, &uid, &node).await;
                    drop(permit);
                });
            }
            Answer::Nowhere { message, .. } => {
                self.recorder.warning(&reference(&*pod), "FailedScheduling", message.clone());
                self.say_unschedulable(&pod, &message).await;
            }
        }
    }

    async fn bind(&self, pod: &Pod, uid: &str, node: &str) {
        let (namespace, name) = (pod.namespace().unwrap_or_default(), pod.name_any());
        let body = json!({
            "apiVersion": "v1", "kind": "Binding",
            "metadata": {"name": name, "namespace": namespace, "uid": uid},
            "target": {"apiVersion": "v1", "kind": "Node", "name": node},
        });
        let request = http::Request::post(format!("/api/v1/namespaces/{namespace}/pods/{name}/binding"))
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(body.to_string().into_bytes())
            .map_err(kube::Error::HttpError);
        let answer = match request {
            Ok(request) => self.client.request::<Value>(request).await,
            Err(error) => Err(error),
        };
        match answer {
            Ok(_) => {
                info!(pod = format!("{namespace}/{name}"), node, "bound pod");
                let message = format!("Successfully assigned {namespace}/{name} to {node}");
                self.recorder.normal(&reference(pod), "Scheduled", message);
            }
            Err(failure) => {
                let gone = matches!(&failure, kube::Error::Api(status) if status.code == 404);
                let mut state = self.lock();
                state.snapshot.forget(uid);
                if gone {
                    state.queue.remove(uid);
                } else {
                    state.queue.fail(uid, self.clock.monotonic());
                    warn!(pod = format!("{namespace}/{name}"), node, error = error::chain(&failure), "binding failed");
                }
                drop(state);
                self.wake.notify_one();
            }
        }
    }

    async fn say_unschedulable(&self, pod: &Pod, message: &str) {
        let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
        let before = conditions.iter().find(|c| c.type_ == "PodScheduled" && c.status == "False");
        if before.is_some_and(|condition| condition.message.as_deref() == Some(message)) {
            return;
        }
        let since = before.and_then(|condition| condition.last_transition_time.clone());
        let since = since.unwrap_or_else(|| orchestrator_client::recorder::to_time(self.clock.now()));
        let condition = json!({
            "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message,
            "lastTransitionTime": since,
        });
        let patch = json!({"metadata": {"uid": pod.metadata.uid}, "status": {"conditions": [condition]}});
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &pod.namespace().unwrap_or_default());
        let answer = api.patch_status(&pod.name_any(), &PatchParams::default(), &Patch::Strategic(patch)).await;
        if let Err(failure) = answer {
            debug!(error = error::chain(&failure), "condition not written");
        }
    }
}

/// Whether this scheduler is to place the Pod now.
fn is_ours(pod: &Pod) -> bool {
    let spec = pod.spec.as_ref();
    let scheduler = spec.and_then(|spec| spec.scheduler_name.as_deref()).unwrap_or(NAME);
    let gated = spec.and_then(|spec| spec.scheduling_gates.as_ref()).is_some_and(|gates| !gates.is_empty());
    scheduler == NAME && !gated && pod.metadata.deletion_timestamp.is_none()
}
