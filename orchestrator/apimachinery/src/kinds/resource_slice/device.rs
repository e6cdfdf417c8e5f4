//! One device of a slice.

use super::{capacity, consumed, validate_counters};
use crate::field::{Errors, Path};
use crate::kinds::checks::{canonicalize_quantity, fits, one_of, too_many, unique};
use crate::kinds::fields::{entries, indexed, list, list_mut, object_mut, text};
use crate::kinds::{devices, names, pod_spec};
use serde_json::Value;

/// Attributes and capacities of one device.
const PROPERTIES_MAX: usize = 32;
/// Values of all attributes of one device.
const VALUES_MAX: usize = 48;
const VALUE_BYTES_MAX: usize = 64;
const TAINTS_MAX: usize = 16;
/// Counter sets that one device takes from.
const CONSUMPTIONS_MAX: usize = 2;
/// Fields with one value and with a list of values.
const SINGLE: [&str; 4] = ["bool", "int", "string", "version"];
const MANY: [&str; 4] = ["bools", "ints", "strings", "versions"];
/// Resources that a node has by itself.
const NODE_RESOURCES: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];

/// Writes the amounts of capacities and counters in their canonical form.
pub fn fill(object: &mut Value) {
    let Some(spec) = object_mut(object, "spec") else { return };
    let canonicalize = |map: Option<&mut Value>| {
        for entry in map.and_then(Value::as_object_mut).into_iter().flat_map(|map| map.values_mut()) {
            canonicalize_quantity(entry, "value");
        }
    };
    for set in list_mut(spec, "sharedCounters") {
        canonicalize(object_mut(set, "counters"));
    }
    for device in list_mut(spec, "devices") {
        canonicalize(object_mut(device, "capacity"));
        for set in list_mut(device, "consumesCounters") {
            canonicalize(object_mut(set, "counters"));
        }
    }
}

/// Whether a device has something of which a slice may have less.
pub fn is_rich(device: &Value) -> bool {
    let has_list = |(_, attribute): (&String, &Value)| MANY.iter().any(|field| !attribute[*field].is_null());
    !list(device, "taints").is_empty()
        || consumed(device).next().is_some()
        || entries(device, "attributes").any(has_list)
}

/// Checks a device; `has_own_nodes` when the slice leaves it to each device where it is.
pub fn validate(device: &Value, has_own_nodes: bool, path: &Path, errors: &mut Errors) {
    devices::validate_label(text(device, "name"), &path.child("name"), errors);
    let properties = entries(device, "attributes").count() + entries(device, "capacity").count();
    if properties > PROPERTIES_MAX {
        let wrong = format!("the total number of attributes and capacities must not exceed {PROPERTIES_MAX}");
        errors.invalid(path, properties, &wrong);
    }
    let values: usize = entries(device, "attributes").map(|(_, attribute)| values(attribute)).sum();
    if values > VALUES_MAX {
        errors.invalid(path, values, &format!("the total number of attribute values must not exceed {VALUES_MAX}"));
    }
    let at = path.child("attributes");
    for (name, attribute) in entries(device, "attributes") {
        devices::validate_qualified(name, &at, errors);
        validate_attribute(attribute, &at.key(name), errors);
    }
    capacity::validate(device, &path.child("capacity"), errors);
    validate_taints(device, &path.child("taints"), errors);
    let at = path.child("consumesCounters");
    if !too_many(&at, list(device, "consumesCounters").len(), CONSUMPTIONS_MAX, errors) {
        consumed(device).for_each(|(index, set)| validate_counters(set, "counterSet", &at.index(index), errors));
        unique(consumed(device).map(|(_, set)| text(set, "counterSet")), &at, errors);
    }
    validate_nodes(device, has_own_nodes, path, errors);
    devices::validate_binding_conditions(device, path, errors);
    validate_mappings(device, &path.child("nodeAllocatableResourceMappings"), errors);
}

fn values(attribute: &Value) -> usize {
    MANY.iter().map(|field| list(attribute, field).len()).sum::<usize>().max(1)
}

fn validate_attribute(attribute: &Value, path: &Path, errors: &mut Errors) {
    let validate_text = |field: &str, value: &str, path: &Path, errors: &mut Errors| {
        if field.starts_with("version") && !is_semantic(value) {
            errors.invalid(path, value, "must be a string compatible with semver.org spec 2.0.0");
        }
        if value.len() > VALUE_BYTES_MAX {
            errors.too_long(path, VALUE_BYTES_MAX);
        }
    };
    for field in ["string", "version"] {
        if let Some(value) = attribute[field].as_str() {
            validate_text(field, value, &path.child(field), errors);
        }
    }
    for field in MANY.iter().filter(|field| !attribute[**field].is_null()) {
        let path = path.child(field);
        if list(attribute, field).is_empty() {
            errors.invalid(&path, &attribute[*field], "must not be empty if specified");
        }
        for (index, value) in indexed(attribute, field) {
            if let Some(value) = value.as_str() {
                validate_text(field, value, &path.index(index), errors);
            }
        }
    }
    let set = SINGLE.iter().chain(&MANY).filter(|field| !attribute[**field].is_null()).count();
    let wrong = "exactly one value must be specified";
    match set {
        0 => errors.invalid(path, "", wrong),
        1 => {}
        _ => errors.invalid(path, attribute, wrong),
    }
}

/// Whether a text is a version of semver.org 2.0.0.
fn is_semantic(version: &str) -> bool {
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let is_number = |word: &str| {
        !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit()) && (word == "0" || !word.starts_with('0'))
    };
    let is_before = |word: &str| is_word(word) && (is_number(word) || !word.bytes().all(|b| b.is_ascii_digit()));
    let (version, build) = version.split_once('+').map_or((version, None), |(version, build)| (version, Some(build)));
    let (core, before) = version.split_once('-').map_or((version, None), |(core, before)| (core, Some(before)));
    core.split('.').count() == 3
        && core.split('.').all(is_number)
        && before.is_none_or(|before| before.split('.').all(is_before))
        && build.is_none_or(|build| build.split('.').all(is_word))
}

fn validate_taints(device: &Value, path: &Path, errors: &mut Errors) {
    if too_many(path, list(device, "taints").len(), TAINTS_MAX, errors) {
        return;
    }
    for (index, taint) in indexed(device, "taints") {
        let (path, key, value) = (path.index(index), text(taint, "key"), text(taint, "value"));
        fits(names::qualified(key), key, &path.child("key"), errors);
        fits(names::label_value(value), value, &path.child("value"), errors);
        one_of(text(taint, "effect"), &devices::EFFECTS, &path.child("effect"), errors);
    }
}

fn validate_nodes(device: &Value, has_own_nodes: bool, path: &Path, errors: &mut Errors) {
    let (node, selector, all) = (&device["nodeName"], &device["nodeSelector"], &device["allNodes"]);
    if !has_own_nodes {
        if !(node.is_null() && selector.is_null() && all.is_null()) {
            let wrong = "`nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set to \
                         true in the ResourceSlice spec";
            errors.invalid(path, Value::Null, wrong);
        }
        return;
    }
    let mut set = Vec::new();
    match node.as_str() {
        Some("") => errors.invalid(&path.child("nodeName"), "", "must not be empty"),
        Some(node) => {
            set.push("`nodeName`");
            fits(names::dns_subdomain(node), node, &path.child("nodeName"), errors);
        }
        None => {}
    }
    if !selector.is_null() {
        set.push("`nodeSelector`");
        pod_spec::validate_node_selector(selector, &path.child("nodeSelector"), errors);
    }
    match all.as_bool() {
        Some(true) => set.push("`allNodes`"),
        Some(false) => errors.invalid(&path.child("allNodes"), false, "must be either unset or set to true"),
        None => {}
    }
    let wrong = "exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when `perDeviceNodeSelection` is \
                 set to true in the ResourceSlice spec";
    match set.len() {
        0 => errors.required(path, wrong),
        1 => {}
        _ => errors.invalid(path, format!("{{{}}}", set.join(", ")), wrong),
    }
}

/// A device may take of a node's own resources, too.
fn validate_mappings(device: &Value, path: &Path, errors: &mut Errors) {
    for (resource, mapping) in entries(device, "nodeAllocatableResourceMappings") {
        let path = path.key(resource);
        if !NODE_RESOURCES.contains(&resource.as_str()) && !resource.starts_with("hugepages-") {
            errors.invalid(&path, resource, "must be a node allocatable resource name");
        }
        let at = path.child("capacityKey");
        match mapping["capacityKey"].as_str() {
            Some("") => errors.invalid(&at, "", "capacityKey must not be an empty string"),
            Some(key) if device["capacity"][key].is_null() => errors.not_found(&at, key),
            _ => {}
        }
    }
}
