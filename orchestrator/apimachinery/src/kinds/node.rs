//! Node.

use super::cells::{NONE, UNKNOWN, or};
use super::checks::{fits, one_of, unique};
use super::fields::{entries, indexed, is_true, list, object_mut, text};
use super::{
    AGE, NAME, PROXY_VERBS, addresses, cells, cluster, columns, names, pod_spec, state, status, subresource_of, texts,
};
use crate::field::{Errors, FieldError, Path, Reason};
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
        prepare_update: state::update_without_generation,
        prepare_status_update: state::update_status,
        validate,
        validate_update,
        warnings,
        cells: row,
        field_text,
        ..Strategy::default()
    }
}

fn default(object: &mut Value) {
    if let Some(spec) = object_mut(object, "spec") {
        same_ranges(spec);
    }
    let Some(status) = object_mut(object, "status") else { return };
    for amounts in ["capacity", "allocatable"] {
        pod_spec::resources::canonicalize(status, amounts);
    }
    if status["allocatable"].is_null() && status["capacity"].is_object() {
        status["allocatable"] = status["capacity"].clone();
    }
}

/// `podCIDR` is the first of `podCIDRs`; the older field wins when both are given, as upstream.
fn same_ranges(spec: &mut Value) {
    let first = text(spec, "podCIDR").to_owned();
    let listed = list(spec, "podCIDRs").first().and_then(Value::as_str).unwrap_or("").to_owned();
    if !first.is_empty() && first != listed {
        spec["podCIDRs"] = serde_json::json!([first]);
    } else if first.is_empty() && !listed.is_empty() {
        spec["podCIDR"] = listed.into();
    }
}

fn validate(object: &Value, errors: &mut Errors) {
    validate_taints(&object["spec"], errors);
    for amounts in ["capacity", "allocatable"] {
        for (name, amount) in entries(&object["status"], amounts) {
            // The path is upstream's: the resource as a field.
            let path = Path::new("status").child(amounts).child(name);
            pod_spec::resources::validate_amount_of(amount, &path, errors);
        }
    }
    let (cidrs, path) = (list(&object["spec"], "podCIDRs"), Path::new("spec").child("podCIDRs"));
    let mut families = Vec::new();
    for (index, cidr) in cidrs.iter().enumerate() {
        let cidr = cidr.as_str().unwrap_or("");
        fits(addresses::network(cidr), cidr, &path.index(index), errors);
        families.extend(cidr.parse::<ipnet::IpNet>().map(|cidr| cidr.addr().is_ipv4()));
    }
    if cidrs.len() > 2 || (cidrs.len() > 1 && families.first() == families.get(1)) {
        errors.invalid(&path, cidrs, "may specify no more than one CIDR for each IP family");
    }
    unique(cidrs.iter().filter_map(Value::as_str), &path, errors);
    let config = &object["spec"]["configSource"];
    if !config.is_null() {
        validate_config(config, &Path::new("spec").child("configSource"), errors);
    }
}

/// The paths are upstream's, which looks for taints below metadata.
fn validate_taints(spec: &Value, errors: &mut Errors) {
    let mut seen = BTreeSet::new();
    for (index, taint) in indexed(spec, "taints") {
        let path = Path::new("metadata").child("taints").index(index);
        let (key, effect) = (text(taint, "key"), text(taint, "effect"));
        fits(names::qualified(key), key, &path.child("key"), errors);
        let wrong = names::label_value(text(taint, "value"));
        if !wrong.is_empty() {
            errors.invalid(&path.child("value"), text(taint, "value"), &wrong.join(";"));
        }
        one_of(effect, &EFFECTS, &path.child("effect"), errors);
        if !seen.insert((key, effect)) {
            let message = format!("Duplicate value: {taint}: taints must be unique by key and effect pair");
            errors.0.push(FieldError { reason: Reason::Duplicate, field: path.to_string(), message });
        }
    }
}

/// Checks `configSource`, which nothing reads any more.
fn validate_config(config: &Value, path: &Path, errors: &mut Errors) {
    let source = &config["configMap"];
    if source.is_null() {
        errors.invalid(path, config, "exactly one reference subfield must be non-nil");
        return;
    }
    let path = path.child("configMap");
    for field in ["uid", "resourceVersion"] {
        if !text(source, field).is_empty() {
            errors.forbidden(&path.child(field), &format!("{field} must not be set in spec"));
        }
    }
    let rules: [(&str, names::Rule); 3] =
        [("namespace", names::dns_label), ("name", names::dns_subdomain), ("kubeletConfigKey", names::data_key)];
    for (field, rule) in rules {
        let (value, at) = (text(source, field), path.child(field));
        if value.is_empty() {
            errors.required(&at, &format!("{field} must be set"));
        } else {
            fits(rule(value), value, &at, errors);
        }
    }
}

fn validate_update(object: &Value, old: &Value, errors: &mut Errors) {
    let mut seen = BTreeSet::new();
    for (index, address) in indexed(&object["status"], "addresses") {
        if !seen.insert(address.to_string()) {
            errors.duplicate(&Path::new("status").child("addresses").index(index), address);
        }
    }
    let (new, old, path) = (&object["spec"], &old["spec"], Path::new("spec"));
    if !list(old, "podCIDRs").is_empty() && new["podCIDRs"] != old["podCIDRs"] {
        errors.forbidden(&path.child("podCIDRs"), "node updates may not change podCIDR except from \"\" to valid");
    }
    if !text(old, "providerID").is_empty() && new["providerID"] != old["providerID"] {
        let wrong = "node updates may not change providerID except from \"\" to valid";
        errors.forbidden(&path.child("providerID"), wrong);
    }
    if text(new, "externalID") != text(old, "externalID") {
        errors.forbidden(&path.child("externalID"), "may not be updated");
    }
}

fn warnings(object: &Value) -> Vec<String> {
    let spec = &object["spec"];
    let mut warnings = Vec::new();
    if !spec["configSource"].is_null() {
        warnings.push("spec.configSource: the feature is removed".to_owned());
    }
    if !text(spec, "externalID").is_empty() {
        warnings.push("spec.externalID: this field is deprecated, and is unused by Kubernetes".to_owned());
    }
    let path = Path::new("spec").child("podCIDRs");
    for (index, cidr) in indexed(spec, "podCIDRs") {
        warnings.extend(addresses::network_warning(cidr.as_str().unwrap_or(""), &path.index(index)));
    }
    warnings
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
