//! Changes of a Service: what was allocated stays, what the new type has no use for goes.

use super::{has_cluster_ip, has_node_ports, is_external, is_headless, needs_health_port, wants_node_ports};
use crate::field::{Errors, Path};
use crate::kinds::fields::{copy, int, list, list_mut, remove, text};
use crate::kinds::state;
use serde_json::{Value, json};

/// Fills `clusterIPs` from `clusterIP`.
pub fn fill_addresses(object: &mut Value) {
    let spec = &mut object["spec"];
    let ip = text(spec, "clusterIP").to_owned();
    if !ip.is_empty() && list(spec, "clusterIPs").is_empty() {
        spec["clusterIPs"] = json!([ip]);
    }
}

/// Prepares a change of the main resource. Arguments: new, old.
pub fn prepare(object: &mut Value, old: &Value) {
    state::update_without_generation(object, old);
    let (spec, old) = (&mut object["spec"], &old["spec"]);
    drop_unused(spec, old);
    keep_allocated(spec, old);
    follow_address(spec, old);
}

/// `clusterIP` and `clusterIPs` tell the same: whichever was changed counts.
fn follow_address(spec: &mut Value, old: &Value) {
    let (ip, ips) = (text(spec, "clusterIP").to_owned(), list(spec, "clusterIPs").to_vec());
    let ip_changed = spec["clusterIP"] != old["clusterIP"];
    let ips_changed = spec["clusterIPs"] != old["clusterIPs"];
    if ip.is_empty() && ip_changed && !ips_changed {
        remove(spec, "clusterIPs");
    } else if !ip.is_empty() && (ips.is_empty() || (ip_changed && !ips_changed)) {
        spec["clusterIPs"] = json!([ip]);
    }
}

/// A client that leaves out what the server had allocated means to keep it.
fn keep_allocated(spec: &mut Value, old: &Value) {
    let type_ = text(spec, "type").to_owned();
    if has_cluster_ip(&type_) && has_cluster_ip(text(old, "type")) {
        if text(spec, "clusterIP").is_empty() {
            copy(spec, old, "clusterIP");
        }
        if list(spec, "clusterIPs").is_empty() && spec["clusterIP"] == old["clusterIP"] {
            copy(spec, old, "clusterIPs");
        }
        for field in ["ipFamilies", "ipFamilyPolicy"] {
            if spec[field].is_null() {
                copy(spec, old, field);
            }
        }
    }
    if needs_health_port(spec) && needs_health_port(old) && int(spec, "healthCheckNodePort").unwrap_or(0) == 0 {
        copy(spec, old, "healthCheckNodePort");
    }
    if wants_node_ports(spec) && has_node_ports(text(old, "type")) {
        let taken: Vec<i64> = list(spec, "ports").iter().filter_map(|port| int(port, "nodePort")).collect();
        for port in list_mut(spec, "ports").filter(|port| int(port, "nodePort").unwrap_or(0) == 0) {
            let same = |before: &&Value| before["port"] == port["port"] && before["protocol"] == port["protocol"];
            let before = list(old, "ports").iter().find(|before| same(before));
            if let Some(node) = before.and_then(|before| int(before, "nodePort")).filter(|node| !taken.contains(node)) {
                port["nodePort"] = node.into();
            }
        }
    }
}

/// Drops what belongs to the old type and was left as it was.
fn drop_unused(spec: &mut Value, old: &Value) {
    let (new_type, old_type) = (text(spec, "type").to_owned(), text(old, "type"));
    if has_cluster_ip(old_type) && !has_cluster_ip(&new_type) {
        for field in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
            if spec[field] == old[field] || spec[field] == "" {
                remove(spec, field);
            }
        }
    }
    if has_node_ports(old_type) && !has_node_ports(&new_type) {
        let before: Vec<i64> = list(old, "ports").iter().filter_map(|port| int(port, "nodePort")).collect();
        for port in list_mut(spec, "ports") {
            if int(port, "nodePort").is_some_and(|node| before.contains(&node)) {
                remove(port, "nodePort");
            }
        }
    }
    let mut unused = Vec::new();
    if !is_external(spec) && is_external(old) {
        unused.push("externalTrafficPolicy");
    }
    if !needs_health_port(spec) && needs_health_port(old) {
        unused.push("healthCheckNodePort");
    }
    if new_type != "LoadBalancer" && old_type == "LoadBalancer" {
        unused.extend(["allocateLoadBalancerNodePorts", "loadBalancerClass"]);
    }
    if !has_cluster_ip(&new_type) {
        unused.push("internalTrafficPolicy");
    }
    for field in unused {
        if spec[field] == old[field] {
            remove(spec, field);
        }
    }
}

/// Checks a change. Arguments: new, old.
pub fn validate(object: &Value, old: &Value, errors: &mut Errors) {
    let (spec, status) = (&object["spec"], &old["status"]);
    let (old, path) = (&old["spec"], Path::new("spec"));
    let both = has_cluster_ip(text(spec, "type")) && has_cluster_ip(text(old, "type"));
    let before = list(old, "clusterIPs").first().cloned().unwrap_or_else(|| old["clusterIP"].clone());
    let after = list(spec, "clusterIPs").first().cloned().unwrap_or_else(|| spec["clusterIP"].clone());
    if both && before.as_str().is_some_and(|before| !before.is_empty()) && before != after {
        errors.invalid(&path.child("clusterIPs").index(0), list(spec, "clusterIPs"), "may not change once set");
    }
    let families = |spec: &Value| list(spec, "ipFamilies").first().cloned();
    if both && !is_headless(spec) && !is_headless(old) {
        let (after, before) = (families(spec), families(old));
        if after.is_some() && before.is_some() && after != before {
            errors.invalid(&path.child("ipFamilies").index(0), list(spec, "ipFamilies"), "may not change once set");
        }
    }
    if needs_health_port(spec) && needs_health_port(old) && spec["healthCheckNodePort"] != old["healthCheckNodePort"] {
        errors.forbidden(&path.child("healthCheckNodePort"), "field is immutable");
    }
    let is_balanced = |spec: &Value| text(spec, "type") == "LoadBalancer";
    if is_balanced(spec) && is_balanced(old) && spec["loadBalancerClass"] != old["loadBalancerClass"] {
        errors.invalid(&path.child("loadBalancerClass"), &spec["loadBalancerClass"], "may not change once set");
    }
    if object["status"] != *status {
        super::rules::validate_status(object, errors);
    }
}
