//! ResourceSlice: the devices of a driver in a pool.

use super::checks::{POSITIVE, fits, too_many, unique};
use super::fields::{entries, indexed, int, list, text};
use super::metadata::immutable;
use super::{AGE, NAME, cells, cluster, columns, devices, domains, names, pod_spec, state, texts};
use crate::field::{Errors, Path};
use crate::kind::{Kind, Strategy};
use serde_json::Value;

mod capacity;
mod device;

/// The row of ResourceSlice.
pub fn kind() -> Kind {
    Kind {
        selectable_fields: texts(&["spec.driver", "spec.nodeName"]),
        columns: columns(&[
            NAME,
            ("Node", "string", 0, "The node that has the devices."),
            ("Driver", "string", 0, "The driver of the devices."),
            ("Pool", "string", 0, "The pool of the devices."),
            AGE,
        ]),
        strategy: Strategy { default: device::fill, validate, validate_update, cells: row, ..state::without_status() },
        ..cluster(devices::GROUP, "ResourceSlice", "resourceslices")
    }
}

const DEVICES_MAX: usize = 128;
/// Devices of a slice whose devices have taints, counters or lists of attributes.
const RICH_DEVICES_MAX: usize = 64;
const COUNTER_SETS_MAX: usize = 8;
const COUNTERS_MAX: usize = 32;

fn validate(object: &Value, errors: &mut Errors) {
    let (spec, path) = (&object["spec"], Path::new("spec"));
    domains::driver(text(spec, "driver"), &path.child("driver"), errors);
    let (pool, at) = (&spec["pool"], path.child("pool"));
    devices::validate_pool(text(pool, "name"), &at.child("name"), errors);
    let number = |field| int(pool, field).unwrap_or(0);
    if number("resourceSliceCount") <= 0 {
        errors.invalid(&at.child("resourceSliceCount"), number("resourceSliceCount"), POSITIVE);
    }
    if number("generation") < 0 {
        let wrong = "must be greater than or equal to zero";
        errors.invalid(&at.child("generation"), number("generation"), wrong);
    }
    validate_nodes(spec, &path, errors);
    if !spec["sharedCounters"].is_null() && !spec["devices"].is_null() {
        errors.invalid(&path, "", "only one of `sharedCounters` or `devices` is allowed");
    }
    let (all, at) = (list(spec, "devices"), path.child("devices"));
    let max = if all.iter().any(device::is_rich) { RICH_DEVICES_MAX } else { DEVICES_MAX };
    if !too_many(&at, all.len(), max, errors) {
        for (index, one) in all.iter().enumerate() {
            device::validate(one, spec["perDeviceNodeSelection"] == true, &at.index(index), errors);
        }
        unique(all.iter().map(|one| text(one, "name")), &at, errors);
    }
    let (sets, at) = (list(spec, "sharedCounters"), path.child("sharedCounters"));
    if !too_many(&at, sets.len(), COUNTER_SETS_MAX, errors) {
        for (index, set) in sets.iter().enumerate() {
            validate_counters(set, "name", &at.index(index), errors);
        }
        unique(sets.iter().map(|set| text(set, "name")), &at, errors);
    }
}

/// Where the devices are must be said in exactly one way.
fn validate_nodes(spec: &Value, path: &Path, errors: &mut Errors) {
    let mut set = Vec::new();
    if let Some(node) = spec["nodeName"].as_str() {
        if node.is_empty() {
            let wrong = "must be either unset or set to a non-empty string";
            errors.invalid(&path.child("nodeName"), node, wrong);
        } else {
            set.push("`nodeName`");
            fits(names::dns_subdomain(node), node, &path.child("nodeName"), errors);
        }
    }
    let selector = &spec["nodeSelector"];
    if !selector.is_null() {
        set.push("`nodeSelector`");
        let at = path.child("nodeSelector");
        pod_spec::validate_node_selector(selector, &at, errors);
        if list(selector, "nodeSelectorTerms").len() != 1 {
            let wrong = "must have exactly one node selector term";
            errors.invalid(&at.child("nodeSelectorTerms"), list(selector, "nodeSelectorTerms"), wrong);
        }
    }
    for (field, shown) in [("allNodes", "`allNodes`"), ("perDeviceNodeSelection", "`perDeviceNodeSelection`")] {
        match spec[field].as_bool() {
            Some(true) => set.push(shown),
            Some(false) => errors.invalid(&path.child(field), false, "must be either unset or set to true"),
            None => {}
        }
    }
    let wrong = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required";
    match set.len() {
        0 => errors.required(path, wrong),
        1 => {}
        _ => {
            let wrong = format!("{wrong}, but multiple fields are set");
            errors.invalid(path, format!("{{{}}}", set.join(", ")), &wrong);
        }
    }
}

/// Checks a set of counters, or what a device takes of one; `name` is the field with the set's name.
fn validate_counters(set: &Value, name: &str, path: &Path, errors: &mut Errors) {
    super::checks::required(text(set, name), names::dns_label, &path.child(name), errors);
    let (count, path) = (entries(set, "counters").count(), path.child("counters"));
    if count == 0 {
        errors.required(&path, "");
    }
    if !too_many(&path, count, COUNTERS_MAX, errors) {
        entries(set, "counters").for_each(|(key, _)| devices::validate_label(key, &path, errors));
    }
}

fn validate_update(object: &Value, old: &Value, errors: &mut Errors) {
    let (spec, old, path) = (&object["spec"], &old["spec"], Path::new("spec"));
    immutable(&spec["pool"]["name"], &old["pool"]["name"], &path.child("pool").child("name"), errors);
    immutable(&spec["driver"], &old["driver"], &path.child("driver"), errors);
    immutable(&spec["nodeName"], &old["nodeName"], &path.child("nodeName"), errors);
}

fn row(object: &Value, now: i64) -> Vec<Value> {
    let spec = &object["spec"];
    vec![
        cells::name(object),
        text(spec, "nodeName").into(),
        text(spec, "driver").into(),
        text(&spec["pool"], "name").into(),
        cells::age(object, now),
    ]
}

/// The positions and values of a device's counters.
fn consumed(device: &Value) -> impl Iterator<Item = (usize, &Value)> {
    indexed(device, "consumesCounters")
}

#[cfg(test)]
mod tests;
