//! Ingress.

use super::checks::{fits, required};
use super::fields::{indexed, int, list, text};
use super::{AGE, NAME, cells, columns, domains, names, namespaced, state, status, texts};
use crate::field::{Errors, Path};
use crate::kind::{Kind, Strategy};
use serde_json::{Value, json};
use std::net::IpAddr;

/// The row of Ingress.
pub fn kind() -> Kind {
    Kind {
        short_names: texts(&["ing"]),
        subresources: vec![status()],
        columns: columns(&[
            NAME,
            ("Class", "string", 0, "The IngressClass that serves it."),
            ("Hosts", "string", 0, "The hosts that its rules are for."),
            ("Address", "string", 0, "Where it is published."),
            ("Ports", "string", 0, "Its ports: 443, too, with TLS."),
            AGE,
        ]),
        strategy: strategy(),
        ..namespaced("networking.k8s.io", "Ingress", "ingresses")
    }
}

/// Names the class in objects from before `spec.ingressClassName`.
const CLASS_ANNOTATION: &str = "kubernetes.io/ingress.class";
const PATH_TYPES: [&str; 3] = ["Exact", "ImplementationSpecific", "Prefix"];
/// What a path that is compared as it stands must not contain.
const BAD_SEQUENCES: [&str; 5] = ["//", "/./", "/../", "%2f", "%2F"];
const BAD_SUFFIXES: [&str; 2] = ["/..", "/."];
const NOT_AN_IP: &str = "must be a DNS name, not an IP address";
/// Hosts that the column shows before it counts.
const HOSTS_SHOWN: usize = 3;

fn strategy() -> Strategy {
    Strategy {
        prepare_create: |object| {
            state::create(object);
            object["status"] = json!({"loadBalancer": {}});
        },
        validate,
        warnings,
        cells: row,
        ..state::counted()
    }
}

fn warnings(object: &Value) -> Vec<String> {
    if object["metadata"]["annotations"][CLASS_ANNOTATION].is_null() {
        return Vec::new();
    }
    vec![format!("annotation {CLASS_ANNOTATION:?} is deprecated, please use 'spec.ingressClassName' instead")]
}

fn validate(object: &Value, errors: &mut Errors) {
    let (spec, path) = (&object["spec"], Path::new("spec"));
    let backend = &spec["defaultBackend"];
    if list(spec, "rules").is_empty() && backend.is_null() {
        errors.invalid(&path, &spec["rules"], "either `defaultBackend` or `rules` must be specified");
    }
    if !backend.is_null() {
        validate_backend(backend, &path.child("defaultBackend"), errors);
    }
    for (index, rule) in indexed(spec, "rules") {
        validate_rule(rule, &path.child("rules").index(index), errors);
    }
    for (index, tls) in indexed(spec, "tls") {
        let path = path.child("tls").index(index);
        for (index, host) in indexed(tls, "hosts") {
            let host = host.as_str().unwrap_or("");
            fits(domains::host(host), host, &path.child("hosts").index(index), errors);
        }
        let secret = text(tls, "secretName");
        if !secret.is_empty() {
            fits(names::dns_subdomain(secret), secret, &path.child("secretName"), errors);
        }
    }
    if let Some(class) = spec["ingressClassName"].as_str() {
        fits(names::dns_subdomain(class), class, &path.child("ingressClassName"), errors);
        validate_class_annotation(object, class, errors);
    }
    validate_status(&object["status"]["loadBalancer"], errors);
}

/// A new object must not name two classes.
fn validate_class_annotation(object: &Value, class: &str, errors: &mut Errors) {
    let metadata = &object["metadata"];
    let is_new = !metadata["resourceVersion"].is_string();
    if let Some(annotated) =
        metadata["annotations"][CLASS_ANNOTATION].as_str().filter(|other| is_new && *other != class)
    {
        let path = Path::new("annotations").child(CLASS_ANNOTATION);
        errors.invalid(&path, annotated, "must match `ingressClassName` when both are specified");
    }
}

fn validate_rule(rule: &Value, path: &Path, errors: &mut Errors) {
    let host = text(rule, "host");
    if !host.is_empty() {
        if host.parse::<IpAddr>().is_ok() {
            errors.invalid(&path.child("host"), host, NOT_AN_IP);
        }
        fits(domains::host(host), host, &path.child("host"), errors);
    }
    let http = &rule["http"];
    if http.is_null() {
        return;
    }
    let path = path.child("http").child("paths");
    if list(http, "paths").is_empty() {
        errors.required(&path, "");
    }
    for (index, one) in indexed(http, "paths") {
        validate_path(one, &path.index(index), errors);
    }
}

fn validate_path(one: &Value, path: &Path, errors: &mut Errors) {
    let (value, at) = (text(one, "path"), path.child("path"));
    let type_ = match one["pathType"].as_str() {
        Some(type_) => type_,
        None => {
            errors.required(&path.child("pathType"), "pathType must be specified");
            return;
        }
    };
    match type_ {
        "Exact" | "Prefix" => {
            if !value.starts_with('/') {
                errors.invalid(&at, value, "must be an absolute path");
            }
            for bad in BAD_SEQUENCES.iter().filter(|bad| value.contains(**bad)) {
                errors.invalid(&at, value, &format!("must not contain '{bad}'"));
            }
            for bad in BAD_SUFFIXES.iter().filter(|bad| value.ends_with(**bad)) {
                errors.invalid(&at, value, &format!("cannot end with '{bad}'"));
            }
        }
        "ImplementationSpecific" => {
            if !value.is_empty() && !value.starts_with('/') {
                errors.invalid(&at, value, "must be an absolute path");
            }
        }
        other => errors.not_supported(&path.child("pathType"), other, &PATH_TYPES),
    }
    validate_backend(&one["backend"], &path.child("backend"), errors);
}

fn validate_backend(backend: &Value, path: &Path, errors: &mut Errors) {
    let (resource, service) = (&backend["resource"], &backend["service"]);
    match (resource.is_null(), service.is_null()) {
        (false, false) => errors.invalid(path, "", "cannot set both resource and service backends"),
        (true, true) => errors.invalid(path, "", "resource or service backend is required"),
        (false, true) => validate_reference(resource, &path.child("resource"), errors),
        (true, false) => {
            let at = path.child("service");
            required(text(service, "name"), names::dns_label, &at.child("name"), errors);
            let (name, number) = (text(&service["port"], "name"), int(&service["port"], "number").unwrap_or(0));
            let at = at.child("port");
            match (name.is_empty(), number) {
                (true, 0) => errors.required(path, "port name or number is required"),
                (false, 0) => fits(names::port_name(name), name, &at.child("name"), errors),
                (true, number) => {
                    for wrong in names::port_number(number) {
                        errors.invalid(&at.child("number"), number, &wrong);
                    }
                }
                (false, _) => errors.invalid(path, "", "cannot set both port name & port number"),
            }
        }
    }
}

/// Checks group, kind and name of a reference to an object.
pub(super) fn validate_reference(reference: &Value, path: &Path, errors: &mut Errors) {
    if let Some(group) = reference["apiGroup"].as_str() {
        fits(names::dns_subdomain(group), group, &path.child("apiGroup"), errors);
    }
    for field in ["kind", "name"] {
        required(text(reference, field), domains::segment, &path.child(field), errors);
    }
}

fn validate_status(balancer: &Value, errors: &mut Errors) {
    let path = Path::new("status").child("loadBalancer").child("ingress");
    for (index, point) in indexed(balancer, "ingress") {
        let (path, ip, host) = (path.index(index), text(point, "ip"), text(point, "hostname"));
        if !ip.is_empty() {
            fits(names::ip(ip), ip, &path.child("ip"), errors);
        }
        if !host.is_empty() {
            fits(names::dns_subdomain(host), host, &path.child("hostname"), errors);
            if host.parse::<IpAddr>().is_ok() {
                errors.invalid(&path.child("hostname"), host, NOT_AN_IP);
            }
        }
    }
}

fn hosts(spec: &Value) -> String {
    let rules = list(spec, "rules");
    let named: Vec<(usize, &str)> =
        rules.iter().map(|rule| text(rule, "host")).enumerate().filter(|(_, host)| !host.is_empty()).collect();
    let shown: Vec<&str> = named.iter().take(HOSTS_SHOWN).map(|(_, host)| *host).collect();
    // Rules after the last host that is shown count as more, whether they name a host or not.
    let is_cut = named.get(HOSTS_SHOWN - 1).is_some_and(|(last, _)| last + 1 < rules.len());
    match (shown.is_empty(), is_cut) {
        (true, _) => "*".to_owned(),
        (false, false) => shown.join(","),
        (false, true) => format!("{} + {} more...", shown.join(","), rules.len() - HOSTS_SHOWN),
    }
}

fn row(object: &Value, now: i64) -> Vec<Value> {
    let spec = &object["spec"];
    let mut addresses: Vec<&str> = list(&object["status"]["loadBalancer"], "ingress")
        .iter()
        .map(|point| cells::or(text(point, "ip"), text(point, "hostname")))
        .filter(|address| !address.is_empty())
        .collect();
    addresses.sort_unstable();
    addresses.dedup();
    vec![
        cells::name(object),
        spec["ingressClassName"].as_str().unwrap_or(cells::NONE).into(),
        hosts(spec).into(),
        addresses.join(",").into(),
        if list(spec, "tls").is_empty() { "80" } else { "80, 443" }.into(),
        cells::age(object, now),
    ]
}

#[cfg(test)]
mod tests;
