//! The addresses of Services: each is taken by an IPAddress of its name, written with the Service.

use crate::registry::hooks::Beside;
use crate::registry::{ObjectReader, Registry, envelope, key, timestamp};
use bytes::Bytes;
use ipnet::{IpNet, Ipv4Net};
use orchestrator_apimachinery::apply::{self, Realm, Writer};
use orchestrator_apimachinery::field::{Errors, Path};
use orchestrator_apimachinery::{ApiError, Kind, meta};
use orchestrator_store::{Compare, Op};
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

const GROUP: &str = "networking.k8s.io";

/// Gives a Service its address; one that it names must be in a range and free.
pub(super) fn complete(
    registry: &Registry,
    service: &mut Value,
    old: Option<&Value>,
    errors: &mut Errors,
) -> Result<(), ApiError> {
    let spec = &mut service["spec"];
    if spec["clusterIP"].as_str().is_none_or(str::is_empty) {
        let listed = spec["clusterIPs"][0].as_str().unwrap_or_default().to_owned();
        let kept = old.and_then(|old| old["spec"]["clusterIP"].as_str()).unwrap_or_default();
        spec["clusterIP"] = json!(if listed.is_empty() { kept } else { &listed });
    }
    let asked = spec["clusterIP"].as_str().unwrap_or_default().to_owned();
    if asked.is_empty() {
        let address = free_address(registry)?;
        spec["clusterIP"] = json!(address.to_string());
    } else if asked != "None" && !old.is_some_and(|old| old["spec"]["clusterIP"] == *asked) {
        check(registry, service, &asked, errors);
    }
    let spec = &mut service["spec"];
    spec["clusterIPs"] = json!([spec["clusterIP"]]);
    Ok(())
}

fn check(registry: &Registry, service: &Value, asked: &str, errors: &mut Errors) {
    let Ok(address) = asked.parse::<Ipv4Addr>() else { return };
    let ranges = ranges(registry);
    let why =
        if !ranges.iter().any(|range| hosts(range).is_some_and(|(first, last)| first <= address && address <= last)) {
            let ranges: Vec<String> = ranges.iter().map(ToString::to_string).collect();
            let ranges = ranges.join(", ");
            format!("the provided IP ({address}) is not in the valid range. The range of valid IPs is {ranges}")
        } else if holder(registry, asked).is_some_and(|holder| !is_of(&holder, service)) {
            "provided IP is already allocated".to_owned()
        } else {
            return;
        };
    let path = Path::new("spec").child("clusterIPs");
    errors.invalid(&path, json!([asked]), &format!("failed to allocate IP {address}: {why}"));
}

/// The range of an IPv4 network of a ServiceCIDR.
fn range(cidr: &Value) -> Option<Ipv4Net> {
    match cidr.as_str()?.parse::<IpNet>() {
        Ok(IpNet::V4(range)) => Some(range.trunc()),
        _ => None,
    }
}

/// Whether Services get addresses from a ServiceCIDR. One of which nobody said so is taken to be ready.
pub(crate) fn is_ready(service_cidr: &Value) -> bool {
    let conditions = service_cidr["status"]["conditions"].as_array();
    let ready = conditions.into_iter().flatten().find(|condition| condition["type"] == "Ready");
    !meta::is_deleting(service_cidr) && ready.is_none_or(|ready| ready["status"] == "True")
}

/// Where addresses are taken from now: the ranges of all ServiceCIDRs, the cluster's own first.
fn ranges(registry: &Registry) -> Vec<Ipv4Net> {
    let mut ranges = Vec::new();
    let mut has_own = false;
    for bytes in registry.caches.list(GROUP, "servicecidrs", None) {
        let Ok(object) = serde_json::from_slice::<Value>(&bytes) else { continue };
        let is_own = meta::name(&object) == "kubernetes";
        has_own |= is_own;
        if is_ready(&object) {
            let found = object["spec"]["cidrs"].as_array().into_iter().flatten().filter_map(range);
            let at = if is_own { 0 } else { ranges.len() };
            ranges.splice(at..at, found);
        }
    }
    if !has_own {
        ranges.insert(0, registry.service_cidr);
    }
    ranges
}

/// The first and the last address that a host can have.
fn hosts(range: &Ipv4Net) -> Option<(Ipv4Addr, Ipv4Addr)> {
    let (network, broadcast) = (u32::from(range.network()), u32::from(range.broadcast()));
    (broadcast - network >= 2).then(|| (Ipv4Addr::from(network + 1), Ipv4Addr::from(broadcast - 1)))
}

/// A random free address. As upstream, the low part of a range is left to Services that name
/// their address, while there is room elsewhere in it.
fn free_address(registry: &Registry) -> Result<Ipv4Addr, ApiError> {
    let own = registry.service_cidr;
    let free = |address: &Ipv4Addr| {
        // The very first is the API server's own.
        let is_own = u32::from(*address) == u32::from(own.network()) + 1;
        !is_own && registry.caches.get(GROUP, "ipaddresses", "", &address.to_string()).is_none()
    };
    let search = |first: u32, count: u32| {
        let start = u32::try_from(registry.rng.below(u64::from(count.max(1)))).unwrap_or(0);
        (0..count).map(|step| Ipv4Addr::from(first + (start + step) % count)).find(free)
    };
    for range in ranges(registry) {
        let Some((first, last)) = hosts(&range) else { continue };
        let (first, size) = (u32::from(first), u32::from(last) - u32::from(first) + 1);
        let reserved = (size / 16).clamp(size.min(16), 256).min(size);
        let found = search(first + reserved, size - reserved).or_else(|| search(first, reserved));
        if let Some(address) = found {
            return Ok(address);
        }
    }
    Err(ApiError::internal("failed to allocate a serviceIP: range is full"))
}

/// The IPAddress that takes an address.
fn holder(registry: &Registry, address: &str) -> Option<Value> {
    let bytes: Bytes = registry.caches.get(GROUP, "ipaddresses", "", address)?;
    serde_json::from_slice(&bytes).ok()
}

/// Whether an IPAddress is that of a Service.
fn is_of(holder: &Value, service: &Value) -> bool {
    let parent = &holder["spec"]["parentRef"];
    parent["group"].as_str().unwrap_or_default().is_empty()
        && parent["resource"] == "services"
        && parent["namespace"] == meta::namespace(service)
        && parent["name"] == meta::name(service)
}

/// The addresses that a Service has in the cluster.
fn addresses(service: Option<&Value>) -> Vec<&str> {
    let listed = service.and_then(|service| service["spec"]["clusterIPs"].as_array());
    listed.into_iter().flatten().filter_map(Value::as_str).filter(|text| text.parse::<IpAddr>().is_ok()).collect()
}

fn kind(registry: &Registry) -> Result<Arc<Kind>, ApiError> {
    let kind = registry.caches.catalog().kind(GROUP, "v1", "IPAddress").cloned();
    kind.ok_or_else(|| ApiError::internal("IPAddresses are not served"))
}

/// The IPAddress of an address of a Service, as upstream's allocator writes it.
pub(crate) fn ip_address(address: &str, service: &Value) -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "IPAddress",
        "metadata": {
            "name": address,
            "labels": {
                "ipaddress.kubernetes.io/ip-family": if address.contains(':') { "IPv6" } else { "IPv4" },
                "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io",
            },
        },
        "spec": {"parentRef": {
            "resource": "services", "namespace": meta::namespace(service), "name": meta::name(service),
        }},
    })
}

/// What is written together with a Service: IPAddresses of the addresses that it gets, and
/// those that it leaves are removed.
pub(crate) fn beside(registry: &Registry, new: Option<&Value>, old: Option<&Value>) -> Result<Beside, ApiError> {
    let mut beside = Beside::default();
    let (has, had) = (addresses(new), addresses(old));
    if has == had {
        return Ok(beside);
    }
    let kind = kind(registry)?;
    for address in had.iter().filter(|address| !has.contains(address)) {
        let is_own = |holder: Value| old.is_some_and(|old| is_of(&holder, old));
        // What the cache does not show yet was made with the Service a moment ago.
        if holder(registry, address).is_none_or(is_own) {
            beside.ops.push(Op::Delete { key: key(&kind, "", address).into() });
        }
    }
    let Some(service) = new else { return Ok(beside) };
    for address in has.iter().filter(|address| !had.contains(address)) {
        if holder(registry, address).is_some_and(|holder| is_of(&holder, service)) {
            continue;
        }
        let key: Arc<str> = key(&kind, "", address).into();
        let mut object = ip_address(address, service);
        let now = timestamp(registry.now());
        object["metadata"]["uid"] = json!(registry.rng.uid());
        object["metadata"]["creationTimestamp"] = json!(now);
        let api_version = kind.api_version();
        let writer = Writer { manager: "kube-apiserver", api_version: &api_version, subresource: "", now: &now };
        // Nobody owns anything of a new object.
        let versions = |_: &str, _: &Value| None;
        apply::track(&kind.schema(), Realm::Whole, &writer, &versions, None, &mut object, None);
        beside.compare.push(Compare { key: key.clone(), mod_revision: 0 });
        beside.ops.push(Op::Put { key, value: envelope::seal(&object)? });
    }
    Ok(beside)
}
