//! PersistentVolume.

use super::fields::{default, default_text, entries, list, object_mut, object_or_new, remove, text};
use super::metadata::immutable;
use super::persistent_volume_claim::class;
use super::{AGE, NAME, access_modes, cells, cluster, columns, pod_spec, state, status, texts};
use crate::field::{Errors, Path};
use crate::kind::{Kind, Strategy};
use serde_json::{Value, json};

/// The row of PersistentVolume.
pub fn kind() -> Kind {
    Kind {
        short_names: texts(&["pv"]),
        subresources: vec![status()],
        columns: columns(&[
            NAME,
            ("Capacity", "string", 0, "Its size."),
            ("Access Modes", "string", 0, "How it may be mounted."),
            ("Reclaim Policy", "string", 0, "What becomes of it when its claim is deleted."),
            ("Status", "string", 0, "Pending, Available, Bound, Released or Failed."),
            ("Claim", "string", 0, "The claim that it is bound to."),
            ("StorageClass", "string", 0, "Its class."),
            ("VolumeAttributesClass", "string", 0, "The class of its attributes."),
            ("Reason", "string", 0, "Why it is in that state, in one word."),
            AGE,
            ("VolumeMode", "string", 1, "Filesystem or Block."),
        ]),
        strategy: strategy(),
        ..cluster("", "PersistentVolume", "persistentvolumes")
    }
}

const RECLAIM_POLICIES: [&str; 3] = ["Delete", "Recycle", "Retain"];
/// The fields of the spec that are no volume source.
const NO_SOURCE: [&str; 9] = [
    "accessModes",
    "capacity",
    "claimRef",
    "mountOptions",
    "nodeAffinity",
    "persistentVolumeReclaimPolicy",
    "storageClassName",
    "volumeAttributesClassName",
    "volumeMode",
];
const SOURCE_FIXED: &str = "spec.persistentvolumesource is immutable after creation";

fn strategy() -> Strategy {
    Strategy {
        default: fill,
        prepare_create: |object| {
            object["status"] = json!({"phase": "Pending"});
            let created = object["metadata"]["creationTimestamp"].clone();
            if created.is_string() {
                object["status"]["lastPhaseTransitionTime"] = created;
            }
        },
        validate,
        validate_update,
        warnings,
        cells: row,
        ..state::uncounted()
    }
}

fn fill(object: &mut Value) {
    default_text(object_or_new(object, "status"), "phase", "Pending");
    let spec = object_or_new(object, "spec");
    default_text(spec, "persistentVolumeReclaimPolicy", "Retain");
    default(spec, "volumeMode", "Filesystem");
    pod_spec::resources::canonicalize(spec, "capacity");
    pod_spec::default_source(spec);
}

/// The volume sources of a spec; one, if it is right.
fn sources(spec: &Value) -> impl Iterator<Item = (&String, &Value)> {
    let fields = spec.as_object().into_iter().flatten();
    fields.filter(|(field, value)| !NO_SOURCE.contains(&field.as_str()) && value.is_object())
}

fn validate(object: &Value, errors: &mut Errors) {
    let (spec, path) = (&object["spec"], Path::new("spec"));
    access_modes::validate(spec, "", &path, errors);
    validate_capacity(spec, &path.child("capacity"), errors);
    let policy = text(spec, "persistentVolumeReclaimPolicy");
    if !policy.is_empty() && !RECLAIM_POLICIES.contains(&policy) {
        errors.not_supported(&path.child("persistentVolumeReclaimPolicy"), policy, &RECLAIM_POLICIES);
    }
    let has_affinity = validate_affinity(&spec["nodeAffinity"], &path.child("nodeAffinity"), errors);
    let mut count = 0;
    for (field, source) in sources(spec) {
        count += 1;
        let at = path.child(field);
        if count > 1 {
            errors.forbidden(&at, "may not specify more than 1 volume type");
            continue;
        }
        pod_spec::validate_persistent_source(field, source, &at, errors);
        if field == "local" && !has_affinity {
            errors.required(&path.child("nodeAffinity"), "Local volume requires node affinity");
        }
    }
    if count == 0 {
        errors.required(&path, "must specify a volume type");
    }
    let host_path = text(&spec["hostPath"], "path");
    if policy == "Recycle" && !host_path.is_empty() && host_path.trim_matches('/').is_empty() {
        let wrong = "may not be 'recycle' for a hostPath mount of '/'";
        errors.forbidden(&path.child("persistentVolumeReclaimPolicy"), wrong);
    }
    access_modes::validate_class(spec, "storageClassName", &path, errors);
    access_modes::validate_volume_mode(spec, &path, errors);
    if let Some(class) = spec["volumeAttributesClassName"].as_str() {
        if class.is_empty() {
            errors.required(&path.child("volumeAttributesClassName"), "an empty string is disallowed");
        }
        access_modes::validate_class(spec, "volumeAttributesClassName", &path, errors);
        if spec["csi"].is_null() {
            errors.required(&path.child("csi"), "has to be specified when using volumeAttributesClassName");
        }
    }
}

fn validate_capacity(spec: &Value, path: &Path, errors: &mut Errors) {
    let capacity = &spec["capacity"];
    let count = entries(spec, "capacity").count();
    if count == 0 {
        errors.required(path, "");
    }
    if capacity["storage"].is_null() || count > 1 {
        errors.not_supported(path, &capacity.to_string(), &["storage"]);
    }
    for (resource, amount) in entries(spec, "capacity") {
        access_modes::is_positive(amount, &path.key(resource), errors);
    }
}

/// Checks the affinity and tells whether there is one.
fn validate_affinity(affinity: &Value, path: &Path, errors: &mut Errors) -> bool {
    if affinity.is_null() {
        return false;
    }
    let required = &affinity["required"];
    if required.is_null() {
        errors.required(&path.child("required"), "must specify required node constraints");
        return true;
    }
    pod_spec::validate_node_selector(required, &path.child("required"), errors);
    true
}

fn validate_update(object: &Value, old: &Value, errors: &mut Errors) {
    let (mut new, before) = (object["spec"].clone(), &old["spec"]);
    // A secret for growing the volume may be added later.
    if before["csi"]["controllerExpandSecretRef"].is_null()
        && before["csi"].is_object()
        && let Some(csi) = object_mut(&mut new, "csi")
    {
        remove(csi, "controllerExpandSecretRef");
    }
    if !sources(&new).eq(sources(before)) {
        errors.forbidden(&Path::new("spec").child("persistentvolumesource"), SOURCE_FIXED);
    }
    immutable(&new["volumeMode"], &before["volumeMode"], &Path::new("volumeMode"), errors);
    if !before["nodeAffinity"].is_null() {
        immutable(&new["nodeAffinity"], &before["nodeAffinity"], &Path::new("nodeAffinity"), errors);
    }
    if !before["volumeAttributesClassName"].is_null() && new["volumeAttributesClassName"].is_null() {
        let path = Path::new("spec").child("volumeAttributesClassName");
        errors.forbidden(&path, "update from non-nil value to nil is forbidden");
    }
}

fn warnings(object: &Value) -> Vec<String> {
    let mut warnings = Vec::new();
    let affinity = Path::new("spec").child("nodeAffinity").child("required").child("nodeSelectorTerms");
    for (index, term) in super::fields::indexed(&object["spec"]["nodeAffinity"]["required"], "nodeSelectorTerms") {
        pod_spec::node_term_warnings(term, &affinity.index(index), &mut warnings);
    }
    if object["metadata"]["annotations"][super::persistent_volume_claim::CLASS_ANNOTATION].is_string() {
        warnings.push(
            "metadata.annotations[volume.beta.kubernetes.io/storage-class]: deprecated since v1.8; use \
             \"storageClassName\" attribute instead"
                .to_owned(),
        );
    }
    if object["metadata"]["annotations"]["volume.beta.kubernetes.io/mount-options"].is_string() {
        warnings.push(
            "metadata.annotations[volume.beta.kubernetes.io/mount-options]: deprecated since v1.31; use \
             \"mountOptions\" attribute instead"
                .to_owned(),
        );
    }
    if text(&object["spec"], "persistentVolumeReclaimPolicy") == "Recycle" {
        warnings.push(
            "spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended \
             approach is to use dynamic provisioning."
                .to_owned(),
        );
    }
    let shown = text(&object["spec"]["capacity"], "storage");
    if crate::quantity::Quantity::parse(shown).is_ok_and(|quantity| !quantity.is_integer()) {
        warnings
            .push(format!("spec.capacity[storage]: fractional byte value {shown:?} is invalid, must be an integer"));
    }
    warnings
}

fn row(object: &Value, now: i64) -> Vec<Value> {
    let (spec, status) = (&object["spec"], &object["status"]);
    let phase = if crate::meta::is_deleting(object) { "Terminating" } else { text(status, "phase") };
    let claim = match &spec["claimRef"] {
        Value::Object(_) => format!("{}/{}", text(&spec["claimRef"], "namespace"), text(&spec["claimRef"], "name")),
        _ => String::new(),
    };
    vec![
        cells::name(object),
        cells::or(text(&spec["capacity"], "storage"), "0").into(),
        access_modes::short(list(spec, "accessModes")).into(),
        text(spec, "persistentVolumeReclaimPolicy").into(),
        phase.into(),
        claim.into(),
        class(object).into(),
        spec["volumeAttributesClassName"].as_str().unwrap_or("<unset>").into(),
        text(status, "reason").into(),
        cells::age(object, now),
        spec["volumeMode"].as_str().unwrap_or("<unset>").into(),
    ]
}

#[cfg(test)]
mod tests;
