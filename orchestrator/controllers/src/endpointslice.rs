//! EndpointSlice: where the Pods of a Service are.
//!
//! Source: Kubernetes, "EndpointSlices"; KEP-1672 (terminating endpoints).

use crate::caches::Caches;
use crate::driver::{Controller, ControllerError};
use crate::limits::ENDPOINTS_PER_SLICE_MAX;
use crate::owner;
use crate::plan::{Now, Plan, Write};
use crate::pods;
use async_trait::async_trait;
use k8s_openapi::api::core::v1::{ObjectReference, Pod, Service, ServicePort};
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointConditions, EndpointPort, EndpointSlice};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::{Client, ResourceExt};
use orchestrator_client::{Key, WorkQueue};
use serde_json::json;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
const MANAGER: &str = "endpointslice-controller.k8s.io";
const SERVICE_NAME: &str = "kubernetes.io/service-name";
const HEADLESS: &str = "service.kubernetes.io/headless";

/// Keeps the EndpointSlices of Services with a selector.
#[derive(Default)]
pub struct EndpointSliceController {}

/// What a plan looks at.
#[derive(Clone, Debug)]
pub struct World {
    /// The Service.
    pub service: Arc<Service>,
    /// The Pods that its selector matches.
    pub pods: Vec<Arc<Pod>>,
    /// Its EndpointSlices that this controller manages.
    pub slices: Vec<Arc<EndpointSlice>>,
}

#[async_trait]
impl Controller for EndpointSliceController {
    fn name(&self) -> &'static str {
        "endpointslice-controller"
    }

    fn wire(&self, caches: &Caches, queue: &WorkQueue) {
        caches.services.feed(queue, |service| vec![Key::of(service)]);
        let services = caches.services.clone();
        caches.pods.feed(queue, move |pod| {
            let all = services.list_namespace(pod.metadata.namespace.as_deref().unwrap_or(""));
            all.iter().filter(|service| selects(service, pod)).map(|service| Key::of(&**service)).collect()
        });
        caches.endpoint_slices.feed(queue, |slice| {
            let service = slice.labels().get(SERVICE_NAME);
            service.map(|name| Key::new(slice.metadata.namespace.as_deref().unwrap_or(""), name)).into_iter().collect()
        });
    }

    async fn plan(&self, caches: &Caches, _: &Client, key: &Key, _: Now) -> Result<Plan, ControllerError> {
        let slices = caches.endpoint_slices.by_index("service", &key.to_string());
        let slices: Vec<_> =
            slices.into_iter().filter(|s| s.labels().get(MANAGED_BY).map(String::as_str) == Some(MANAGER)).collect();
        let Some(service) = caches.services.get_key(key) else {
            let writes = slices.iter().map(|slice| Write::delete(&**slice)).collect();
            return Ok(Plan { writes, ..Plan::default() });
        };
        let pods =
            caches.pods.list_namespace(&key.namespace).into_iter().filter(|pod| selects(&service, pod)).collect();
        Ok(plan(&World { service, pods, slices }))
    }
}

fn selects(service: &Service, pod: &Pod) -> bool {
    let selector = service.spec.as_ref().and_then(|spec| spec.selector.as_ref());
    let labels = pod.labels();
    selector.is_some_and(|s| !s.is_empty() && s.iter().all(|(key, value)| labels.get(key) == Some(value)))
}

/// Creates, changes and deletes slices so that they hold exactly the Service's endpoints.
pub fn plan(world: &World) -> Plan {
    let mut plan = Plan::default();
    let service = &*world.service;
    let spec = service.spec.clone().unwrap_or_default();
    let external = spec.type_.as_deref() == Some("ExternalName");
    if service.metadata.deletion_timestamp.is_some() {
        return plan;
    }
    if external || spec.selector.as_ref().is_none_or(BTreeMap::is_empty) {
        plan.writes.extend(world.slices.iter().map(|slice| Write::delete(&**slice)));
        return plan;
    }
    let standing = world.slices.iter().filter(|slice| slice.metadata.deletion_timestamp.is_none()).cloned();
    // Slices of an earlier Service of this name are about to be collected: none is filled again.
    let uid = service.metadata.uid.as_deref();
    let own = |slice: &Arc<EndpointSlice>| {
        owner::controller_of(&slice.metadata).is_none_or(|owner| Some(owner.uid.as_str()) == uid)
    };
    let (mut free, foreign): (Vec<Arc<EndpointSlice>>, Vec<_>) = standing.partition(own);
    plan.writes.extend(foreign.iter().map(|slice| Write::delete(&**slice)));
    let chunked = |(ports, endpoints): (Vec<EndpointPort>, _)| {
        chunks(endpoints).into_iter().map(move |chunk| (ports.clone(), chunk)).collect::<Vec<_>>()
    };
    let mut homeless = Vec::new();
    for (ports, chunk) in groups(service, &world.pods).into_iter().flat_map(chunked) {
        match best(&free, &ports, &chunk) {
            Some(index) => fill(service, ports, chunk, &free.swap_remove(index), &mut plan),
            None => homeless.push((ports, chunk)),
        }
    }
    // Slices of other ports are used again once all chunks of their own ports have one.
    for (ports, chunk) in homeless {
        match free.pop() {
            Some(slice) => fill(service, ports, chunk, &slice, &mut plan),
            None => plan.writes.push(Write::create(&new_slice(service, ports, chunk))),
        }
    }
    plan.writes.extend(free.iter().map(|slice| Write::delete(&**slice)));
    plan
}

/// Endpoints by the ports that they have: a named target port may differ between Pods. There is
/// always one group, so that a Service without Pods has a slice that says so.
fn groups(service: &Service, pods: &[Arc<Pod>]) -> Vec<(Vec<EndpointPort>, Vec<Endpoint>)> {
    let service_ports = service.spec.as_ref().and_then(|spec| spec.ports.clone()).unwrap_or_default();
    let mut groups: BTreeMap<String, (Vec<EndpointPort>, Vec<Endpoint>)> = BTreeMap::new();
    for pod in pods {
        let Some(endpoint) = endpoint(service, pod) else { continue };
        let ports: Vec<EndpointPort> = service_ports.iter().filter_map(|port| resolve(port, pod)).collect();
        let group = groups.entry(json!(ports).to_string()).or_insert_with(|| (ports, Vec::new()));
        group.1.push(endpoint);
    }
    if groups.is_empty() {
        return vec![(Vec::new(), Vec::new())];
    }
    groups.into_values().collect()
}

/// The uid of its Pod; Pods of the host's network share an address.
fn target(endpoint: &Endpoint) -> Option<&str> {
    endpoint.target_ref.as_ref()?.uid.as_deref()
}

fn chunks(mut endpoints: Vec<Endpoint>) -> Vec<Vec<Endpoint>> {
    endpoints.sort_by(|a, b| (&a.addresses, target(a)).cmp(&(&b.addresses, target(b))));
    if endpoints.is_empty() {
        return vec![Vec::new()];
    }
    endpoints.chunks(ENDPOINTS_PER_SLICE_MAX).map(<[Endpoint]>::to_vec).collect()
}

fn resolve(port: &ServicePort, pod: &Pod) -> Option<EndpointPort> {
    let protocol = port.protocol.clone().unwrap_or_else(|| "TCP".into());
    let number = match &port.target_port {
        Some(IntOrString::Int(number)) => *number,
        Some(IntOrString::String(name)) => {
            let spec = pod.spec.as_ref()?;
            let sidecars =
                spec.init_containers.iter().flatten().filter(|c| c.restart_policy.as_deref() == Some("Always"));
            let mut all = spec.containers.iter().chain(sidecars).flat_map(|container| container.ports.iter().flatten());
            let named = |p: &&k8s_openapi::api::core::v1::ContainerPort| {
                p.name.as_deref() == Some(name) && p.protocol.as_deref().unwrap_or("TCP") == protocol
            };
            all.find(named)?.container_port
        }
        None => port.port,
    };
    Some(EndpointPort {
        name: Some(port.name.clone().unwrap_or_default()),
        port: Some(number),
        protocol: Some(protocol),
        app_protocol: port.app_protocol.clone(),
    })
}

/// The endpoint of a Pod; none while it has no address, or once it has finished.
fn endpoint(service: &Service, pod: &Pod) -> Option<Endpoint> {
    let address = pod.status.as_ref()?.pod_ip.clone().filter(|ip| !ip.is_empty())?;
    if pods::is_finished(pod) {
        return None;
    }
    let spec = pod.spec.as_ref()?;
    let publish = service.spec.as_ref().and_then(|spec| spec.publish_not_ready_addresses).unwrap_or(false);
    let (serving, terminating) = (pods::is_ready(pod), pods::is_deleting(pod));
    let own_domain = spec.subdomain.is_some() && spec.subdomain == service.metadata.name;
    Some(Endpoint {
        addresses: vec![address],
        conditions: Some(EndpointConditions {
            ready: Some(publish || (serving && !terminating)),
            serving: Some(serving),
            terminating: Some(terminating),
        }),
        hostname: spec.hostname.clone().filter(|_| own_domain),
        node_name: spec.node_name.clone(),
        target_ref: Some(ObjectReference {
            kind: Some("Pod".into()),
            namespace: pod.metadata.namespace.clone(),
            name: pod.metadata.name.clone(),
            uid: pod.metadata.uid.clone(),
            ..ObjectReference::default()
        }),
        ..Endpoint::default()
    })
}

fn labels(service: &Service) -> BTreeMap<String, String> {
    let mut labels = service.labels().clone();
    labels.insert(SERVICE_NAME.into(), service.name_any());
    labels.insert(MANAGED_BY.into(), MANAGER.into());
    if service.spec.as_ref().and_then(|spec| spec.cluster_ip.as_deref()) == Some("None") {
        labels.insert(HEADLESS.into(), String::new());
    }
    labels
}

/// The free slice of these ports that holds most of the chunk already.
fn best(free: &[Arc<EndpointSlice>], ports: &[EndpointPort], chunk: &[Endpoint]) -> Option<usize> {
    let shared = |slice: &EndpointSlice| {
        let there: HashSet<_> = slice.endpoints.iter().flatten().map(target).collect();
        chunk.iter().filter(|endpoint| there.contains(&target(endpoint))).count()
    };
    let same_ports = free.iter().enumerate().filter(|(_, slice)| slice.ports.as_deref().unwrap_or_default() == ports);
    same_ports.max_by_key(|(_, slice)| shared(slice)).map(|(index, _)| index)
}

fn new_slice(service: &Service, ports: Vec<EndpointPort>, chunk: Vec<Endpoint>) -> EndpointSlice {
    EndpointSlice {
        address_type: "IPv4".into(),
        metadata: ObjectMeta {
            generate_name: Some(format!("{}-", service.name_any())),
            namespace: service.metadata.namespace.clone(),
            labels: Some(labels(service)),
            owner_references: Some(vec![owner::controller_reference(service)]),
            ..ObjectMeta::default()
        },
        endpoints: Some(chunk),
        ports: Some(ports),
    }
}

/// Makes a slice hold exactly this chunk.
fn fill(service: &Service, ports: Vec<EndpointPort>, chunk: Vec<Endpoint>, slice: &EndpointSlice, plan: &mut Plan) {
    let labels = labels(service);
    let endpoints = slice.endpoints.as_deref().unwrap_or_default();
    if endpoints == chunk && slice.ports.as_deref().unwrap_or_default() == ports && *slice.labels() == labels {
        return;
    }
    let mut changed = slice.clone();
    changed.metadata.labels = Some(labels);
    (changed.endpoints, changed.ports) = (Some(chunk), Some(ports));
    plan.writes.push(Write::replace(&changed));
}

#[cfg(test)]
mod tests;
