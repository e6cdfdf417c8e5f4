//! One Pod's place: its ports, its connections, and the network as its programs see it.

use crate::dns::DnsConfig;
use crate::limits::{EPHEMERAL_FIRST, EPHEMERAL_LAST, POD_CONNECTIONS_MAX, POD_LISTENERS_MAX};
use crate::link::{Link, Links, cut_all};
use crate::listener::{Listener, Queue};
use crate::switch::{Origin, Switch};
use async_trait::async_trait;
use runtime_spec::{Connection, NetError, PodNetwork, PodRef, TcpListener};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const EPHEMERAL_COUNT: u16 = EPHEMERAL_LAST - EPHEMERAL_FIRST + 1;

/// Hands out source ports in turn. They need not be unique: no table is keyed by them.
pub(crate) struct SourcePorts(AtomicU16);

impl SourcePorts {
    pub(crate) fn new(start: u64) -> Self {
        SourcePorts(AtomicU16::new((start % u64::from(EPHEMERAL_COUNT)) as u16))
    }

    pub(crate) fn next(&self) -> u16 {
        EPHEMERAL_FIRST + self.0.fetch_add(1, Ordering::Relaxed) % EPHEMERAL_COUNT
    }
}

struct State {
    listeners: HashMap<u16, Vec<Arc<Queue>>>,
    bound: usize,
    links: Links,
    gone: bool,
}

/// A Pod on the switch.
pub(crate) struct Pod {
    pub(crate) pod: PodRef,
    pub(crate) hostname: String,
    pub(crate) ip: Ipv4Addr,
    pub(crate) dns: DnsConfig,
    pub(crate) source_ports: SourcePorts,
    state: Mutex<State>,
}

impl Pod {
    pub(crate) fn new(pod: PodRef, hostname: &str, ip: Ipv4Addr, dns: DnsConfig, seed: u64) -> Self {
        let links = Links::new(POD_CONNECTIONS_MAX);
        let state = Mutex::new(State { listeners: HashMap::new(), bound: 0, links, gone: false });
        Pod { pod, hostname: hostname.to_owned(), ip, dns, source_ports: SourcePorts::new(seed), state }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Binds `local`; `start` is where the search for a free port begins.
    fn bind(&self, local: SocketAddr, backlog: usize, start: u64) -> Result<Arc<Queue>, NetError> {
        let mut state = self.lock();
        if state.gone {
            return Err(NetError::AddressNotBindable(local));
        }
        if state.bound >= POD_LISTENERS_MAX {
            return Err(NetError::TooManySockets);
        }
        let port = match local.port() {
            0 => {
                let ports = (0..EPHEMERAL_COUNT)
                    .map(|step| EPHEMERAL_FIRST + ((start + u64::from(step)) % u64::from(EPHEMERAL_COUNT)) as u16);
                ports.into_iter().find(|port| state.is_free(local.ip(), *port))
            }
            port => Some(port).filter(|port| state.is_free(local.ip(), *port)),
        };
        let port = port.ok_or(NetError::AddressInUse(local))?;
        let queue = Arc::new(Queue::new(SocketAddr::new(local.ip(), port), backlog));
        state.listeners.entry(port).or_default().push(queue.clone());
        state.bound += 1;
        Ok(queue)
    }

    pub(crate) fn unbind(&self, queue: &Arc<Queue>) {
        let mut state = self.lock();
        let port = queue.local.port();
        let Some(listeners) = state.listeners.get_mut(&port) else { return };
        let before = listeners.len();
        listeners.retain(|known| !Arc::ptr_eq(known, queue));
        let removed = before - listeners.len();
        if listeners.is_empty() {
            state.listeners.remove(&port);
        }
        state.bound -= removed;
    }

    /// Who listens for calls to `to`: the most specific address first. An IPv6 wildcard takes
    /// calls to the Pod's IPv4 address too, and the two localhosts stand in for each other,
    /// because guests often listen on one family alone.
    pub(crate) fn listener(&self, to: SocketAddr) -> Option<Arc<Queue>> {
        const V4_ANY: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        const V6_ANY: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
        const V4_LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
        const V6_LOCAL: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);
        let order: &[IpAddr] = match to.ip() {
            V4_LOCAL => &[V4_LOCAL, V4_ANY, V6_ANY, V6_LOCAL],
            V6_LOCAL => &[V6_LOCAL, V6_ANY, V4_LOCAL, V4_ANY],
            ip => &[ip, V4_ANY, V6_ANY],
        };
        let state = self.lock();
        let listeners = state.listeners.get(&to.port())?;
        order.iter().find_map(|ip| listeners.iter().find(|queue| queue.local.ip() == *ip)).cloned()
    }

    /// Remembers a connection of this Pod, to break it with the Pod.
    pub(crate) fn track(&self, link: Link, remote: SocketAddr) -> Result<(), NetError> {
        let mut state = self.lock();
        if state.gone {
            return Err(NetError::Unreachable(remote));
        }
        if state.links.add(link) { Ok(()) } else { Err(NetError::TooManySockets) }
    }

    /// Closes every listener and breaks every connection, for good.
    pub(crate) fn shut(&self) {
        let mut state = self.lock();
        state.gone = true;
        state.bound = 0;
        let listeners = std::mem::take(&mut state.listeners);
        let links = state.links.take();
        drop(state);
        listeners.values().flatten().for_each(|queue| queue.close());
        cut_all(links);
    }

    fn is_gone(&self) -> bool {
        self.lock().gone
    }
}

impl State {
    /// Linux' rule without SO_REUSEPORT: a wildcard and any address of its family conflict.
    /// Families do not, as every IPv6 socket of WASI is IPv6 only.
    fn is_free(&self, ip: IpAddr, port: u16) -> bool {
        let conflicts = |bound: IpAddr| {
            bound.is_ipv4() == ip.is_ipv4() && (bound == ip || bound.is_unspecified() || ip.is_unspecified())
        };
        self.listeners.get(&port).is_none_or(|bound| !bound.iter().any(|queue| conflicts(queue.local.ip())))
    }
}

/// The network as the programs of one Pod see it.
pub(crate) struct Attachment {
    pub(crate) switch: Arc<Switch>,
    pub(crate) pod: Arc<Pod>,
}

/// IPv4 in IPv6's clothes is IPv4.
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[async_trait]
impl PodNetwork for Attachment {
    fn addresses(&self) -> Vec<IpAddr> {
        vec![self.pod.ip.into()]
    }

    fn listen(&self, local: SocketAddr, backlog: usize) -> Result<Box<dyn TcpListener>, NetError> {
        let local = canonical(local);
        let ip = local.ip();
        if !ip.is_unspecified() && !ip.is_loopback() && ip != IpAddr::V4(self.pod.ip) {
            return Err(NetError::AddressNotBindable(local));
        }
        let queue = self.pod.bind(local, backlog, self.switch.draw())?;
        Ok(Box::new(Listener { queue, pod: self.pod.clone(), tasks: self.switch.tasks().clone() }))
    }

    async fn connect(&self, local: Option<SocketAddr>, remote: SocketAddr) -> Result<Connection, NetError> {
        let mut remote = canonical(remote);
        match remote.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => remote.set_ip(Ipv4Addr::LOCALHOST.into()),
            IpAddr::V6(ip) if ip.is_unspecified() => remote.set_ip(Ipv6Addr::LOCALHOST.into()),
            _ => {}
        }
        if self.pod.is_gone() {
            return Err(NetError::Unreachable(remote));
        }
        let origin = self.origin(local.map(canonical), remote)?;
        if remote.ip().is_loopback() {
            return self.switch.enter(&origin, &self.pod, remote, remote).await;
        }
        self.switch.connect(&origin, remote).await
    }

    async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, NetError> {
        self.switch.resolve(&self.pod, name).await
    }
}

impl Attachment {
    /// The calling end: loopback speaks from loopback, the rest from the Pod's address.
    fn origin(&self, local: Option<SocketAddr>, remote: SocketAddr) -> Result<Origin, NetError> {
        let own = if remote.ip().is_loopback() { remote.ip() } else { self.pod.ip.into() };
        let (ip, port) = match local {
            None => (own, 0),
            Some(local) if local.ip().is_unspecified() => (own, local.port()),
            Some(local) if local.ip() == IpAddr::V4(self.pod.ip) => (local.ip(), local.port()),
            Some(local) if local.ip().is_loopback() && remote.ip().is_loopback() => (local.ip(), local.port()),
            Some(local) => return Err(NetError::AddressNotBindable(local)),
        };
        let port = if port == 0 { self.pod.source_ports.next() } else { port };
        Ok(Origin { address: SocketAddr::new(ip, port), pod: Some(self.pod.clone()) })
    }
}
