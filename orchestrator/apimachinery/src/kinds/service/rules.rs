//! Rules of a Service.

use super::{has_cluster_ip, has_node_ports, is_external, is_headless};
use crate::field::{Errors, Path};
use crate::kinds::fields::{indexed, int, list, text};
use crate::kinds::{metadata, names};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const TYPES: [&str; 4] = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
const PROTOCOLS: [&str; 3] = ["SCTP", "TCP", "UDP"];
/// The kubelet's own port, which no load balancer may publish.
const KUBELET_PORT: i64 = 10250;
const AFFINITY_SECONDS_MAX: i64 = 86_400;

/// Checks a Service.
pub fn validate(object: &Value, errors: &mut Errors) {
    let (spec, path) = (&object["spec"], Path::new("spec"));
    let type_ = text(spec, "type");
    if list(spec, "ports").is_empty() && !is_headless(spec) && type_ != "ExternalName" {
        errors.required(&path.child("ports"), "");
    }
    validate_type(spec, type_, &path, errors);
    metadata::label_map(&spec["selector"], &path.child("selector"), errors);
    validate_affinity(spec, &path, errors);
    validate_addresses(spec, &path, errors);
    validate_ports(spec, type_, &path.child("ports"), errors);
    validate_policies(spec, &path, errors);
}

fn validate_type(spec: &Value, type_: &str, path: &Path, errors: &mut Errors) {
    match type_ {
        "" => errors.required(&path.child("type"), ""),
        "LoadBalancer" => {
            for (index, port) in indexed(spec, "ports") {
                if int(port, "port") == Some(KUBELET_PORT) {
                    let wrong = "may not expose port 10250 externally since it is used by kubelet";
                    errors.invalid(&path.child("ports").index(index), port, wrong);
                }
            }
        }
        "ExternalName" => {
            for field in ["clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
                if !spec[field].is_null() && spec[field] != json!([]) {
                    errors.forbidden(&path.child(field), "may not be set for ExternalName services");
                }
            }
            let name = text(spec, "externalName");
            match name.strip_suffix('.').unwrap_or(name) {
                "" => errors.required(&path.child("externalName"), ""),
                host => {
                    for wrong in names::dns_subdomain(host) {
                        errors.invalid(&path.child("externalName"), name, &wrong);
                    }
                }
            }
        }
        type_ if !TYPES.contains(&type_) => errors.not_supported(&path.child("type"), type_, &TYPES),
        _ => {}
    }
    if has_node_ports(type_) && is_headless(spec) {
        let wrong = format!("may not be set to 'None' for {type_} services");
        errors.invalid(&path.child("clusterIPs").index(0), "None", &wrong);
    }
}

fn validate_affinity(spec: &Value, path: &Path, errors: &mut Errors) {
    match text(spec, "sessionAffinity") {
        "" => errors.required(&path.child("sessionAffinity"), ""),
        "ClientIP" => {
            let path = path.child("sessionAffinityConfig").child("clientIP").child("timeoutSeconds");
            let seconds = int(&spec["sessionAffinityConfig"]["clientIP"], "timeoutSeconds").unwrap_or(0);
            if !(1..=AFFINITY_SECONDS_MAX).contains(&seconds) {
                let wrong = format!("must be greater than 0 and less than {AFFINITY_SECONDS_MAX}");
                errors.invalid(&path, seconds, &wrong);
            }
        }
        "None" => {}
        other => errors.not_supported(&path.child("sessionAffinity"), other, &["ClientIP", "None"]),
    }
}

fn validate_addresses(spec: &Value, path: &Path, errors: &mut Errors) {
    let (ip, ips, at) = (text(spec, "clusterIP"), list(spec, "clusterIPs"), path.child("clusterIPs"));
    if has_cluster_ip(text(spec, "type")) {
        match ips.first().and_then(Value::as_str) {
            Some(first) if first != ip => errors.invalid(&at, ips, "first value must match `clusterIP`"),
            _ => {}
        }
        for (index, ip) in ips.iter().enumerate() {
            let ip = ip.as_str().unwrap_or("");
            if ip == "None" && ips.len() > 1 {
                let wrong = "\"None\" must be the first and only value";
                errors.invalid(&at.index(index), ip, wrong);
            } else if !["", "None"].contains(&ip) {
                for wrong in names::ip(ip) {
                    errors.invalid(&at.index(index), ip, &wrong);
                }
            }
        }
        if ips.len() > 2 {
            errors.invalid(&at, ips, "may only hold up to 2 values");
        }
    }
    for (index, ip) in indexed(spec, "externalIPs") {
        for wrong in names::ip(ip.as_str().unwrap_or("")) {
            errors.invalid(&path.child("externalIPs").index(index), ip, &wrong);
        }
    }
}

fn validate_ports(spec: &Value, type_: &str, path: &Path, errors: &mut Errors) {
    let ports = list(spec, "ports");
    let (mut by_name, mut by_number, mut by_node) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for (index, port) in ports.iter().enumerate() {
        let path = path.index(index);
        let (name, protocol, number) = (text(port, "name"), text(port, "protocol"), int(port, "port").unwrap_or(0));
        if name.is_empty() && ports.len() > 1 {
            errors.required(&path.child("name"), "");
        } else if !name.is_empty() {
            for wrong in names::dns_label(name) {
                errors.invalid(&path.child("name"), name, &wrong);
            }
            if !by_name.insert(name) {
                errors.duplicate(&path.child("name"), name);
            }
        }
        validate_port(port, &path, errors);
        let node = int(port, "nodePort").unwrap_or(0);
        if node != 0 && !has_node_ports(type_) {
            let wrong = format!("may not be used when `type` is '{type_}'");
            errors.forbidden(&path.child("nodePort"), &wrong);
        } else if node != 0 && !by_node.insert((protocol, node)) {
            errors.duplicate(&path.child("nodePort"), node);
        }
        if !by_number.insert((protocol, number)) {
            errors.duplicate(&path, json!({"port": number, "protocol": protocol}));
        }
    }
}

fn validate_port(port: &Value, path: &Path, errors: &mut Errors) {
    let (number, protocol) = (int(port, "port").unwrap_or(0), text(port, "protocol"));
    for wrong in names::port_number(number) {
        errors.invalid(&path.child("port"), number, &wrong);
    }
    match protocol {
        "" => errors.required(&path.child("protocol"), ""),
        protocol if PROTOCOLS.contains(&protocol) => {}
        protocol => errors.not_supported(&path.child("protocol"), protocol, &PROTOCOLS),
    }
    crate::kinds::pod_spec::validate_port(&port["targetPort"], &path.child("targetPort"), errors);
    let app_protocol = text(port, "appProtocol");
    if !app_protocol.is_empty() {
        for wrong in names::qualified(app_protocol) {
            errors.invalid(&path.child("appProtocol"), app_protocol, &wrong);
        }
    }
}

fn validate_policies(spec: &Value, path: &Path, errors: &mut Errors) {
    let external = text(spec, "externalTrafficPolicy");
    if !external.is_empty() && !is_external(spec) {
        let wrong = "may only be set for externally-accessible services";
        errors.invalid(&path.child("externalTrafficPolicy"), external, wrong);
    }
    for field in ["externalTrafficPolicy", "internalTrafficPolicy"] {
        let policy = text(spec, field);
        if !policy.is_empty() && !["Cluster", "Local"].contains(&policy) {
            errors.not_supported(&path.child(field), policy, &["Cluster", "Local"]);
        }
    }
    let families = text(spec, "ipFamilyPolicy");
    if !families.is_empty() && !["SingleStack", "PreferDualStack", "RequireDualStack"].contains(&families) {
        let supported = ["SingleStack", "PreferDualStack", "RequireDualStack"];
        errors.not_supported(&path.child("ipFamilyPolicy"), families, &supported);
    }
    if !spec["allocateLoadBalancerNodePorts"].is_null() && text(spec, "type") != "LoadBalancer" {
        let wrong = "may only be used when `type` is 'LoadBalancer'";
        errors.forbidden(&path.child("allocateLoadBalancerNodePorts"), wrong);
    }
}
