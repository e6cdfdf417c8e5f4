//! Rules of containers.

use super::{environment, is_empty_map, is_sidecar, probe, resources, security};
use crate::field::{Errors, Path};
use crate::kinds::fields::{indexed, int, is_true, list, text};
use crate::kinds::names;
use serde_json::Value;
use std::collections::BTreeSet;

/// When an image is fetched.
pub const PULL_POLICIES: [&str; 3] = ["Always", "IfNotPresent", "Never"];
const PROTOCOLS: [&str; 3] = ["TCP", "UDP", "SCTP"];
const MESSAGE_POLICIES: [&str; 2] = ["File", "FallbackToLogsOnError"];

/// What the containers of one Pod have in common.
struct Pod<'a> {
    volumes: &'a BTreeSet<String>,
    host_network: bool,
}

/// Checks the containers of all three lists; `volumes` are the names of the Pod's volumes.
pub fn validate(spec: &Value, volumes: &BTreeSet<String>, path: &Path, errors: &mut Errors) {
    let grace = int(spec, "terminationGracePeriodSeconds").unwrap_or(30);
    let pod = Pod { volumes, host_network: is_true(spec, "hostNetwork") };
    let mut names = BTreeSet::new();
    if list(spec, "containers").is_empty() {
        errors.required(&path.child("containers"), "");
    }
    for (index, container) in indexed(spec, "containers") {
        let path = path.child("containers").index(index);
        validate_one(container, &pod, &path, errors);
        is_new(container, &mut names, &path, errors);
        probe::validate(container, grace, &path, errors);
    }
    host_ports_differ(spec, "containers", path, errors);
    for (index, container) in indexed(spec, "initContainers") {
        let path = path.child("initContainers").index(index);
        validate_one(container, &pod, &path, errors);
        is_new(container, &mut names, &path, errors);
        validate_init(container, grace, &path, errors);
    }
    host_ports_differ(spec, "initContainers", path, errors);
    for (index, container) in indexed(spec, "ephemeralContainers") {
        let path = path.child("ephemeralContainers").index(index);
        validate_one(container, &pod, &path, errors);
        is_new(container, &mut names, &path, errors);
        validate_ephemeral(spec, container, &path, errors);
    }
}

fn is_new(container: &Value, seen: &mut BTreeSet<String>, path: &Path, errors: &mut Errors) {
    let name = text(container, "name");
    if !name.is_empty() && !seen.insert(name.to_owned()) {
        errors.duplicate(&path.child("name"), name);
    }
}

fn validate_init(container: &Value, grace: i64, path: &Path, errors: &mut Errors) {
    if is_sidecar(container) {
        probe::validate(container, grace, path, errors);
        return;
    }
    for field in ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"] {
        if !container[field].is_null() {
            let wrong = "may not be set for init containers without restartPolicy=Always";
            errors.forbidden(&path.child(field), wrong);
        }
    }
}

fn validate_ephemeral(spec: &Value, container: &Value, path: &Path, errors: &mut Errors) {
    for field in ["ports", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle", "resizePolicy"] {
        if !container[field].is_null() {
            errors.forbidden(&path.child(field), "cannot be set for an Ephemeral Container");
        }
    }
    let resources = &container["resources"];
    if !is_empty_map(resources, "limits") || !is_empty_map(resources, "requests") {
        errors.forbidden(&path.child("resources"), "cannot be set for an Ephemeral Container");
    }
    let target = text(container, "targetContainerName");
    let exists = |field| list(spec, field).iter().any(|other| text(other, "name") == target);
    if !target.is_empty() && !exists("containers") && !exists("initContainers") {
        errors.not_found(&path.child("targetContainerName"), target);
    }
}

fn validate_one(container: &Value, pod: &Pod, path: &Path, errors: &mut Errors) {
    let name = text(container, "name");
    if name.is_empty() {
        errors.required(&path.child("name"), "");
    } else {
        for wrong in names::dns_label(name) {
            errors.invalid(&path.child("name"), name, &wrong);
        }
    }
    let image = text(container, "image");
    if image.is_empty() {
        errors.required(&path.child("image"), "");
    } else if image.trim() != image {
        errors.invalid(&path.child("image"), image, "must not have leading or trailing whitespace");
    }
    let policy = text(container, "terminationMessagePolicy");
    if !policy.is_empty() && !MESSAGE_POLICIES.contains(&policy) {
        let wrong = "must be 'File' or 'FallbackToLogsOnError'";
        errors.invalid(&path.child("terminationMessagePolicy"), policy, wrong);
    }
    validate_ports(container, pod, path, errors);
    environment::validate(container, path, errors);
    validate_mounts(container, pod, path, errors);
    match text(container, "imagePullPolicy") {
        "" => errors.required(&path.child("imagePullPolicy"), ""),
        policy if PULL_POLICIES.contains(&policy) => {}
        policy => errors.not_supported(&path.child("imagePullPolicy"), policy, &PULL_POLICIES),
    }
    resources::validate(&container["resources"], &path.child("resources"), errors);
    security::validate_container(&container["securityContext"], &path.child("securityContext"), errors);
    let restart = text(container, "restartPolicy");
    if !restart.is_empty() && !["Always", "OnFailure", "Never"].contains(&restart) {
        errors.not_supported(&path.child("restartPolicy"), restart, &["Always", "OnFailure", "Never"]);
    }
}

fn validate_ports(container: &Value, pod: &Pod, path: &Path, errors: &mut Errors) {
    let mut seen = BTreeSet::new();
    for (index, port) in indexed(container, "ports") {
        let path = path.child("ports").index(index);
        let name = text(port, "name");
        if !name.is_empty() {
            let wrong = names::port_name(name);
            if wrong.is_empty() && !seen.insert(name) {
                errors.duplicate(&path.child("name"), name);
            }
            for wrong in wrong {
                errors.invalid(&path.child("name"), name, &wrong);
            }
        }
        let (number, host) = (int(port, "containerPort").unwrap_or(0), int(port, "hostPort").unwrap_or(0));
        if number == 0 {
            errors.required(&path.child("containerPort"), "");
        } else {
            for wrong in names::port_number(number) {
                errors.invalid(&path.child("containerPort"), number, &wrong);
            }
        }
        if host != 0 {
            for wrong in names::port_number(host) {
                errors.invalid(&path.child("hostPort"), host, &wrong);
            }
            if pod.host_network && host != number {
                let wrong = "must match `hostPort` when `hostNetwork` is true";
                errors.invalid(&path.child("containerPort"), number, wrong);
            }
        }
        match text(port, "protocol") {
            "" => errors.required(&path.child("protocol"), ""),
            protocol if PROTOCOLS.contains(&protocol) => {}
            protocol => errors.not_supported(&path.child("protocol"), protocol, &PROTOCOLS),
        }
    }
}

fn host_ports_differ(spec: &Value, containers: &str, path: &Path, errors: &mut Errors) {
    let mut seen = BTreeSet::new();
    for (at, container) in indexed(spec, containers) {
        for (index, port) in indexed(container, "ports") {
            let Some(number) = int(port, "hostPort").filter(|number| *number != 0) else { continue };
            let key = format!("{}/{}/{number}", text(port, "protocol"), text(port, "hostIP"));
            if !seen.insert(key.clone()) {
                let path = path.child(containers).index(at).child("ports").index(index);
                errors.duplicate(&path.child("hostPort"), key);
            }
        }
    }
}

fn validate_mounts(container: &Value, pod: &Pod, path: &Path, errors: &mut Errors) {
    let mut seen = BTreeSet::new();
    for (index, mount) in indexed(container, "volumeMounts") {
        let path = path.child("volumeMounts").index(index);
        let (name, at) = (text(mount, "name"), text(mount, "mountPath"));
        if name.is_empty() {
            errors.required(&path.child("name"), "");
        } else if !pod.volumes.contains(name) {
            errors.not_found(&path.child("name"), name);
        }
        if at.is_empty() {
            errors.required(&path.child("mountPath"), "");
        } else if !seen.insert(at) {
            errors.invalid(&path.child("mountPath"), at, "must be unique");
        }
        let (sub_path, expression) = (text(mount, "subPath"), text(mount, "subPathExpr"));
        relative_path(sub_path, &path.child("subPath"), errors);
        relative_path(expression, &path.child("subPathExpr"), errors);
        if !sub_path.is_empty() && !expression.is_empty() {
            let wrong = "subPathExpr and subPath are mutually exclusive";
            errors.invalid(&path.child("subPathExpr"), expression, wrong);
        }
        validate_propagation(container, mount, &path, errors);
    }
}

fn validate_propagation(container: &Value, mount: &Value, path: &Path, errors: &mut Errors) {
    let path = path.child("mountPropagation");
    match text(mount, "mountPropagation") {
        "Bidirectional" if !is_true(&container["securityContext"], "privileged") => {
            errors.forbidden(&path, "Bidirectional mount propagation is available only to privileged containers");
        }
        "" | "None" | "HostToContainer" | "Bidirectional" => {}
        other => errors.not_supported(&path, other, &["Bidirectional", "HostToContainer", "None"]),
    }
}

/// Checks that a path stays below where it starts.
pub fn relative_path(target: &str, path: &Path, errors: &mut Errors) {
    if target.starts_with('/') {
        errors.invalid(path, target, "must be a relative path");
    }
    no_backsteps(target, path, errors);
}

/// Checks that no part of a path is `..`.
pub fn no_backsteps(target: &str, path: &Path, errors: &mut Errors) {
    if target.split('/').any(|part| part == "..") {
        errors.invalid(path, target, "must not contain '..'");
    }
}
