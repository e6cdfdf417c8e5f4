//! NetworkPolicy.

use super::checks::one_of_or_empty;
use super::fields::{default, default_text, indexed, int, list, list_mut, object_or_new, text};
use super::{AGE, NAME, addresses, cells, columns, names, namespaced, selector, state, texts};
use crate::field::{Errors, Path};
use crate::kind::{Kind, Strategy};
use ipnet::IpNet;
use serde_json::{Value, json};

/// The row of NetworkPolicy.
pub fn kind() -> Kind {
    Kind {
        short_names: texts(&["netpol"]),
        columns: columns(&[NAME, ("Pod-Selector", "string", 0, "The labels of the Pods that it is for."), AGE]),
        strategy: strategy(),
        ..namespaced("networking.k8s.io", "NetworkPolicy", "networkpolicies")
    }
}

const PROTOCOLS: [&str; 3] = ["TCP", "UDP", "SCTP"];
const POLICY_TYPES: [&str; 2] = ["Egress", "Ingress"];
/// Each direction and where it names its peers.
const DIRECTIONS: [(&str, &str); 2] = [("ingress", "from"), ("egress", "to")];

fn strategy() -> Strategy {
    Strategy { default: fill, validate, warnings, cells: row, ..state::without_status() }
}

fn fill(object: &mut Value) {
    let spec = object_or_new(object, "spec");
    default(spec, "podSelector", json!({}));
    for (direction, _) in DIRECTIONS {
        for rule in list_mut(spec, direction) {
            list_mut(rule, "ports").for_each(|port| default_text(port, "protocol", "TCP"));
        }
    }
    if list(spec, "policyTypes").is_empty() {
        let has_egress = !list(spec, "egress").is_empty();
        spec["policyTypes"] = if has_egress { json!(["Ingress", "Egress"]) } else { json!(["Ingress"]) };
    }
}

fn validate(object: &Value, errors: &mut Errors) {
    let (spec, path) = (&object["spec"], Path::new("spec"));
    selector::validate(&spec["podSelector"], &path.child("podSelector"), errors);
    for (direction, peers) in DIRECTIONS {
        for (index, rule) in indexed(spec, direction) {
            let path = path.child(direction).index(index);
            for (index, port) in indexed(rule, "ports") {
                validate_port(port, &path.child("ports").index(index), errors);
            }
            for (index, peer) in indexed(rule, peers) {
                validate_peer(peer, &path.child(peers).index(index), errors);
            }
        }
    }
    let path = path.child("policyTypes");
    if list(spec, "policyTypes").len() > POLICY_TYPES.len() {
        errors.invalid(&path, &spec["policyTypes"], "may not specify more than two policyTypes");
        return;
    }
    for (index, type_) in indexed(spec, "policyTypes") {
        let type_ = type_.as_str().unwrap_or("");
        if !POLICY_TYPES.contains(&type_) {
            errors.not_supported(&path.index(index), type_, &POLICY_TYPES);
        }
    }
}

fn validate_port(port: &Value, path: &Path, errors: &mut Errors) {
    one_of_or_empty(text(port, "protocol"), &PROTOCOLS, &path.child("protocol"), errors);
    let (end, at) = (int(port, "endPort"), path.child("endPort"));
    match (&port["port"], end) {
        (Value::Null, Some(end)) => errors.invalid(&at, end, "may not be specified when `port` is not specified"),
        (Value::Null, None) => {}
        (Value::String(name), end) => {
            if let Some(end) = end {
                errors.invalid(&at, end, "may not be specified when `port` is non-numeric");
            }
            for wrong in names::port_name(name) {
                errors.invalid(&path.child("port"), name, &wrong);
            }
        }
        (number, end) => {
            let number = number.as_i64().unwrap_or(0);
            for wrong in names::port_number(number) {
                errors.invalid(&path.child("port"), number, &wrong);
            }
            let Some(end) = end else { return };
            if end < number {
                errors.invalid(&at, end, "must be greater than or equal to `port`");
            }
            for wrong in names::port_number(end) {
                errors.invalid(&at, end, &wrong);
            }
        }
    }
}

fn validate_peer(peer: &Value, path: &Path, errors: &mut Errors) {
    let mut selectors = 0;
    for field in ["podSelector", "namespaceSelector"] {
        if !peer[field].is_null() {
            selectors += 1;
            selector::validate(&peer[field], &path.child(field), errors);
        }
    }
    let block = &peer["ipBlock"];
    if !block.is_null() {
        validate_block(block, &path.child("ipBlock"), errors);
    }
    if selectors == 0 && block.is_null() {
        errors.required(path, "must specify a peer");
    } else if selectors > 0 && !block.is_null() {
        errors.forbidden(path, "may not specify both ipBlock and another peer");
    }
}

fn validate_block(block: &Value, path: &Path, errors: &mut Errors) {
    let (cidr, at) = (text(block, "cidr"), path.child("cidr"));
    if cidr.is_empty() {
        errors.required(&at, "");
        return;
    }
    for wrong in addresses::network(cidr) {
        errors.invalid(&at, cidr, &wrong);
    }
    let Ok(network) = cidr.parse::<IpNet>() else { return };
    for (index, except) in indexed(block, "except") {
        let (at, except) = (path.child("except").index(index), except.as_str().unwrap_or(""));
        for wrong in addresses::network(except) {
            errors.invalid(&at, except, &wrong);
        }
        let Ok(inner) = except.parse::<IpNet>() else { continue };
        if !network.contains(&inner.addr()) || network.prefix_len() >= inner.prefix_len() {
            errors.invalid(&at, except, "must be a strict subset of `cidr`");
        }
    }
}

fn warnings(object: &Value) -> Vec<String> {
    let mut warnings = Vec::new();
    for (direction, peers) in DIRECTIONS {
        for (index, rule) in indexed(&object["spec"], direction) {
            let path = Path::new("spec").child(direction).index(index);
            for (index, peer) in indexed(rule, peers) {
                let (block, at) = (&peer["ipBlock"], path.child(peers).index(index).child("ipBlock"));
                warnings.extend(addresses::network_warning(text(block, "cidr"), &at.child("cidr")));
                for (index, except) in indexed(block, "except") {
                    let except = except.as_str().unwrap_or("");
                    warnings.extend(addresses::network_warning(except, &at.child("except").index(index)));
                }
            }
        }
    }
    warnings
}

fn row(object: &Value, now: i64) -> Vec<Value> {
    vec![cells::name(object), cells::selector(&object["spec"]["podSelector"]).into(), cells::age(object, now)]
}

#[cfg(test)]
mod tests;
