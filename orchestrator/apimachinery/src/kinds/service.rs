//! Service.

use super::fields::{
    default, default_text, indexed, int, is_true, list, list_mut, object_mut, object_or_new, remove, text,
};
use super::{
    AGE, NAME, PROXY_VERBS, addresses, cells, columns, names, namespaced, state, status, subresource_of, texts,
};
use crate::field::Path;
use crate::kind::{Kind, Strategy};
use serde_json::{Value, json};

mod change;
mod rules;

/// The row of Service.
pub fn kind() -> Kind {
    Kind {
        short_names: texts(&["svc"]),
        categories: texts(&["all"]),
        subresources: vec![subresource_of("proxy", ("", "v1", "ServiceProxyOptions"), &PROXY_VERBS), status()],
        selectable_fields: texts(&["spec.clusterIP", "spec.type"]),
        columns: columns(&[
            NAME,
            ("Type", "string", 0, "How it is published."),
            ("Cluster-IP", "string", 0, "Its address in the cluster."),
            ("External-IP", "string", 0, "Its addresses outside the cluster."),
            ("Port(s)", "string", 0, "Its ports."),
            AGE,
            ("Selector", "string", 1, "The labels of the Pods behind it."),
        ]),
        strategy: strategy(),
        ..namespaced("", "Service", "services")
    }
}

/// Seconds for which a client stays with one Pod.
const AFFINITY_SECONDS: i64 = 10_800;

fn strategy() -> Strategy {
    Strategy {
        name: |name, is_prefix| names::of_prefix(names::dns_1035_label, name, is_prefix),
        default: fill,
        prepare_create: |object| {
            object["status"] = json!({"loadBalancer": {}});
            change::fill_addresses(object);
        },
        prepare_update: change::prepare,
        prepare_status_update: state::update_status,
        validate: rules::validate,
        validate_update: change::validate,
        warnings,
        cells: row,
        ..Strategy::default()
    }
}

/// Whether a Service of this type has an address in the cluster.
fn has_cluster_ip(type_: &str) -> bool {
    matches!(type_, "ClusterIP" | "NodePort" | "LoadBalancer")
}

/// Whether a Service of this type has ports on nodes.
fn has_node_ports(type_: &str) -> bool {
    matches!(type_, "NodePort" | "LoadBalancer")
}

/// Whether load balancers ask its nodes whether they have Pods of it.
fn needs_health_port(spec: &Value) -> bool {
    text(spec, "type") == "LoadBalancer" && text(spec, "externalTrafficPolicy") == "Local"
}

/// Whether it can be reached from outside the cluster.
fn is_external(spec: &Value) -> bool {
    let type_ = text(spec, "type");
    has_node_ports(type_) || (type_ == "ClusterIP" && !list(spec, "externalIPs").is_empty())
}

fn fill(object: &mut Value) {
    let spec = object_or_new(object, "spec");
    default_text(spec, "type", "ClusterIP");
    default_text(spec, "sessionAffinity", "None");
    if text(spec, "sessionAffinity") == "ClientIP" {
        let config = object_or_new(object_or_new(spec, "sessionAffinityConfig"), "clientIP");
        default(config, "timeoutSeconds", AFFINITY_SECONDS);
    }
    if text(spec, "sessionAffinity") == "None" {
        remove(spec, "sessionAffinityConfig");
    }
    for port in list_mut(spec, "ports") {
        default_text(port, "protocol", "TCP");
        if port["targetPort"].is_null() || port["targetPort"] == 0 || port["targetPort"] == "" {
            port["targetPort"] = port["port"].clone();
        }
    }
    if is_external(spec) {
        default_text(spec, "externalTrafficPolicy", "Cluster");
    }
    let type_ = text(spec, "type").to_owned();
    if has_cluster_ip(&type_) {
        default_text(spec, "internalTrafficPolicy", "Cluster");
    }
    if type_ == "LoadBalancer" {
        default(spec, "allocateLoadBalancerNodePorts", true);
        if let Some(balancer) = object_mut(object, "status").and_then(|status| object_mut(status, "loadBalancer")) {
            for point in list_mut(balancer, "ingress").filter(|point| !text(point, "ip").is_empty()) {
                default_text(point, "ipMode", "VIP");
            }
        }
    }
}

fn warnings(object: &Value) -> Vec<String> {
    let (spec, path) = (&object["spec"], Path::new("spec"));
    let mut warnings = Vec::new();
    if !object["metadata"]["annotations"][rules::TOPOLOGY_HINTS].is_null() {
        let (old, new) = (rules::TOPOLOGY_HINTS, rules::TOPOLOGY_MODE);
        warnings.push(format!("annotation {old} is deprecated, please use {new} instead"));
    }
    let is_external_name = text(spec, "type") == "ExternalName";
    let external = !list(spec, "externalIPs").is_empty();
    let headless = text(spec, "type") == "ClusterIP" && text(spec, "clusterIP") == "None";
    let ips = |field: &'static str| {
        let ips = indexed(spec, field).filter_map(|(index, ip)| Some((index, ip.as_str()?)));
        ips.filter_map(move |(index, ip)| addresses::warning(ip, &Path::new("spec").child(field).index(index)))
    };
    warnings.extend(ips("clusterIPs"));
    for (applies, what) in [
        (!text(spec, "loadBalancerIP").is_empty(), "spec.loadBalancerIP is ignored for headless services"),
        (external, "spec.externalIPs is ignored for headless services"),
        (text(spec, "sessionAffinity") != "None", "spec.SessionAffinity is ignored for headless services"),
    ] {
        if headless && applies {
            warnings.push(what.to_owned());
        }
    }
    warnings.extend(ips("externalIPs"));
    if external && !headless && !is_external_name {
        let what = "spec.externalIPs is deprecated and may no longer be implemented in some clusters";
        warnings.push(what.to_owned());
    }
    warnings.extend(addresses::warning(text(spec, "loadBalancerIP"), &path.child("loadBalancerIP")));
    for (index, range) in indexed(spec, "loadBalancerSourceRanges") {
        let at = path.child("loadBalancerSourceRanges").index(index);
        warnings.extend(addresses::network_warning(range.as_str().unwrap_or("").trim(), &at));
    }
    if is_external_name && external {
        warnings.push("spec.externalIPs is ignored when spec.type is \"ExternalName\"".to_owned());
    }
    if !is_external_name && !text(spec, "externalName").is_empty() {
        warnings.push("spec.externalName is ignored when spec.type is not \"ExternalName\"".to_owned());
    }
    if text(spec, "trafficDistribution") == "PreferClose" {
        let what = "spec.trafficDistribution: \"PreferClose\" is deprecated; use \"PreferSameZone\"";
        warnings.push(what.to_owned());
    }
    warnings
}

fn external_ips(object: &Value) -> String {
    let spec = &object["spec"];
    let ingress = list(&object["status"]["loadBalancer"], "ingress").iter();
    let mut published: Vec<&str> = ingress
        .map(|point| cells::or(text(point, "ip"), text(point, "hostname")))
        .filter(|at| !at.is_empty())
        .collect();
    published.sort_unstable();
    published.dedup();
    let given = list(spec, "externalIPs").iter().filter_map(Value::as_str);
    match text(spec, "type") {
        "ExternalName" => text(spec, "externalName").to_owned(),
        "LoadBalancer" => {
            published.extend(given);
            cells::or(&published.join(","), "<pending>").to_owned()
        }
        _ => cells::or(&given.collect::<Vec<_>>().join(","), cells::NONE).to_owned(),
    }
}

fn row(object: &Value, now: i64) -> Vec<Value> {
    let spec = &object["spec"];
    let port = |port: &Value| {
        let (number, protocol) = (int(port, "port").unwrap_or(0), text(port, "protocol"));
        match int(port, "nodePort").unwrap_or(0) {
            0 => format!("{number}/{protocol}"),
            node => format!("{number}:{node}/{protocol}"),
        }
    };
    let ports: Vec<String> = list(spec, "ports").iter().map(port).collect();
    let ip = list(spec, "clusterIPs").first().and_then(Value::as_str).unwrap_or("");
    vec![
        cells::name(object),
        text(spec, "type").into(),
        cells::or(cells::or(ip, text(spec, "clusterIP")), cells::NONE).into(),
        external_ips(object).into(),
        cells::or(&ports.join(","), cells::NONE).into(),
        cells::age(object, now),
        cells::labels(spec, "selector").into(),
    ]
}

/// Whether the Service has no address and its name stands for the Pods' own.
fn is_headless(spec: &Value) -> bool {
    text(spec, "clusterIP") == "None" || list(spec, "clusterIPs").first().is_some_and(|ip| ip == "None")
}

/// Whether node ports are wanted, too, for a LoadBalancer.
fn wants_node_ports(spec: &Value) -> bool {
    match text(spec, "type") {
        "NodePort" => true,
        "LoadBalancer" => is_true(spec, "allocateLoadBalancerNodePorts"),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
