//! EndpointSlice.

use super::fields::{default, default_text, indexed, int, list, list_mut, text};
use super::metadata::immutable;
use super::{AGE, NAME, cells, columns, names, namespaced};
use crate::field::{Errors, FieldError, Path, Reason};
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
const ADDRESS_TYPES: [&str; 3] = ["FQDN", "IPv4", "IPv6"];
const PROTOCOLS: [&str; 3] = ["TCP", "UDP", "SCTP"];

fn strategy() -> Strategy {
    Strategy {
        default: fill,
        prepare_create: |object| object["metadata"]["generation"] = 1.into(),
        prepare_update,
        validate,
        validate_update,
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

/// Refuses a list that is too long.
pub(super) fn too_many(path: &Path, count: usize, max: usize, errors: &mut Errors) {
    if count > max {
        let message = format!("Too many: {count}: must have at most {max} items");
        errors.0.push(FieldError { reason: Reason::TooMany, field: path.to_string(), message });
    }
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
    }
    validate_ports(object, &Path::new("ports"), errors);
}

fn validate_address(type_: &str, address: &str, path: &Path, errors: &mut Errors) {
    let parsed = address.parse::<IpAddr>();
    let wrong = match (type_, parsed) {
        ("FQDN", _) => names::dns_subdomain(address),
        ("IPv4", Ok(IpAddr::V6(_))) => vec!["must be a valid IPv4 address".to_owned()],
        ("IPv6", Ok(IpAddr::V4(_))) => vec!["must be a valid IPv6 address".to_owned()],
        (_, Err(_)) => names::ip(address),
        (_, Ok(ip)) if ip.is_unspecified() => vec![format!("may not be unspecified ({ip})")],
        (_, Ok(ip)) if ip.is_loopback() => vec!["may not be in the loopback range (127.0.0.0/8, ::1/128)".to_owned()],
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
        let protocol = text(port, "protocol");
        if !PROTOCOLS.contains(&protocol) {
            errors.not_supported(&path.child("protocol"), protocol, &PROTOCOLS);
        }
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

fn row(object: &Value, now: i64) -> Vec<Value> {
    let port = |port: &Value| match (int(port, "port"), text(port, "name")) {
        (Some(number), _) => number.to_string(),
        (None, "") => "*".to_owned(),
        (None, name) => name.to_owned(),
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
