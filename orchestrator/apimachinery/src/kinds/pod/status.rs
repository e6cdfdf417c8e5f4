//! Rules of a Pod's status.

use crate::field::{Errors, Path};
use crate::kinds::fields::{copy, indexed, int, list, text};
use crate::kinds::names;
use crate::kinds::pod_spec::is_sidecar;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Conditions whose names are not looked at.
const SYSTEM_CONDITIONS: [&str; 3] = ["PodScheduled", "Ready", "Initialized"];
const MIRROR: &str = "kubernetes.io/config.mirror";
const APP_ARMOR: &str = "container.apparmor.security.beta.kubernetes.io/";

/// Prepares a change of the status. Arguments: new, old.
pub fn prepare(object: &mut Value, old: &Value) {
    crate::kinds::state::update_status(object, old);
    let status = &mut object["status"];
    if !status.is_object() {
        return;
    }
    copy(status, &old["status"], "qosClass");
    // The older field names the first address and wins when both are given, as upstream.
    let first = text(status, "podIP").to_owned();
    let listed = list(status, "podIPs").first().map_or("", |ip| text(ip, "ip")).to_owned();
    if !first.is_empty() && first != listed {
        status["podIPs"] = json!([{"ip": first}]);
    } else if first.is_empty() && !listed.is_empty() {
        status["podIP"] = json!(listed);
    }
}

/// Checks a change of the status, and of annotations. Arguments: new, old.
pub fn validate(object: &Value, old: &Value, errors: &mut Errors) {
    validate_annotations(object, old, errors);
    let (new, before, path) = (&object["status"], &old["status"], Path::new("status"));
    if new == before {
        return;
    }
    for (index, condition) in indexed(new, "conditions") {
        let type_ = text(condition, "type");
        if !SYSTEM_CONDITIONS.contains(&type_) {
            let at = Path::new("metadata").child("conditions").index(index).child("Type");
            for wrong in names::qualified(type_) {
                errors.invalid(&at, type_, &wrong);
            }
        }
    }
    let nominated = text(new, "nominatedNodeName");
    if !nominated.is_empty() && nominated != text(before, "nominatedNodeName") {
        for wrong in names::dns_subdomain(nominated) {
            errors.invalid(&path.child("nominatedNodeName"), nominated, &wrong);
        }
    }
    let spec = &old["spec"];
    let policy = text(spec, "restartPolicy");
    for (field, policy) in
        [("containerStatuses", policy), ("initContainerStatuses", policy), ("ephemeralContainerStatuses", "Never")]
    {
        stays_terminated(new, before, field, policy, spec, errors);
    }
    validate_claims(object, &path.child("resourceClaimStatuses"), errors);
    validate_addresses(new, "podIPs", &path, errors);
    validate_addresses(new, "hostIPs", &path, errors);
    let (first, host) = (list(new, "hostIPs").first().map_or("", |ip| text(ip, "ip")), text(new, "hostIP"));
    if !first.is_empty() && first != host {
        errors.invalid(&path.child("hostIPs").index(0).child("ip"), first, "must be equal to `hostIP`");
    }
}

/// Whether a container's own policy and rules may bring it back whatever the Pod's says.
fn may_restart(spec: &Value, name: &str) -> bool {
    let containers = list(spec, "containers").iter().map(|container| (container, false));
    let containers = containers.chain(list(spec, "initContainers").iter().map(|container| (container, true)));
    let mut own = containers.filter(|(container, _)| text(container, "name") == name);
    own.any(|(container, is_init)| {
        (is_init && is_sidecar(container))
            || (!text(container, "restartPolicy").is_empty() && text(container, "restartPolicy") != "Never")
            || !list(container, "restartPolicyRules").is_empty()
    })
}

/// A container that ended for good does not come back.
fn stays_terminated(new: &Value, old: &Value, field: &str, policy: &str, spec: &Value, errors: &mut Errors) {
    if policy == "Always" {
        return;
    }
    for (index, before) in indexed(old, field) {
        let (name, ended) = (text(before, "name"), &before["state"]["terminated"]);
        let failed = int(ended, "exitCode").unwrap_or(0) != 0;
        if ended.is_null() || (failed && policy == "OnFailure") || may_restart(spec, name) {
            continue;
        }
        let mut after = list(new, field).iter().filter(|after| text(after, "name") == name);
        if after.any(|after| after["state"]["terminated"].is_null()) {
            let at = Path::new("status").child(field).index(index).child("state");
            errors.forbidden(&at, "may not be transitioned to non-terminated state");
        }
    }
}

fn validate_claims(object: &Value, path: &Path, errors: &mut Errors) {
    let mut seen = BTreeSet::new();
    let claims = list(&object["spec"], "resourceClaims");
    for (index, status) in indexed(&object["status"], "resourceClaimStatuses") {
        let (name, at) = (text(status, "name"), path.index(index).child("name"));
        if !claims.iter().any(|claim| text(claim, "name") == name) {
            errors.invalid(&at, name, "must match the name of an entry in `spec.resourceClaims`");
        }
        if !seen.insert(name) {
            errors.duplicate(&at, name);
        }
        if let Some(claim) = status["resourceClaimName"].as_str() {
            for wrong in names::dns_subdomain(claim) {
                errors.invalid(&at, claim, &wrong);
            }
        }
    }
}

fn validate_addresses(status: &Value, field: &str, path: &Path, errors: &mut Errors) {
    let (ips, path) = (list(status, field), path.child(field));
    let mut families = Vec::new();
    let mut seen = BTreeSet::new();
    for (index, ip) in ips.iter().enumerate() {
        let ip = text(ip, "ip");
        for wrong in names::ip(ip) {
            errors.invalid(&path.index(index), ip, &wrong);
        }
        families.extend(ip.parse::<IpAddr>().map(|ip| ip.is_ipv4()));
    }
    if ips.len() > 1 && (ips.len() > 2 || families.first() == families.get(1)) {
        errors.invalid(&path, ips, "may specify no more than one IP for each IP family");
    }
    for (index, ip) in ips.iter().enumerate() {
        if !seen.insert(text(ip, "ip")) {
            errors.duplicate(&path.index(index), ip);
        }
    }
}

fn validate_annotations(object: &Value, old: &Value, errors: &mut Errors) {
    let path = Path::new("metadata").child("annotations");
    let (after, before) = (&object["metadata"]["annotations"], &old["metadata"]["annotations"]);
    let mut keys: BTreeSet<&String> = before.as_object().into_iter().flat_map(serde_json::Map::keys).collect();
    keys.extend(after.as_object().into_iter().flat_map(serde_json::Map::keys));
    for key in keys.into_iter().filter(|key| after[key.as_str()] != before[key.as_str()]) {
        let what = match key.as_str() {
            MIRROR => "mirror pod annotation",
            key if key.starts_with(APP_ARMOR) => "AppArmor annotations",
            _ => continue,
        };
        let doing = if before[key.as_str()].is_null() { "add" } else { "remove or update" };
        errors.forbidden(&path.key(key), &format!("may not {doing} {what}"));
    }
}
