//! Node.

use super::cells::{NONE, UNKNOWN, or};
use super::fields::{copy, entries, indexed, is_true, list, object_mut, text};
use super::{AGE, NAME, PROXY_VERBS, cells, cluster, columns, names, pod_spec, state, status, subresource_of, texts};
use crate::field::{Errors, Path};
use crate::kind::{Kind, Strategy};
use serde_json::Value;
use std::collections::BTreeSet;

/// The row of Node.
pub fn kind() -> Kind {
    Kind {
        short_names: texts(&["no"]),
        subresources: vec![subresource_of("proxy", ("", "v1", "NodeProxyOptions"), &PROXY_VERBS), status()],
        selectable_fields: texts(&["spec.unschedulable"]),
        columns: columns(&[
            NAME,
            ("Status", "string", 0, "Whether Pods can run and be placed on it."),
            ("Roles", "string", 0, "The roles that its labels name."),
            AGE,
            ("Version", "string", 0, "Version of its kubelet."),
            ("Internal-IP", "string", 1, "Its address in the cluster."),
            ("External-IP", "string", 1, "Its address outside the cluster."),
            ("OS-Image", "string", 1, "Its operating system."),
            ("Kernel-Version", "string", 1, "Its kernel."),
            ("Container-Runtime", "string", 1, "What runs its containers."),
        ]),
        strategy: strategy(),
        ..cluster("", "Node", "nodes")
    }
}

const EFFECTS: [&str; 3] = ["NoSchedule", "PreferNoSchedule", "NoExecute"];
const ROLE_PREFIX: &str = "node-role.kubernetes.io/";
const ROLE_LABEL: &str = "kubernetes.io/role";

fn strategy() -> Strategy {
    Strategy {
        default,
        prepare_update: |object, old| copy(object, old, "status"),
        prepare_status_update: state::update_status,
        validate,
        validate_update,
        cells: row,
        field_text,
        ..Strategy::default()
    }
}

fn default(object: &mut Value) {
    let Some(status) = object_mut(object, "status") else { return };
    for amounts in ["capacity", "allocatable"] {
        pod_spec::resources::canonicalize(status, amounts);
    }
    if status["allocatable"].is_null() && status["capacity"].is_object() {
        status["allocatable"] = status["capacity"].clone();
    }
}

fn validate(object: &Value, errors: &mut Errors) {
    let (spec, path) = (&object["spec"], Path::new("spec"));
    let mut seen = BTreeSet::new();
    for (index, taint) in indexed(spec, "taints") {
        let path = path.child("taints").index(index);
        let (key, effect) = (text(taint, "key"), text(taint, "effect"));
        for wrong in names::qualified(key) {
            errors.invalid(&path.child("key"), key, &wrong);
        }
        let wrong = names::label_value(text(taint, "value"));
        if !wrong.is_empty() {
            errors.invalid(&path.child("value"), text(taint, "value"), &wrong.join(";"));
        }
        match effect {
            "" => errors.required(&path.child("effect"), ""),
            effect if EFFECTS.contains(&effect) => {}
            effect => errors.not_supported(&path.child("effect"), effect, &EFFECTS),
        }
        if !seen.insert((key, effect)) {
            errors.duplicate(&path, taint);
        }
    }
    for (index, cidr) in indexed(spec, "podCIDRs") {
        if cidr.as_str().is_none_or(|cidr| cidr.parse::<ipnet::IpNet>().is_err()) {
            let wrong = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";
            errors.invalid(&path.child("podCIDRs").index(index), cidr, wrong);
        }
    }
    for amounts in ["capacity", "allocatable"] {
        let path = Path::new("status").child(amounts);
        pod_spec::resources::validate_list(&object["status"][amounts], &path, errors);
    }
}

fn validate_update(object: &Value, old: &Value, errors: &mut Errors) {
    let (new, old, path) = (&object["spec"], &old["spec"], Path::new("spec"));
    if !list(old, "podCIDRs").is_empty() && new["podCIDRs"] != old["podCIDRs"] {
        errors.forbidden(&path.child("podCIDRs"), "node updates may not change podCIDR except from \"\" to valid");
    }
    if !text(old, "providerID").is_empty() && new["providerID"] != old["providerID"] {
        let wrong = "node updates may not change providerID except from \"\" to valid";
        errors.forbidden(&path.child("providerID"), wrong);
    }
}

fn field_text(object: &Value, path: &str) -> Option<String> {
    (path == "spec.unschedulable").then(|| is_true(&object["spec"], "unschedulable").to_string())
}

fn ready(object: &Value) -> String {
    let condition = list(&object["status"], "conditions").iter().find(|condition| text(condition, "type") == "Ready");
    let mut status = match condition.map(|condition| text(condition, "status")) {
        Some("True") => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    }
    .to_owned();
    if is_true(&object["spec"], "unschedulable") {
        status += ",SchedulingDisabled";
    }
    status
}

fn roles(object: &Value) -> String {
    let roles: BTreeSet<&str> = entries(&object["metadata"], "labels")
        .filter_map(|(key, value)| match key.strip_prefix(ROLE_PREFIX) {
            Some(role) => Some(role),
            None => value.as_str().filter(|_| key == ROLE_LABEL),
        })
        .filter(|role| !role.is_empty())
        .collect();
    or(&roles.into_iter().collect::<Vec<_>>().join(","), NONE).to_owned()
}

fn row(object: &Value, now: i64) -> Vec<Value> {
    let (status, info) = (&object["status"], &object["status"]["nodeInfo"]);
    let address = |type_: &str| {
        let address = list(status, "addresses").iter().find(|address| text(address, "type") == type_);
        address.map_or(NONE, |address| text(address, "address"))
    };
    vec![
        cells::name(object),
        ready(object).into(),
        roles(object).into(),
        cells::age(object, now),
        text(info, "kubeletVersion").into(),
        address("InternalIP").into(),
        address("ExternalIP").into(),
        or(text(info, "osImage"), UNKNOWN).into(),
        or(text(info, "kernelVersion"), UNKNOWN).into(),
        or(text(info, "containerRuntimeVersion"), UNKNOWN).into(),
    ]
}

#[cfg(test)]
mod tests;
