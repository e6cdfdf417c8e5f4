//! The Node object and its Lease.

use crate::kubelet::KubeletConfig;
use crate::limits::{LEASE_PERIOD, LEASE_SECONDS, NODE_RETRY, NODE_STATUS_PERIOD};
use crate::pod::{api_time, timestamp};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::api::core::v1::{
    ContainerImage, Node, NodeAddress, NodeCondition, NodeDaemonEndpoints, NodeRuntimeHandler, NodeSpec, NodeStatus,
    NodeSystemInfo,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta, OwnerReference};
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, Patch, PatchParams, PostParams};
use runtime_base::Tasks;
use runtime_spec::Backend;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tracing::{info, warn};

/// Where node Leases are.
const LEASE_NAMESPACE: &str = "kube-node-lease";

/// What the machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Thousandths of a core.
    pub cpu_millis: i64,
    /// Bytes of memory.
    pub memory_bytes: i64,
    /// Bytes of the file system that holds the data directory.
    pub storage_bytes: i64,
}

impl Capacity {
    /// What this machine has; `data_dir` (or its nearest parent) exists.
    pub fn of_machine(data_dir: &Path) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let total = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next());
        let kibibytes: i64 = total.and_then(|text| text.parse().ok()).unwrap_or(1 << 20);
        let storage = data_dir.ancestors().find_map(|dir| rustix::fs::statvfs(dir).ok());
        Capacity {
            cpu_millis: i64::try_from(cores).unwrap_or(1).saturating_mul(1000),
            memory_bytes: kibibytes.saturating_mul(1024),
            storage_bytes: storage
                .and_then(|stat| i64::try_from(stat.f_blocks.saturating_mul(stat.f_frsize)).ok())
                .unwrap_or(0),
        }
    }
}

/// Registers the Node, then keeps its status and its Lease.
pub(crate) fn start(config: &KubeletConfig, client: kube::Client, backends: &[Arc<dyn Backend>], tasks: &Tasks) {
    let facts = Facts::of_machine(backends);
    let keeper = Keeper { config: config.clone(), client, facts };
    tasks.spawn("node", keeper.run());
}

/// What does not change while the process runs.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// `wasmtime://48.0.8` and the like.
    pub runtime_version: String,
    /// RuntimeClass handlers.
    pub handlers: Vec<String>,
    /// `/etc/os-release`'s PRETTY_NAME.
    pub os_image: String,
    /// The kernel's release.
    pub kernel_version: String,
    /// `amd64` and the like.
    pub architecture: String,
    /// `/etc/machine-id`.
    pub machine_id: String,
    /// The kernel's boot id.
    pub boot_id: String,
}

impl Facts {
    fn of_machine(backends: &[Arc<dyn Backend>]) -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default().trim().to_owned();
        let release = read("/etc/os-release");
        let pretty = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
        Facts {
            runtime_version: backends.first().map(|backend| backend.version()).unwrap_or_default(),
            handlers: backends.iter().flat_map(|backend| backend.handlers()).map(|name| (*name).to_owned()).collect(),
            os_image: pretty.unwrap_or("Linux").trim_matches('"').to_owned(),
            kernel_version: read("/proc/sys/kernel/osrelease"),
            architecture: architecture().to_owned(),
            machine_id: read("/etc/machine-id"),
            boot_id: read("/proc/sys/kernel/random/boot_id"),
        }
    }
}

/// The machine's architecture as Go names it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// The Node's labels.
pub fn labels(config: &KubeletConfig) -> BTreeMap<String, String> {
    let mut labels = config.labels.clone();
    for (name, value) in [
        ("kubernetes.io/hostname", config.node_name.as_str()),
        ("kubernetes.io/os", "linux"),
        ("kubernetes.io/arch", architecture()),
        ("beta.kubernetes.io/os", "linux"),
        ("beta.kubernetes.io/arch", architecture()),
    ] {
        labels.insert(name.to_owned(), value.to_owned());
    }
    labels
}

/// The Node's status at `now`; `before` keeps transition times of conditions that did not change.
pub fn status(config: &KubeletConfig, facts: &Facts, before: &[NodeCondition], now: Timestamp) -> NodeStatus {
    let amounts: BTreeMap<String, Quantity> = [
        ("cpu", cpu(config.capacity.cpu_millis)),
        ("memory", format!("{}Ki", config.capacity.memory_bytes / 1024)),
        ("ephemeral-storage", format!("{}Ki", config.capacity.storage_bytes / 1024)),
        ("pods", config.max_pods.to_string()),
    ]
    .map(|(name, amount)| (name.to_owned(), Quantity(amount)))
    .into();
    let condition = |kind: &str, holds: bool, reason: &str, message: &str| {
        let status = if holds { "True" } else { "False" };
        let old = before.iter().find(|old| old.type_ == kind && old.status == status);
        NodeCondition {
            type_: kind.to_owned(),
            status: status.to_owned(),
            reason: Some(reason.to_owned()),
            message: Some(message.to_owned()),
            last_heartbeat_time: Some(api_time(now)),
            last_transition_time: old.and_then(|old| old.last_transition_time.clone()).or(Some(api_time(now))),
        }
    };
    let address = |kind: &str, address: &str| NodeAddress { type_: kind.to_owned(), address: address.to_owned() };
    NodeStatus {
        addresses: Some(vec![
            address("InternalIP", &config.node_ip.to_string()),
            address("Hostname", &config.node_name),
        ]),
        allocatable: Some(amounts.clone()),
        capacity: Some(amounts),
        conditions: Some(vec![
            condition("MemoryPressure", false, "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
            condition("DiskPressure", false, "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
            condition("PIDPressure", false, "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
            condition("Ready", true, "KubeletReady", "kubelet is posting ready status"),
        ]),
        daemon_endpoints: Some(NodeDaemonEndpoints::default()),
        images: Some(Vec::<ContainerImage>::new()),
        node_info: Some(NodeSystemInfo {
            architecture: facts.architecture.clone(),
            boot_id: facts.boot_id.clone(),
            container_runtime_version: facts.runtime_version.clone(),
            kernel_version: facts.kernel_version.clone(),
            kubelet_version: config.version.clone(),
            machine_id: facts.machine_id.clone(),
            operating_system: "linux".to_owned(),
            os_image: facts.os_image.clone(),
            system_uuid: facts.machine_id.clone(),
            ..NodeSystemInfo::default()
        }),
        runtime_handlers: Some(
            facts
                .handlers
                .iter()
                .map(|name| NodeRuntimeHandler { name: Some(name.clone()), ..NodeRuntimeHandler::default() })
                .collect(),
        ),
        ..NodeStatus::default()
    }
}

fn cpu(millis: i64) -> String {
    if millis % 1000 == 0 { (millis / 1000).to_string() } else { format!("{millis}m") }
}

struct Keeper {
    config: KubeletConfig,
    client: kube::Client,
    facts: Facts,
}

impl Keeper {
    /// One timer for both: the Lease each 10 s, the status each 5 min.
    async fn run(self) {
        let clock = self.config.clock.clone();
        let mut node = self.until_done("register the Node", || self.register()).await;
        info!(node = self.config.node_name, "registered the Node");
        let mut reported = clock.monotonic();
        loop {
            self.until_done("renew the Lease", || self.renew(&node)).await;
            clock.sleep(LEASE_PERIOD).await;
            if clock.monotonic() - reported + LEASE_PERIOD / 2 >= NODE_STATUS_PERIOD {
                match self.report(&node).await {
                    Ok(next) => node = next,
                    // Deleted: this node is still there, so it comes back.
                    Err(kube::Error::Api(status)) if status.code == 404 => {
                        node = self.until_done("register the Node", || self.register()).await;
                    }
                    Err(error) => {
                        warn!(%error, "Node status not written");
                        continue;
                    }
                }
                reported = clock.monotonic();
            }
        }
    }

    /// Tries until it works.
    async fn until_done<T, F: Future<Output = kube::Result<T>>>(&self, step: &str, work: impl Fn() -> F) -> T {
        let mut failures = 0;
        loop {
            match work().await {
                Ok(done) => return done,
                Err(error) => {
                    let delay: Duration = self.config.rng.jitter(NODE_RETRY.delay(failures), 0.2);
                    failures += 1;
                    warn!(%error, step, retry_in = ?delay, "node step failed");
                    self.config.clock.sleep(delay).await;
                }
            }
        }
    }

    fn nodes(&self) -> Api<Node> {
        Api::all(self.client.clone())
    }

    /// Makes the Node, or brings its labels up to date, and reports its status.
    async fn register(&self) -> kube::Result<Node> {
        let wanted = Node {
            metadata: ObjectMeta {
                name: Some(self.config.node_name.clone()),
                labels: Some(labels(&self.config)),
                ..ObjectMeta::default()
            },
            spec: Some(NodeSpec {
                pod_cidr: Some(self.config.pod_cidr.clone()),
                pod_cidrs: Some(vec![self.config.pod_cidr.clone()]),
                ..NodeSpec::default()
            }),
            status: Some(status(&self.config, &self.facts, &[], timestamp(self.config.clock.now()))),
        };
        let node = match self.nodes().create(&PostParams::default(), &wanted).await {
            Ok(node) => node,
            Err(kube::Error::Api(status)) if status.code == 409 => {
                let patch = json!({"metadata": {"labels": labels(&self.config)}});
                self.nodes().patch(&self.config.node_name, &PatchParams::default(), &Patch::Merge(patch)).await?
            }
            Err(error) => return Err(error),
        };
        self.report(&node).await
    }

    async fn report(&self, node: &Node) -> kube::Result<Node> {
        let before = node.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
        let status = status(&self.config, &self.facts, before, timestamp(self.config.clock.now()));
        let patch = Patch::Strategic(json!({"status": status}));
        self.nodes().patch_status(&self.config.node_name, &PatchParams::default(), &patch).await
    }

    async fn renew(&self, node: &Node) -> kube::Result<()> {
        let api: Api<Lease> = Api::namespaced(self.client.clone(), LEASE_NAMESPACE);
        let (name, renew_time) = (&self.config.node_name, MicroTime(timestamp(self.config.clock.now())));
        let patch = Patch::Merge(json!({"spec": {"renewTime": renew_time}}));
        match api.patch(name, &PatchParams::default(), &patch).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.code == 404 => {
                let owner = OwnerReference {
                    api_version: "v1".to_owned(),
                    kind: "Node".to_owned(),
                    name: name.clone(),
                    uid: node.metadata.uid.clone().unwrap_or_default(),
                    ..OwnerReference::default()
                };
                let lease = Lease {
                    metadata: ObjectMeta {
                        name: Some(name.clone()),
                        namespace: Some(LEASE_NAMESPACE.to_owned()),
                        owner_references: Some(vec![owner]),
                        ..ObjectMeta::default()
                    },
                    spec: Some(LeaseSpec {
                        holder_identity: Some(name.clone()),
                        lease_duration_seconds: Some(LEASE_SECONDS),
                        renew_time: Some(renew_time),
                        ..LeaseSpec::default()
                    }),
                };
                api.create(&PostParams::default(), &lease).await.map(|_| ())
            }
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests;
