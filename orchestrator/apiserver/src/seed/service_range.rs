//! ServiceCIDRs and IPAddresses as upstream's controllers leave them: the cluster's own range is
//! there, ranges that serve are Ready and go only when no address needs them, and each address of
//! a Service has its IPAddress.

use super::FrontDoor;
use crate::limits;
use crate::registry::{ObjectReader, Registry, ip_address, is_ready, timestamp};
use futures::FutureExt;
use futures::future::select_all;
use http::Method;
use ipnet::{IpNet, Ipv4Net};
use orchestrator_apimachinery::{ApiError, meta};
use runtime_base::clock::sleep;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use tokio::sync::watch;
use tracing::{debug, warn};

const GROUP: &str = "networking.k8s.io";
const FINALIZER: &str = "networking.k8s.io/service-cidr-finalizer";
const MANAGED_BY: &str = "ipaddress.kubernetes.io/managed-by";
const RANGES: &str = "/apis/networking.k8s.io/v1/servicecidrs";
const ADDRESSES: &str = "/apis/networking.k8s.io/v1/ipaddresses";

/// What there is.
struct World {
    own: Ipv4Net,
    now: String,
    ranges: Vec<Value>,
    addresses: Vec<Value>,
    services: Vec<Value>,
}

/// One request to send.
#[derive(Debug, PartialEq)]
struct Step {
    method: Method,
    path: String,
    body: Value,
}

/// Mends what others break.
pub(super) struct Keeper {
    door: FrontDoor,
    changes: [watch::Receiver<u64>; 2],
}

impl Keeper {
    pub fn new(door: FrontDoor) -> Self {
        let caches = door.0.caches();
        let changes = ["ipaddresses", "servicecidrs"].map(|plural| caches.changes(GROUP, plural));
        Keeper { door, changes }
    }

    /// Does what is to be done now; whether all could be done.
    pub async fn mend(&mut self) -> bool {
        self.changes.iter_mut().for_each(|kind| drop(kind.borrow_and_update()));
        let mended = mend(&self.door).await;
        if let Err(error) = &mended {
            // A webhook may refuse it that runs in no Pod yet.
            warn!(error = error.message, "cannot mend the addresses of Services, will try again");
        }
        mended.is_ok()
    }

    /// Mends until the server ends; `mended` says whether it was done before.
    pub async fn keep(mut self, mut mended: bool) {
        loop {
            if mended {
                // A sender that is gone means that the server ends.
                if select_all(self.changes.iter_mut().map(|kind| kind.changed().boxed())).await.0.is_err() {
                    return;
                }
            }
            mended = self.mend().await;
            // Changes come in numbers: one look is enough for many.
            sleep(limits::KEEP_RETRY_DELAY).await;
        }
    }
}

async fn mend(door: &FrontDoor) -> Result<(), ApiError> {
    let world = World::gather(&door.0.registry).await?;
    for Step { method, path, body } in plan(&world) {
        match door.send(method.clone(), path.clone(), &body).await {
            Ok(_) => debug!(%method, path, "mended the addresses of Services"),
            // Another was faster; that is a change to look at again.
            Err(error) if matches!(error.code, 404 | 409) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

impl World {
    async fn gather(registry: &Registry) -> Result<Self, ApiError> {
        // Whoever takes an address now is waited for; who comes later sees what this one sees.
        let _turn = registry.allocation.lock().await;
        registry.caches.fresh().await?;
        let all = |group, plural| {
            let objects = registry.caches.list(group, plural, None);
            objects.iter().filter_map(|bytes| serde_json::from_slice(bytes).ok()).collect()
        };
        Ok(World {
            own: registry.service_cidr,
            now: timestamp(registry.now()),
            ranges: all(GROUP, "servicecidrs"),
            addresses: all(GROUP, "ipaddresses"),
            services: all("", "services"),
        })
    }
}

fn plan(world: &World) -> Vec<Step> {
    let mut steps = Vec::new();
    if !world.ranges.iter().any(|range| meta::name(range) == "kubernetes") {
        let body = json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "ServiceCIDR",
            "metadata": {"name": "kubernetes", "finalizers": [FINALIZER]}, "spec": {"cidrs": [world.own.to_string()]},
        });
        steps.push(Step { method: Method::POST, path: RANGES.to_owned(), body });
    }
    steps.extend(world.ranges.iter().filter_map(|range| range_step(world, range)));
    plan_addresses(world, &mut steps);
    steps
}

fn range_step(world: &World, range: &Value) -> Option<Step> {
    let path = format!("{RANGES}/{}", meta::name(range));
    let held = meta::finalizers(range).contains(&FINALIZER);
    let mut next = range.clone();
    let finalizers = meta::finalizers(range).into_iter().filter(|name| *name != FINALIZER);
    let mut finalizers: Vec<Value> = finalizers.map(Value::from).collect();
    if !meta::is_deleting(range) {
        if held {
            let ready = condition(range).is_some_and(|ready| ready["status"] == "True");
            return (!ready).then(|| status(world, range, "True", "", "Kubernetes Service CIDR is ready"));
        }
        finalizers.push(FINALIZER.into());
    } else if !held {
        return None;
    } else if is_needed(world, range) {
        let why = "There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new \
                   ServiceCIDR";
        let told = condition(range).is_some_and(|ready| ready["status"] == "False");
        return (!told).then(|| status(world, range, "False", "Terminating", why));
    }
    next["metadata"]["finalizers"] = finalizers.into();
    Some(Step { method: Method::PUT, path, body: next })
}

fn condition(range: &Value) -> Option<&Value> {
    let conditions = range["status"]["conditions"].as_array();
    conditions.into_iter().flatten().find(|condition| condition["type"] == "Ready")
}

fn status(world: &World, range: &Value, status: &str, reason: &str, message: &str) -> Step {
    let mut next = range.clone();
    let conditions = range["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let mut conditions: Vec<Value> = conditions.into_iter().filter(|condition| condition["type"] != "Ready").collect();
    conditions.push(json!({
        "type": "Ready", "status": status, "reason": reason, "message": message, "lastTransitionTime": world.now,
    }));
    next["status"] = json!({"conditions": conditions});
    Step { method: Method::PUT, path: format!("{RANGES}/{}/status", meta::name(range)), body: next }
}

fn networks(range: &Value) -> impl Iterator<Item = IpNet> {
    let cidrs = range["spec"]["cidrs"].as_array().into_iter().flatten();
    cidrs.filter_map(|cidr| cidr.as_str()?.parse().ok())
}

/// Whether an address of a Service lies in no other range.
fn is_needed(world: &World, deleted: &Value) -> bool {
    let others = world.ranges.iter().filter(|range| meta::name(range) != meta::name(deleted) && is_ready(range));
    let others: Vec<IpNet> = others.flat_map(networks).collect();
    let own: Vec<IpNet> = networks(deleted).collect();
    let holds = |networks: &[IpNet], address: &IpAddr| networks.iter().any(|network| network.contains(address));
    let addresses = world.addresses.iter().filter(|address| is_managed(address));
    let mut addresses = addresses.filter_map(|address| meta::name(address).parse().ok());
    addresses.any(|address| holds(&own, &address) && !holds(&others, &address))
}

fn is_managed(address: &Value) -> bool {
    address["metadata"]["labels"][MANAGED_BY] == "ipallocator.k8s.io"
}

/// Makes IPAddresses that are missing and removes those whose Service is gone.
fn plan_addresses(world: &World, steps: &mut Vec<Step>) {
    let mut held: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
    let known: BTreeMap<&str, &Value> = world.addresses.iter().map(|found| (meta::name(found), found)).collect();
    for service in &world.services {
        let listed = service["spec"]["clusterIPs"].as_array().into_iter().flatten().filter_map(Value::as_str);
        for address in listed.filter(|text| text.parse::<IpAddr>().is_ok()) {
            let owner = (meta::namespace(service), meta::name(service));
            held.entry(owner).or_default().insert(address);
            match known.get(address) {
                None => steps.push(Step {
                    method: Method::POST,
                    path: ADDRESSES.to_owned(),
                    body: ip_address(address, service),
                }),
                Some(found) if parent(found) != owner => {
                    warn!(address, namespace = owner.0, service = owner.1, "the address is another's, too");
                }
                Some(_) => {}
            }
        }
    }
    for address in world.addresses.iter().filter(|address| is_managed(address)) {
        if held.get(&parent(address)).is_some_and(|held| held.contains(meta::name(address))) {
            continue;
        }
        let body = json!({"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": meta::uid(address)}});
        steps.push(Step { method: Method::DELETE, path: format!("{ADDRESSES}/{}", meta::name(address)), body });
    }
}

fn parent(address: &Value) -> (&str, &str) {
    let parent = &address["spec"]["parentRef"];
    let text = |field: &str| parent[field].as_str().unwrap_or_default();
    (text("namespace"), text("name"))
}
