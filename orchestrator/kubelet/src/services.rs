//! Service tables for the network, from Services and EndpointSlices.

use crate::limits::NODE_PORT_RETRY;
use crate::machine::PodNetworks;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointSlice};
use orchestrator_client::recorder::{EventType, reference};
use orchestrator_client::{Informer, Recorder};
use runtime_base::Tasks;
use runtime_base::clock::within;
use runtime_network::{NodePortError, Protocol, ServiceEntry, ServicePort, ServiceTables, Target};
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// The label that names a slice's Service.
const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// Keeps the tables of `networks` as the caches are, at each change. A NodePort that cannot be
/// opened is an Event of its Service, and tried again until it can.
pub fn follow(
    services: &Informer<Service>,
    slices: &Informer<EndpointSlice>,
    networks: Arc<dyn PodNetworks>,
    recorder: Recorder,
    tasks: &Tasks,
) {
    let changed = Arc::new(Notify::new());
    let notify = changed.clone();
    services.on_change(move |_, _| notify.notify_one());
    let notify = changed.clone();
    slices.on_change(move |_, _| notify.notify_one());
    let (services, slices) = (services.clone(), slices.clone());
    tasks.spawn("service-tables", async move {
        services.synced().await;
        slices.synced().await;
        let mut last = None;
        let mut told = BTreeMap::new();
        loop {
            let next = tables(&services.list(), &slices.list());
            if last.as_ref() != Some(&next) || !told.is_empty() {
                networks.set_tables(&next);
                last = Some(next);
                told = tell(networks.node_port_errors(), &told, &services.list(), &recorder);
            }
            if told.is_empty() {
                changed.notified().await;
            } else {
                // Nobody says when another program gives a port back.
                let _ = within(NODE_PORT_RETRY, changed.notified()).await;
            }
        }
    });
}

/// Records what is new among the NodePorts that failed; returns the failures by port.
fn tell(
    failed: Vec<NodePortError>,
    told: &BTreeMap<u16, NodePortError>,
    services: &[Arc<Service>],
    recorder: &Recorder,
) -> BTreeMap<u16, NodePortError> {
    for (port, kind, reason, message) in news(&failed, told) {
        if let Some(service) = owner(port, services) {
            recorder.event(&reference(service), kind, reason, message);
        }
    }
    failed.into_iter().map(|error| (error.port, error)).collect()
}

/// Port, type, reason and message of the Events that make `failed` of what was `told`.
fn news(failed: &[NodePortError], told: &BTreeMap<u16, NodePortError>) -> Vec<(u16, EventType, &'static str, String)> {
    let new = failed.iter().filter(|error| told.get(&error.port) != Some(error)).map(
        |NodePortError { port, reason, .. }| {
            (*port, EventType::Warning, "NodePortNotOpened", format!("cannot listen on port {port}: {reason}"))
        },
    );
    let over = told.keys().filter(|port| failed.iter().all(|error| error.port != **port));
    let over = over.map(|port| (*port, EventType::Normal, "NodePortOpened", format!("listening on port {port}")));
    new.chain(over).collect()
}

/// The Service that a NodePort belongs to; the API server gives each port once.
fn owner(port: u16, services: &[Arc<Service>]) -> Option<&Service> {
    let has = |service: &Service| {
        let ports = service.spec.as_ref().and_then(|spec| spec.ports.as_deref()).unwrap_or_default();
        ports.iter().any(|one| one.node_port == Some(i32::from(port)))
    };
    services.iter().map(|service| &**service).find(|service| has(service))
}

/// The tables for these objects; pure.
pub fn tables(services: &[Arc<Service>], slices: &[Arc<EndpointSlice>]) -> ServiceTables {
    let mut by_service: HashMap<(&str, &str), Vec<&EndpointSlice>> = HashMap::new();
    for slice in slices {
        let name = slice.metadata.labels.as_ref().and_then(|labels| labels.get(SERVICE_NAME));
        if let (Some(namespace), Some(name)) = (slice.metadata.namespace.as_deref(), name) {
            by_service.entry((namespace, name)).or_default().push(slice);
        }
    }
    let entry = |service: &Arc<Service>| {
        let namespace = service.metadata.namespace.as_deref()?;
        let name = service.metadata.name.as_deref()?;
        let own = by_service.get(&(namespace, name)).map(Vec::as_slice).unwrap_or_default();
        entry(namespace, name, service, own)
    };
    ServiceTables { services: services.iter().filter_map(entry).collect() }
}

fn entry(namespace: &str, name: &str, service: &Service, slices: &[&EndpointSlice]) -> Option<ServiceEntry> {
    let spec = service.spec.as_ref()?;
    let addresses = |list: &[String]| list.iter().filter_map(|ip| ip.parse().ok()).collect::<Vec<IpAddr>>();
    let headless = spec.cluster_ip.as_deref() == Some("None");
    let external = spec.type_.as_deref() == Some("ExternalName");
    let cluster_ips = match &spec.cluster_ips {
        Some(ips) => addresses(ips),
        None => addresses(spec.cluster_ip.as_slice()),
    };
    let mut external_ips = addresses(spec.external_ips.as_deref().unwrap_or_default());
    let balancer = service.status.as_ref().and_then(|status| status.load_balancer.as_ref());
    for ingress in balancer.and_then(|balancer| balancer.ingress.as_deref()).unwrap_or_default() {
        external_ips.extend(ingress.ip.as_deref().and_then(|ip| ip.parse::<IpAddr>().ok()));
    }
    let ports: Vec<ServicePort> = spec
        .ports
        .iter()
        .flatten()
        .filter_map(|port| {
            let name = port.name.clone().unwrap_or_default();
            Some(ServicePort {
                protocol: protocol(port.protocol.as_deref()),
                port: u16::try_from(port.port).ok()?,
                node_port: port.node_port.and_then(|port| u16::try_from(port).ok()).filter(|port| *port != 0),
                targets: slices.iter().flat_map(|slice| targets(slice, &name)).collect(),
                name,
            })
        })
        .collect();
    let endpoints = if headless && ports.is_empty() {
        slices.iter().flat_map(|slice| slice.endpoints.iter().flatten().flat_map(|one| endpoint(one, 0))).collect()
    } else {
        Vec::new()
    };
    Some(ServiceEntry {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        cluster_ips: if headless || external { Vec::new() } else { cluster_ips },
        external_ips,
        headless: headless && !external,
        external_name: spec.external_name.clone().filter(|_| external),
        ports,
        endpoints,
        publish_not_ready: spec.publish_not_ready_addresses == Some(true),
        session_affinity: (spec.session_affinity.as_deref() == Some("ClientIP")).then(|| {
            let client_ip = spec.session_affinity_config.as_ref().and_then(|config| config.client_ip.as_ref());
            let seconds = client_ip.and_then(|config| config.timeout_seconds).unwrap_or(10_800);
            Duration::from_secs(u64::try_from(seconds).unwrap_or(10_800))
        }),
    })
}

fn protocol(name: Option<&str>) -> Protocol {
    match name {
        Some("UDP") => Protocol::Udp,
        Some("SCTP") => Protocol::Sctp,
        _ => Protocol::Tcp,
    }
}

/// The endpoints of `slice` for the Service port of this name; slices name their ports alike.
fn targets(slice: &EndpointSlice, name: &str) -> Vec<Target> {
    let port = slice.ports.iter().flatten().find(|port| port.name.as_deref().unwrap_or("") == name);
    let Some(port) = port.and_then(|port| u16::try_from(port.port?).ok()) else { return Vec::new() };
    slice.endpoints.iter().flatten().flat_map(|one| endpoint(one, port)).collect()
}

fn endpoint(endpoint: &Endpoint, port: u16) -> Vec<Target> {
    let conditions = endpoint.conditions.clone().unwrap_or_default();
    // Absent means ready (the API's rule); serving follows ready.
    let ready = conditions.ready.unwrap_or(true);
    let target = |ip: &String| {
        Some(Target {
            ready,
            serving: conditions.serving.unwrap_or(ready),
            terminating: conditions.terminating.unwrap_or(false),
            hostname: endpoint.hostname.clone(),
            node: endpoint.node_name.clone(),
            ..Target::ready(ip.parse().ok()?, port)
        })
    };
    endpoint.addresses.iter().filter_map(target).collect()
}

#[cfg(test)]
mod tests;
