//! Carrying out what the plan asks for.

use crate::env::Surroundings;
use crate::hooks;
use crate::kubelet::Shared;
use crate::plan::Operation;
use crate::pod::{self, between, container_reference};
use crate::record::{Problem, Report};
use crate::start;
use crate::volumes::{self, Tokens};
use crate::worker::{Effect, Message, Worker};
use async_trait::async_trait;
use k8s_openapi::api::authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{Pod, ServiceAccount, ServiceAccountTokenProjection};
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, DeleteParams, PostParams, Preconditions};
use orchestrator_client::recorder;
use runtime_base::error::chain;
use runtime_network::DnsConfig;
use runtime_spec::{PodRef, Sandbox};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tracing::{debug, info, warn};

/// Begins `operation`; its report comes through the worker's box.
pub(crate) fn begin(worker: &mut Worker, operation: Operation) {
    debug!(pod = %worker.me, ?operation, "begins");
    let (shared, pod, me) = (worker.shared.clone(), worker.pod.clone(), worker.me.clone());
    let sender = worker.sender.clone();
    let send = |name: &'static str, work: futures::future::BoxFuture<'static, Message>| {
        worker.tasks.spawn(name, async move {
            let message = work.await;
            // A worker that is gone needs no report.
            let _ = sender.send(message).await;
        });
    };
    match operation {
        Operation::MakeSandbox => send("make-sandbox", Box::pin(async move { make_sandbox(&shared, &pod, me).await })),
        Operation::MountVolumes | Operation::RefreshVolumes => {
            let (refresh, sandbox) = (operation == Operation::RefreshVolumes, worker.sandbox.clone());
            send("volumes", Box::pin(async move { mount(&shared, &pod, me, sandbox, refresh).await }));
        }
        Operation::Start { container, attempt } => {
            let Some(sandbox) = worker.sandbox.clone() else { return };
            let volumes = worker.volumes.clone();
            let start = start::Start {
                shared,
                pod,
                me,
                sandbox,
                volumes,
                name: container,
                attempt,
                tell: worker.sender.clone(),
                tasks: worker.tasks.clone(),
            };
            send("start-container", Box::pin(start.run()));
        }
        Operation::Stop { container, deadline, message } => stop(worker, &container, deadline, message),
        Operation::CleanUp => {
            worker.runs.clear();
            worker.sandbox = None;
            worker.volumes = Arc::default();
            send("clean-up", Box::pin(async move { clean_up(&shared, me).await }));
        }
        Operation::Delete => send("delete-pod", Box::pin(async move { delete(&shared, me).await })),
    }
}

/// The Pod's host name.
fn hostname(pod: &Pod) -> String {
    let own = pod.spec.as_ref().and_then(|spec| spec.hostname_override.clone().or(spec.hostname.clone()));
    let name = own.or(pod.metadata.name.clone()).unwrap_or_default();
    name.chars().take(63).collect::<String>().trim_end_matches(['-', '.']).to_owned()
}

/// The Pod's DNS rules. Source: Kubernetes, "DNS for Services and Pods".
fn dns(pod: &Pod, cluster_domain: &str) -> DnsConfig {
    let spec = pod.spec.as_ref();
    let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
    let mut dns = DnsConfig::cluster_first(namespace, cluster_domain);
    if let Some("Default" | "None") = spec.and_then(|spec| spec.dns_policy.as_deref()) {
        dns.searches.clear();
        dns.cluster = false;
        dns.ndots = 1;
    }
    if let Some(own) = spec.and_then(|spec| spec.dns_config.as_ref()) {
        for search in own.searches.iter().flatten() {
            if !dns.searches.contains(search) {
                dns.searches.push(search.clone());
            }
        }
        let ndots = own.options.iter().flatten().find(|option| option.name.as_deref() == Some("ndots"));
        if let Some(ndots) = ndots.and_then(|option| option.value.as_deref()?.parse().ok()) {
            dns.ndots = ndots;
        }
    }
    for alias in spec.and_then(|spec| spec.host_aliases.as_deref()).unwrap_or_default() {
        if let Ok(ip) = alias.ip.parse() {
            dns.hosts.push((ip, alias.hostnames.clone().unwrap_or_default()));
        }
    }
    dns
}

async fn make_sandbox(shared: &Shared, pod: &Pod, me: PodRef) -> Message {
    let hostname = hostname(pod);
    let made = shared
        .machine
        .networks
        .attach(&me, &hostname, dns(pod, &shared.config.cluster_domain))
        .and_then(|network| Ok((network, shared.dirs.pod(&me.uid).map_err(|error| chain(&error))?)));
    match made {
        Ok((network, dir)) => {
            let addresses = network.addresses();
            let outbound = shared.machine.outbound.clone();
            let sandbox = Sandbox { pod: me, hostname, network, outbound, dir: dir.path().to_owned() };
            Message { report: Report::Sandbox(Ok(addresses)), effect: Effect::Sandbox(Arc::new(sandbox)) }
        }
        Err(error) => {
            let message = format!("Failed to create pod sandbox: {error}");
            shared.recorder.warning(&recorder::reference(pod), "FailedCreatePodSandBox", message.clone());
            Report::Sandbox(Err(Problem { reason: "CreatePodSandboxError", message })).into()
        }
    }
}

/// What env and the downward API say of the Pod's surroundings.
pub(crate) fn surroundings(shared: &Shared, sandbox: Option<&Sandbox>) -> Surroundings {
    let capacity = &shared.config.capacity;
    Surroundings {
        pod_ips: sandbox.map(|sandbox| sandbox.network.addresses()).unwrap_or_default(),
        host_ip: shared.facts.host_ip.clone(),
        hostname: sandbox.map(|sandbox| sandbox.hostname.clone()).unwrap_or_default(),
        services: shared.services.list(),
        allocatable: (capacity.cpu_millis, capacity.memory_bytes),
    }
}

/// Tokens of the Pod's service account, bound to the Pod.
struct PodTokens<'a> {
    shared: &'a Shared,
    pod: &'a Pod,
    me: &'a PodRef,
}

#[async_trait]
impl Tokens for PodTokens<'_> {
    async fn token(&self, projection: &ServiceAccountTokenProjection) -> Result<(String, Timestamp), String> {
        let account = self.pod.spec.as_ref().and_then(|spec| spec.service_account_name.as_deref());
        let account = account.filter(|name| !name.is_empty()).unwrap_or("default");
        let api: Api<ServiceAccount> = Api::namespaced(self.shared.client.clone(), &self.me.namespace);
        let audience = projection.audience.clone().filter(|audience| !audience.is_empty());
        let request = TokenRequest {
            spec: Some(TokenRequestSpec {
                audiences: Some(audience.into_iter().collect()),
                expiration_seconds: projection.expiration_seconds.or(Some(3600)),
                bound_object_ref: Some(BoundObjectReference {
                    api_version: Some("v1".to_owned()),
                    kind: Some("Pod".to_owned()),
                    name: Some(self.me.name.clone()),
                    uid: Some(self.me.uid.clone()),
                }),
            }),
            ..TokenRequest::default()
        };
        let failed = |error: String| format!("failed to fetch token: {error}");
        let answer = api.create_token_request(account, &PostParams::default(), &request).await;
        let status = answer.map_err(|error| failed(error.to_string()))?.status;
        let token = status.and_then(|status| Some((status.token?, status.expiration_timestamp?.0)));
        token.ok_or_else(|| failed("the answer has no token".to_owned()))
    }
}

async fn mount(
    shared: &Arc<Shared>,
    pod: &Arc<Pod>,
    me: PodRef,
    sandbox: Option<Arc<Sandbox>>,
    refresh: bool,
) -> Message {
    let around = surroundings(shared, sandbox.as_deref());
    let now = shared.now();
    let mounted = async {
        let dir = shared.dirs.pod(&me.uid).map_err(|error| chain(&error))?;
        let found = shared.references.gather(pod).await?;
        let tokens = PodTokens { shared, pod, me: &me };
        volumes::mount(pod, &dir, &found, &around, &tokens, now).await
    };
    match mounted.await {
        Ok((_, next)) if refresh => Report::Refreshed(next).into(),
        Ok((volumes, next)) => {
            Message { report: Report::Volumes(Ok(next)), effect: Effect::Volumes(Arc::new(volumes)) }
        }
        Err(message) => {
            shared.recorder.warning(&recorder::reference(&**pod), "FailedMount", message.clone());
            if refresh {
                // What is mounted stays as it is; what is missing now is looked for again later.
                let again = pod::after(now, crate::limits::REFRESH_RETRY);
                return Report::Refreshed(Some(again)).into();
            }
            Report::Volumes(Err(Problem { reason: "ContainerCreating", message })).into()
        }
    }
}

/// Asks a container to end: preStop first, then the program, and the end of it at the deadline.
fn stop(worker: &Worker, name: &str, deadline: Timestamp, message: String) {
    let Some(run) = worker.runs.get(name) else { return };
    let first = run.stop_by.send_replace(Some(deadline)).is_none();
    if !first {
        // The task that stops it sees the earlier deadline.
        return;
    }
    let (shared, pod, name) = (worker.shared.clone(), worker.pod.clone(), name.to_owned());
    let (container, http, stop_by) = (run.container.clone(), run.http.clone(), run.stop_by.subscribe());
    let address = worker.sandbox.as_ref().and_then(|sandbox| sandbox.network.addresses().first().copied());
    let grace = worker.grace();
    worker.tasks.spawn("stop-container", async move {
        let about = container_reference(&pod, &name);
        shared.recorder.normal(&about, "Killing", message);
        info!(pod = %pod::pod_ref(&pod), container = name, "stopping container");
        let spec = pod::container(&pod, &name).map(|(spec, _)| spec);
        let pre_stop = spec.and_then(|spec| Some((spec, spec.lifecycle.as_ref()?.pre_stop.as_ref()?)));
        if let (Some((spec, handler)), Some(address), false) = (pre_stop, address, grace.is_zero()) {
            let hook = hooks::run(handler, &*shared.machine.networks, address, spec);
            match before_deadline(&shared, stop_by.clone(), hook).await {
                Some(Ok(())) => {}
                Some(Err(error)) => shared.recorder.warning(&about, "FailedPreStopHook", error),
                None => shared.recorder.warning(&about, "FailedPreStopHook", "the grace period is over"),
            }
        }
        let server = crate::kubelet::lock(&http).take();
        if let Some(server) = server {
            let drained = server.stop(remaining(&shared, &stop_by));
            before_deadline(&shared, stop_by.clone(), drained).await;
        }
        end_container(&shared, &*container, stop_by).await;
    });
}

fn remaining(shared: &Shared, stop_by: &watch::Receiver<Option<Timestamp>>) -> Duration {
    let now = shared.now();
    (*stop_by.borrow()).map_or(Duration::ZERO, |deadline| between(now, deadline))
}

/// `work`, unless the deadline (which may move forward) comes before its end.
async fn before_deadline<F: Future>(
    shared: &Shared,
    mut stop_by: watch::Receiver<Option<Timestamp>>,
    work: F,
) -> Option<F::Output> {
    tokio::pin!(work);
    loop {
        let left = remaining(shared, &stop_by);
        tokio::select! {
            output = &mut work => return Some(output),
            () = shared.config.clock.sleep(left) => return None,
            changed = stop_by.changed() => {
                if changed.is_err() {
                    return None;
                }
            }
        }
    }
}

/// Ends the program; a deadline that moves forward shortens its grace.
async fn end_container(
    shared: &Shared,
    container: &dyn runtime_spec::Container,
    mut stop_by: watch::Receiver<Option<Timestamp>>,
) {
    loop {
        let left = remaining(shared, &stop_by);
        stop_by.mark_unchanged();
        tokio::select! {
            result = container.stop(left) => {
                if let Err(error) = result {
                    warn!(container = container.id(), error = chain(&error), "container not stopped");
                }
                return;
            }
            changed = stop_by.changed() => {
                if changed.is_err() {
                    return;
                }
            }
        }
    }
}

async fn clean_up(shared: &Shared, me: PodRef) -> Message {
    shared.machine.networks.detach(&me);
    let (dirs, uid) = (shared.dirs.clone(), me.uid.clone());
    let removed = tokio::task::spawn_blocking(move || dirs.remove(&uid)).await;
    let result = match removed {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(chain(&error)),
        Err(error) => Err(error.to_string()),
    };
    if let Err(error) = &result {
        warn!(pod = %me, error, "volumes not removed");
    }
    Report::CleanedUp(result.map_err(|message| Problem { reason: "CleanUp", message })).into()
}

/// Deletes the Pod in the API for good.
async fn delete(shared: &Shared, me: PodRef) -> Message {
    let api: Api<Pod> = Api::namespaced(shared.client.clone(), &me.namespace);
    let preconditions = Preconditions { uid: Some(me.uid.clone()), resource_version: None };
    let params =
        DeleteParams { grace_period_seconds: Some(0), preconditions: Some(preconditions), ..DeleteParams::default() };
    let result = match api.delete(&me.name, &params).await {
        Ok(_) => Ok(()),
        // Gone already, or another Pod has the name by now.
        Err(kube::Error::Api(status)) if status.code == 404 || status.code == 409 => Ok(()),
        Err(error) => {
            warn!(pod = %me, %error, "Pod not deleted");
            Err(Problem { reason: "Delete", message: error.to_string() })
        }
    };
    if result.is_ok() {
        info!(pod = %me, uid = me.uid, "deleted Pod");
    }
    Report::Deleted(result).into()
}
