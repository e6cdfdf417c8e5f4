//! Pod.

use super::fields::{int, is_true, list, object_or_new, text};
use super::{
    AGE, NAME, PART_VERBS, PROXY_VERBS, columns, namespaced, pod_spec, state, subresource, subresource_of, texts,
};
use crate::field::{Errors, Path};
use crate::kind::{Kind, Strategy, Verb};
use serde_json::{Value, json};

mod row;
mod status;
mod update;

pub use update::{prepare_ephemeral, prepare_resize, validate_ephemeral_update, validate_resize};

/// The row of Pod.
pub fn kind() -> Kind {
    Kind {
        short_names: texts(&["po"]),
        categories: texts(&["all"]),
        subresources: vec![
            subresource_of("attach", ("", "v1", "PodAttachOptions"), &[Verb::Create, Verb::Get]),
            subresource_of("binding", ("", "v1", "Binding"), &[Verb::Create]),
            subresource("ephemeralcontainers", &PART_VERBS),
            subresource_of("eviction", ("policy", "v1", "Eviction"), &[Verb::Create]),
            subresource_of("exec", ("", "v1", "PodExecOptions"), &[Verb::Create, Verb::Get]),
            subresource("log", &[Verb::Get]),
            subresource_of("portforward", ("", "v1", "PodPortForwardOptions"), &[Verb::Create, Verb::Get]),
            subresource_of("proxy", ("", "v1", "PodProxyOptions"), &PROXY_VERBS),
            subresource("resize", &PART_VERBS),
            super::status(),
        ],
        selectable_fields: texts(&[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.nominatedNodeName",
        ]),
        columns: columns(&[
            NAME,
            ("Ready", "string", 0, "Containers that are ready, of all."),
            ("Status", "string", 0, "What its containers are doing, in one word."),
            ("Restarts", "string", 0, "How often its containers were restarted, and when last."),
            AGE,
            ("IP", "string", 1, "Its address."),
            ("Node", "string", 1, "The node it was placed on."),
            ("Nominated Node", "string", 1, "The node where room is being made for it."),
            ("Readiness Gates", "string", 1, "Conditions that its readiness waits for, true ones of all."),
        ]),
        strategy: strategy(),
        ..namespaced("", "Pod", "pods")
    }
}

fn strategy() -> Strategy {
    Strategy {
        default: |object| pod_spec::default_of_pod(object_or_new(object, "spec")),
        prepare_create,
        prepare_update: state::update,
        prepare_status_update: status::prepare,
        validate,
        validate_update: |object, old, errors| {
            update::validate(object, old, errors);
            status::validate(object, old, errors);
        },
        grace_seconds,
        warnings,
        update_warnings: Some(|_, _| Vec::new()),
        cells: row::cells,
        field_text,
        ..Strategy::default()
    }
}

fn prepare_create(object: &mut Value) {
    state::create(object);
    object["status"] = json!({"phase": "Pending", "qosClass": pod_spec::qos_class(&object["spec"])});
    if !list(&object["spec"], "schedulingGates").is_empty() {
        object["status"]["conditions"] = json!([{
            "type": "PodScheduled", "status": "False", "reason": "SchedulingGated",
            "message": "Scheduling is blocked due to non-empty scheduling gates",
        }]);
    }
}

fn validate(object: &Value, errors: &mut Errors) {
    let path = Path::new("spec");
    pod_spec::validate(&object["spec"], &path, errors);
    // Only the subresource adds them, and it counts the generation; a new Pod is of the first.
    let is_new = int(&object["metadata"], "generation").unwrap_or(1) <= 1;
    if is_new && !list(&object["spec"], "ephemeralContainers").is_empty() {
        errors.forbidden(&path.child("ephemeralContainers"), "cannot be set on create");
    }
}

/// Nothing to wait for when no node has the Pod or it is done; a negative period means one second.
fn grace_seconds(object: &Value) -> Option<i64> {
    let done = ["Succeeded", "Failed"].contains(&text(&object["status"], "phase"));
    if done || text(&object["spec"], "nodeName").is_empty() {
        return Some(0);
    }
    let seconds = int(&object["spec"], "terminationGracePeriodSeconds").unwrap_or(30);
    Some(if seconds < 0 { 1 } else { seconds })
}

fn warnings(object: &Value) -> Vec<String> {
    let name = pod_spec::name_warning(crate::meta::name(object), "the Pod's hostname");
    name.into_iter().chain(pod_spec::warnings(object, &Path::default())).collect()
}

fn field_text(object: &Value, path: &str) -> Option<String> {
    (path == "spec.hostNetwork").then(|| is_true(&object["spec"], "hostNetwork").to_string())
}

#[cfg(test)]
mod tests;
