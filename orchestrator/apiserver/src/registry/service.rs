//! What is special to Services: addresses and node ports, each from its range and used once.
//!
//! An address is taken by its IPAddress, which is written with the Service or not at all
//! ([`address`]). Which node ports are in use is read from the Services themselves. Writes of
//! Services go one after the other.

mod address;
mod family;

pub(super) use address::beside;
pub(crate) use address::{ip_address, is_ready};

use super::{ObjectReader, Registry};
use orchestrator_apimachinery::field::{Errors, Path};
use orchestrator_apimachinery::{ApiError, meta};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Gives a Service its address and node ports, and keeps those it has. What is wrong with it
/// otherwise is told first, by validation.
pub(super) fn complete(registry: &Registry, service: &mut Value, old: Option<&Value>) -> Result<(), ApiError> {
    if let Some(kind) = registry.caches.catalog().kind("", "v1", "Service") {
        let mut errors = Errors::default();
        kind.validate(service, &mut errors);
        if !errors.is_empty() {
            return Ok(());
        }
    }
    let type_ = service["spec"]["type"].as_str().unwrap_or("ClusterIP").to_owned();
    let mut errors = Errors::default();
    if type_ == "ExternalName" {
        if service["spec"]["clusterIP"] == ""
            && let Some(spec) = service["spec"].as_object_mut()
        {
            spec.remove("clusterIP");
        }
    } else {
        family::complete(&mut service["spec"], old.map(|old| &old["spec"]), &mut errors);
        if errors.is_empty() {
            address::complete(registry, service, old, &mut errors)?;
        }
    }
    node_ports(registry, service, old, &type_, &mut errors)?;
    if errors.is_empty() {
        return Ok(());
    }
    Err(ApiError::invalid("", "Service", meta::name(service), &errors))
}

/// The node ports of other Services.
fn ports_of_others(registry: &Registry, service: &Value) -> BTreeSet<u16> {
    let (namespace, name) = (meta::namespace(service), meta::name(service));
    let mut taken = BTreeSet::new();
    for bytes in registry.caches.list("", "services", None) {
        let Ok(other) = serde_json::from_slice::<Value>(&bytes) else { continue };
        if (meta::namespace(&other), meta::name(&other)) == (namespace, name) {
            continue;
        }
        taken.extend(ports_of(&other));
    }
    taken
}

/// The node ports of a Service, that for health checks included.
fn ports_of(service: &Value) -> impl Iterator<Item = u16> {
    let spec = &service["spec"];
    let ports = spec["ports"].as_array().into_iter().flatten().map(|port| &port["nodePort"]);
    let ports = ports.chain([&spec["healthCheckNodePort"]]);
    ports.filter_map(port_number)
}

/// A port that is set.
fn port_number(value: &Value) -> Option<u16> {
    value.as_u64().and_then(|number| u16::try_from(number).ok()).filter(|port| *port > 0)
}

fn node_ports(
    registry: &Registry,
    service: &mut Value,
    old: Option<&Value>,
    type_: &str,
    errors: &mut Errors,
) -> Result<(), ApiError> {
    if !["NodePort", "LoadBalancer"].contains(&type_) {
        return Ok(());
    }
    let taken = ports_of_others(registry, service);
    let own: BTreeSet<u16> = ports_of(service).collect();
    let wants = type_ == "NodePort" || service["spec"]["allocateLoadBalancerNodePorts"] != json!(false);
    let had: Vec<Value> = old.and_then(|old| old["spec"]["ports"].as_array()).into_iter().flatten().cloned().collect();
    let path = Path::new("spec");
    let mut chooser = Chooser { registry, taken, own, had: old.map(|old| ports_of(old).collect()).unwrap_or_default() };
    if let Some(ports) = service["spec"]["ports"].as_array_mut() {
        // One number may serve TCP and UDP of the same port of a Service.
        let mut given: Vec<(Value, Value, u16)> = Vec::new();
        for (index, port) in ports.iter_mut().enumerate() {
            let field = path.child("ports").index(index).child("nodePort");
            let same = |other: &&Value| ["port", "protocol"].iter().all(|key| other[*key] == port[*key]);
            let kept = had.iter().find(same).and_then(|other| port_number(&other["nodePort"]));
            let twin =
                given.iter().find(|(number, protocol, _)| *number == port["port"] && *protocol != port["protocol"]);
            let asked = port_number(&port["nodePort"]).or(kept.filter(|kept| !chooser.own.contains(kept)));
            let number = match asked.or(twin.map(|(_, _, number)| *number)) {
                Some(number) => chooser.check(number, &field, errors),
                None if !wants => continue,
                None => chooser.next()?,
            };
            port["nodePort"] = json!(number);
            given.push((port["port"].clone(), port["protocol"].clone(), number));
        }
    }
    let spec = &mut service["spec"];
    if type_ == "LoadBalancer" && spec["externalTrafficPolicy"] == "Local" {
        let before = old.and_then(|old| port_number(&old["spec"]["healthCheckNodePort"]));
        let number = match port_number(&spec["healthCheckNodePort"]).or(before) {
            Some(number) => chooser.check(number, &path.child("healthCheckNodePort"), errors),
            None => chooser.next()?,
        };
        spec["healthCheckNodePort"] = json!(number);
    }
    Ok(())
}

/// Gives out node ports.
struct Chooser<'a> {
    registry: &'a Registry,
    /// What other Services hold.
    taken: BTreeSet<u16>,
    /// What this one holds or asks for.
    own: BTreeSet<u16>,
    /// What this one held before.
    had: BTreeSet<u16>,
}

impl Chooser<'_> {
    /// Reports a port that cannot be had.
    fn check(&mut self, number: u16, field: &Path, errors: &mut Errors) -> u16 {
        let range = &self.registry.node_ports;
        if self.taken.contains(&number) {
            errors.invalid(field, number, "provided port is already allocated");
        } else if !range.contains(&number) && !self.had.contains(&number) {
            let (first, last) = (range.start(), range.end());
            let wrong = format!("provided port is not in the valid range. The range of valid ports is {first}-{last}");
            errors.invalid(field, number, &wrong);
        }
        self.own.insert(number);
        number
    }

    /// A random free port.
    fn next(&mut self) -> Result<u16, ApiError> {
        let (first, last) = (*self.registry.node_ports.start(), *self.registry.node_ports.end());
        let count = u64::from(last - first) + 1;
        let start = self.registry.rng.below(count);
        let number = (0..count)
            .filter_map(|step| u16::try_from(u64::from(first) + (start + step) % count).ok())
            .find(|port| !self.taken.contains(port) && !self.own.contains(port))
            .ok_or_else(|| ApiError::internal("failed to allocate a nodePort: range is full"))?;
        self.own.insert(number);
        Ok(number)
    }
}
