//! The composition root: makes the parts of a cluster and gives each what it needs, its
//! identity above all.

pub mod lock;
mod names;

use crate::args::{AccessArgs, DatastoreArgs, OidcArgs};
use crate::{image, store, version};
use anyhow::{Context, anyhow};
use async_trait::async_trait;
use futures::FutureExt;
use http::HeaderValue;
use http::header::USER_AGENT;
use kube::Client;
use orchestrator_apiserver::audit::{AuditConfig, LogOptions, Policy};
use orchestrator_apiserver::auth::OidcConfig;
use orchestrator_apiserver::bootstrap::BootstrapConfig;
use orchestrator_apiserver::pki::{Pki, PkiNames};
use orchestrator_apiserver::vault::Keys;
use orchestrator_apiserver::{ApiServer, Identity, NodeDialer, ServerConfig};
use orchestrator_controllers::{Controllers, ControllersConfig, ServedKinds};
use orchestrator_kubelet::adapters::{StoredImages, SwitchNetworks};
use orchestrator_kubelet::{Capacity, Kubelet, KubeletConfig, Machine};
use orchestrator_scheduler::{Scheduler, SchedulerConfig};
use orchestrator_store::{EtcdOptions, EtcdStore, EtcdTls, RedbOptions, RedbStore, Store};
use runtime_base::path::write_atomic;
use runtime_base::{ByteStream, Clock, Rng, Tasks, clock};
use runtime_image::{ImageStore, ImageStoreConfig};
use runtime_network::{Switch, SwitchConfig, SystemResolver};
use runtime_proxy::{Outbound, OutboundConfig};
use runtime_wasm::{CompileMode, WasmBackend, WasmConfig};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::net::TcpListener;

/// The hidden command under which this binary compiles a guest.
const COMPILE_GUEST: &str = "compile-guest";
/// Addresses of the first server's Pods.
const NODE_CIDR: &str = "10.244.0.0/18";
/// Addresses of Services.
const SERVICE_CIDR: &str = "10.96.0.0/12";
/// The clusterIP of `default/kubernetes`: the first address of the Services.
const API_SERVICE_IP: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 1);
/// How Pods see the host: the first address of the node's Pods.
const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 244, 0, 1);
/// The field manager of all controllers, as upstream's are one process.
const CONTROLLERS: &str = "kube-controller-manager";
/// Bytes on the way between API server and kubelet, in each direction.
const NODE_STREAM_BYTES: usize = 64 * 1024;
/// How long guests have to end with the process.
const GUESTS_ENDING: Duration = Duration::from_millis(300);
/// How long tasks have to end with the process.
const TASKS_ENDING: Duration = Duration::from_millis(500);

/// Compiles a guest and ends, when this process was started for that.
pub fn guest_compiler() -> Option<ExitCode> {
    let first = std::env::args_os().nth(1)?;
    (first == COMPILE_GUEST).then(runtime_wasm::compile_child_main)
}

/// What a user chooses of a cluster.
#[derive(Clone, Debug)]
pub struct ClusterConfig {
    /// Where everything is kept; exists and is writable.
    pub data_dir: PathBuf,
    /// Where the API is served.
    pub listen: SocketAddr,
    /// Most Pods of the node.
    pub max_pods: u32,
    /// Where objects are stored, if not in the data directory.
    pub datastore: DatastoreArgs,
    /// Who gets in, what is written down about it, and what is encrypted.
    pub access: AccessArgs,
}

/// A whole cluster, running.
pub struct Cluster {
    /// The administrator's kubeconfig.
    pub kubeconfig: PathBuf,
    /// A client with the administrator's rights, in memory.
    pub admin: Client,
    /// Where NodePorts are reached.
    pub node_ip: String,
    /// What ends with the cluster.
    pub tasks: Tasks,
    kubelet: Arc<Kubelet>,
    switch: Arc<Switch>,
    wasm: Arc<WasmBackend>,
    store: Arc<dyn Store>,
    _lock: lock::DataDirLock,
}

/// Reaches the one kubelet, which is in this process.
#[derive(Default)]
struct LocalNode {
    kubelet: OnceLock<(String, Arc<Kubelet>)>,
    tasks: Tasks,
}

#[async_trait]
impl NodeDialer for LocalNode {
    async fn dial(&self, node: &str) -> std::io::Result<ByteStream> {
        let known = self.kubelet.get().filter(|(name, _)| name == node);
        let Some((_, kubelet)) = known else {
            return Err(std::io::Error::new(std::io::ErrorKind::NotFound, format!("node {node} is not connected")));
        };
        let (near, far) = tokio::io::duplex(NODE_STREAM_BYTES);
        let kubelet = kubelet.clone();
        self.tasks.spawn("node stream", async move { kubelet.serve(Box::new(far)).await });
        Ok(Box::new(near))
    }
}

/// The part of a cluster that answers requests.
struct Api {
    server: Arc<ApiServer>,
    address: SocketAddr,
    pki: Pki,
}

/// A client that enters the server right after authentication, as `identity`. `agent` is the
/// manager of the fields that it writes.
fn client_of(server: &Arc<ApiServer>, identity: Identity, agent: &'static str) -> Client {
    let server = server.clone();
    orchestrator_client::in_memory(Arc::new(move |mut request| {
        request.headers_mut().entry(USER_AGENT).or_insert(HeaderValue::from_static(agent));
        let (server, identity) = (server.clone(), identity.clone());
        async move { server.handle(identity, request).await }.boxed()
    }))
}

fn service_account(name: &str) -> Identity {
    let groups = ["system:serviceaccounts", "system:serviceaccounts:kube-system"];
    Identity::user(&format!("system:serviceaccount:kube-system:{name}"), &groups)
}

impl Cluster {
    /// Starts a cluster; everything answers when this returns.
    pub async fn start(config: ClusterConfig) -> anyhow::Result<Cluster> {
        let (clock, rng, tasks) = (Clock::system(), Rng::from_os(), Tasks::new());
        let lock = lock::DataDirLock::take(&config.data_dir)?;
        runtime_image::install_tls();
        let node_name = names::node_name(&config.data_dir)?;
        let dialer = Arc::new(LocalNode { kubelet: OnceLock::new(), tasks: tasks.clone() });
        let store = open_store(&config, &clock).await?;
        store::serve_backups(&config.data_dir, store.clone(), &tasks)?;
        let api = start_api(&config, &node_name, &store, dialer.clone(), &clock, &rng, &tasks).await?;
        let kubeconfig = write_kubeconfig(&config.data_dir, &api)?;
        let switch = open_switch(&config, &api, &clock, &rng, &tasks)?;
        let wasm = open_wasm(&config.data_dir, &clock, &rng)?;
        let kubelet = start_kubelet(&config, &node_name, &api, &switch, &wasm, (&clock, &rng), &tasks)?;
        // Set once, here.
        let _ = dialer.kubelet.set((node_name, kubelet.clone()));
        start_control_loops(&api, &clock, &rng, &tasks);
        let admin = client_of(&api.server, Identity::user("kubernetes-admin", &["kubeadm:cluster-admins"]), "coracle");
        let node_ip = config.listen.ip().to_string();
        Ok(Cluster { kubeconfig, admin, node_ip, tasks, kubelet, switch, wasm, store, _lock: lock })
    }

    /// Ends the process's part in the cluster: no Pod is deleted, nothing is lost.
    pub async fn stop(self) {
        self.kubelet.shutdown().await;
        self.wasm.shutdown(GUESTS_ENDING).await;
        self.switch.flush().await;
        self.tasks.stop(TASKS_ENDING).await;
        self.store.close().await;
    }
}

async fn open_store(config: &ClusterConfig, clock: &Clock) -> anyhow::Result<Arc<dyn Store>> {
    let etcd = config.datastore.clone();
    if etcd.datastore_endpoint.is_empty() {
        return Ok(RedbStore::open(&store::file(&config.data_dir), RedbOptions { clock: clock.clone() })?);
    }
    let tls = EtcdTls {
        ca_file: etcd.datastore_cafile,
        cert_file: etcd.datastore_certfile,
        key_file: etcd.datastore_keyfile,
    };
    Ok(EtcdStore::connect(EtcdOptions { endpoints: etcd.datastore_endpoint, tls, clock: clock.clone() }).await?)
}

async fn start_api(
    config: &ClusterConfig,
    node_name: &str,
    store: &Arc<dyn Store>,
    dialer: Arc<dyn NodeDialer>,
    clock: &Clock,
    rng: &Rng,
    tasks: &Tasks,
) -> anyhow::Result<Api> {
    let names = PkiNames::standard(node_name, &[API_SERVICE_IP.into(), GATEWAY.into(), config.listen.ip()]);
    let pki = Pki::load_or_create(&config.data_dir.join("pki"), &names, clock.clone())?;
    let keys = config.data_dir.join("pki/encryption.keys");
    let encryption = Keys::load_or_create(&keys, rng)?;
    let encryption = match config.access.rotate_encryption_key {
        true => {
            Keys::rotate(&keys, rng)?;
            Keys::load_or_create(&keys, rng)?
        }
        false => encryption,
    };
    let taken = || format!("cannot listen on {}, choose another address with --listen", config.listen);
    let listener = TcpListener::bind(config.listen).await.with_context(taken)?;
    let address = listener.local_addr().context("listening address")?;
    let server_config = ServerConfig {
        clock: clock.clone(),
        rng: rng.clone(),
        tasks: tasks.clone(),
        service_cidr: SERVICE_CIDR.parse().context("service range")?,
        node_ports: 30000..=32767,
        advertised: address.to_string(),
        encryption,
        audit: audit(config)?,
        oidc: oidc(&config.access.oidc)?,
    };
    let server = ApiServer::start(server_config, store.clone(), &pki, dialer).await?;
    let bootstrap = BootstrapConfig {
        service_ip: API_SERVICE_IP.into(),
        advertise_ip: GATEWAY.into(),
        port: address.port(),
        ca: pki.ca_pem().to_owned(),
        front_proxy_ca: pki.front_proxy_ca_pem().to_owned(),
    };
    let seeded = server.bootstrap(&bootstrap).await;
    seeded.map_err(|error| anyhow!("cannot write the cluster's own objects: {error}"))?;
    server.listen(listener, pki.server_config()?, tasks);
    Ok(Api { server, address, pki })
}

/// The audit log that the user asks for.
fn audit(config: &ClusterConfig) -> anyhow::Result<Option<AuditConfig>> {
    let access = &config.access;
    let Some(file) = &access.audit_policy_file else { return Ok(None) };
    let text = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let policy = Policy::parse(&text).with_context(|| file.display().to_string())?;
    let path = access.audit_log_path.clone().unwrap_or_else(|| config.data_dir.join("audit.log"));
    let log = LogOptions {
        path,
        size_max: access.audit_log_megabytes_max * 1024 * 1024,
        age_max: Duration::from_secs(access.audit_log_days_max * 24 * 3600),
        backups_max: access.audit_log_backups_max,
    };
    Ok(Some(AuditConfig { policy, log }))
}

/// The OpenID Connect issuer that the user believes.
fn oidc(args: &OidcArgs) -> anyhow::Result<Option<OidcConfig>> {
    let (Some(issuer), Some(client)) = (&args.oidc_issuer_url, &args.oidc_client_id) else { return Ok(None) };
    let read = |file: &PathBuf| std::fs::read(file).with_context(|| format!("cannot read {}", file.display()));
    Ok(Some(OidcConfig {
        issuer_url: issuer.clone(),
        client_id: client.clone(),
        username_claim: args.oidc_username_claim.clone(),
        username_prefix: args.oidc_username_prefix.clone(),
        groups_claim: args.oidc_groups_claim.clone(),
        groups_prefix: args.oidc_groups_prefix.clone(),
        required_claims: args.oidc_required_claim.iter().cloned().collect(),
        ca: args.oidc_ca_file.as_ref().map(read).transpose()?,
        signing_algs: args.oidc_signing_algs.clone(),
    }))
}

/// Clients on this machine reach an unspecified address by loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => (Ipv4Addr::LOCALHOST, address.port()).into(),
        IpAddr::V6(ip) if ip.is_unspecified() => (std::net::Ipv6Addr::LOCALHOST, address.port()).into(),
        _ => address,
    }
}

fn write_kubeconfig(data_dir: &Path, api: &Api) -> anyhow::Result<PathBuf> {
    let path = data_dir.join("admin.kubeconfig");
    let text = api.pki.admin_kubeconfig(&format!("https://{}", reachable(api.address)))?;
    write_atomic(&path, text.as_bytes(), 0o600).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

fn open_switch(
    config: &ClusterConfig,
    api: &Api,
    clock: &Clock,
    rng: &Rng,
    tasks: &Tasks,
) -> anyhow::Result<Arc<Switch>> {
    let switch = Switch::open(SwitchConfig {
        node_cidr: NODE_CIDR.parse().context("node range")?,
        service_cidr: SERVICE_CIDR.parse().context("service range")?,
        cluster_domain: "cluster.local".into(),
        state_file: config.data_dir.join("addresses.json"),
        host_ip: config.listen.ip(),
        clock: clock.clone(),
        rng: rng.clone(),
        tasks: tasks.clone(),
        resolver: Arc::new(SystemResolver),
    })?;
    let acceptor = tokio_rustls::TlsAcceptor::from(api.pki.server_config()?);
    let (server, tasks) = (api.server.clone(), tasks.clone());
    let accept = Arc::new(move |stream: ByteStream, peer: SocketAddr| {
        let (server, acceptor, inner) = (server.clone(), acceptor.clone(), tasks.clone());
        tasks.spawn("pod connection", async move {
            // A Pod that sends no handshake is its own loss; it holds nothing but its own pipe.
            if let Some(Ok(stream)) = clock::within(Duration::from_secs(10), acceptor.accept(stream)).await {
                let certificates = stream.get_ref().1.peer_certificates().unwrap_or_default();
                let certificates = certificates.iter().map(|der| der.to_vec()).collect();
                server.serve_connection(Box::new(stream), certificates, peer, inner).await;
            }
        });
    });
    switch.set_api_acceptor(api_addresses(api).to_vec(), accept);
    Ok(switch)
}

/// Where Pods reach the API.
fn api_addresses(api: &Api) -> [SocketAddr; 2] {
    [(API_SERVICE_IP, 443).into(), (GATEWAY, api.address.port()).into()]
}

fn open_wasm(data_dir: &Path, clock: &Clock, rng: &Rng) -> anyhow::Result<Arc<WasmBackend>> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    Ok(WasmBackend::new(WasmConfig {
        cache_dir: data_dir.join("compiled"),
        threads,
        memory_bytes_max: None,
        clock: clock.clone(),
        rng: rng.clone(),
        compile: CompileMode::Child { args: vec![COMPILE_GUEST.into()] },
    })?)
}

fn start_kubelet(
    config: &ClusterConfig,
    node_name: &str,
    api: &Api,
    switch: &Arc<Switch>,
    wasm: &Arc<WasmBackend>,
    (clock, rng): (&Clock, &Rng),
    tasks: &Tasks,
) -> anyhow::Result<Arc<Kubelet>> {
    let trusted = |address| (address, vec![api.pki.ca_der().clone()]);
    let private_roots = api_addresses(api).into_iter().map(trusted).collect();
    let outbound = OutboundConfig { private_roots, ..OutboundConfig::default() };
    let images = ImageStore::open(ImageStoreConfig::new(image::directory(&config.data_dir)))?;
    let machine = Machine {
        backends: vec![wasm.clone()],
        networks: Arc::new(SwitchNetworks(switch.clone())),
        images: Arc::new(StoredImages(images)),
        outbound: Arc::new(Outbound::new(outbound, clock.clone(), tasks.clone())),
    };
    let kubelet_config = KubeletConfig {
        node_name: node_name.to_owned(),
        node_ip: config.listen.ip(),
        data_dir: config.data_dir.clone(),
        max_pods: config.max_pods,
        pod_cidr: NODE_CIDR.into(),
        cluster_domain: "cluster.local".into(),
        version: version::KUBERNETES.into(),
        labels: BTreeMap::new(),
        capacity: Capacity::of_machine(&config.data_dir),
        clock: clock.clone(),
        rng: rng.clone(),
    };
    let identity = Identity::user(&format!("system:node:{node_name}"), &["system:nodes"]);
    Ok(Kubelet::start(kubelet_config, client_of(&api.server, identity, "kubelet"), machine, tasks)?)
}

fn start_control_loops(api: &Api, clock: &Clock, rng: &Rng, tasks: &Tasks) {
    let (server, caches) = (api.server.clone(), api.server.caches().clone());
    let controllers = ControllersConfig {
        shared: client_of(&server, Identity::user("system:kube-controller-manager", &[]), CONTROLLERS),
        client_of: Arc::new(move |name| client_of(&server, service_account(name), CONTROLLERS)),
        kinds: ServedKinds::new(Arc::new(move || caches.catalog()), api.server.caches().catalog_changes()),
        root_ca: api.pki.ca_pem().to_owned(),
        clock: clock.clone(),
        rng: rng.clone(),
    };
    Controllers::start(controllers, tasks);
    let client = client_of(&api.server, Identity::user("system:kube-scheduler", &[]), "kube-scheduler");
    Scheduler::start(SchedulerConfig { client, clock: clock.clone(), rng: rng.clone() }, tasks);
}

#[cfg(test)]
mod tests;
