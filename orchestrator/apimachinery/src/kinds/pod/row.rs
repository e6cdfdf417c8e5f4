//! How `kubectl get pods` shows a Pod.

use crate::kinds::cells::{NONE, age, condition_is_true, name, or, seconds, since};
use crate::kinds::fields::{int, is_true, list, text};
use crate::kinds::pod_spec::is_sidecar;
use serde_json::Value;

/// What the statuses of containers add up to.
struct Summary {
    status: String,
    ready: usize,
    restarts: i64,
    /// When a container ended last before it was restarted.
    restarted: Value,
}

impl Summary {
    fn count_restarts(&mut self, container: &Value) {
        self.restarts += int(container, "restartCount").unwrap_or(0);
        let finished = &container["lastState"]["terminated"]["finishedAt"];
        if seconds(finished) > seconds(&self.restarted) {
            self.restarted = finished.clone();
        }
    }
}

/// The cells of a Pod.
pub fn cells(pod: &Value, now: i64) -> Vec<Value> {
    let (spec, status) = (&pod["spec"], &pod["status"]);
    let summary = summary(pod);
    let sidecars = list(spec, "initContainers").iter().filter(|container| is_sidecar(container)).count();
    let containers = list(spec, "containers").len() + sidecars;
    let restarts = match summary.restarts {
        0 => "0".to_owned(),
        count if summary.restarted.is_null() => count.to_string(),
        count => format!("{count} ({} ago)", since(&summary.restarted, now)),
    };
    let ip = list(status, "podIPs").first().map_or("", |ip| text(ip, "ip"));
    vec![
        name(pod),
        format!("{}/{containers}", summary.ready).into(),
        summary.status.into(),
        restarts.into(),
        age(pod, now),
        or(or(ip, text(status, "podIP")), NONE).into(),
        or(text(spec, "nodeName"), NONE).into(),
        or(text(status, "nominatedNodeName"), NONE).into(),
        readiness_gates(pod).into(),
    ]
}

fn readiness_gates(pod: &Value) -> String {
    let gates = list(&pod["spec"], "readinessGates");
    if gates.is_empty() {
        return NONE.to_owned();
    }
    let open = gates.iter().filter(|gate| condition_is_true(pod, text(gate, "conditionType"))).count();
    format!("{open}/{}", gates.len())
}

fn summary(pod: &Value) -> Summary {
    let status = &pod["status"];
    let phase = text(status, "phase");
    let mut summary =
        Summary { status: or(text(status, "reason"), phase).to_owned(), ready: 0, restarts: 0, restarted: Value::Null };
    let is_gated = |condition: &&Value| {
        text(condition, "type") == "PodScheduled" && text(condition, "reason") == "SchedulingGated"
    };
    if list(status, "conditions").iter().any(|condition| is_gated(&condition)) {
        summary.status = "SchedulingGated".to_owned();
    }
    let initializing = add_init_containers(pod, &mut summary);
    if !initializing || condition_is_true(pod, "Initialized") {
        add_containers(pod, &mut summary);
    }
    if crate::meta::is_deleting(pod) {
        if text(status, "reason") == "NodeLost" {
            summary.status = "Unknown".to_owned();
        } else if !["Succeeded", "Failed"].contains(&phase) {
            summary.status = "Terminating".to_owned();
        }
    }
    summary
}

/// The end of a container in one word.
fn ended(terminated: &Value) -> String {
    match (text(terminated, "reason"), int(terminated, "signal").unwrap_or(0)) {
        ("", 0) => format!("ExitCode:{}", int(terminated, "exitCode").unwrap_or(0)),
        ("", signal) => format!("Signal:{signal}"),
        (reason, _) => reason.to_owned(),
    }
}

/// Adds the init containers up to the first that is not through; returns whether there is one.
fn add_init_containers(pod: &Value, summary: &mut Summary) -> bool {
    let specs = list(&pod["spec"], "initContainers");
    for (index, container) in list(&pod["status"], "initContainerStatuses").iter().enumerate() {
        summary.count_restarts(container);
        let state = &container["state"];
        let (terminated, waiting) = (&state["terminated"], text(&state["waiting"], "reason"));
        if terminated.is_object() && int(terminated, "exitCode").unwrap_or(0) == 0 {
            continue;
        }
        let spec = specs.iter().find(|spec| text(spec, "name") == text(container, "name"));
        if spec.is_some_and(is_sidecar) && is_true(container, "started") {
            summary.ready += usize::from(is_true(container, "ready"));
            continue;
        }
        summary.status = if terminated.is_object() {
            format!("Init:{}", ended(terminated))
        } else if !["", "PodInitializing"].contains(&waiting) {
            format!("Init:{waiting}")
        } else {
            format!("Init:{index}/{}", specs.len())
        };
        return true;
    }
    false
}

fn add_containers(pod: &Value, summary: &mut Summary) {
    let sidecars = list(&pod["spec"], "initContainers").iter().filter(|container| is_sidecar(container));
    let sidecars: Vec<&str> = sidecars.map(|container| text(container, "name")).collect();
    (summary.restarts, summary.restarted) = (0, Value::Null);
    for container in list(&pod["status"], "initContainerStatuses") {
        if sidecars.contains(&text(container, "name")) {
            summary.count_restarts(container);
        }
    }
    let mut any_runs = false;
    for container in list(&pod["status"], "containerStatuses").iter().rev() {
        summary.count_restarts(container);
        let state = &container["state"];
        let waiting = text(&state["waiting"], "reason");
        if !waiting.is_empty() {
            summary.status = waiting.to_owned();
        } else if state["terminated"].is_object() {
            summary.status = ended(&state["terminated"]);
        } else if is_true(container, "ready") && state["running"].is_object() {
            any_runs = true;
            summary.ready += 1;
        }
    }
    if summary.status == "Completed" && any_runs {
        summary.status = if condition_is_true(pod, "Ready") { "Running" } else { "NotReady" }.to_owned();
    }
}
