//! Starting one run of a container: image, environment, mounts, Backend, hooks, probes.

use crate::env::{self, References};
use crate::kubelet::Shared;
use crate::operations::surroundings;
use crate::pod::{self, Role, container_reference, timestamp};
use crate::record::{self, Problem, Report};
use crate::volumes::{self, MountedVolumes};
use crate::worker::{Effect, Message, Run};
use crate::{hooks, probe};
use k8s_openapi::api::core::v1::{Container, ObjectReference, Pod};
use k8s_openapi::api::node::v1::RuntimeClass;
use kube::api::Api;
use orchestrator_apimachinery::quantity::Quantity;
use runtime_base::Tasks;
use runtime_base::error::chain;
use runtime_proxy::{HttpServer, ServeConfig};
use runtime_spec::{Backend, BackendError, ContainerState, Image, Limits, PodRef, Sandbox, Workload};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use tokio::sync::{mpsc, watch};
use tracing::{debug, info};

/// The port of a wasi:http component that names none.
const HTTP_PORT: u16 = 8080;

/// One start.
pub(crate) struct Start {
    pub(crate) shared: Arc<Shared>,
    pub(crate) pod: Arc<Pod>,
    pub(crate) me: PodRef,
    pub(crate) sandbox: Arc<Sandbox>,
    pub(crate) volumes: Arc<MountedVolumes>,
    pub(crate) name: String,
    pub(crate) attempt: u32,
    pub(crate) tell: mpsc::Sender<Message>,
    pub(crate) tasks: Tasks,
}

fn problem(reason: &'static str, message: impl Into<String>) -> Problem {
    Problem { reason, message: message.into() }
}

impl Start {
    /// Starts the run; what runs and the report go to the worker together.
    pub(crate) async fn run(self) -> Message {
        let about = container_reference(&self.pod, &self.name);
        let result = match pod::container(&self.pod, &self.name) {
            Some((container, role)) => self.start(&container.clone(), role, &about).await,
            None => Err(problem("CreateContainerError", "the container is gone")),
        };
        let (container, attempt) = (self.name.clone(), self.attempt);
        match result {
            Ok((run, effect)) => {
                info!(pod = %self.me, container, attempt, id = run.id, "started container");
                let report = Report::Started { container, attempt, result: Ok(run) };
                Message { report, effect: Effect::Run(self.name, effect) }
            }
            Err(problem) => {
                debug!(pod = %self.me, container, attempt, reason = problem.reason, "container not started");
                self.shared.recorder.warning(&about, "Failed", failed_note(&problem));
                if problem.reason == "ErrImagePull" {
                    let image = self.image_name();
                    self.shared.recorder.normal(&about, "BackOff", format!("Back-off pulling image \"{image}\""));
                }
                Report::Started { container, attempt, result: Err(problem) }.into()
            }
        }
    }

    fn image_name(&self) -> String {
        pod::container(&self.pod, &self.name).and_then(|(container, _)| container.image.clone()).unwrap_or_default()
    }

    async fn start(
        &self,
        container: &Container,
        role: Role,
        about: &ObjectReference,
    ) -> Result<(record::Run, Run), Problem> {
        let shared = &self.shared;
        let config_error = |message: String| problem("CreateContainerConfigError", message);
        let found = shared.references.gather(&self.pod).await.map_err(config_error)?;
        let image = self.image(container, &found, about).await?;
        shared.services.synced().await;
        let around = surroundings(shared, Some(&self.sandbox));
        let env = env::environment(&self.pod, container, &found, &around).map_err(config_error)?;
        let mounts = volumes::mounts(container, &self.volumes, &env).map_err(config_error)?;
        let log = shared
            .logs
            .begin(&self.me, &container.name, self.attempt)
            .map_err(|error| problem("CreateContainerError", format!("open the log: {error}")))?;
        let workload = workload(container, self.attempt, image.clone(), env, mounts, log).map_err(config_error)?;
        let http_port = workload.http_port;
        let _permit = shared.starts.acquire().await;
        let backend = self.backend(&image).await?;
        let create_error = |error: BackendError| problem("CreateContainerError", chain(&error));
        backend.prepare(&image).await.map_err(create_error)?;
        let running = backend.create(&self.sandbox, workload).await.map_err(create_error)?;
        shared.recorder.normal(about, "Created", format!("Created container: {}", container.name));
        shared.add_running(&self.me.uid, &container.name, running.clone());
        let started = self.begin(&running, http_port).await;
        let http = match started {
            Ok(http) => http,
            Err(problem) => {
                shared.remove_running(&self.me.uid, &container.name, running.id());
                return Err(problem);
            }
        };
        shared.recorder.normal(about, "Started", format!("Started container {}", container.name));
        if let Some(handler) = container.lifecycle.as_ref().and_then(|lifecycle| lifecycle.post_start.as_ref()) {
            self.post_start(handler, container, &*running, about).await?;
        }
        Ok(self.watched(container, role, &*backend, running, &image, http))
    }

    /// Starts the program, and the server in front of it if it is an HTTP handler.
    async fn begin(
        &self,
        running: &Arc<dyn runtime_spec::Container>,
        http_port: u16,
    ) -> Result<Option<HttpServer>, Problem> {
        running.start().await.map_err(|error| problem("RunContainerError", chain(&error)))?;
        let Some(endpoint) = running.http() else { return Ok(None) };
        let local = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), http_port);
        let listener = self
            .sandbox
            .network
            .listen(local, runtime_spec::limits::LISTEN_BACKLOG_MAX)
            .map_err(|error| problem("RunContainerError", format!("listen for HTTP: {error}")))?;
        Ok(Some(HttpServer::serve(listener, endpoint, &self.tasks, ServeConfig::default())))
    }

    async fn post_start(
        &self,
        handler: &k8s_openapi::api::core::v1::LifecycleHandler,
        container: &Container,
        running: &dyn runtime_spec::Container,
        about: &ObjectReference,
    ) -> Result<(), Problem> {
        let Some(address) = self.sandbox.network.addresses().first().copied() else { return Ok(()) };
        let hook = hooks::run(handler, &*self.shared.machine.networks, address, container);
        let Err(error) = hook.await else { return Ok(()) };
        self.shared.recorder.warning(about, "FailedPostStartHook", error.clone());
        // The run never counted as started, so its end is no exit: the start is tried again.
        let _ = running.stop(pod::grace(&self.pod)).await;
        self.shared.logs.end(&self.me, &container.name, self.attempt);
        self.shared.remove_running(&self.me.uid, &container.name, running.id());
        Err(problem("PostStartHookError", error))
    }

    /// The run with its watcher and its probes.
    fn watched(
        &self,
        container: &Container,
        role: Role,
        backend: &dyn Backend,
        running: Arc<dyn runtime_spec::Container>,
        image: &Image,
        http: Option<HttpServer>,
    ) -> (record::Run, Run) {
        let tasks = self.tasks.child();
        let started_at = match &*running.state().borrow() {
            ContainerState::Running { started_at } => timestamp(*started_at),
            ContainerState::Exited(exit) => timestamp(exit.started_at),
            ContainerState::Created => self.shared.now(),
        };
        let (name, attempt) = (container.name.clone(), self.attempt);
        let (shared, uid, tell) = (self.shared.clone(), self.me.uid.clone(), self.tell.clone());
        let (mut state, id) = (running.state(), running.id().to_owned());
        // Outlives the run's own tasks: it tells the end of them.
        self.tasks.spawn("container-watch", async move {
            let exit = loop {
                if let ContainerState::Exited(exit) = &*state.borrow_and_update() {
                    break exit.clone();
                }
                if state.changed().await.is_err() {
                    return;
                }
            };
            info!(container = name, id, code = exit.code, reason = ?exit.reason, "container ended");
            shared.remove_running(&uid, &name, &id);
            let _ = tell.send(Report::Exited { container: name, attempt, exit }.into()).await;
        });
        if role != Role::Init {
            self.probe(container, &tasks);
        }
        let scheme = backend.version().split("://").next().unwrap_or_default().to_owned();
        let run = record::Run {
            id: format!("{scheme}://{}", running.id()),
            image: image.reference.clone(),
            image_id: image.id.clone(),
            started_at,
        };
        let (stop_by, _) = watch::channel(None);
        let http = Arc::new(Mutex::new(http));
        (run, Run { attempt: self.attempt, container: running, http, stop_by, tasks })
    }

    fn probe(&self, container: &Container, tasks: &Tasks) {
        let any = [&container.startup_probe, &container.liveness_probe, &container.readiness_probe];
        let Some(address) = self.sandbox.network.addresses().first().copied() else { return };
        if any.iter().all(|probe| probe.is_none()) {
            return;
        }
        let probed = probe::Probed {
            pod: self.pod.clone(),
            container: container.clone(),
            attempt: self.attempt,
            address,
            networks: self.shared.machine.networks.clone(),
            clock: self.shared.config.clock.clone(),
            recorder: self.shared.recorder.clone(),
        };
        let (sender, mut receiver) = mpsc::channel::<Report>(1);
        let tell = self.tell.clone();
        tasks.spawn("probes", probe::run(probed, sender));
        tasks.spawn("probe-reports", async move {
            while let Some(report) = receiver.recv().await {
                let _ = tell.send(report.into()).await;
            }
        });
    }

    /// The image by its pull policy.
    async fn image(
        &self,
        container: &Container,
        references: &dyn References,
        about: &ObjectReference,
    ) -> Result<Arc<Image>, Problem> {
        let (shared, name) = (&self.shared, self.image_name());
        let images = &shared.machine.images;
        if let Err(message) = images.check(&name) {
            shared.recorder.warning(about, "InspectFailed", message.clone());
            return Err(problem("InvalidImageName", message));
        }
        let policy = pull_policy(container, &name);
        if policy != "Always" {
            let local = images.local(&name).await.map_err(|error| problem("ImageInspectError", error))?;
            if let Some(image) = local {
                let note = format!("Container image \"{name}\" already present on machine");
                shared.recorder.normal(about, "Pulled", note);
                return Ok(image);
            }
            if policy == "Never" {
                let message = format!("Container image \"{name}\" is not present with pull policy of Never");
                shared.recorder.warning(about, "ErrImageNeverPull", message.clone());
                return Err(problem("ErrImageNeverPull", message));
            }
        }
        let secrets = self.pod.spec.iter().flat_map(|spec| spec.image_pull_secrets.iter().flatten());
        let configs: Vec<Vec<u8>> = secrets
            .filter_map(|secret| references.secret(&secret.name))
            .flat_map(|secret| {
                let data = secret.data.clone().unwrap_or_default();
                [".dockerconfigjson", ".dockercfg"].map(|key| data.get(key).map(|bytes| bytes.0.clone()))
            })
            .flatten()
            .collect();
        shared.recorder.normal(about, "Pulling", format!("Pulling image \"{name}\""));
        let waiting = shared.config.clock.monotonic();
        let _permit = shared.pulls.acquire().await;
        let pulling = shared.config.clock.monotonic();
        match images.pull(&name, &configs).await {
            Ok(image) => {
                let now = shared.config.clock.monotonic();
                let seconds = |since: tokio::time::Instant| format!("{:.3}s", (now - since).as_secs_f64());
                let note = format!(
                    "Successfully pulled image \"{name}\" in {} ({} including waiting). Image size: {} bytes.",
                    seconds(pulling),
                    seconds(waiting),
                    image.size_bytes
                );
                shared.recorder.normal(about, "Pulled", note);
                Ok(image)
            }
            Err(error) => {
                shared.recorder.warning(about, "Failed", format!("Failed to pull image \"{name}\": {error}"));
                Err(problem("ErrImagePull", error))
            }
        }
    }

    /// The Backend for `image`: the one that the Pod's RuntimeClass names, else the first that
    /// accepts it.
    async fn backend(&self, image: &Image) -> Result<Arc<dyn Backend>, Problem> {
        let backends = &self.shared.machine.backends;
        let accepting = backends.iter().find(|backend| backend.accepts(image));
        let class = self.pod.spec.as_ref().and_then(|spec| spec.runtime_class_name.as_deref());
        if let Some(class) = class.filter(|class| !class.is_empty()) {
            let api: Api<RuntimeClass> = Api::all(self.shared.client.clone());
            let failed = |error: String| problem("CreateContainerError", error);
            let handler = api.get(class).await.map_err(|error| failed(format!("RuntimeClass \"{class}\": {error}")))?;
            let named = backends.iter().find(|backend| backend.handlers().contains(&handler.handler.as_str()));
            let Some(named) = named else {
                let known: Vec<&str> = backends.iter().flat_map(|backend| backend.handlers()).copied().collect();
                return Err(failed(format!(
                    "no runtime for handler \"{}\" of RuntimeClass \"{class}\" on this node; it has {}",
                    handler.handler,
                    known.join(", ")
                )));
            };
            if !named.accepts(image) {
                return Err(failed(format!(
                    "the runtime of RuntimeClass \"{class}\" cannot run image {}",
                    image.reference
                )));
            }
            return Ok(named.clone());
        }
        let none =
            || problem("CreateContainerError", format!("no runtime on this node can run image {}", image.reference));
        accepting.cloned().ok_or_else(none)
    }
}

/// The Event for a start that failed.
fn failed_note(problem: &Problem) -> String {
    match problem.reason {
        "ErrImagePull" | "InvalidImageName" | "ErrImageNeverPull" => format!("Error: {}", problem.reason),
        _ => format!("Error: {}", problem.message),
    }
}

/// `imagePullPolicy`, with the API's default.
fn pull_policy<'a>(container: &'a Container, image: &str) -> &'a str {
    if let Some(policy) = container.image_pull_policy.as_deref().filter(|policy| !policy.is_empty()) {
        return policy;
    }
    let name = image.rsplit('/').next().unwrap_or(image);
    let latest = !image.contains('@') && name.split_once(':').is_none_or(|(_, tag)| tag == "latest");
    if latest && !image.starts_with("file://") { "Always" } else { "IfNotPresent" }
}

/// What the Backend runs.
fn workload(
    container: &Container,
    attempt: u32,
    image: Arc<Image>,
    env: Vec<(String, String)>,
    mounts: Vec<runtime_spec::Mount>,
    log: Arc<dyn runtime_spec::LogSink>,
) -> Result<Workload, String> {
    let expand = |text: &String| {
        env::expand(text, |name| env.iter().rev().find(|(own, _)| own == name).map(|(_, value)| value.clone()))
    };
    let list = |words: &Vec<String>| words.iter().map(expand).collect::<Vec<_>>();
    let command = container.command.as_ref().map(list).unwrap_or_default();
    let args = container.args.as_ref().filter(|args| !args.is_empty()).map(list);
    // The image's own environment comes first: the Pod's wins.
    let of_image = image.config.env.iter().filter_map(|entry| entry.split_once('='));
    let mut all: Vec<(String, String)> = of_image.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    all.retain(|(name, _)| !env.iter().any(|(own, _)| own == name));
    all.extend(env);
    Ok(Workload {
        name: container.name.clone(),
        attempt,
        command,
        args,
        env: all,
        working_dir: container.working_dir.clone().filter(|dir| !dir.is_empty()),
        mounts,
        limits: limits(container)?,
        log,
        http_port: http_port(container),
        image,
    })
}

fn limits(container: &Container) -> Result<Limits, String> {
    let amount = |name: &str| -> Result<Option<Quantity>, String> {
        let limits = container.resources.as_ref().and_then(|resources| resources.limits.as_ref());
        limits.and_then(|limits| limits.get(name)).map(|amount| Quantity::parse(&amount.0)).transpose()
    };
    let positive = |value: i64| u64::try_from(value).ok().filter(|value| *value > 0);
    Ok(Limits {
        memory_bytes_max: amount("memory")?.and_then(|amount| positive(amount.value())),
        cpu_millis_max: amount("cpu")?.and_then(|amount| positive(amount.millis())),
    })
}

/// Where a wasi:http component answers: the port named `http`, else the first TCP port, else
/// [`HTTP_PORT`].
fn http_port(container: &Container) -> u16 {
    let tcp = || container.ports.iter().flatten().filter(|port| port.protocol.as_deref().unwrap_or("TCP") == "TCP");
    let named = tcp().find(|port| port.name.as_deref() == Some("http"));
    let port = named.or_else(|| tcp().next()).map(|port| port.container_port);
    port.and_then(|port| u16::try_from(port).ok()).filter(|port| *port != 0).unwrap_or(HTTP_PORT)
}

#[cfg(test)]
mod tests;
