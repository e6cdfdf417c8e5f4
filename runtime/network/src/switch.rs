//! The switch: who is where, and where each connection goes.

use crate::dns::{DnsConfig, HostResolver};
use crate::ipam::Ipam;
use crate::limits::{CONNECT_TIME_MAX, HOST_LOOKUPS_MAX, NODE_PORT_WAITING_MAX, OUTSIDE_CONNECTIONS_MAX};
use crate::link::{Link, Socket, join};
use crate::listener::Incoming;
use crate::nodeport::{NodePortError, NodePorts};
use crate::pod::{Attachment, Pod, SourcePorts, canonical};
use crate::service::{Balancer, Index, Port, ServiceTables};
use arc_swap::{ArcSwap, ArcSwapOption};
use ipnet::{IpNet, Ipv4Net};
use runtime_base::clock::within;
use runtime_base::{ByteStream, Clock, Rng, Tasks};
use runtime_spec::pipe::PipeStream;
use runtime_spec::{Connection, NetError, PodNetwork, PodRef};
use std::collections::{HashMap, HashSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{Notify, Semaphore, watch};
use tracing::info;

mod state;

/// Why the network cannot start, or cannot take a Pod.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// No room for a gateway and a Pod.
    #[error("range {0} is too small for Pods: it must be /30 or larger")]
    CidrTooSmall(Ipv4Net),
    /// Pods and Services would share addresses.
    #[error("the Pods' range {node} and the Services' range {service} overlap")]
    CidrOverlap {
        /// The node's range.
        node: Ipv4Net,
        /// The Services' range.
        service: IpNet,
    },
    /// Every address is a Pod's.
    #[error("no free address in {cidr}: {pods} Pods have one")]
    Exhausted {
        /// The node's range.
        cidr: Ipv4Net,
        /// How many Pods have an address.
        pods: usize,
    },
    /// The address file cannot be read.
    #[error("read {path:?}")]
    StateRead {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The address file is not what we wrote.
    #[error("{path:?} does not hold addresses of Pods: {reason}")]
    StateBroken {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The address file cannot be written.
    #[error("write {path:?}")]
    StateWrite {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// What a switch needs.
pub struct SwitchConfig {
    /// The addresses of this node's Pods; the first one is the gateway's.
    pub node_cidr: Ipv4Net,
    /// The Services' addresses.
    pub service_cidr: IpNet,
    /// The cluster's zone, `cluster.local`.
    pub cluster_domain: String,
    /// Where addresses are kept; its directory exists.
    pub state_file: PathBuf,
    /// Where NodePorts listen.
    pub host_ip: IpAddr,
    /// Time.
    pub clock: Clock,
    /// Random numbers.
    pub rng: Rng,
    /// Where the switch's tasks belong.
    pub tasks: Tasks,
    /// Who is asked for names outside the cluster.
    pub resolver: Arc<dyn HostResolver>,
}

/// Takes a Pod's connection to the API; the address is the Pod's.
pub type ApiAcceptor = Arc<dyn Fn(ByteStream, SocketAddr) + Send + Sync>;

pub(crate) struct Api {
    addresses: HashSet<SocketAddr>,
    pub(crate) accept: ApiAcceptor,
}

/// Who connects.
pub(crate) struct Origin {
    pub(crate) address: SocketAddr,
    /// None for the host.
    pub(crate) pod: Option<Arc<Pod>>,
}

/// Where an address leads.
pub(crate) enum Route {
    Pod(Arc<Pod>),
    Api(Arc<Api>),
    Service(Arc<Port>),
    Refused,
    Unreachable,
    Outside,
}

#[derive(Default)]
struct Pods {
    by_ip: HashMap<Ipv4Addr, Arc<Pod>>,
    by_uid: HashMap<String, Arc<Pod>>,
}

/// The virtual network of one node.
pub struct Switch {
    pub(crate) config: SwitchConfig,
    pub(crate) gateway: Ipv4Addr,
    ipam: Mutex<Ipam>,
    changed: Notify,
    saved: watch::Sender<u64>,
    pods: RwLock<Pods>,
    pub(crate) index: ArcSwap<Index>,
    pub(crate) balancer: Balancer,
    api: ArcSwapOption<Api>,
    source_ports: SourcePorts,
    pub(crate) node_ports: Mutex<NodePorts>,
    /// Kernel sockets that may still be opened.
    pub(crate) outside: Arc<Semaphore>,
    pub(crate) node_port_waiting: Arc<Semaphore>,
    pub(crate) lookups: Semaphore,
}

impl std::fmt::Debug for Switch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Switch").field("node_cidr", &self.config.node_cidr).finish_non_exhaustive()
    }
}

impl Switch {
    /// Starts the network with the addresses that the state file remembers. Needs a tokio
    /// runtime around it.
    pub fn open(mut config: SwitchConfig) -> Result<Arc<Switch>, NetworkError> {
        config.cluster_domain = config.cluster_domain.trim_matches('.').to_ascii_lowercase();
        let (node, service) = (config.node_cidr, config.service_cidr);
        if service.contains(&IpNet::V4(node)) || IpNet::V4(node).contains(&service) {
            return Err(NetworkError::CidrOverlap { node, service });
        }
        let ipam = Ipam::load(&config.state_file, node)?;
        state::write(&config.state_file, ipam.state())?;
        let switch = Arc::new(Switch {
            gateway: ipam.gateway(),
            ipam: Mutex::new(ipam),
            changed: Notify::new(),
            saved: watch::Sender::new(0),
            pods: RwLock::default(),
            index: ArcSwap::default(),
            balancer: Balancer::new(config.rng.clone(), config.clock.clone()),
            api: ArcSwapOption::empty(),
            source_ports: SourcePorts::new(config.rng.below(1 << 16)),
            node_ports: Mutex::default(),
            outside: Arc::new(Semaphore::new(OUTSIDE_CONNECTIONS_MAX)),
            node_port_waiting: Arc::new(Semaphore::new(NODE_PORT_WAITING_MAX)),
            lookups: Semaphore::new(HOST_LOOKUPS_MAX),
            config,
        });
        let writer = state::keep(Arc::downgrade(&switch), switch.config.tasks.clone());
        switch.config.tasks.spawn_to_end("addresses", writer);
        Ok(switch)
    }

    /// The gateway: how the host appears to Pods.
    pub fn gateway(&self) -> IpAddr {
        self.gateway.into()
    }

    pub(crate) fn tasks(&self) -> &Tasks {
        &self.config.tasks
    }

    pub(crate) fn draw(&self) -> u64 {
        self.config.rng.below(1 << 32)
    }

    fn ipam(&self) -> MutexGuard<'_, Ipam> {
        self.ipam.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a Pod its place: the address it had, else a new one. A Pod that has its place
    /// already keeps it unchanged.
    pub fn attach(
        self: &Arc<Self>,
        pod: &PodRef,
        hostname: &str,
        dns: DnsConfig,
    ) -> Result<Arc<dyn PodNetwork>, NetworkError> {
        let mut pods = self.pods.write().unwrap_or_else(PoisonError::into_inner);
        let pod = match pods.by_uid.get(&pod.uid) {
            Some(known) => known.clone(),
            None => {
                let ip = self.ipam().attach(&pod.uid)?;
                let new = Arc::new(Pod::new(pod.clone(), hostname, ip, dns, self.draw()));
                info!(%pod, %ip, "attached Pod");
                pods.by_ip.insert(ip, new.clone());
                pods.by_uid.insert(pod.uid.clone(), new.clone());
                self.changed.notify_one();
                new
            }
        };
        Ok(Arc::new(Attachment { switch: self.clone(), pod }))
    }

    /// Ends a Pod's place: its listeners close, its connections break, its address is free.
    /// Not for a Pod that outlives this process: that one keeps its address by not being
    /// detached.
    pub fn detach(&self, uid: &str) {
        let mut pods = self.pods.write().unwrap_or_else(PoisonError::into_inner);
        let pod = pods.by_uid.remove(uid);
        if let Some(pod) = &pod {
            pods.by_ip.remove(&pod.ip);
        }
        self.ipam().release(uid);
        drop(pods);
        self.changed.notify_one();
        if let Some(pod) = pod {
            pod.shut();
            info!(pod = %pod.pod, ip = %pod.ip, "detached Pod");
        }
    }

    /// Frees the addresses of Pods that were known before a restart and are not `wanted` now.
    pub fn release_unwanted(&self, wanted: impl Fn(&str) -> bool) {
        self.ipam().release_unwanted(wanted);
        self.changed.notify_one();
    }

    /// Completes once what was attached and detached so far is in the file, or the switch's
    /// tasks were stopped.
    pub async fn flush(&self) {
        let generation = self.ipam().generation;
        let mut saved = self.saved.subscribe();
        tokio::select! {
            // The sender lives as long as we do.
            _ = saved.wait_for(|saved| *saved >= generation) => {}
            () = self.config.tasks.stopping() => {}
        }
    }

    /// Replaces the Service tables: connections made from now on, names and NodePorts follow
    /// them. A NodePort that could not be opened is tried again. Needs a tokio runtime around it.
    pub fn set_tables(self: &Arc<Self>, tables: &ServiceTables) {
        let index = Arc::new(Index::new(tables));
        let mut node_ports = self.node_ports.lock().unwrap_or_else(PoisonError::into_inner);
        self.index.store(index.clone());
        node_ports.follow(self, &index);
    }

    /// The NodePorts that cannot be served, by port.
    pub fn node_port_errors(&self) -> Vec<NodePortError> {
        self.node_ports.lock().unwrap_or_else(PoisonError::into_inner).errors()
    }

    /// From now on connections to one of `addresses` go to `accept`, whatever the tables say.
    pub fn set_api_acceptor(&self, addresses: Vec<SocketAddr>, accept: ApiAcceptor) {
        self.api.store(Some(Arc::new(Api { addresses: addresses.into_iter().collect(), accept })));
    }

    /// Connects from the host to a Pod or a Service; the host appears as the gateway.
    pub async fn dial(&self, remote: SocketAddr) -> Result<ByteStream, NetError> {
        let remote = canonical(remote);
        if matches!(self.route(remote), Route::Outside) {
            return Err(NetError::Unreachable(remote));
        }
        self.connect(&self.host_origin(self.gateway()), remote).await.map(stream)
    }

    /// Connects from the host to whoever listens on `port` in a Pod, on localhost too
    /// (port-forward). A localhost listener sees localhost, another one the gateway.
    pub async fn dial_pod(&self, uid: &str, port: u16) -> Result<ByteStream, NetError> {
        let local = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port);
        let pod = self.pods.read().unwrap_or_else(PoisonError::into_inner).by_uid.get(uid).cloned();
        let pod = pod.ok_or(NetError::Unreachable(local))?;
        let remote = if pod.listener(local).is_some() { local } else { SocketAddr::new(pod.ip.into(), port) };
        let from = if remote == local { local.ip() } else { self.gateway() };
        self.enter(&self.host_origin(from), &pod, remote, remote).await.map(stream)
    }

    fn host_origin(&self, ip: IpAddr) -> Origin {
        Origin { address: SocketAddr::new(ip, self.source_ports.next()), pod: None }
    }

    /// Where `remote` leads.
    pub(crate) fn route(&self, remote: SocketAddr) -> Route {
        if let Some(api) = self.api.load_full().filter(|api| api.addresses.contains(&remote)) {
            return Route::Api(api);
        }
        let (ip, index) = (remote.ip(), self.index.load());
        if let Some(port) = index.port(remote) {
            return Route::Service(port.clone());
        }
        if index.has_address(ip) || self.config.service_cidr.contains(&ip) {
            return Route::Refused;
        }
        match ip {
            IpAddr::V4(v4) if v4 == self.gateway => {
                index.node_port(remote.port()).map_or(Route::Refused, |port| Route::Service(port.clone()))
            }
            IpAddr::V4(v4) if self.config.node_cidr.contains(&v4) => {
                let pods = self.pods.read().unwrap_or_else(PoisonError::into_inner);
                pods.by_ip.get(&v4).map_or(Route::Unreachable, |pod| Route::Pod(pod.clone()))
            }
            IpAddr::V4(v4) if v4.is_broadcast() => Route::Unreachable,
            _ if ip.is_multicast() || ip.is_unspecified() || ip.is_loopback() => Route::Unreachable,
            _ => Route::Outside,
        }
    }

    /// Connects to `remote`, through a Service if it is one's address.
    pub(crate) async fn connect(&self, origin: &Origin, remote: SocketAddr) -> Result<Connection, NetError> {
        let port = match self.route(remote) {
            Route::Service(port) => port,
            route => return self.reach(origin, route, remote, remote).await,
        };
        let client = origin.address.ip();
        for target in self.balancer.choose(&port, client) {
            match self.reach(origin, self.route(target), target, remote).await {
                Ok(connection) => {
                    self.balancer.connected(&port, client, target);
                    return Ok(connection);
                }
                // The endpoint went before the tables knew: the next one may do.
                Err(NetError::ConnectionRefused(_) | NetError::Unreachable(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Err(NetError::ConnectionRefused(remote))
    }

    /// Connects to `target`, which the caller knows as `shown`.
    async fn reach(
        &self,
        origin: &Origin,
        route: Route,
        target: SocketAddr,
        shown: SocketAddr,
    ) -> Result<Connection, NetError> {
        match route {
            Route::Pod(pod) => self.enter(origin, &pod, target, shown).await,
            Route::Api(api) => {
                let (near, far) = join((origin.address, shown), (target, origin.address));
                if let Some(pod) = &origin.pod {
                    pod.track(Link::pipes(&near, &far), shown)?;
                }
                (api.accept)(stream(far), origin.address);
                Ok(near)
            }
            Route::Outside => self.leave(origin, target, shown).await,
            // An endpoint that is a Service's address would lead on without end.
            Route::Service(_) | Route::Refused => Err(NetError::ConnectionRefused(shown)),
            Route::Unreachable => Err(NetError::Unreachable(shown)),
        }
    }

    /// Connects to a listener of `pod`.
    pub(crate) async fn enter(
        &self,
        origin: &Origin,
        pod: &Arc<Pod>,
        target: SocketAddr,
        shown: SocketAddr,
    ) -> Result<Connection, NetError> {
        let queue = pod.listener(target).ok_or(NetError::ConnectionRefused(shown))?;
        let (near, far) = join((origin.address, shown), (target, origin.address));
        pod.track(Link::pipes(&near, &far), shown)?;
        if let Some(from) = origin.pod.as_ref().filter(|from| !Arc::ptr_eq(from, pod)) {
            from.track(Link::pipes(&near, &far), shown)?;
        }
        match within(CONNECT_TIME_MAX, queue.push(Incoming::Pipes(far))).await {
            Some(Ok(())) => Ok(near),
            Some(Err(_)) => Err(NetError::ConnectionRefused(shown)),
            None => Err(NetError::Timeout(shown)),
        }
    }

    /// Connects to a host outside, as this host.
    async fn leave(&self, origin: &Origin, target: SocketAddr, shown: SocketAddr) -> Result<Connection, NetError> {
        let permit = self.outside.clone().try_acquire_owned().map_err(|_| NetError::TooManySockets)?;
        let stream = self.open_outside(target).await.map_err(|error| refusal(&error, shown))?;
        let (near, far) = join((origin.address, shown), (target, origin.address));
        if let Some(pod) = &origin.pod {
            pod.track(Link::pipes(&near, &far), shown)?;
        }
        self.config.tasks.spawn("bridge", Socket::new(stream, permit).bridge(far));
        Ok(near)
    }

    pub(crate) async fn open_outside(&self, target: SocketAddr) -> io::Result<TcpStream> {
        let socket = if target.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_nodelay(true)?;
        within(CONNECT_TIME_MAX, socket.connect(target)).await.unwrap_or(Err(io::ErrorKind::TimedOut.into()))
    }
}

fn stream(connection: Connection) -> ByteStream {
    Box::new(PipeStream::new(connection.reader, connection.writer))
}

fn refusal(error: &io::Error, remote: SocketAddr) -> NetError {
    use io::ErrorKind as Kind;
    // EMFILE and ENFILE have no kind of their own.
    if matches!(error.raw_os_error(), Some(23 | 24)) {
        return NetError::TooManySockets;
    }
    match error.kind() {
        Kind::ConnectionRefused | Kind::ConnectionReset => NetError::ConnectionRefused(remote),
        Kind::TimedOut => NetError::Timeout(remote),
        Kind::HostUnreachable | Kind::NetworkUnreachable | Kind::NetworkDown => NetError::Unreachable(remote),
        Kind::AddrNotAvailable => NetError::Unreachable(remote),
        Kind::PermissionDenied => NetError::AccessDenied(remote),
        _ => NetError::Io(error.to_string()),
    }
}

#[cfg(test)]
mod tests;
