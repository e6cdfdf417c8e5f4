//! StatefulSet.

use super::checks::not_negative;
use super::fields::{copy, default, default_text, indexed, int, list_mut, object_or_new, text};
use super::replica_set::{runs_for_ever, template_warnings};
use super::{
    AGE, CONTAINERS, IMAGES, NAME, cells, columns, int_or_percent, metadata, namespaced, persistent_volume_claim,
    pod_spec, scale, selector, state, status, texts,
};
use crate::field::{Errors, Path};
use crate::kind::{Kind, Strategy};
use serde_json::{Value, json};

/// The row of StatefulSet.
pub fn kind() -> Kind {
    Kind {
        short_names: texts(&["sts"]),
        categories: texts(&["all"]),
        subresources: vec![scale(), status()],
        columns: columns(&[NAME, ("Ready", "string", 0, "Ready Pods, of those wanted."), AGE, CONTAINERS, IMAGES]),
        strategy: strategy(),
        ..namespaced("apps", "StatefulSet", "statefulsets")
    }
}

/// What of the spec may change, as upstream's error names it.
const CHANGEABLE: &str = "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', \
    'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are \
    forbidden";

fn strategy() -> Strategy {
    Strategy {
        default: fill,
        prepare_create: |object| {
            state::create(object);
            object["status"] = json!({"replicas": 0, "availableReplicas": 0});
        },
        validate,
        validate_update,
        warnings,
        update_warnings: Some(|new, old| if new["spec"] == old["spec"] { Vec::new() } else { warnings(new) }),
        cells: row,
        ..state::counted()
    }
}

fn fill(object: &mut Value) {
    pod_spec::default_template(object);
    let spec = object_or_new(object, "spec");
    default_text(spec, "podManagementPolicy", "OrderedReady");
    let strategy = object_or_new(spec, "updateStrategy");
    default_text(strategy, "type", "RollingUpdate");
    if text(strategy, "type") == "RollingUpdate" {
        let update = object_or_new(strategy, "rollingUpdate");
        default(update, "partition", 0);
        default(update, "maxUnavailable", 1);
    }
    let retention = object_or_new(spec, "persistentVolumeClaimRetentionPolicy");
    default_text(retention, "whenDeleted", "Retain");
    default_text(retention, "whenScaled", "Retain");
    default(spec, "replicas", 1);
    default(spec, "revisionHistoryLimit", 10);
    for claim in list_mut(spec, "volumeClaimTemplates").filter(|claim| claim.is_object()) {
        claim["apiVersion"] = "v1".into();
        claim["kind"] = "PersistentVolumeClaim".into();
        persistent_volume_claim::fill(claim);
    }
}

fn validate(object: &Value, errors: &mut Errors) {
    let (spec, path) = (&object["spec"], Path::new("spec"));
    match text(spec, "podManagementPolicy") {
        "" => errors.required(&path.child("podManagementPolicy"), ""),
        "OrderedReady" | "Parallel" => {}
        other => {
            errors.invalid(&path.child("podManagementPolicy"), other, "must be 'OrderedReady' or 'Parallel'");
        }
    }
    validate_strategy(&spec["updateStrategy"], &path.child("updateStrategy"), errors);
    validate_retention(spec, &path.child("persistentVolumeClaimRetentionPolicy"), errors);
    not_negative(spec, &["replicas", "minReadySeconds"], &path, errors);
    not_negative(&spec["ordinals"], &["start"], &path.child("ordinals"), errors);
    selector::validate_with_template(spec, "statefulset", &path, errors);
    // The claims of the set become volumes only when its Pods are made, so its PodSpec is checked then.
    let (template, at) = (&spec["template"], path.child("template"));
    metadata::labels(&template["metadata"], &at.child("labels"), errors);
    metadata::annotations(&template["metadata"], &at.child("annotations"), errors);
    runs_for_ever(template, "StatefulSet", &at, errors);
    validate_status(&object["status"], &Path::new("status"), errors);
}

fn validate_strategy(strategy: &Value, path: &Path, errors: &mut Errors) {
    let (update, at) = (&strategy["rollingUpdate"], path.child("rollingUpdate"));
    match text(strategy, "type") {
        "" => errors.required(path, ""),
        "OnDelete" if !update.is_null() => {
            errors.invalid(&at, update, "only allowed for updateStrategy 'RollingUpdate'");
        }
        "OnDelete" => {}
        "RollingUpdate" => {
            not_negative(update, &["partition"], &at, errors);
            let (most, at) = (&update["maxUnavailable"], at.child("maxUnavailable"));
            if most.is_null() {
                return;
            }
            int_or_percent::validate(most, &at, errors);
            if int_or_percent::number(most) == Some(0) {
                errors.invalid(&at, most, "cannot be 0");
            }
            int_or_percent::at_most_all(most, &at, errors);
        }
        _ => errors.invalid(path, strategy, "must be 'RollingUpdate' or 'OnDelete'"),
    }
}

fn validate_retention(spec: &Value, path: &Path, errors: &mut Errors) {
    let retention = &spec["persistentVolumeClaimRetentionPolicy"];
    if retention.is_null() {
        return;
    }
    for field in ["whenDeleted", "whenScaled"] {
        let policy = text(retention, field);
        if !["Retain", "Delete"].contains(&policy) {
            errors.not_supported(&path.child(field), policy, &["Delete", "Retain"]);
        }
    }
}

fn validate_status(status: &Value, path: &Path, errors: &mut Errors) {
    let counts = [
        "replicas",
        "readyReplicas",
        "currentReplicas",
        "updatedReplicas",
        "availableReplicas",
        "observedGeneration",
        "collisionCount",
    ];
    not_negative(status, &counts, path, errors);
    let all = int(status, "replicas").unwrap_or(0);
    for field in ["readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas"] {
        if let Some(count) = int(status, field).filter(|count| *count > all) {
            errors.invalid(&path.child(field), count, "cannot be greater than status.replicas");
        }
    }
    let ready = int(status, "readyReplicas").unwrap_or(0);
    if let Some(count) = int(status, "availableReplicas").filter(|count| *count > ready) {
        errors.invalid(&path.child("availableReplicas"), count, "cannot be greater than status.readyReplicas");
    }
}

fn validate_update(object: &Value, old: &Value, errors: &mut Errors) {
    let mut rest = object["spec"].clone();
    let changeable = [
        "replicas",
        "ordinals",
        "template",
        "updateStrategy",
        "revisionHistoryLimit",
        "persistentVolumeClaimRetentionPolicy",
        "minReadySeconds",
    ];
    for field in changeable {
        copy(&mut rest, &old["spec"], field);
    }
    if rest != old["spec"] {
        errors.forbidden(&Path::new("spec"), CHANGEABLE);
    }
    let count = |object: &Value| int(&object["status"], "collisionCount").unwrap_or(0);
    if count(object) < count(old) {
        let path = Path::new("status").child("collisionCount");
        errors.invalid(&path, count(object), "cannot be decremented");
    }
}

fn warnings(object: &Value) -> Vec<String> {
    let (spec, path) = (&object["spec"], Path::new("spec"));
    let mut warnings = template_warnings(object);
    for (index, claim) in indexed(spec, "volumeClaimTemplates") {
        let at = path.child("volumeClaimTemplates").index(index).child("spec");
        warnings.extend(persistent_volume_claim::warnings(&claim["spec"], &at));
    }
    if int(spec, "revisionHistoryLimit").is_some_and(|limit| limit < 0) {
        let why = "a negative value retains all historical revisions; a value >= 0 is recommended";
        warnings.push(format!("{}: {why}", path.child("revisionHistoryLimit")));
    }
    warnings
}

fn row(object: &Value, now: i64) -> Vec<Value> {
    let wanted = int(&object["spec"], "replicas").unwrap_or(0);
    let ready = int(&object["status"], "readyReplicas").unwrap_or(0);
    let [names, images, _] = cells::template(object);
    vec![cells::name(object), format!("{ready}/{wanted}").into(), cells::age(object, now), names, images]
}

#[cfg(test)]
mod tests;
