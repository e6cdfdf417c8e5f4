//! Turns a Pod's priority class into its priority.

use super::{Admission, Operation};
use crate::registry::ObjectReader;
use orchestrator_apimachinery::{ApiError, meta};
use serde_json::{Value, json};

/// The classes that every cluster has, even before their objects are there.
const SYSTEM_CLASSES: [(&str, i64); 2] =
    [("system-cluster-critical", 2_000_000_000), ("system-node-critical", 2_000_001_000)];

/// Sets `spec.priority` and `spec.preemptionPolicy` of a new Pod; a changed one keeps them.
pub(super) fn mutate(admission: &Admission<'_>, pod: &mut Value) -> Result<(), ApiError> {
    if let Some(old) = admission.old_pod() {
        for field in ["priority", "preemptionPolicy"] {
            if pod["spec"][field].is_null() && !old["spec"][field].is_null() {
                pod["spec"][field] = old["spec"][field].clone();
            }
        }
    }
    if !admission.creates_pod() {
        return Ok(());
    }
    let name = meta::name(pod).to_owned();
    let caches = &admission.registry.caches;
    let class = match pod["spec"]["priorityClassName"].as_str().filter(|class| !class.is_empty()) {
        Some(class) => {
            let found = caches.get("scheduling.k8s.io", "priorityclasses", "", class);
            let found = found.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
            let system = SYSTEM_CLASSES.iter().find(|(system, _)| *system == class);
            let found = found.or_else(|| system.map(|(_, value)| json!({"value": value})));
            let missing =
                || admission.writing.forbidden(&name, &format!("no PriorityClass with name {class} was found"));
            Some(found.ok_or_else(missing)?)
        }
        None => global_default(admission),
    };
    if let Some(class) = &class
        && class["metadata"]["name"].is_string()
    {
        pod["spec"]["priorityClassName"] = class["metadata"]["name"].clone();
    }
    let class = class.unwrap_or_default();
    let priority = class["value"].as_i64().unwrap_or(0);
    if let Some(given) = pod["spec"]["priority"].as_i64()
        && given != priority
    {
        let why = format!(
            "the integer value of priority ({given}) must not be provided in pod spec; priority admission controller \
             computed {priority} from the given PriorityClass name"
        );
        return Err(admission.writing.forbidden(&name, &why));
    }
    pod["spec"]["priority"] = json!(priority);
    if pod["spec"]["preemptionPolicy"].is_null() {
        let policy = class["preemptionPolicy"].as_str().unwrap_or("PreemptLowerPriority");
        pod["spec"]["preemptionPolicy"] = json!(policy);
    }
    Ok(())
}

/// Refuses a second class that is for Pods that name none.
pub(super) fn validate(admission: &Admission<'_>, class: &Value) -> Result<(), ApiError> {
    let kind = admission.writing.kind;
    let writes = matches!(admission.operation, Operation::Create | Operation::Update);
    if kind.group != "scheduling.k8s.io" || kind.plural != "priorityclasses" || !writes {
        return Ok(());
    }
    let other = global_default(admission).filter(|_| class["globalDefault"] == json!(true));
    match other.as_ref().map(meta::name) {
        Some(other) if admission.operation == Operation::Create || other != meta::name(class) => {
            let why = format!("PriorityClass {other} is already marked as default. Only one default can exist");
            Err(admission.writing.forbidden(meta::name(class), &why))
        }
        _ => Ok(()),
    }
}

/// The class that Pods get that name none; of several the lowest.
fn global_default(admission: &Admission<'_>) -> Option<Value> {
    let classes = admission.registry.caches.list("scheduling.k8s.io", "priorityclasses", None);
    classes
        .iter()
        .filter_map(|bytes| serde_json::from_slice::<Value>(bytes).ok())
        .filter(|class| class["globalDefault"] == json!(true))
        .min_by_key(|class| class["value"].as_i64())
}
