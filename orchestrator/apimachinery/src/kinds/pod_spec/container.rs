//! Rules of containers.

use super::{claim, environment, is_empty_map, is_sidecar, probe, resources, restart, security, volume};
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
pub struct Pod<'a> {
    /// The PodSpec.
    pub spec: &'a Value,
    /// Names of its volumes.
    pub volumes: &'a BTreeSet<String>,
    /// Names of its resource claims.
    pub claims: &'a BTreeSet<String>,
    /// Whether it is a Pod's and not a template's.
    pub is_pod: bool,
}

/// Checks the containers of all three lists.
pub fn validate(pod: &Pod, path: &Path, errors: &mut Errors) {
    let spec = pod.spec;
    let grace = int(spec, "terminationGracePeriodSeconds").unwrap_or(30);
    let mut names = BTreeSet::new();
    if list(spec, "containers").is_empty() {
        errors.required(&path.child("containers"), "");
    }
    for (index, container) in indexed(spec, "containers") {
        let path = path.child("containers").index(index);
        validate_one(container, pod, &path, errors);
        is_new(container, &mut names, &path, errors);
        probe::validate(spec, container, grace, &path, errors);
        restart::validate_policy(container, &path, errors);
        host_ports_match(container, pod, &path, errors);
    }
    host_ports_differ(list(spec, "containers"), &path.child("containers"), errors);
    let init_path = path.child("initContainers");
    for (index, container) in indexed(spec, "initContainers") {
        let path = path.child("initContainers").index(index);
        validate_one(container, pod, &path, errors);
        is_new(container, &mut names, &path, errors);
        restart::validate_policy(container, &path, errors);
        // Init containers run one by one, so each is looked at alone; the places told are upstream's.
        host_ports_differ(std::slice::from_ref(container), &init_path, errors);
        validate_init(spec, container, grace, &path, errors);
    }
    for (index, container) in indexed(spec, "ephemeralContainers") {
        let path = path.child("ephemeralContainers").index(index);
        validate_one(container, pod, &path, errors);
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

fn validate_init(spec: &Value, container: &Value, grace: i64, path: &Path, errors: &mut Errors) {
    if is_sidecar(container) {
        probe::validate(spec, container, grace, path, errors);
        return;
    }
    restart::ends_before_resize(container, path, errors);
    for field in ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"] {
        if !container[field].is_null() {
            let wrong = "may not be set for init containers without restartPolicy=Always";
            errors.forbidden(&path.child(field), wrong);
        }
    }
}

fn validate_ephemeral(spec: &Value, container: &Value, path: &Path, errors: &mut Errors) {
    const WRONG: &str = "cannot be set for an Ephemeral Container";
    let fields = [
        "ports",
        "resizePolicy",
        "restartPolicy",
        "restartPolicyRules",
        "livenessProbe",
        "readinessProbe",
        "startupProbe",
        "lifecycle",
    ];
    let has = |field: &str| !container[field].is_null() && container[field] != Value::Array(Vec::new());
    for field in fields.into_iter().filter(|field| has(field)) {
        errors.forbidden(&path.child(field), WRONG);
    }
    let resources = &container["resources"];
    let has_claims = !list(resources, "claims").is_empty();
    if !is_empty_map(resources, "limits") || !is_empty_map(resources, "requests") || has_claims {
        errors.forbidden(&path.child("resources"), WRONG);
    }
    for (index, mount) in indexed(container, "volumeMounts") {
        for field in ["subPath", "subPathExpr"] {
            if !text(mount, field).is_empty() {
                errors.forbidden(&path.child("volumeMounts").index(index).child(field), WRONG);
            }
        }
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
    } else if pod.is_pod && image.trim() != image {
        errors.invalid(&path.child("image"), image, "must not have leading or trailing whitespace");
    }
    match text(container, "terminationMessagePolicy") {
        "" => errors.required(&path.child("terminationMessagePolicy"), ""),
        policy if MESSAGE_POLICIES.contains(&policy) => {}
        policy => errors.not_supported(&path.child("terminationMessagePolicy"), policy, &MESSAGE_POLICIES),
    }
    validate_ports(container, path, errors);
    environment::validate(container, pod.volumes, path, errors);
    validate_mounts(container, pod, path, errors);
    validate_devices(container, pod, path, errors);
    match text(container, "imagePullPolicy") {
        "" => errors.required(&path.child("imagePullPolicy"), ""),
        policy if PULL_POLICIES.contains(&policy) => {}
        policy => errors.not_supported(&path.child("imagePullPolicy"), policy, &PULL_POLICIES),
    }
    resources::validate(&container["resources"], &path.child("resources"), errors);
    security::validate_container(&container["securityContext"], &path.child("securityContext"), errors);
    claim::validate_uses(&container["resources"], pod.claims, &path.child("resources"), errors);
    restart::validate_resize_policy(container, text(pod.spec, "restartPolicy"), path, errors);
    let host_users = pod.spec["hostUsers"].as_bool().unwrap_or(true);
    if text(&container["securityContext"], "procMount") == "Unmasked" && host_users {
        let at = path.child("securityContext").child("procMount");
        errors.invalid(&at, "Unmasked", "`hostUsers` must be false to use `Unmasked`");
    }
}

fn validate_ports(container: &Value, path: &Path, errors: &mut Errors) {
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
        }
        match text(port, "protocol") {
            "" => errors.required(&path.child("protocol"), ""),
            protocol if PROTOCOLS.contains(&protocol) => {}
            protocol => errors.not_supported(&path.child("protocol"), protocol, &PROTOCOLS),
        }
    }
}

/// On the node's network a container's port is the node's; templates may leave it to be filled in.
fn host_ports_match(container: &Value, pod: &Pod, path: &Path, errors: &mut Errors) {
    if !is_true(pod.spec, "hostNetwork") {
        return;
    }
    for (index, port) in indexed(container, "ports") {
        let (number, host) = (int(port, "containerPort").unwrap_or(0), int(port, "hostPort").unwrap_or(0));
        if (pod.is_pod || host != 0) && host != number {
            let at = path.child("ports").index(index).child("hostPort");
            errors.invalid(&at, host, "must match `containerPort` when `hostNetwork` is true");
        }
    }
}

fn host_ports_differ(containers: &[Value], path: &Path, errors: &mut Errors) {
    let mut seen = BTreeSet::new();
    for (at, container) in containers.iter().enumerate() {
        for (index, port) in indexed(container, "ports") {
            let Some(number) = int(port, "hostPort").filter(|number| *number != 0) else { continue };
            let key = format!("{}/{}/{number}", text(port, "protocol"), text(port, "hostIP"));
            if !seen.insert(key.clone()) {
                errors.duplicate(&path.index(at).child("ports").index(index).child("hostPort"), key);
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
        let devices = list(container, "volumeDevices");
        if !name.is_empty() && devices.iter().any(|device| text(device, "name") == name) {
            errors.invalid(&path.child("name"), name, "must not already exist in volumeDevices");
        }
        if !at.is_empty() && devices.iter().any(|device| text(device, "devicePath") == at) {
            errors.invalid(&path.child("mountPath"), at, "must not already exist as a path in volumeDevices");
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
        validate_read_only(mount, &path.child("recursiveReadOnly"), errors);
    }
}

fn validate_read_only(mount: &Value, path: &Path, errors: &mut Errors) {
    match mount["recursiveReadOnly"].as_str() {
        None | Some("Disabled") => {}
        Some("Enabled" | "IfPossible") => {
            if !is_true(mount, "readOnly") {
                errors.forbidden(path, "may only be specified when readOnly is true");
            }
            if !["", "None"].contains(&text(mount, "mountPropagation")) {
                errors.forbidden(path, "may only be specified when mountPropagation is None or not specified");
            }
        }
        Some(other) => errors.not_supported(path, other, &["Disabled", "Enabled", "IfPossible"]),
    }
}

fn validate_devices(container: &Value, pod: &Pod, path: &Path, errors: &mut Errors) {
    let (mut names, mut places) = (BTreeSet::new(), BTreeSet::new());
    let mounts = list(container, "volumeMounts");
    for (index, device) in indexed(container, "volumeDevices") {
        let path = path.child("volumeDevices").index(index);
        let (name, place) = (text(device, "name"), text(device, "devicePath"));
        let (name_at, place_at) = (path.child("name"), path.child("devicePath"));
        if name.is_empty() {
            errors.required(&name_at, "");
        }
        if !names.insert(name) {
            errors.invalid(&name_at, name, "must be unique");
        }
        match volume::is_claim(pod.spec, name) {
            Some(false) => {
                let wrong = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode";
                errors.invalid(&name_at, name, wrong);
            }
            None if !name.is_empty() => errors.not_found(&name_at, name),
            _ => {}
        }
        if place.is_empty() {
            errors.required(&place_at, "");
        } else if !places.insert(place) {
            errors.invalid(&place_at, place, "must be unique");
        }
        no_backsteps(place, &place_at, errors);
        if mounts.iter().any(|mount| text(mount, "name") == name) {
            errors.invalid(&name_at, name, "must not already exist in volumeMounts");
        }
        if !place.is_empty() && mounts.iter().any(|mount| text(mount, "mountPath") == place) {
            errors.invalid(&place_at, place, "must not already exist as a path in volumeMounts");
        }
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
