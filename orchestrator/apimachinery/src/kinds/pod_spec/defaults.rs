//! Defaults of a PodSpec.

use super::CONTAINER_LISTS;
use super::resources::canonicalize;
use crate::kinds::fields::{self, default_text, entries, is_true, list_mut, object_mut, object_or_new, text};
use crate::kinds::persistent_volume_claim;
use serde_json::{Value, json};

/// rw-r--r--
const FILE_MODE: i64 = 0o644;

/// Fills in what upstream fills in for a Pod's spec and a template's spec alike.
pub fn default(spec: &mut Value) {
    default_text(spec, "dnsPolicy", "ClusterFirst");
    default_text(spec, "restartPolicy", "Always");
    default_text(spec, "schedulerName", "default-scheduler");
    fields::default(spec, "terminationGracePeriodSeconds", 30);
    object_or_new(spec, "securityContext");
    if text(spec, "serviceAccountName").is_empty() && !text(spec, "serviceAccount").is_empty() {
        spec["serviceAccountName"] = spec["serviceAccount"].clone();
    }
    if !text(spec, "serviceAccountName").is_empty() {
        spec["serviceAccount"] = spec["serviceAccountName"].clone();
    }
    canonicalize(spec, "overhead");
    if let Some(resources) = object_mut(spec, "resources") {
        canonicalize(resources, "limits");
        canonicalize(resources, "requests");
    }
    for volume in list_mut(spec, "volumes") {
        default_volume(volume);
    }
    for containers in CONTAINER_LISTS {
        for container in list_mut(spec, containers) {
            default_container(container);
        }
    }
}

/// The same, and what upstream fills in for Pods only.
pub fn default_of_pod(spec: &mut Value) {
    default(spec);
    fields::default(spec, "enableServiceLinks", true);
    let host_network = is_true(spec, "hostNetwork");
    default_containers_of_pod(spec, host_network);
    super::whole::default(spec);
}

fn default_containers_of_pod(spec: &mut Value, host_network: bool) {
    for containers in ["initContainers", "containers"] {
        for container in list_mut(spec, containers) {
            requests_from_limits(container);
            for port in list_mut(container, "ports").filter(|_| host_network) {
                if port["hostPort"].as_i64().unwrap_or(0) == 0 {
                    port["hostPort"] = port["containerPort"].clone();
                }
            }
        }
    }
}

fn requests_from_limits(container: &mut Value) {
    let resources = &mut container["resources"];
    let limits: Vec<(String, Value)> =
        entries(resources, "limits").map(|(name, amount)| (name.clone(), amount.clone())).collect();
    if limits.is_empty() {
        return;
    }
    let requests = object_or_new(resources, "requests");
    for (name, amount) in limits {
        fields::default(requests, &name, amount);
    }
}

fn default_container(container: &mut Value) {
    let policy = pull_policy(text(container, "image"));
    default_text(container, "imagePullPolicy", policy);
    default_text(container, "terminationMessagePath", "/dev/termination-log");
    default_text(container, "terminationMessagePolicy", "File");
    let resources = object_or_new(container, "resources");
    canonicalize(resources, "limits");
    canonicalize(resources, "requests");
    for port in list_mut(container, "ports") {
        default_text(port, "protocol", "TCP");
    }
    for variable in list_mut(container, "env") {
        if let Some(from) = object_mut(variable, "valueFrom") {
            default_references(from);
            if let Some(file) = object_mut(from, "fileKeyRef") {
                fields::default(file, "optional", false);
            }
        }
    }
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(probe) = object_mut(container, probe) {
            default_probe(probe);
        }
    }
    if let Some(lifecycle) = object_mut(container, "lifecycle") {
        for handler in ["postStart", "preStop"] {
            if let Some(get) = object_mut(lifecycle, handler).and_then(|handler| object_mut(handler, "httpGet")) {
                default_http_get(get);
            }
        }
    }
}

/// `Always` for `latest` and for files, which may change in place; `IfNotPresent` for all others.
fn pull_policy(image: &str) -> &'static str {
    if image.starts_with("file:") {
        return "Always";
    }
    let (name, digest) = image.split_once('@').map_or((image, ""), |(name, digest)| (name, digest));
    let last = name.rsplit('/').next().unwrap_or(name);
    match last.split_once(':') {
        Some((_, "latest")) => "Always",
        None if digest.is_empty() => "Always",
        _ => "IfNotPresent",
    }
}

fn default_probe(probe: &mut Value) {
    let numbers = [("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3)];
    for (field, number) in numbers {
        if probe[field].as_i64().unwrap_or(0) == 0 {
            probe[field] = number.into();
        }
    }
    if let Some(get) = object_mut(probe, "httpGet") {
        default_http_get(get);
    }
    if let Some(grpc) = object_mut(probe, "grpc") {
        fields::default(grpc, "service", "");
    }
}

fn default_http_get(get: &mut Value) {
    default_text(get, "path", "/");
    default_text(get, "scheme", "HTTP");
}

/// Defaults of `fieldRef` and `resourceFieldRef`.
fn default_references(from: &mut Value) {
    if let Some(field) = object_mut(from, "fieldRef") {
        default_text(field, "apiVersion", "v1");
    }
    if let Some(resource) = object_mut(from, "resourceFieldRef") {
        default_text(resource, "divisor", "0");
        canonicalize_text(resource, "divisor");
    }
}

fn canonicalize_text(value: &mut Value, field: &str) {
    if let Ok(quantity) = crate::quantity::Quantity::parse(text(value, field)) {
        value[field] = quantity.canonical().into();
    }
}

fn default_volume(volume: &mut Value) {
    if volume.as_object().is_some_and(|fields| fields.len() == 1 && fields.contains_key("name")) {
        volume["emptyDir"] = json!({});
    }
    if let Some(empty) = object_mut(volume, "emptyDir") {
        canonicalize_text(empty, "sizeLimit");
    }
    super::volume::source::default(volume);
    for source in ["secret", "configMap", "downwardAPI", "projected"] {
        if let Some(source) = object_mut(volume, source) {
            fields::default(source, "defaultMode", FILE_MODE);
        }
    }
    if let Some(image) = object_mut(volume, "image") {
        let policy = pull_policy(text(image, "reference"));
        default_text(image, "pullPolicy", policy);
    }
    if let Some(downward) = object_mut(volume, "downwardAPI") {
        list_mut(downward, "items").for_each(default_references);
    }
    if let Some(projected) = object_mut(volume, "projected") {
        for source in list_mut(projected, "sources") {
            if let Some(token) = object_mut(source, "serviceAccountToken") {
                fields::default(token, "expirationSeconds", 3600);
            }
            if let Some(downward) = object_mut(source, "downwardAPI") {
                list_mut(downward, "items").for_each(default_references);
            }
            if let Some(certificate) = object_mut(source, "podCertificate") {
                fields::default(certificate, "maxExpirationSeconds", 86_400);
            }
        }
    }
    if let Some(spec) = volume.pointer_mut("/ephemeral/volumeClaimTemplate/spec").filter(|spec| spec.is_object()) {
        persistent_volume_claim::fill_spec(spec);
    }
}
