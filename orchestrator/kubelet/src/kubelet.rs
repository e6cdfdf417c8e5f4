//! The kubelet as a whole: its parts, its start and its end.

use crate::limits::{PULLS_MAX, SHUTDOWN_GRACE, SHUTDOWN_TASKS, STARTS_MAX};
use crate::logs::Logs;
use crate::machine::{Images, PodNetworks};
use crate::node::{self, Capacity};
use crate::pod;
use crate::record::Report;
use crate::references::References;
use crate::status::NodeFacts;
use crate::worker::{Message, Worker};
use crate::{server, services};
use futures::future::join_all;
use k8s_openapi::api::core::v1::{Pod, PodStatus, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::jiff::Timestamp;
use kube::api::Api;
use orchestrator_client::informer::{Filter, Informer};
use orchestrator_client::{Key, Recorder};
use runtime_base::{ByteStream, Clock, Rng, Tasks};
use runtime_spec::{Backend, Container, HttpOutbound};
use runtime_volume::{PodDirs, VolumeError};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use tokio::sync::{Notify, Semaphore, mpsc};
use tracing::{info, warn};

/// What one kubelet is told.
#[derive(Clone)]
pub struct KubeletConfig {
    /// The Node's name.
    pub node_name: String,
    /// The node's address (`InternalIP`, `hostIP`).
    pub node_ip: IpAddr,
    /// Where logs and volumes are kept.
    pub data_dir: PathBuf,
    /// Most Pods of the node.
    pub max_pods: u32,
    /// The node's Pod addresses, such as `10.244.0.0/18`.
    pub pod_cidr: String,
    /// The cluster's DNS zone.
    pub cluster_domain: String,
    /// `kubeletVersion` of the Node, such as `v1.36.0+coracle.0.1.0`.
    pub version: String,
    /// Labels that the Node has besides the usual ones.
    pub labels: BTreeMap<String, String>,
    /// What the machine has.
    pub capacity: Capacity,
    /// Time.
    pub clock: Clock,
    /// Random numbers.
    pub rng: Rng,
}

/// Why a kubelet could not start.
#[derive(Debug, thiserror::Error)]
pub enum KubeletError {
    /// The directory of logs.
    #[error("open the logs in {path}")]
    Logs {
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The directory of volumes.
    #[error("open the volumes in {path}")]
    Volumes {
        /// Where.
        path: PathBuf,
        /// What went wrong.
        source: VolumeError,
    },
}

/// What runs containers and what they need.
pub struct Machine {
    /// Runtimes; the first that accepts an image runs it.
    pub backends: Vec<Arc<dyn Backend>>,
    /// The network.
    pub networks: Arc<dyn PodNetworks>,
    /// Images.
    pub images: Arc<dyn Images>,
    /// How programs' HTTP requests leave.
    pub outbound: Arc<dyn HttpOutbound>,
}

/// One Pod's worker, as others see it.
pub(crate) struct Handle {
    pub(crate) key: Key,
    pub(crate) wake: Arc<Notify>,
    pub(crate) sender: mpsc::Sender<Message>,
    /// The status as the worker last made it.
    pub(crate) status: Arc<Mutex<PodStatus>>,
}

/// What the workers share.
pub(crate) struct Shared {
    pub(crate) config: KubeletConfig,
    pub(crate) client: kube::Client,
    pub(crate) machine: Machine,
    pub(crate) facts: NodeFacts,
    pub(crate) dirs: PodDirs,
    pub(crate) logs: Logs,
    pub(crate) recorder: Recorder,
    pub(crate) references: References,
    pub(crate) pods: Informer<Pod>,
    pub(crate) services: Informer<Service>,
    pub(crate) pulls: Semaphore,
    pub(crate) starts: Semaphore,
    pub(crate) tasks: Tasks,
    workers: Mutex<HashMap<String, Handle>>,
    running: Mutex<HashMap<(String, String), Arc<dyn Container>>>,
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(crate) fn now(&self) -> Timestamp {
        pod::timestamp(self.config.clock.now())
    }

    pub(crate) fn workers(&self) -> MutexGuard<'_, HashMap<String, Handle>> {
        lock(&self.workers)
    }

    /// Notes a container that has to be stopped when the process ends.
    pub(crate) fn add_running(&self, uid: &str, name: &str, container: Arc<dyn Container>) {
        lock(&self.running).insert((uid.to_owned(), name.to_owned()), container);
    }

    /// The container is gone (or another run has taken its place).
    pub(crate) fn remove_running(&self, uid: &str, name: &str, id: &str) {
        let key = (uid.to_owned(), name.to_owned());
        let mut running = lock(&self.running);
        let removed = if running.get(&key).is_some_and(|own| own.id() == id) { running.remove(&key) } else { None };
        drop(running);
        drop(removed);
    }

    /// Wakes the workers of a Pod's name; one is made for a Pod that has none.
    fn look_at(self: &Arc<Self>, key: &Key) {
        let mut workers = self.workers();
        if let Some(pod) = self.pods.get_key(key) {
            let uid = pod.metadata.uid.clone().unwrap_or_default();
            workers.entry(uid).or_insert_with(|| Worker::start(self.clone(), key.clone(), pod));
        }
        workers.values().filter(|handle| handle.key == *key).for_each(|handle| handle.wake.notify_one());
    }
}

/// A running kubelet.
pub struct Kubelet {
    shared: Arc<Shared>,
}

impl Kubelet {
    /// Starts the kubelet of one node: it registers its Node and runs the Pods bound to it, until
    /// `tasks` stops or [`Kubelet::shutdown`] is called. `client` speaks as `system:node:NAME`.
    pub fn start(
        config: KubeletConfig,
        client: kube::Client,
        machine: Machine,
        tasks: &Tasks,
    ) -> Result<Arc<Kubelet>, KubeletError> {
        let tasks = tasks.child();
        let (log_dir, pod_dir) = (config.data_dir.join("logs/pods"), config.data_dir.join("pods"));
        let logs = Logs::open(log_dir.clone(), config.clock.clone())
            .map_err(|source| KubeletError::Logs { path: log_dir, source })?;
        let dirs = PodDirs::open(pod_dir.clone()).map_err(|source| KubeletError::Volumes { path: pod_dir, source })?;
        let own = Filter { fields: Some(format!("spec.nodeName={}", config.node_name)), ..Filter::default() };
        let pods = Informer::start(Api::<Pod>::all(client.clone()), own, &tasks);
        let services = Informer::start(Api::<Service>::all(client.clone()), Filter::default(), &tasks);
        let slices = Informer::start(Api::<EndpointSlice>::all(client.clone()), Filter::default(), &tasks);
        let recorder = Recorder::new(
            client.clone(),
            "kubelet",
            &config.node_name,
            config.clock.clone(),
            config.rng.clone(),
            &tasks,
        );
        services::follow(&services, &slices, machine.networks.clone(), recorder.clone(), &tasks);
        let shared = Arc::new_cyclic(|weak: &Weak<Shared>| Shared {
            facts: NodeFacts { host_ip: config.node_ip.to_string() },
            references: References::new(client.clone(), tasks.child(), waker(weak.clone())),
            logs,
            dirs,
            recorder,
            pods,
            services,
            pulls: Semaphore::new(PULLS_MAX),
            starts: Semaphore::new(STARTS_MAX),
            workers: Mutex::default(),
            running: Mutex::default(),
            tasks: tasks.clone(),
            client,
            machine,
            config,
        });
        tasks.spawn("kubelet", dispatch(shared.clone()));
        node::start(&shared.config, shared.client.clone(), &shared.machine.backends, &tasks);
        info!(node = shared.config.node_name, "kubelet started");
        Ok(Arc::new(Kubelet { shared }))
    }

    /// Serves the kubelet's HTTP API on one connection; returns when it ends.
    pub async fn serve(&self, stream: ByteStream) {
        server::serve(self.shared.clone(), stream).await;
    }

    /// Ends with the process: no Pod is deleted, no preStop runs, no status is written; guests
    /// have up to a second.
    pub async fn shutdown(&self) {
        self.shared.tasks.cancel();
        let containers: Vec<_> = lock(&self.shared.running).drain().map(|(_, container)| container).collect();
        let stops = containers.iter().map(|container| container.stop(SHUTDOWN_GRACE));
        if runtime_base::clock::within(SHUTDOWN_GRACE + SHUTDOWN_TASKS, join_all(stops)).await.is_none() {
            warn!("some containers did not stop in time");
        }
        if !self.shared.tasks.stop(SHUTDOWN_TASKS).await {
            warn!("some tasks of the kubelet did not end in time");
        }
    }
}

/// Wakes Pods whose ConfigMaps or Secrets changed.
fn waker(shared: Weak<Shared>) -> crate::references::Waker {
    Arc::new(move |uids: &HashSet<String>| {
        let Some(shared) = shared.upgrade() else { return };
        let workers = shared.workers();
        for handle in uids.iter().filter_map(|uid| workers.get(uid)) {
            // A full box means that the worker is about to look anyway.
            let _ = handle.sender.try_send(Message::from(Report::VolumesStale));
        }
    })
}

/// Gives each Pod of the node a worker and wakes it when the Pod changes.
async fn dispatch(shared: Arc<Shared>) {
    shared.pods.synced().await;
    let known: HashMap<String, Arc<Pod>> =
        shared.pods.list().into_iter().map(|pod| (pod.metadata.uid.clone().unwrap_or_default(), pod)).collect();
    let unfinished = |uid: &str| known.get(uid).is_some_and(|pod| !pod::is_finished(pod));
    shared.machine.networks.release_unwanted(&unfinished);
    shared.logs.remove_orphans(|uid| known.contains_key(uid));
    for uid in shared.dirs.list().unwrap_or_default().iter().filter(|uid| !known.contains_key(*uid)) {
        match shared.dirs.remove(uid) {
            Ok(()) => info!(uid, "removed the directory of a Pod that is gone"),
            Err(error) => warn!(uid, error = runtime_base::error::chain(&error), "directory not removed"),
        }
    }
    let changes = shared.pods.subscribe();
    loop {
        let key = changes.next().await;
        shared.look_at(&key);
    }
}
