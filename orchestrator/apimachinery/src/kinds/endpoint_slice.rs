//! EndpointSlice.

use super::checks::{fits, one_of, too_many};
use super::fields::{default, default_text, indexed, int, list, list_mut, text};
use super::metadata::immutable;
use super::{AGE, NAME, cells, columns, metadata, names, namespaced, state};
use crate::field::{Errors, Path};
use crate::kind::{Kind, Strategy};
use serde_json::Value;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// The row of EndpointSlice.
pub fn kind() -> Kind {
    Kind {
        columns: columns(&[
            NAME,
            ("AddressType", "string", 0, "IPv4, IPv6 or FQDN."),
            ("Ports", "string", 0, "Its ports."),
            ("Endpoints", "string", 0, "Its addresses."),
            AGE,
        ]),
        strategy: strategy(),
        ..namespaced("discovery.k8s.io", "EndpointSlice", "endpointslices")
    }
}

/// Endpoints of one slice (upstream's bound; stops one object from growing with its Service).
const ENDPOINTS_MAX: usize = 1000;
/// Addresses of one endpoint.
const ADDRESSES_MAX: usize = 100;
const PORTS_MAX: usize = 20_000;
const TOPOLOGY_LABELS_MAX: usize = 16;
const HINTS_MAX: usize = 8;
const ADDRESS_TYPES: [&str; 3] = ["FQDN", "IPv4", "IPv6"];
const PROTOCOLS: [&str; 3] = ["TCP", "UDP", "SCTP"];

fn strategy() -> Strategy {
    Strategy {
        default: fill,
        prepare_create: state::first_generation,
        prepare_update,
        validate,
        validate_update,
        warnings,
        cells: row,
        ..Strategy::default()
    }
}

fn fill(object: &mut Value) {
    for port in list_mut(object, "ports") {
        default(port, "name", "");
        default_text(port, "protocol", "TCP");
    }
}

fn prepare_update(object: &mut Value, old: &Value) {
    let changed = ["addressType", "endpoints", "ports"].into_iter().any(|field| object[field] != old[field])
        || object["metadata"]["labels"] != old["metadata"]["labels"];
    let generation = old["metadata"]["generation"].as_i64().unwrap_or(0) + i64::from(changed);
    object["metadata"]["generation"] = generation.into();
}

fn validate(object: &Value, errors: &mut Errors) {
    let type_ = text(object, "addressType");
    match type_ {
        "" => errors.required(&Path::new("addressType"), ""),
        type_ if ADDRESS_TYPES.contains(&type_) => {}
        type_ => errors.not_supported(&Path::new("addressType"), type_, &ADDRESS_TYPES),
    }
    let path = Path::new("endpoints");
    too_many(&path, list(object, "endpoints").len(), ENDPOINTS_MAX, errors);
    for (index, endpoint) in indexed(object, "endpoints") {
        let path = path.index(index).child("addresses");
        let addresses = list(endpoint, "addresses");
        if addresses.is_empty() {
            errors.required(&path, "must contain at least 1 address");
        }
        too_many(&path, addresses.len(), ADDRESSES_MAX, errors);
        for (index, address) in addresses.iter().enumerate() {
            validate_address(type_, address.as_str().unwrap_or(""), &path.index(index), errors);
        }
        validate_endpoint(endpoint, &Path::new("endpoints").index(index), errors);
    }
    too_many(&Path::new("ports"), list(object, "ports").len(), PORTS_MAX, errors);
    validate_ports(object, &Path::new("ports"), errors);
}

/// Checks what an endpoint tells besides its addresses.
fn validate_endpoint(endpoint: &Value, path: &Path, errors: &mut Errors) {
    if let Some(node) = endpoint["nodeName"].as_str() {
        fits(names::dns_subdomain(node), node, &path.child("nodeName"), errors);
    }
    let (topology, at) = (&endpoint["deprecatedTopology"], path.child("deprecatedTopology"));
    let count = topology.as_object().map_or(0, serde_json::Map::len);
    too_many(&at, count, TOPOLOGY_LABELS_MAX, errors);
    metadata::label_map(topology, &at, errors);
    if let Some(hostname) = endpoint["hostname"].as_str() {
        fits(names::dns_label(hostname), hostname, &path.child("hostname"), errors);
    }
    for field in ["forZones", "forNodes"] {
        let (hints, at) = (list(&endpoint["hints"], field), path.child("hints").child(field));
        if hints.len() > HINTS_MAX {
            too_many(&at, hints.len(), HINTS_MAX, errors);
            continue;
        }
        let mut seen = BTreeSet::new();
        for (index, hint) in hints.iter().enumerate() {
            let (name, at) = (text(hint, "name"), at.index(index).child("name"));
            if !seen.insert(name) {
                errors.duplicate(&at, name);
            }
            let rule = if field == "forZones" { names::qualified } else { names::dns_subdomain };
            fits(rule(name), name, &at, errors);
        }
    }
}

/// A host's whole name: a subdomain of at least two parts.
fn full_domain(name: &str) -> Vec<String> {
    let plain = name.strip_suffix('.').unwrap_or(name);
    let wrong = names::dns_subdomain(plain);
    if wrong.is_empty() && !plain.contains('.') {
        return vec!["should be a domain with at least two segments separated by dots".to_owned()];
    }
    wrong
}

fn validate_address(type_: &str, address: &str, path: &Path, errors: &mut Errors) {
    let parsed = address.parse::<IpAddr>();
    let wrong = match (type_, parsed) {
        ("FQDN", _) => full_domain(address),
        ("IPv4", Ok(IpAddr::V6(_))) => vec!["must be a valid IPv4 address".to_owned()],
        ("IPv6", Ok(IpAddr::V4(_))) => vec!["must be a valid IPv6 address".to_owned()],
        ("IPv4" | "IPv6", _) => names::ip(address).into_iter().chain(names::special_ip(address)).collect(),
        _ => Vec::new(),
    };
    for wrong in wrong {
        errors.invalid(path, address, &wrong);
    }
}

fn validate_ports(object: &Value, path: &Path, errors: &mut Errors) {
    let mut seen = BTreeSet::new();
    for (index, port) in indexed(object, "ports") {
        let (path, name) = (path.index(index), text(port, "name"));
        if !name.is_empty() {
            for wrong in names::dns_label(name) {
                errors.invalid(&path.child("name"), name, &wrong);
            }
        }
        if !seen.insert(name) {
            errors.duplicate(&path.child("name"), name);
        }
        one_of(text(port, "protocol"), &PROTOCOLS, &path.child("protocol"), errors);
        let app_protocol = text(port, "appProtocol");
        if !app_protocol.is_empty() {
            for wrong in names::qualified(app_protocol) {
                errors.invalid(&path.child("appProtocol"), app_protocol, &wrong);
            }
        }
    }
}

fn validate_update(object: &Value, old: &Value, errors: &mut Errors) {
    immutable(&object["addressType"], &old["addressType"], &Path::new("addressType"), errors);
}

fn warnings(object: &Value) -> Vec<String> {
    if text(object, "addressType") == "FQDN" {
        return vec!["addressType: FQDN endpoints are deprecated".to_owned()];
    }
    let mut warnings = Vec::new();
    for (index, endpoint) in indexed(object, "endpoints") {
        let path = Path::new("endpoints").index(index).child("addresses");
        for (index, address) in indexed(endpoint, "addresses") {
            warnings.extend(super::addresses::warning(address.as_str().unwrap_or(""), &path.index(index)));
        }
    }
    warnings
}

fn row(object: &Value, now: i64) -> Vec<Value> {
    let port = |port: &Value| match (int(port, "port"), port["name"].as_str()) {
        (Some(number), _) => number.to_string(),
        (None, name) => name.unwrap_or("*").to_owned(),
    };
    let ports: Vec<String> = list(object, "ports").iter().map(port).collect();
    let endpoints = list(object, "endpoints").iter();
    let addresses: Vec<String> =
        endpoints.flat_map(|endpoint| list(endpoint, "addresses")).filter_map(Value::as_str).map(Into::into).collect();
    vec![
        cells::name(object),
        text(object, "addressType").into(),
        cells::first_three(&ports, "<unset>").into(),
        cells::first_three(&addresses, "<unset>").into(),
        cells::age(object, now),
    ]
}

#[cfg(test)]
mod tests;
