//! Endpoints, the older form of EndpointSlices.

use super::fields::{default_text, indexed, int, list, list_mut, text};
use super::{AGE, NAME, cells, columns, names, namespaced, texts};
use crate::field::{Errors, Path};
use crate::kind::{Kind, Strategy};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// The row of Endpoints.
pub fn kind() -> Kind {
    Kind {
        short_names: texts(&["ep"]),
        deprecation: Some("v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice".into()),
        columns: columns(&[NAME, ("Endpoints", "string", 0, "Addresses and ports that are ready."), AGE]),
        strategy: Strategy {
            default: |object| {
                for subset in list_mut(object, "subsets") {
                    list_mut(subset, "ports").for_each(|port| default_text(port, "protocol", "TCP"));
                }
            },
            prepare_create: repack,
            prepare_update: |object, _| repack(object),
            validate,
            warnings,
            cells: row,
            ..Strategy::default()
        },
        ..namespaced("", "Endpoints", "endpoints")
    }
}

const PROTOCOLS: [&str; 3] = ["SCTP", "TCP", "UDP"];
const SHOWN_MAX: usize = 3;

fn warnings(object: &Value) -> Vec<String> {
    let mut warnings = Vec::new();
    for (index, subset) in indexed(object, "subsets") {
        let path = Path::new("subsets").index(index);
        for field in ["addresses", "notReadyAddresses"] {
            for (index, address) in indexed(subset, field) {
                let at = path.child(field).index(index).child("ip");
                warnings.extend(super::addresses::warning(text(address, "ip"), &at));
            }
        }
    }
    warnings
}

/// Joins subsets that tell of the same addresses, as upstream does before it stores them.
///
/// Every port keeps the addresses that any subset gave it; an address that is ready nowhere for a
/// port is not ready for it. Ports with the same addresses share a subset.
fn repack(object: &mut Value) {
    let Some(subsets) = object.get("subsets").and_then(Value::as_array) else { return };
    if subsets.len() < 2 {
        return;
    }
    let mut by_port: BTreeMap<String, BTreeMap<String, bool>> = BTreeMap::new();
    for subset in subsets {
        let none = [Value::Null];
        let ports = if list(subset, "ports").is_empty() { &none[..] } else { list(subset, "ports") };
        for port in ports {
            let addresses = by_port.entry(port.to_string()).or_default();
            for (field, ready) in [("addresses", true), ("notReadyAddresses", false)] {
                for address in list(subset, field) {
                    *addresses.entry(address.to_string()).or_insert(ready) &= ready;
                }
            }
        }
    }
    let mut by_addresses: BTreeMap<BTreeMap<String, bool>, Vec<Value>> = BTreeMap::new();
    for (port, addresses) in by_port {
        by_addresses.entry(addresses).or_default().push(read(&port));
    }
    let packed = by_addresses.into_iter().map(|(addresses, ports)| {
        let mut subset = Map::new();
        for (field, ready) in [("addresses", true), ("notReadyAddresses", false)] {
            let of_kind = addresses.iter().filter(|(_, is_ready)| **is_ready == ready);
            let of_kind: Vec<Value> = of_kind.map(|(address, _)| read(address)).collect();
            if !of_kind.is_empty() {
                subset.insert(field.to_owned(), of_kind.into());
            }
        }
        let ports: Vec<Value> = ports.into_iter().filter(Value::is_object).collect();
        if !ports.is_empty() {
            subset.insert("ports".to_owned(), ports.into());
        }
        Value::Object(subset)
    });
    object["subsets"] = packed.collect();
}

fn read(text: &str) -> Value {
    serde_json::from_str(text).expect("it was written by serde_json")
}

fn validate(object: &Value, errors: &mut Errors) {
    for (index, subset) in indexed(object, "subsets") {
        let path = Path::new("subsets").index(index);
        if list(subset, "addresses").is_empty() && list(subset, "notReadyAddresses").is_empty() {
            errors.required(&path, "must specify `addresses` or `notReadyAddresses`");
        }
        for field in ["addresses", "notReadyAddresses"] {
            for (index, address) in indexed(subset, field) {
                validate_address(address, &path.child(field).index(index), errors);
            }
        }
        let name_needed = list(subset, "ports").len() > 1;
        for (index, port) in indexed(subset, "ports") {
            validate_port(port, name_needed, &path.child("ports").index(index), errors);
        }
    }
}

fn validate_address(address: &Value, path: &Path, errors: &mut Errors) {
    let ip = text(address, "ip");
    for wrong in names::ip(ip).into_iter().chain(names::special_ip(ip)) {
        errors.invalid(&path.child("ip"), ip, &wrong);
    }
    let hostname = text(address, "hostname");
    if !hostname.is_empty() {
        for wrong in names::dns_label(hostname) {
            errors.invalid(&path.child("hostname"), hostname, &wrong);
        }
    }
    if let Some(node) = address["nodeName"].as_str() {
        for wrong in names::dns_subdomain(node) {
            errors.invalid(&path.child("nodeName"), node, &wrong);
        }
    }
}

fn validate_port(port: &Value, name_needed: bool, path: &Path, errors: &mut Errors) {
    let (name, number) = (text(port, "name"), int(port, "port").unwrap_or(0));
    if name.is_empty() && name_needed {
        errors.required(&path.child("name"), "");
    } else if !name.is_empty() {
        for wrong in names::dns_label(name) {
            errors.invalid(&path.child("name"), name, &wrong);
        }
    }
    for wrong in names::port_number(number) {
        errors.invalid(&path.child("port"), number, &wrong);
    }
    match text(port, "protocol") {
        "" => errors.required(&path.child("protocol"), ""),
        protocol if PROTOCOLS.contains(&protocol) => {}
        protocol => errors.not_supported(&path.child("protocol"), protocol, &PROTOCOLS),
    }
    if let Some(protocol) = port["appProtocol"].as_str() {
        for wrong in names::qualified(protocol) {
            errors.invalid(&path.child("appProtocol"), protocol, &wrong);
        }
    }
}

fn shown(object: &Value) -> String {
    if list(object, "subsets").is_empty() {
        return cells::NONE.to_owned();
    }
    let mut all = Vec::new();
    for subset in list(object, "subsets") {
        let addresses = || list(subset, "addresses").iter().map(|address| text(address, "ip"));
        if list(subset, "ports").is_empty() {
            all.extend(addresses().map(str::to_owned));
        }
        for port in list(subset, "ports") {
            let number = int(port, "port").unwrap_or(0);
            all.extend(addresses().map(|ip| match ip.parse() {
                Ok(IpAddr::V6(_)) => format!("[{ip}]:{number}"),
                _ => format!("{ip}:{number}"),
            }));
        }
    }
    match all.len() {
        0..=SHOWN_MAX => all.join(","),
        count => format!("{} + {} more...", all[..SHOWN_MAX].join(","), count - SHOWN_MAX),
    }
}

fn row(object: &Value, now: i64) -> Vec<Value> {
    vec![cells::name(object), shown(object).into(), cells::age(object, now)]
}

#[cfg(test)]
mod tests;
