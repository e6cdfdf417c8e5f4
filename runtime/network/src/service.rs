//! Services as plain data, and the index that answers for each connection and name.

use crate::limits::{AFFINITY_CLIENTS_MAX, ANSWER_ADDRESSES_MAX, SERVICE_TRIES_MAX};
use runtime_base::{Clock, Rng};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// All Services of the cluster, as this node knows them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceTables {
    /// In any order; a later one does not take an address or NodePort from an earlier one.
    pub services: Vec<ServiceEntry>,
}

/// One Service with its endpoints.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceEntry {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its cluster addresses, the primary one first; empty for headless and external ones.
    pub cluster_ips: Vec<IpAddr>,
    /// Further addresses that reach it (external IPs, a load balancer's); not in DNS.
    pub external_ips: Vec<IpAddr>,
    /// `clusterIP: None`: its name has the endpoints' addresses.
    pub headless: bool,
    /// The name it stands for (type ExternalName).
    pub external_name: Option<String>,
    /// Its ports.
    pub ports: Vec<ServicePort>,
    /// Endpoints of a headless Service without ports, for DNS alone; their port is not used.
    pub endpoints: Vec<Target>,
    /// `publishNotReadyAddresses`.
    pub publish_not_ready: bool,
    /// How long a client keeps its endpoint (`sessionAffinity: ClientIP`).
    pub session_affinity: Option<Duration>,
}

/// One port of a Service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServicePort {
    /// Its name; may be empty.
    pub name: String,
    /// Its protocol.
    pub protocol: Protocol,
    /// The port at the Service's addresses.
    pub port: u16,
    /// The port at the nodes' addresses.
    pub node_port: Option<u16>,
    /// Where it leads.
    pub targets: Vec<Target>,
}

/// One endpoint of a Service's port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its address.
    pub ip: IpAddr,
    /// Its port.
    pub port: u16,
    /// Takes new connections.
    pub ready: bool,
    /// Answers, though it may be terminating.
    pub serving: bool,
    /// Its Pod is being deleted.
    pub terminating: bool,
    /// Its host name, which has a DNS name below the Service's.
    pub hostname: Option<String>,
    /// Its node.
    pub node: Option<String>,
}

impl Target {
    /// A ready endpoint.
    pub fn ready(ip: IpAddr, port: u16) -> Self {
        Target { ip, port, ready: true, serving: true, terminating: false, hostname: None, node: None }
    }
}

/// A transport protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// TCP.
    #[default]
    Tcp,
    /// UDP; known, not carried yet.
    Udp,
    /// SCTP; known, not carried yet.
    Sctp,
}

/// The usable endpoints of one port of a Service.
#[derive(Debug)]
pub(crate) struct Port {
    /// `namespace/name:port`.
    pub(crate) key: Arc<str>,
    targets: Vec<SocketAddr>,
    affinity: Option<Duration>,
}

/// What a name below the cluster's zone stands for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Addresses(Vec<IpAddr>),
    Alias(String),
    Nothing,
}

#[derive(Debug, Default)]
struct Name {
    addresses: Vec<IpAddr>,
    alias: Option<String>,
    /// Host names (or dashed addresses) of the endpoints.
    hosts: HashMap<String, Vec<IpAddr>>,
}

/// The tables, arranged so that each question is one lookup.
#[derive(Debug, Default)]
pub(crate) struct Index {
    ports: HashMap<SocketAddr, Arc<Port>>,
    addresses: HashSet<IpAddr>,
    node_ports: BTreeMap<u16, Arc<Port>>,
    /// By `name.namespace`, in lower case.
    names: HashMap<String, Name>,
}

impl Index {
    pub(crate) fn new(tables: &ServiceTables) -> Self {
        let mut index = Index::default();
        for service in &tables.services {
            index.add(service);
        }
        index
    }

    fn add(&mut self, service: &ServiceEntry) {
        for port in service.ports.iter().filter(|port| port.protocol == Protocol::Tcp) {
            let entry = Arc::new(Port {
                key: format!("{}/{}:{}", service.namespace, service.name, port.port).into(),
                targets: usable(service, port),
                affinity: service.session_affinity,
            });
            for ip in service.cluster_ips.iter().chain(&service.external_ips) {
                self.ports.entry(SocketAddr::new(*ip, port.port)).or_insert_with(|| entry.clone());
            }
            if let Some(node_port) = port.node_port {
                self.node_ports.entry(node_port).or_insert(entry);
            }
        }
        self.addresses.extend(service.cluster_ips.iter().chain(&service.external_ips));
        let key = format!("{}.{}", service.name, service.namespace).to_ascii_lowercase();
        self.names.insert(key, Name::new(service));
    }

    /// The port of a Service at `address`.
    pub(crate) fn port(&self, address: SocketAddr) -> Option<&Arc<Port>> {
        self.ports.get(&address)
    }

    /// Whether a Service has this address (at whatever port).
    pub(crate) fn has_address(&self, ip: IpAddr) -> bool {
        self.addresses.contains(&ip)
    }

    pub(crate) fn node_port(&self, port: u16) -> Option<&Arc<Port>> {
        self.node_ports.get(&port)
    }

    pub(crate) fn node_ports(&self) -> impl Iterator<Item = (u16, &Arc<Port>)> {
        self.node_ports.iter().map(|(port, entry)| (*port, entry))
    }

    /// What `name` stands for, which is below the cluster's zone, lower case, without the zone
    /// (`web.default.svc`). Follows kubernetes/dns, specification 1.1.0, of which it answers
    /// address records only.
    pub(crate) fn lookup(&self, name: &str, rng: &Rng) -> Answer {
        let labels: Vec<&str> = name.split('.').collect();
        match labels[..] {
            [dashed, _, "pod"] => match dashed.replace('-', ".").parse::<IpAddr>() {
                Ok(ip) => Answer::Addresses(vec![ip]),
                Err(_) => dashed.replace('-', ":").parse().map_or(Answer::Nothing, |ip| Answer::Addresses(vec![ip])),
            },
            [service, namespace, "svc"] => match self.names.get(&format!("{service}.{namespace}")) {
                Some(Name { alias: Some(alias), .. }) => Answer::Alias(alias.clone()),
                Some(name) => some_of(&name.addresses, rng),
                None => Answer::Nothing,
            },
            [host, service, namespace, "svc"] => {
                let name = self.names.get(&format!("{service}.{namespace}"));
                name.and_then(|name| name.hosts.get(host)).map_or(Answer::Nothing, |ips| some_of(ips, rng))
            }
            _ => Answer::Nothing,
        }
    }
}

impl Name {
    fn new(service: &ServiceEntry) -> Self {
        let mut name = Name { alias: service.external_name.clone(), ..Name::default() };
        let mut seen = HashSet::new();
        let endpoints = service.ports.iter().flat_map(|port| &port.targets).chain(&service.endpoints);
        for target in endpoints.filter(|target| target.ready || service.publish_not_ready) {
            if !seen.insert(target.ip) {
                continue;
            }
            let dashed = || target.ip.to_string().replace(['.', ':'], "-");
            let host = target.hostname.as_ref().map_or_else(dashed, |host| host.to_ascii_lowercase());
            name.hosts.entry(host).or_default().push(target.ip);
            if service.headless {
                name.addresses.push(target.ip);
            }
        }
        if !service.headless {
            name.addresses.clone_from(&service.cluster_ips);
        }
        name
    }
}

/// The addresses from a random one on, so that clients that take the first share the load.
fn some_of(addresses: &[IpAddr], rng: &Rng) -> Answer {
    if addresses.is_empty() {
        return Answer::Nothing;
    }
    let start = if addresses.len() > 1 { rng.below(addresses.len() as u64) as usize } else { 0 };
    Answer::Addresses(
        addresses.iter().cycle().skip(start).take(addresses.len().min(ANSWER_ADDRESSES_MAX)).copied().collect(),
    )
}

/// Ready endpoints; if there are none, those that terminate but still answer (as kube-proxy
/// does), so that the last Pod of a Service can go without lost calls.
fn usable(service: &ServiceEntry, port: &ServicePort) -> Vec<SocketAddr> {
    let chosen = |wanted: fn(&Target) -> bool| -> Vec<SocketAddr> {
        port.targets.iter().filter(|t| wanted(t)).map(|t| SocketAddr::new(t.ip, t.port)).collect()
    };
    if service.publish_not_ready {
        return chosen(|_| true);
    }
    let ready = chosen(|target| target.ready);
    if ready.is_empty() { chosen(|target| target.serving && target.terminating) } else { ready }
}

/// A caller of one port of a Service.
type Client = (Arc<str>, IpAddr);

/// Chooses endpoints, and remembers the choice for Services with session affinity.
pub(crate) struct Balancer {
    rng: Rng,
    clock: Clock,
    clients: Mutex<HashMap<Client, (SocketAddr, Instant)>>,
}

impl Balancer {
    pub(crate) fn new(rng: Rng, clock: Clock) -> Self {
        Balancer { rng, clock, clients: Mutex::default() }
    }

    /// Endpoints of `port` in the order in which `client` should try them.
    pub(crate) fn choose(&self, port: &Port, client: IpAddr) -> Vec<SocketAddr> {
        let count = port.targets.len();
        let start = match self.remembered(port, client) {
            Some(at) => at,
            None if count > 1 => self.rng.below(count as u64) as usize,
            None => 0,
        };
        port.targets.iter().cycle().skip(start).take(count.min(SERVICE_TRIES_MAX)).copied().collect()
    }

    fn remembered(&self, port: &Port, client: IpAddr) -> Option<usize> {
        let limit = port.affinity?;
        let clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let (target, used) = clients.get(&(port.key.clone(), client))?;
        if self.clock.monotonic().duration_since(*used) > limit {
            return None;
        }
        port.targets.iter().position(|known| known == target)
    }

    /// Remembers that `client` was connected to `target`.
    pub(crate) fn connected(&self, port: &Port, client: IpAddr, target: SocketAddr) {
        let Some(limit) = port.affinity else { return };
        let now = self.clock.monotonic();
        let key = (port.key.clone(), client);
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if clients.len() >= AFFINITY_CLIENTS_MAX && !clients.contains_key(&key) {
            clients.retain(|_, (_, used)| now.duration_since(*used) <= limit);
            if clients.len() >= AFFINITY_CLIENTS_MAX {
                return;
            }
        }
        clients.insert(key, (target, now));
    }
}

#[cfg(test)]
mod tests;
