//! The one shell around all controllers: keys in, plans executed.

use crate::caches::{Caches, Written};
use crate::kinds::ServedKinds;
use crate::limits::{WORKERS, WRITES_IN_FLIGHT_MAX};
use crate::plan::{Now, Plan, Tell, Verb, Write};
use crate::{
    clusterrole, deployment, endpointslice, garbagecollector, job, namespace, nodelifecycle, replicaset, rootca,
    serviceaccount, ttlafterfinished,
};
use async_trait::async_trait;
use futures::stream::{self, StreamExt};
use kube::Client;
use orchestrator_client::recorder::EventType;
use orchestrator_client::{Key, Recorder, WorkQueue};
use runtime_base::{Clock, Rng, Tasks};
use serde_json::Value;
use std::sync::Arc;
use tracing::{Instrument, debug, info, warn};

/// Why a key must be tried again.
#[derive(Debug, thiserror::Error)]
pub enum ControllerError {
    /// A request failed.
    #[error("{verb:?} {path}")]
    Request {
        /// What was tried.
        verb: Verb,
        /// Where.
        path: String,
        /// The answer.
        source: Box<kube::Error>,
    },
    /// A read that a plan needs failed.
    #[error("reading {what}")]
    Read {
        /// What was read.
        what: String,
        /// The answer.
        source: Box<kube::Error>,
    },
}

impl ControllerError {
    /// Whether somebody else wrote first, so that planning again is all it takes.
    fn is_conflict(&self) -> bool {
        let (Self::Request { source, .. } | Self::Read { source, .. }) = self;
        matches!(&**source, kube::Error::Api(status) if status.code == 409)
    }
}

/// One controller.
#[async_trait]
pub trait Controller: Send + Sync + 'static {
    /// The name of its ServiceAccount in kube-system, such as `deployment-controller`.
    fn name(&self) -> &'static str;

    /// Connects changes of the caches to keys.
    fn wire(&self, caches: &Caches, queue: &WorkQueue);

    /// Gathers the world of `key` and plans.
    async fn plan(&self, caches: &Caches, client: &Client, key: &Key, now: Now) -> Result<Plan, ControllerError>;
}

/// What the controllers need.
pub struct ControllersConfig {
    /// Watches as `system:kube-controller-manager`.
    pub shared: Client,
    /// A client with the identity `system:serviceaccount:kube-system:NAME`.
    pub client_of: Arc<dyn Fn(&str) -> Client + Send + Sync>,
    /// The served kinds, for those controllers that look at all of them.
    pub kinds: ServedKinds,
    /// The PEM text of the cluster's certificate authority.
    pub root_ca: String,
    /// Time.
    pub clock: Clock,
    /// Random numbers.
    pub rng: Rng,
}

/// All controllers, running.
pub struct Controllers;

impl Controllers {
    /// Starts every controller; they end with `tasks`.
    pub fn start(config: ControllersConfig, tasks: &Tasks) {
        let caches = Caches::start(&config.shared, tasks);
        let all: Vec<Arc<dyn Controller>> = vec![
            Arc::new(deployment::DeploymentController),
            Arc::new(replicaset::ReplicaSetController),
            Arc::new(job::JobController),
            Arc::new(ttlafterfinished::TtlAfterFinishedController),
            Arc::new(endpointslice::EndpointSliceController::default()),
            Arc::new(namespace::NamespaceController::new(config.kinds.clone())),
            Arc::new(serviceaccount::ServiceAccountController),
            Arc::new(clusterrole::ClusterRoleController),
            Arc::new(rootca::RootCaController::new(config.root_ca.clone())),
            Arc::new(nodelifecycle::NodeLifecycleController::new(instant(&config.clock))),
        ];
        for controller in all {
            let client = (config.client_of)(controller.name());
            Shell::new(controller, client, &caches, &config, tasks).start(tasks);
        }
        let client = (config.client_of)(garbagecollector::NAME);
        garbagecollector::start(config.kinds.clone(), &config.shared, client, tasks);
    }
}

fn instant(clock: &Clock) -> Now {
    Now::try_from(clock.now()).unwrap_or(Now::UNIX_EPOCH)
}

struct Shell {
    controller: Arc<dyn Controller>,
    client: Client,
    caches: Caches,
    queue: WorkQueue,
    recorder: Recorder,
    clock: Clock,
}

impl Shell {
    fn new(
        controller: Arc<dyn Controller>,
        client: Client,
        caches: &Caches,
        config: &ControllersConfig,
        tasks: &Tasks,
    ) -> Arc<Self> {
        let queue = WorkQueue::default();
        let name = controller.name();
        let recorder = Recorder::new(client.clone(), name, "", config.clock.clone(), config.rng.clone(), tasks);
        Arc::new(Shell { controller, client, caches: caches.clone(), queue, recorder, clock: config.clock.clone() })
    }

    fn start(self: Arc<Self>, tasks: &Tasks) {
        self.controller.wire(&self.caches, &self.queue);
        for _ in 0..WORKERS {
            let shell = self.clone();
            tasks.spawn(self.controller.name(), async move {
                shell.caches.synced().await;
                loop {
                    let key = shell.queue.next().await;
                    let span = tracing::debug_span!("reconcile", controller = shell.controller.name(), key = %key);
                    shell.work(&key).instrument(span).await;
                }
            });
        }
    }

    async fn work(&self, key: &Key) {
        match self.reconcile(key).await {
            Ok(requeue) => {
                self.queue.done(key);
                if let Some(delay) = requeue {
                    self.queue.add_after(key.clone(), delay);
                }
            }
            Err(error) if error.is_conflict() => {
                self.queue.failed(key);
                debug!(controller = self.controller.name(), key = %key, "conflict, planning again");
            }
            Err(error) => {
                let retry_in = self.queue.failed(key);
                let error = runtime_base::error::chain(&error);
                warn!(controller = self.controller.name(), key = %key, error, ?retry_in, "reconcile failed");
            }
        }
    }

    async fn reconcile(&self, key: &Key) -> Result<Option<std::time::Duration>, ControllerError> {
        let now = instant(&self.clock);
        let plan = self.controller.plan(&self.caches, &self.client, key, now).await?;
        for tell in &plan.tells {
            self.tell(tell, "");
        }
        let mut results = stream::iter(first_for_each_object(plan.writes))
            .map(|write| self.execute(write))
            .buffered(WRITES_IN_FLIGHT_MAX);
        let mut first_error = None;
        while let Some(result) = results.next().await {
            if let Err(error) = result {
                first_error.get_or_insert(error);
            }
        }
        first_error.map_or(Ok(plan.requeue), Err)
    }

    /// Executes one write and waits until the caches show it.
    async fn execute(&self, write: Write) -> Result<(), ControllerError> {
        debug!(verb = ?write.verb, path = write.path, "write");
        let uid = write.body["preconditions"]["uid"].as_str().unwrap_or("").to_owned();
        match send(&self.client, &write).await {
            Ok(answer) => {
                let meta = &answer["metadata"];
                if let Some(tell) = &write.tell {
                    self.tell(tell, meta["name"].as_str().unwrap_or(&write.object.1));
                }
                let written = match meta["resourceVersion"].as_str().and_then(|text| text.parse().ok()) {
                    _ if write.verb == Verb::Delete => Written::Gone(write.object.0, write.object.1, uid),
                    Some(version) => Written::Version(version),
                    None => return Ok(()),
                };
                self.caches.caught_up(write.resource, written).await;
                Ok(())
            }
            Err(kube::Error::Api(status)) if write.verb == Verb::Delete && status.code == 404 => Ok(()),
            Err(kube::Error::Api(status)) if status.reason == "NotFound" && write.verb != Verb::Create => {
                info!(path = write.path, "object is gone, planning again");
                Ok(())
            }
            Err(source) => {
                if let (Verb::Create, Some(tell), Some(why)) = (&write.verb, &write.tell, refusal(&source)) {
                    self.recorder.warning(&tell.about, "FailedCreate", format!("Error creating: {why}"));
                }
                Err(ControllerError::Request { verb: write.verb, path: write.path, source: Box::new(source) })
            }
        }
    }

    fn tell(&self, tell: &Tell, name: &str) {
        let kind = if tell.warning { EventType::Warning } else { EventType::Normal };
        self.recorder.event(&tell.about, kind, tell.reason, tell.message.replace("{name}", name));
    }
}

/// What to tell the owner of an object that could not be created; nothing when somebody else was
/// quicker, or when its namespace is about to go.
fn refusal(error: &kube::Error) -> Option<String> {
    let kube::Error::Api(status) = error else { return Some(error.to_string()) };
    let causes = status.details.as_ref().map(|details| details.causes.as_slice()).unwrap_or_default();
    let ending = causes.iter().any(|cause| cause.reason == "NamespaceTerminating");
    (status.code != 409 && !ending).then(|| status.message.clone())
}

/// Two writes to one object would conflict, since both carry the version that was read: the first
/// is done, and its effect wakes the key for the second.
fn first_for_each_object(writes: Vec<Write>) -> Vec<Write> {
    let mut seen = std::collections::HashSet::new();
    let fresh = |write: &Write| write.verb == Verb::Create || seen.insert((write.resource, write.object.clone()));
    writes.into_iter().filter(fresh).collect()
}

/// Sends one write; the answer is the object, or a Status.
pub(crate) async fn send(client: &Client, write: &Write) -> kube::Result<Value> {
    let (method, content_type) = match write.verb {
        Verb::Create => (http::Method::POST, "application/json"),
        Verb::Replace => (http::Method::PUT, "application/json"),
        Verb::Patch => (http::Method::PATCH, "application/merge-patch+json"),
        Verb::Delete => (http::Method::DELETE, "application/json"),
    };
    let body = serde_json::to_vec(&write.body).map_err(kube::Error::SerdeError)?;
    let request = http::Request::builder()
        .method(method)
        .uri(&write.path)
        .header(http::header::CONTENT_TYPE, content_type)
        .body(body)
        .map_err(kube::Error::HttpError)?;
    client.request(request).await
}

#[cfg(test)]
mod tests;
