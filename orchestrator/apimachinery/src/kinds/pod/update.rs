//! What of a Pod's spec may change after its creation.

use crate::field::{Errors, Path};
use crate::kinds::fields::{copy, entries, indexed, int, list, list_mut, object_or_new, remove, text};
use crate::kinds::pod_spec::{has_whole_resources, is_sidecar, qos_class};
use serde_json::Value;

/// Differences that one error shows; stops a message from growing with the object.
const DIFFERENCES_MAX: usize = 10;
const CHANGEABLE: &str = "pod updates may not change fields other than `spec.containers[*].image`,\
    `spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing \
    tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

/// Checks a change of a Pod. Arguments: new, old.
pub fn validate(object: &Value, old: &Value, errors: &mut Errors) {
    let (new, old, path) = (&object["spec"], &old["spec"], Path::new("spec"));
    for containers in ["containers", "initContainers"] {
        if list(new, containers).len() != list(old, containers).len() {
            errors.forbidden(&path.child(containers), "pod updates may not add or remove containers");
            return;
        }
    }
    validate_deadline(new, old, &path.child("activeDeadlineSeconds"), errors);
    let gated = !list(old, "schedulingGates").is_empty();
    for (index, gate) in indexed(new, "schedulingGates") {
        if !list(old, "schedulingGates").contains(gate) {
            let wrong = format!("only deletion is allowed, but found new scheduling gate '{}'", text(gate, "name"));
            errors.forbidden(&path.child("schedulingGates").index(index).child("name"), &wrong);
        }
    }
    validate_tolerations(new, old, &path.child("tolerations"), errors);
    // What may change is taken over from the old spec; what differs then may not.
    let mut rest = new.clone();
    for containers in ["containers", "initContainers"] {
        for (container, before) in list_mut(&mut rest, containers).zip(list(old, containers)) {
            copy(container, before, "image");
        }
    }
    for field in ["activeDeadlineSeconds", "tolerations", "schedulingGates"] {
        copy(&mut rest, old, field);
    }
    if gated {
        validate_gated(new, old, &path, errors);
        copy(&mut rest, old, "nodeSelector");
        if rest["affinity"].is_object() || old["affinity"].is_object() {
            copy(object_or_new(&mut rest, "affinity"), &old["affinity"], "nodeAffinity");
            if old["affinity"].is_null() && entries(&rest, "affinity").next().is_none() {
                remove(&mut rest, "affinity");
            }
        }
    }
    let was_negative = int(old, "terminationGracePeriodSeconds").is_some_and(|seconds| seconds < 0);
    if was_negative && int(new, "terminationGracePeriodSeconds") == Some(1) {
        copy(&mut rest, old, "terminationGracePeriodSeconds");
    }
    if rest != *old {
        let mut differences = Vec::new();
        differ(&rest, old, "spec", &mut differences);
        differences.truncate(DIFFERENCES_MAX);
        errors.forbidden(&path, &format!("{CHANGEABLE}\n{}\n", differences.join("\n")));
    }
}

/// A Pod that still waits at its gates may be told more narrowly where to go.
fn validate_gated(new: &Value, old: &Value, path: &Path, errors: &mut Errors) {
    const ADDITIONS: &str = "only additions are allowed (no mutations or deletions)";
    if entries(old, "nodeSelector").any(|(key, value)| new["nodeSelector"].get(key) != Some(value)) {
        errors.invalid(&path.child("nodeSelector"), &new["nodeSelector"], ADDITIONS);
    }
    const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
    let path = path.child("affinity").child("nodeAffinity").child(REQUIRED).child("nodeSelectorTerms");
    let required = |spec: &Value| spec["affinity"]["nodeAffinity"][REQUIRED].clone();
    let (new, old) = (required(new), required(old));
    let (after, before) = (list(&new, "nodeSelectorTerms"), list(&old, "nodeSelectorTerms"));
    if before.is_empty() {
        return;
    }
    if after.len() != before.len() {
        let wrong = "no additions/deletions to non-empty NodeSelectorTerms list are allowed";
        errors.invalid(&path, after, wrong);
        return;
    }
    for (index, (after, before)) in after.iter().zip(before).enumerate() {
        let kept = ["matchExpressions", "matchFields"];
        if !kept.iter().all(|field| list(after, field).starts_with(list(before, field))) {
            errors.invalid(&path.index(index), after, ADDITIONS);
        }
    }
}

/// Whether the Pod is the mirror of one that a node was given as a file.
fn is_mirror(pod: &Value) -> bool {
    pod["metadata"]["annotations"]["kubernetes.io/config.mirror"].is_string()
}

/// Prepares a change by the subresource `ephemeralcontainers`: everything but the ephemeral containers comes from
/// the old Pod, and the generation counts the change. Arguments: new, old.
pub fn prepare_ephemeral(object: &mut Value, old: &Value) {
    let containers = object["spec"].get("ephemeralContainers").cloned();
    object.clone_from(old);
    match containers {
        Some(containers) => object["spec"]["ephemeralContainers"] = containers,
        None => remove(&mut object["spec"], "ephemeralContainers"),
    }
    crate::kinds::state::update(object, old);
}

/// Checks a change by the subresource `ephemeralcontainers`, after [`prepare_ephemeral`] and the rules of the
/// PodSpec: containers may be added, and those that exist stay. Arguments: new, old.
pub fn validate_ephemeral_update(object: &Value, old: &Value, errors: &mut Errors) {
    if is_mirror(old) {
        errors.forbidden(&Path::new("[]"), "static pods do not support ephemeral containers");
        return;
    }
    let path = Path::new("spec").child("ephemeralContainers");
    for before in list(&old["spec"], "ephemeralContainers") {
        let name = text(before, "name");
        let after = list(&object["spec"], "ephemeralContainers").iter().find(|after| text(after, "name") == name);
        match after {
            None => errors.forbidden(&path, &format!("existing ephemeral containers {name:?} may not be removed\n")),
            Some(after) if after != before => {
                let mut differences = Vec::new();
                differ(after, before, name, &mut differences);
                differences.truncate(DIFFERENCES_MAX);
                let shown = differences.join("\n");
                let wrong = format!("existing ephemeral containers {name:?} may not be changed\n{shown}\n");
                errors.forbidden(&path, &wrong);
            }
            Some(_) => {}
        }
    }
}

/// Prepares a change by the subresource `resize`: everything but resources and resize policies of containers
/// comes from the old Pod, and the generation counts the change. Arguments: new, old.
pub fn prepare_resize(object: &mut Value, old: &Value) {
    let wanted = std::mem::replace(object, old.clone());
    for containers in ["containers", "initContainers"] {
        for container in list_mut(&mut object["spec"], containers) {
            let same = |other: &&Value| text(other, "name") == text(container, "name");
            let Some(new) = list(&wanted["spec"], containers).iter().find(same) else { continue };
            copy(container, new, "resources");
            copy(container, new, "resizePolicy");
        }
    }
    crate::kinds::state::update(object, old);
}

/// Checks a change by the subresource `resize`, after [`prepare_resize`] and the rules of the PodSpec: only amounts
/// of CPU and memory change, none is taken away, and the class of service stays. Arguments: new, old.
pub fn validate_resize(object: &Value, old: &Value, errors: &mut Errors) {
    let path = Path::new("spec");
    if is_mirror(old) {
        errors.forbidden(&Path::new("[]"), "static pods cannot be resized");
        return;
    }
    if text(&old["spec"]["os"], "name") == "windows" {
        errors.forbidden(&Path::new("[]"), "windows pods cannot be resized");
        return;
    }
    if has_whole_resources(&old["spec"]) {
        errors.forbidden(&Path::new("[]"), "pods with pod-level resources cannot be resized");
        return;
    }
    for containers in ["containers", "initContainers"] {
        let after = list(&object["spec"], containers);
        for (index, before) in indexed(&old["spec"], containers) {
            let Some(after) = after.get(index) else { continue };
            let wrong = match (containers, is_sidecar(before)) {
                ("containers", _) => "only cpu and memory resources are mutable",
                (_, true) => "only cpu and memory resources for sidecar containers are mutable",
                (_, false) if after == before => continue,
                (_, false) => {
                    errors.forbidden(&path, "resources for non-sidecar init containers are immutable");
                    continue;
                }
            };
            let at = path.child(containers).index(index).child("resources");
            if !same_but_amounts(after, before, &at, errors) {
                errors.forbidden(&path, wrong);
            }
        }
    }
    let class = qos_class(&object["spec"]);
    if class != qos_class(&old["spec"]) {
        errors.invalid(&path, class, "Pod QOS Class may not change as a result of resizing");
    }
}

/// Whether two states of a container differ in amounts of CPU and memory at most; reports amounts that are gone.
fn same_but_amounts(after: &Value, before: &Value, path: &Path, errors: &mut Errors) -> bool {
    let mut rest = after.clone();
    // How a new size reaches the container may change with it.
    copy(&mut rest, before, "resizePolicy");
    for kind in ["limits", "requests"] {
        let (new, kept) = (&after["resources"][kind], &before["resources"][kind]);
        if entries(&before["resources"], kind).any(|(name, _)| new.get(name).is_none()) {
            errors.forbidden(&path.child(kind), &format!("resource {kind} cannot be removed"));
        }
        let mut amounts = if new.is_object() { new.clone() } else { Value::Object(serde_json::Map::new()) };
        for resource in ["cpu", "memory"] {
            copy(&mut amounts, kept, resource);
        }
        let is_empty = amounts.as_object().is_some_and(serde_json::Map::is_empty);
        match is_empty && kept.is_null() {
            true if rest["resources"].is_object() => remove(&mut rest["resources"], kind),
            true => {}
            false => object_or_new(&mut rest, "resources")[kind] = amounts,
        }
    }
    rest == *before
}

fn validate_deadline(new: &Value, old: &Value, path: &Path, errors: &mut Errors) {
    let (after, before) = (int(new, "activeDeadlineSeconds"), int(old, "activeDeadlineSeconds"));
    match (after, before) {
        (None, Some(_)) => errors.invalid(path, Value::Null, "must not update from a positive integer to nil value"),
        (Some(after), Some(before)) if after > before => {
            errors.invalid(path, after, "must be less than or equal to previous value");
        }
        _ => {}
    }
}

/// Tolerations may be added, and the seconds of one may change.
fn validate_tolerations(new: &Value, old: &Value, path: &Path, errors: &mut Errors) {
    let same = |a: &Value, b: &Value| {
        ["key", "operator", "value", "effect"].into_iter().all(|field| text(a, field) == text(b, field))
    };
    let kept = |before: &Value| list(new, "tolerations").iter().any(|after| same(before, after));
    if !list(old, "tolerations").iter().all(kept) {
        errors.forbidden(path, "existing toleration can not be modified except its tolerationSeconds");
    }
}

/// Adds a line for each value that was and each that is now.
fn differ(new: &Value, old: &Value, path: &str, differences: &mut Vec<String>) {
    match (new, old) {
        _ if new == old => {}
        (Value::Object(after), Value::Object(before)) => {
            let mut keys: Vec<&String> = after.keys().chain(before.keys()).collect();
            keys.sort();
            keys.dedup();
            for key in keys {
                differ(&new[key], &old[key], &format!("{path}.{key}"), differences);
            }
        }
        (Value::Array(after), Value::Array(before)) if after.len() == before.len() => {
            for (index, (after, before)) in after.iter().zip(before).enumerate() {
                differ(after, before, &format!("{path}[{index}]"), differences);
            }
        }
        _ => {
            for (sign, value) in [("-", old), ("+", new)] {
                if !value.is_null() {
                    differences.push(format!("{sign} {path}: {value}"));
                }
            }
        }
    }
}
