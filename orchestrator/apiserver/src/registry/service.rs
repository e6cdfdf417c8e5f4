//! What is special to Services: addresses and node ports, each from its range and used once.
//!
//! What is in use is read from the Services themselves, so there is nothing to repair; writes
//! of Services go one after the other.

use super::{ObjectReader, Registry};
use orchestrator_apimachinery::field::{Errors, Path};
use orchestrator_apimachinery::{ApiError, meta};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

/// What other Services hold.
struct Taken {
    addresses: BTreeSet<Ipv4Addr>,
    ports: BTreeSet<u16>,
}

/// Gives a Service its address and node ports, keeps those it has, drops those its type has no use for.
pub(super) fn complete(registry: &Registry, service: &mut Value, old: Option<&Value>) -> Result<(), ApiError> {
    let type_ = service["spec"]["type"].as_str().unwrap_or("ClusterIP").to_owned();
    let taken = taken_by_others(registry, service);
    let mut errors = Errors::default();
    if type_ == "ExternalName" {
        for field in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
            remove(service, field);
        }
    } else {
        address(registry, service, old, &taken, &mut errors);
    }
    node_ports(registry, service, old, &type_, taken.ports, &mut errors);
    if errors.is_empty() {
        return Ok(());
    }
    Err(ApiError::invalid("", "Service", meta::name(service), &errors))
}

fn remove(service: &mut Value, field: &str) {
    if let Some(spec) = service["spec"].as_object_mut() {
        spec.remove(field);
    }
}

fn taken_by_others(registry: &Registry, service: &Value) -> Taken {
    let (namespace, name) = (meta::namespace(service), meta::name(service));
    let mut taken = Taken { addresses: BTreeSet::new(), ports: BTreeSet::new() };
    for bytes in registry.caches.list("", "services", None) {
        let Ok(other) = serde_json::from_slice::<Value>(&bytes) else { continue };
        if (meta::namespace(&other), meta::name(&other)) == (namespace, name) {
            continue;
        }
        taken.addresses.extend(other["spec"]["clusterIP"].as_str().and_then(|text| text.parse::<Ipv4Addr>().ok()));
        let ports = other["spec"]["ports"].as_array().into_iter().flatten();
        taken
            .ports
            .extend(ports.filter_map(|port| port["nodePort"].as_u64()).filter_map(|port| u16::try_from(port).ok()));
    }
    taken
}

fn address(registry: &Registry, service: &mut Value, old: Option<&Value>, taken: &Taken, errors: &mut Errors) {
    let spec = &mut service["spec"];
    if spec["clusterIP"].as_str().is_none_or(str::is_empty) {
        let listed = spec["clusterIPs"][0].as_str().unwrap_or_default().to_owned();
        let kept = old.and_then(|old| old["spec"]["clusterIP"].as_str()).unwrap_or_default();
        spec["clusterIP"] = json!(if listed.is_empty() { kept } else { &listed });
    }
    let path = Path::new("spec").child("clusterIPs");
    match spec["clusterIP"].as_str().unwrap_or_default() {
        "None" => {}
        "" => match free_address(registry, taken) {
            Some(address) => spec["clusterIP"] = json!(address.to_string()),
            None => errors.invalid(&path, Value::Null, "failed to allocate an IP: range is full"),
        },
        text => {
            let range = registry.service_cidr;
            let unchanged = old.is_some_and(|old| old["spec"]["clusterIP"] == text);
            let problem = match text.parse::<Ipv4Addr>() {
                _ if unchanged => None,
                Err(_) => Some("must be a valid IPv4 address".to_owned()),
                Ok(address) if !range.contains(&address) => Some(format!(
                    "failed to allocate IP {address}: the provided IP ({address}) is not in the valid range. The \
                     range of valid IPs is {range}"
                )),
                Ok(address) if taken.addresses.contains(&address) => {
                    Some(format!("failed to allocate IP {address}: provided IP is already allocated"))
                }
                Ok(_) => None,
            };
            if let Some(problem) = problem {
                errors.invalid(&path, json!([text]), &problem);
            }
        }
    }
    spec["clusterIPs"] = json!([spec["clusterIP"]]);
    for (field, value) in [("ipFamilies", json!(["IPv4"])), ("ipFamilyPolicy", json!("SingleStack"))] {
        if spec[field].is_null() {
            spec[field] = value;
        }
    }
}

/// A random free address. As upstream, the low part of the range is left to Services that name
/// their address, while there is room elsewhere.
fn free_address(registry: &Registry, taken: &Taken) -> Option<Ipv4Addr> {
    let first = u32::from(registry.service_cidr.network()) + 1;
    let size = u32::from(registry.service_cidr.broadcast()).saturating_sub(first);
    let reserved = (size / 16).clamp(size.min(16), 256).min(size);
    let free = |address: &Ipv4Addr| !taken.addresses.contains(address);
    let search = |from: u32, count: u32| {
        let start = u32::try_from(registry.rng.below(u64::from(count))).unwrap_or(0);
        (0..count).map(|step| Ipv4Addr::from(first + from + (start + step) % count)).find(free)
    };
    // The very first is the API server's own.
    search(reserved, size - reserved).or_else(|| search(1, reserved.saturating_sub(1)))
}

fn node_ports(
    registry: &Registry,
    service: &mut Value,
    old: Option<&Value>,
    type_: &str,
    mut taken: BTreeSet<u16>,
    errors: &mut Errors,
) {
    let wants = type_ == "NodePort"
        || (type_ == "LoadBalancer" && service["spec"]["allocateLoadBalancerNodePorts"] != json!(false));
    let had: Vec<Value> = old.and_then(|old| old["spec"]["ports"].as_array()).into_iter().flatten().cloned().collect();
    let Some(ports) = service["spec"]["ports"].as_array_mut() else { return };
    let path = Path::new("spec").child("ports");
    let range = &registry.node_ports;
    for (index, port) in ports.iter_mut().enumerate() {
        let field = path.index(index).child("nodePort");
        if type_ == "ClusterIP" || type_ == "ExternalName" {
            let kept = had.iter().any(|other| other["nodePort"] == port["nodePort"]);
            // What is left over from an earlier type goes; what is asked for is the validation's to refuse.
            if kept && let Some(port) = port.as_object_mut() {
                port.remove("nodePort");
            }
            continue;
        }
        let asked = port["nodePort"].as_u64().and_then(|number| u16::try_from(number).ok()).filter(|port| *port > 0);
        let same = |other: &&Value| ["port", "protocol"].iter().all(|key| other[*key] == port[*key]);
        let kept =
            had.iter().find(same).and_then(|other| other["nodePort"].as_u64()).and_then(|n| u16::try_from(n).ok());
        // One number may serve TCP and UDP of the same Service.
        match asked.or(kept.filter(|port| !taken.contains(port))) {
            Some(number) if taken.contains(&number) => {
                errors.invalid(&field, number, "provided port is already allocated");
            }
            Some(number) if !range.contains(&number) && !had.iter().any(|other| other["nodePort"] == number) => {
                let valid = format!(
                    "provided port is not in the valid range. The range of valid ports is {}-{}",
                    range.start(),
                    range.end()
                );
                errors.invalid(&field, number, &valid);
            }
            Some(number) => port["nodePort"] = json!(number),
            None if !wants => {}
            None => match free_port(registry, &taken) {
                Some(number) => {
                    taken.insert(number);
                    port["nodePort"] = json!(number);
                }
                None => errors.invalid(&field, 0, "failed to allocate a nodePort: range is full"),
            },
        }
    }
}

fn free_port(registry: &Registry, taken: &BTreeSet<u16>) -> Option<u16> {
    let (first, last) = (*registry.node_ports.start(), *registry.node_ports.end());
    let count = u64::from(last - first) + 1;
    let start = registry.rng.below(count);
    (0..count)
        .filter_map(|step| u16::try_from(u64::from(first) + (start + step) % count).ok())
        .find(|port| !taken.contains(port))
}
