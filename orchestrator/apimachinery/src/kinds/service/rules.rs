//! Rules of a Service.

use super::{has_cluster_ip, has_node_ports, is_external, is_headless, needs_health_port};
use crate::field::{Errors, Path};
use crate::kinds::checks::{fits, one_of, one_of_or_empty};
use crate::kinds::fields::{indexed, int, list, text};
use crate::kinds::{addresses, metadata, names};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::IpAddr;

const TYPES: [&str; 4] = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
const PROTOCOLS: [&str; 3] = ["SCTP", "TCP", "UDP"];
const FAMILIES: [&str; 2] = ["IPv4", "IPv6"];
const FAMILY_POLICIES: [&str; 3] = ["SingleStack", "PreferDualStack", "RequireDualStack"];
const DISTRIBUTIONS: [&str; 3] = ["PreferClose", "PreferSameNode", "PreferSameZone"];
/// The older place of `loadBalancerSourceRanges`.
const RANGES_ANNOTATION: &str = "service.beta.kubernetes.io/load-balancer-source-ranges";
/// How a Service asks for topology-aware routing.
pub const TOPOLOGY_MODE: &str = "service.kubernetes.io/topology-mode";
/// The older name.
pub const TOPOLOGY_HINTS: &str = "service.kubernetes.io/topology-aware-hints";
const AFFINITY_SECONDS_MAX: i64 = 86_400;

/// Checks a Service.
pub fn validate(object: &Value, errors: &mut Errors) {
    let (spec, path) = (&object["spec"], Path::new("spec"));
    let type_ = text(spec, "type");
    validate_annotations(object, errors);
    if list(spec, "ports").is_empty() && !is_headless(spec) && type_ != "ExternalName" {
        errors.required(&path.child("ports"), "");
    }
    validate_type(spec, type_, &path, errors);
    metadata::label_map(&spec["selector"], &path.child("selector"), errors);
    validate_affinity(spec, &path, errors);
    validate_addresses(spec, &path, errors);
    validate_ports(spec, type_, &path.child("ports"), errors);
    validate_ranges(object, errors);
    validate_balancing(spec, &path, errors);
    validate_policies(spec, &path, errors);
}

fn validate_annotations(object: &Value, errors: &mut Errors) {
    let annotations = &object["metadata"]["annotations"];
    if let (Some(mode), Some(hints)) = (annotations[TOPOLOGY_MODE].as_str(), annotations[TOPOLOGY_HINTS].as_str())
        && mode != hints
    {
        let path = Path::new("metadata").child("annotations").key(TOPOLOGY_MODE);
        errors.invalid(&path, mode, &format!("must match annotations[{TOPOLOGY_HINTS}] when both are specified"));
    }
}

/// Who may reach a load balancer, by field or else by annotation.
fn validate_ranges(object: &Value, errors: &mut Errors) {
    let (spec, annotations) = (&object["spec"], &object["metadata"]["annotations"]);
    let is_balanced = text(spec, "type") == "LoadBalancer";
    let wrong = "may only be used when `type` is 'LoadBalancer'";
    if !list(spec, "loadBalancerSourceRanges").is_empty() {
        // The name is upstream's.
        let path = Path::new("spec").child("LoadBalancerSourceRanges");
        if !is_balanced {
            errors.forbidden(&path, wrong);
        }
        for (index, range) in indexed(spec, "loadBalancerSourceRanges") {
            let range = range.as_str().unwrap_or("").trim();
            fits(addresses::network(range), range, &path.index(index), errors);
        }
    } else if let Some(ranges) = annotations[RANGES_ANNOTATION].as_str() {
        let path = Path::new("metadata").child("annotations").key(RANGES_ANNOTATION);
        if !is_balanced {
            errors.forbidden(&path, wrong);
        }
        for range in ranges.split(',').map(str::trim).filter(|_| !ranges.trim().is_empty()) {
            fits(addresses::network(range), range, &path, errors);
        }
    }
}

fn validate_balancing(spec: &Value, path: &Path, errors: &mut Errors) {
    let is_balanced = text(spec, "type") == "LoadBalancer";
    let wrong = "may only be used when `type` is 'LoadBalancer'";
    if !is_balanced && !spec["allocateLoadBalancerNodePorts"].is_null() {
        errors.forbidden(&path.child("allocateLoadBalancerNodePorts"), wrong);
    }
    if let Some(class) = spec["loadBalancerClass"].as_str() {
        let at = path.child("loadBalancerClass");
        if is_balanced {
            fits(names::qualified(class), class, &at, errors);
        } else {
            errors.forbidden(&at, wrong);
        }
    }
}

/// Checks a status that somebody writes. One that is only kept may be of the type before.
pub fn validate_status(object: &Value, errors: &mut Errors) {
    let path = Path::new("status").child("loadBalancer").child("ingress");
    let points = list(&object["status"]["loadBalancer"], "ingress");
    if !points.is_empty() && text(&object["spec"], "type") != "LoadBalancer" {
        let wrong = "may only be used when `spec.type` is \"LoadBalancer\"";
        errors.forbidden(&path, wrong);
    }
    for (index, point) in points.iter().enumerate() {
        let (at, ip, host) = (path.index(index), text(point, "ip"), text(point, "hostname"));
        let mode = point["ipMode"].as_str();
        if !ip.is_empty() {
            fits(names::ip(ip), ip, &at.child("ip"), errors);
        } else if mode.is_some() {
            errors.forbidden(&at.child("ipMode"), "may not be specified when `ip` is not set");
        }
        if let Some(mode) = mode.filter(|mode| !["VIP", "Proxy"].contains(mode)) {
            errors.not_supported(&at.child("ipMode"), mode, &["Proxy", "VIP"]);
        }
        if !host.is_empty() {
            fits(names::dns_subdomain(host), host, &at.child("hostname"), errors);
            if names::ip(host).is_empty() {
                errors.invalid(&at.child("hostname"), host, "must be a DNS name, not an IP address");
            }
        }
    }
}

fn validate_type(spec: &Value, type_: &str, path: &Path, errors: &mut Errors) {
    match type_ {
        "" => errors.required(&path.child("type"), ""),
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
    let (config, at) = (&spec["sessionAffinityConfig"], path.child("sessionAffinityConfig"));
    match text(spec, "sessionAffinity") {
        "" => errors.required(&path.child("sessionAffinity"), ""),
        "ClientIP" => {
            let at = at.child("clientIP").child("timeoutSeconds");
            let seconds = int(&config["clientIP"], "timeoutSeconds").unwrap_or(0);
            if !(1..=AFFINITY_SECONDS_MAX).contains(&seconds) {
                let wrong = format!("must be greater than 0 and less than {AFFINITY_SECONDS_MAX}");
                errors.invalid(&at, seconds, &wrong);
            }
        }
        "None" if !config.is_null() => {
            errors.forbidden(&at, "must not be set when session affinity is None");
        }
        "None" => {}
        other => errors.not_supported(&path.child("sessionAffinity"), other, &["ClientIP", "None"]),
    }
}

fn validate_addresses(spec: &Value, path: &Path, errors: &mut Errors) {
    let (ip, ips, at) = (text(spec, "clusterIP"), list(spec, "clusterIPs"), path.child("clusterIPs"));
    if has_cluster_ip(text(spec, "type")) {
        match ips.first().and_then(Value::as_str) {
            Some(_) if ip.is_empty() => errors.invalid(&at, ips, "must be empty when `clusterIP` is not specified"),
            Some(first) if first != ip => errors.invalid(&at, ips, "first value must match `clusterIP`"),
            _ => {}
        }
        validate_families(spec, path, errors);
        for (index, ip) in ips.iter().enumerate() {
            let (ip, at) = (ip.as_str().unwrap_or(""), at.index(index));
            if ip == "None" && index == 0 {
                if ips.len() > 1 {
                    errors.invalid(&path.child("clusterIPs"), ips, "'None' must be the first and only value");
                }
            } else {
                fits(names::ip(ip), ip, &at, errors);
                let family = list(spec, "ipFamilies").get(index).and_then(Value::as_str);
                if let (Some(family), Ok(parsed)) = (family, ip.parse::<IpAddr>())
                    && (family == "IPv4") != parsed.is_ipv4()
                {
                    let wrong = format!("expected an {family} value as indicated by `ipFamilies[{index}]`");
                    errors.invalid(&at, ip, &wrong);
                }
            }
        }
        if ips.len() > 2 {
            errors.invalid(&at, ips, "may only hold up to 2 values");
        }
        let is_ipv4 = |ip: &Value| ip.as_str().and_then(|ip| ip.parse::<IpAddr>().ok()).map(|ip| ip.is_ipv4());
        if let [first, second] = ips
            && let (Some(first), Some(second)) = (is_ipv4(first), is_ipv4(second))
            && first == second
        {
            errors.invalid(&at, ips, "may specify no more than one IP for each IP family");
        }
    }
    for (index, ip) in indexed(spec, "externalIPs") {
        let (ip, at) = (ip.as_str().unwrap_or(""), path.child("externalIPs").index(index));
        fits(names::ip(ip), ip, &at, errors);
        fits(names::special_ip(ip), ip, &at, errors);
    }
}

fn validate_families(spec: &Value, path: &Path, errors: &mut Errors) {
    let (families, at) = (list(spec, "ipFamilies"), path.child("ipFamilies"));
    if families.len() > 2 {
        errors.invalid(&at, families, "may only hold up to 2 values");
    }
    let mut seen = BTreeSet::new();
    for (index, family) in families.iter().enumerate() {
        let (family, at) = (family.as_str().unwrap_or(""), at.index(index));
        if !FAMILIES.contains(&family) {
            errors.not_supported(&at, family, &FAMILIES);
        }
        if !seen.insert(family) {
            errors.duplicate(&at, family);
        }
    }
    let policy = text(spec, "ipFamilyPolicy");
    if !policy.is_empty() && !FAMILY_POLICIES.contains(&policy) {
        errors.not_supported(&path.child("ipFamilyPolicy"), policy, &FAMILY_POLICIES);
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
        if node != 0 && type_ == "ClusterIP" {
            errors.forbidden(&path.child("nodePort"), "may not be used when `type` is 'ClusterIP'");
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
    const POLICIES: [&str; 2] = ["Cluster", "Local"];
    let (external, at) = (text(spec, "externalTrafficPolicy"), path.child("externalTrafficPolicy"));
    if is_external(spec) {
        one_of(external, &POLICIES, &at, errors);
    } else if !external.is_empty() {
        errors.invalid(&at, external, "may only be set for externally-accessible services");
    }
    // The port itself is given out after these rules have been looked at.
    let (port, at) = (int(spec, "healthCheckNodePort").unwrap_or(0), path.child("healthCheckNodePort"));
    if port != 0 && !needs_health_port(spec) {
        let wrong = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
        errors.invalid(&at, port, wrong);
    } else if port != 0 {
        for wrong in names::port_number(port) {
            errors.invalid(&at, port, &wrong);
        }
    }
    let (internal, at) = (text(spec, "internalTrafficPolicy"), path.child("internalTrafficPolicy"));
    if has_cluster_ip(text(spec, "type")) {
        one_of(internal, &POLICIES, &at, errors);
    } else {
        one_of_or_empty(internal, &POLICIES, &at, errors);
    }
    if let Some(distribution) = spec["trafficDistribution"].as_str().filter(|kind| !DISTRIBUTIONS.contains(kind)) {
        errors.not_supported(&path.child("trafficDistribution"), distribution, &DISTRIBUTIONS);
    }
}
