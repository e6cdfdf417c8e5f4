//! `PodSpec` and `PodTemplateSpec`: defaults and rules shared by Pods and everything that makes Pods.
//!
//! Follows upstream's `SetDefaults_PodSpec` and `ValidatePodSpec`.

use super::fields::{entries, indexed, int, list, object_or_new, text};
use super::{metadata, names};
use crate::field::{Errors, Path};
use serde_json::Value;
use std::collections::BTreeSet;

mod claim;
mod container;
mod defaults;
mod environment;
mod operating_system;
mod placement;
mod probe;
pub mod resources;
mod restart;
mod security;
mod volume;
mod warnings;
mod whole;

pub use defaults::{default, default_of_pod};
pub use placement::{validate_node_selector, validate_tolerations};
pub use probe::validate_port;
pub use volume::source::default as default_source;
pub use volume::validate_persistent as validate_persistent_source;
pub use warnings::{name_warning, node_label_warning, node_term_warnings, warnings};
pub use whole::is_set as has_whole_resources;

/// The three lists of containers of a PodSpec.
pub const CONTAINER_LISTS: [&str; 3] = ["initContainers", "containers", "ephemeralContainers"];

/// Longest host name of Linux.
const HOSTNAME_BYTES_MAX: usize = 64;
/// Longest list of search domains, with spaces between.
const SEARCHES_BYTES_MAX: usize = 2048;

/// Whether an init container keeps running beside the others.
pub fn is_sidecar(init_container: &Value) -> bool {
    text(init_container, "restartPolicy") == "Always"
}

/// Fills in the defaults of `spec.template` of a workload.
pub fn default_template(object: &mut Value) {
    let template = object_or_new(object_or_new(object, "spec"), "template");
    object_or_new(template, "metadata");
    default(object_or_new(template, "spec"));
}

/// Checks `spec.template` of a workload.
pub fn validate_template(template: &Value, path: &Path, errors: &mut Errors) {
    // The paths are upstream's.
    metadata::labels(&template["metadata"], &path.child("labels"), errors);
    metadata::annotations(&template["metadata"], &path.child("annotations"), errors);
    validate_spec(&template["spec"], false, &path.child("spec"), errors);
    if !list(&template["spec"], "ephemeralContainers").is_empty() {
        let at = path.child("spec").child("ephemeralContainers");
        errors.forbidden(&at, "ephemeral containers not allowed in pod template");
    }
}

/// Checks the spec of a Pod.
pub fn validate(spec: &Value, path: &Path, errors: &mut Errors) {
    validate_spec(spec, true, path, errors);
}

/// Checks a PodSpec, which is a Pod's or a template's.
fn validate_spec(spec: &Value, is_pod: bool, path: &Path, errors: &mut Errors) {
    let volumes = volume::validate(spec, &path.child("volumes"), errors);
    let claims = claim::validate(spec, path, errors);
    let pod = container::Pod { spec, volumes: &volumes, claims: &claims, is_pod };
    container::validate(&pod, path, errors);
    one_of(spec, "restartPolicy", &["Always", "OnFailure", "Never"], path, errors);
    one_of(spec, "dnsPolicy", &["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"], path, errors);
    metadata::label_map(&spec["nodeSelector"], &path.child("nodeSelector"), errors);
    security::validate_pod(spec, path, errors);
    placement::validate(spec, path, errors);
    validate_dns(spec, path, errors);
    validate_names(spec, path, errors);
    validate_hostname(spec, path, errors);
    if let Some(seconds) = int(spec, "activeDeadlineSeconds") {
        for wrong in names::in_range(seconds, 1, i64::from(i32::MAX)) {
            errors.invalid(&path.child("activeDeadlineSeconds"), seconds, &wrong);
        }
    }
    for (index, alias) in indexed(spec, "hostAliases") {
        let path = path.child("hostAliases").index(index);
        for wrong in names::ip(text(alias, "ip")) {
            errors.invalid(&path.child("ip"), text(alias, "ip"), &wrong);
        }
        for (index, name) in indexed(alias, "hostnames") {
            for wrong in names::dns_subdomain(name.as_str().unwrap_or("")) {
                errors.invalid(&path.child("hostnames").index(index), name, &wrong);
            }
        }
    }
    if !spec["preemptionPolicy"].is_null() {
        one_of(spec, "preemptionPolicy", &["PreemptLowerPriority", "Never"], path, errors);
    }
    if !spec["os"].is_null() {
        one_of(&spec["os"], "name", &["linux", "windows"], &path.child("os"), errors);
        operating_system::validate(spec, path, errors);
    }
    whole::validate(spec, path, errors);
    resources::validate_list(&spec["overhead"], &path.child("overhead"), errors);
    validate_gates(spec, path, errors);
}

/// Checks a text that has to be one of a few.
fn one_of(value: &Value, field: &str, supported: &[&str], path: &Path, errors: &mut Errors) {
    match text(value, field) {
        "" => errors.required(&path.child(field), ""),
        other if supported.contains(&other) => {}
        other => errors.not_supported(&path.child(field), other, supported),
    }
}

fn validate_names(spec: &Value, path: &Path, errors: &mut Errors) {
    let rules: [(&str, names::Rule); 6] = [
        ("serviceAccountName", names::dns_subdomain),
        ("nodeName", names::dns_subdomain),
        ("hostname", names::dns_label),
        ("subdomain", names::dns_label),
        ("priorityClassName", names::dns_subdomain),
        ("runtimeClassName", names::dns_subdomain),
    ];
    for (field, rule) in rules {
        // A runtimeClassName is a pointer upstream, so the empty text counts as given.
        if let Some(name) = spec[field].as_str().filter(|name| !name.is_empty() || field == "runtimeClassName") {
            for wrong in rule(name) {
                errors.invalid(&path.child(field), name, &wrong);
            }
        }
    }
}

/// Checks `hostnameOverride`.
fn validate_hostname(spec: &Value, path: &Path, errors: &mut Errors) {
    let Some(name) = spec["hostnameOverride"].as_str() else { return };
    let at = path.child("hostnameOverride");
    for field in ["setHostnameAsFQDN", "hostNetwork"] {
        if super::fields::is_true(spec, field) {
            errors.forbidden(&at, &format!("may not be specified when {field} is true"));
        }
    }
    if name.len() > HOSTNAME_BYTES_MAX {
        errors.too_long(&at, HOSTNAME_BYTES_MAX);
    }
    for wrong in names::dns_subdomain(name) {
        errors.invalid(&at, name, &wrong);
    }
}

fn validate_dns(spec: &Value, path: &Path, errors: &mut Errors) {
    let (config, at) = (&spec["dnsConfig"], path.child("dnsConfig"));
    let needs_config = text(spec, "dnsPolicy") == "None";
    if config.is_null() {
        if needs_config {
            errors.required(&at, "must provide `dnsConfig` when `dnsPolicy` is None");
        }
        return;
    }
    let (servers, searches) = (list(config, "nameservers"), list(config, "searches"));
    if needs_config && servers.is_empty() {
        errors.required(&at.child("nameservers"), "must provide at least one DNS nameserver when `dnsPolicy` is None");
        return;
    }
    if servers.len() > 3 {
        errors.invalid(&at.child("nameservers"), servers, "must not have more than 3 nameservers");
    }
    for (index, server) in servers.iter().enumerate() {
        for wrong in names::ip(server.as_str().unwrap_or("")) {
            errors.invalid(&at.child("nameservers").index(index), server, &wrong);
        }
    }
    if searches.len() > 32 {
        errors.invalid(&at.child("searches"), searches, "must not have more than 32 search paths");
    }
    let bytes: usize = searches.iter().map(|search| search.as_str().map_or(0, str::len) + 1).sum();
    if bytes > SEARCHES_BYTES_MAX + 1 {
        let wrong =
            format!("must not have more than {SEARCHES_BYTES_MAX} characters (including spaces) in the search list");
        errors.invalid(&at.child("searches"), searches, &wrong);
    }
    for (index, search) in searches.iter().enumerate() {
        let name = search.as_str().unwrap_or("");
        for wrong in names::search_domain(name) {
            errors.invalid(&at.child("searches").index(index), name.strip_suffix('.').unwrap_or(name), &wrong);
        }
    }
    for (index, option) in indexed(config, "options") {
        if text(option, "name").is_empty() {
            errors.required(&at.child("options").index(index), "must not be empty");
        }
    }
}

fn validate_gates(spec: &Value, path: &Path, errors: &mut Errors) {
    for (index, gate) in indexed(spec, "readinessGates") {
        let name = text(gate, "conditionType");
        for wrong in names::qualified(name) {
            errors.invalid(&path.child("readinessGates").index(index).child("conditionType"), name, &wrong);
        }
    }
    let mut seen = BTreeSet::new();
    for (index, gate) in indexed(spec, "schedulingGates") {
        let (name, path) = (text(gate, "name"), path.child("schedulingGates").index(index));
        for wrong in names::qualified(name) {
            errors.invalid(&path, name, &wrong);
        }
        if !seen.insert(name) {
            errors.duplicate(&path, name);
        }
    }
}

/// The quality-of-service class: `Guaranteed`, `Burstable` or `BestEffort`.
pub fn qos_class(spec: &Value) -> &'static str {
    let (mut any, mut guaranteed) = (false, true);
    // What the Pod as a whole has counts in place of its containers'.
    let whole = whole::is_set(spec).then_some(spec);
    let containers = list(spec, "initContainers").iter().chain(list(spec, "containers"));
    for container in whole.into_iter().chain(containers.filter(|_| whole.is_none())) {
        for resource in ["cpu", "memory"] {
            let amount = |kind| {
                let parsed = crate::quantity::Quantity::parse(text(&container["resources"][kind], resource));
                parsed.ok().filter(|quantity| !quantity.is_zero())
            };
            let (limit, request) = (amount("limits"), amount("requests"));
            any |= limit.is_some() || request.is_some();
            guaranteed &= limit.is_some() && request.is_none_or(|request| Some(request) == limit);
        }
    }
    match (any, guaranteed) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}

/// Whether a map has no entries.
fn is_empty_map(value: &Value, key: &str) -> bool {
    entries(value, key).next().is_none()
}

#[cfg(test)]
mod tests;
