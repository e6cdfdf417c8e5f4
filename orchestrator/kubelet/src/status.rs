//! A Pod's status from what the node knows; pure.

use crate::limits::PULL_ERROR_SHOWN;
use crate::plan::{Ending, InitState, World, deadline_exceeded, ending, init_state, is_over};
use crate::pod::{self, Role, after, api_time, full_name, pod_ref};
use crate::record::{ContainerRecord, Ended, Failure, Life, Step};
use k8s_openapi::api::core::v1::{
    Container, ContainerState, ContainerStateRunning, ContainerStateWaiting, ContainerStatus, HostIP, Pod,
    PodCondition, PodIP, PodStatus, VolumeMountStatus,
};
use k8s_openapi::jiff::Timestamp;

/// What a status says of the node.
#[derive(Clone, Debug)]
pub struct NodeFacts {
    /// The node's address.
    pub host_ip: String,
}

/// The status of the Pod at `now`; `before` is the status that was written last, whose
/// transition times stay where nothing changed.
pub fn status(world: World<'_>, before: &PodStatus, node: &NodeFacts, now: Timestamp) -> PodStatus {
    let statuses = |init: bool| -> Vec<ContainerStatus> {
        pod::containers(world.pod)
            .filter(|(_, role)| (*role != Role::Main) == init)
            .filter_map(|(container, role)| {
                let record = world.record.containers.get(&container.name)?;
                Some(container_status(world, container, role, record, now))
            })
            .collect()
    };
    let (init, main) = (statuses(true), statuses(false));
    let (phase, reason, message) = phase(world, now);
    let addresses: Vec<String> = match &world.record.sandbox {
        Step::Done(addresses) => addresses.iter().map(ToString::to_string).collect(),
        // Those of an earlier process, until the sandbox is made again.
        _ => before.pod_ips.iter().flatten().map(|address| address.ip.clone()).collect(),
    };
    let conditions = conditions(world, phase, &init, &main, before, now);
    PodStatus {
        phase: Some(phase.to_owned()),
        reason,
        message,
        conditions: Some(conditions),
        init_container_statuses: Some(init).filter(|statuses| !statuses.is_empty()),
        container_statuses: Some(main),
        pod_ip: addresses.first().cloned(),
        pod_ips: Some(addresses.into_iter().map(|ip| PodIP { ip }).collect::<Vec<_>>()).filter(|ips| !ips.is_empty()),
        host_ip: Some(node.host_ip.clone()),
        host_ips: Some(vec![HostIP { ip: node.host_ip.clone() }]),
        start_time: Some(api_time(world.record.start_time)),
        qos_class: Some(before.qos_class.clone().unwrap_or_else(|| pod::qos_class(world.pod).to_owned())),
        observed_generation: world.pod.metadata.generation,
        ..PodStatus::default()
    }
}

/// The Pod's phase, with a reason and a message where the Pod as a whole has one.
///
/// Source: Kubernetes, "Pod Lifecycle".
fn phase(world: World<'_>, now: Timestamp) -> (&'static str, Option<String>, Option<String>) {
    if let Some(verdict) = &world.record.verdict {
        let phase = if verdict.phase == "Succeeded" { "Succeeded" } else { "Failed" };
        return (phase, verdict.reason.clone(), verdict.message.clone());
    }
    let ending = ending(world, now).map(|(ending, _)| ending);
    if deadline_exceeded(world, now) {
        let message = "Pod was active on the node longer than the specified deadline".to_owned();
        return ("Failed", Some("DeadlineExceeded".to_owned()), Some(message));
    }
    let over = ending == Some(Ending::Deleted) && world.record.containers.values().all(|c| c.life == Life::Idle);
    let init = init_state(world);
    let (mut running, mut waiting, mut failed) = (0, 0, 0);
    let (mut mains, mut ended, mut stay_ended) = (0, 0, 0);
    for (container, role) in pod::containers(world.pod) {
        let Some(record) = world.record.containers.get(&container.name) else { continue };
        if role != Role::Main {
            continue;
        }
        mains += 1;
        if record.running().is_some() {
            running += 1;
        } else if let Some(end) = &record.ended {
            ended += 1;
            failed += usize::from(end.code != 0);
            stay_ended += usize::from(over || is_over(world.pod, container, role, record));
        } else {
            waiting += 1;
        }
    }
    let phase = match init {
        InitState::Failed => "Failed",
        _ if over && (waiting > 0 || failed > 0) => "Failed",
        InitState::Pending => "Pending",
        InitState::Done if waiting > 0 => "Pending",
        InitState::Done if running > 0 || stay_ended < mains || ended == 0 => "Running",
        InitState::Done if failed > 0 => "Failed",
        InitState::Done => "Succeeded",
    };
    (phase, None, None)
}

/// One container's status.
fn container_status(
    world: World<'_>,
    container: &Container,
    role: Role,
    record: &ContainerRecord,
    now: Timestamp,
) -> ContainerStatus {
    let running = record.running();
    let (state, last_state) = states(world, container, role, record, now);
    let succeeded = record.life == Life::Idle && record.ended.as_ref().is_some_and(|end| end.code == 0);
    let id = running.map(|running| running.id.clone()).or(record.ended.as_ref().and_then(|end| end.id.clone()));
    let (image, image_id) = record.image.clone().unwrap_or_default();
    let asked = container.image.clone().unwrap_or_default();
    ContainerStatus {
        name: container.name.clone(),
        state: Some(state),
        last_state: Some(last_state.unwrap_or_default()),
        ready: match role {
            Role::Init => succeeded && is_over(world.pod, container, role, record),
            Role::Sidecar | Role::Main => running.is_some_and(|running| running.ready),
        },
        started: Some(running.is_some_and(|running| running.started && role != Role::Init)),
        restart_count: i32::try_from(record.restart_count).unwrap_or(i32::MAX),
        image: if image.is_empty() { asked } else { image },
        image_id,
        container_id: id,
        resources: container.resources.clone().filter(|_| running.is_some()),
        allocated_resources: container
            .resources
            .as_ref()
            .and_then(|r| r.requests.clone())
            .filter(|_| running.is_some()),
        volume_mounts: container.volume_mounts.as_ref().map(|mounts| {
            let status = |mount: &k8s_openapi::api::core::v1::VolumeMount| VolumeMountStatus {
                name: mount.name.clone(),
                mount_path: mount.mount_path.clone(),
                read_only: mount.read_only,
                recursive_read_only: mount.read_only.filter(|read_only| *read_only).map(|_| "Disabled".to_owned()),
                ..VolumeMountStatus::default()
            };
            mounts.iter().map(status).collect()
        }),
        ..ContainerStatus::default()
    }
}

fn terminated(end: &Ended) -> ContainerState {
    ContainerState { terminated: Some(end.to_api()), ..ContainerState::default() }
}

fn waiting(reason: &str, message: Option<String>) -> ContainerState {
    let waiting = ContainerStateWaiting { reason: Some(reason.to_owned()), message };
    ContainerState { waiting: Some(waiting), ..ContainerState::default() }
}

/// A container's state and the one before it.
fn states(
    world: World<'_>,
    container: &Container,
    role: Role,
    record: &ContainerRecord,
    now: Timestamp,
) -> (ContainerState, Option<ContainerState>) {
    let last = record.ended.as_ref().map(terminated);
    let previous = record.previous.as_ref().map(terminated);
    if let Some(running) = record.running() {
        let running = ContainerStateRunning { started_at: Some(api_time(running.started_at)) };
        return (ContainerState { running: Some(running), ..ContainerState::default() }, last);
    }
    // Nothing is started again in a Pod that ends: ends stay as they are.
    let ending = ending(world, now).is_some() && record.life == Life::Idle;
    if let Some(end) = &record.ended
        && (ending || is_over(world.pod, container, role, record))
    {
        return (terminated(end), previous);
    }
    if let Some(failure) = &record.failure {
        let (reason, message) = failure_text(container, failure, now);
        return (waiting(reason, Some(message)), last);
    }
    match &record.ended {
        Some(end) if end.delay.is_zero() => (terminated(end), previous),
        Some(end) => {
            let name = full_name(&pod_ref(world.pod));
            let message = back_off_message(end, &container.name, &name);
            (waiting("CrashLoopBackOff", Some(message)), last)
        }
        None => {
            let has_init = pod::containers(world.pod).any(|(_, role)| role != Role::Main);
            let reason = if has_init && init_state(world) != InitState::Done || role != Role::Main {
                "PodInitializing"
            } else {
                "ContainerCreating"
            };
            (waiting(reason, None), None)
        }
    }
}

/// `back-off 10s restarting failed container=x pod=y`, as upstream spells it.
fn back_off_message(end: &Ended, container: &str, pod: &str) -> String {
    format!("back-off {} restarting failed container={container} pod={pod}", go_duration(end.delay.as_secs()))
}

/// Seconds as Go prints durations: `10s`, `1m20s`, `5m0s`.
pub fn go_duration(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{}s", seconds / 60, seconds % 60),
        _ => format!("{}h{}m{}s", seconds / 3600, seconds % 3600 / 60, seconds % 60),
    }
}

/// The reason and message of a container whose start failed.
fn failure_text(container: &Container, failure: &Failure, now: Timestamp) -> (&'static str, String) {
    let problem = &failure.problem;
    let shown = after(failure.failed_at, PULL_ERROR_SHOWN) > now;
    if problem.reason == "ErrImagePull" && !shown {
        let image = container.image.as_deref().unwrap_or_default();
        let message = format!("Back-off pulling image \"{image}\": ErrImagePull: {}", problem.message);
        return ("ImagePullBackOff", message);
    }
    (problem.reason, problem.message.clone())
}

struct Judged {
    kind: &'static str,
    holds: bool,
    reason: Option<&'static str>,
    message: Option<String>,
}

fn conditions(
    world: World<'_>,
    phase: &str,
    init: &[ContainerStatus],
    main: &[ContainerStatus],
    before: &PodStatus,
    now: Timestamp,
) -> Vec<PodCondition> {
    let done = match phase {
        "Succeeded" => Some("PodCompleted"),
        "Failed" => Some("PodFailed"),
        _ => None,
    };
    let plain = |kind, holds| Judged { kind, holds, reason: None, message: None };
    let has_sandbox = world.record.sandbox.is_done() && !world.record.cleanup.is_done();
    let containers_ready = containers_ready(world, done, init, main);
    let ready = match (&containers_ready, unmet_gates(world.pod)) {
        (Judged { holds: true, .. }, Some(message)) => {
            Judged { kind: "Ready", holds: false, reason: Some("ReadinessGatesNotReady"), message: Some(message) }
        }
        (judged, _) => {
            Judged { kind: "Ready", holds: judged.holds, reason: judged.reason, message: judged.message.clone() }
        }
    };
    let judged = [
        plain("PodReadyToStartContainers", has_sandbox),
        initialized(world, phase, init),
        ready,
        containers_ready,
        plain("PodScheduled", true),
    ];
    judged.into_iter().map(|judged| condition(judged, world.pod, before, now)).collect()
}

fn condition(judged: Judged, pod: &Pod, before: &PodStatus, now: Timestamp) -> PodCondition {
    let status = if judged.holds { "True" } else { "False" };
    let old = before.conditions.iter().flatten().find(|old| old.type_ == judged.kind);
    let since = old.filter(|old| old.status == status).and_then(|old| old.last_transition_time.clone());
    PodCondition {
        type_: judged.kind.to_owned(),
        status: status.to_owned(),
        reason: judged.reason.map(str::to_owned),
        message: judged.message,
        last_transition_time: since.or_else(|| Some(api_time(now))),
        observed_generation: pod.metadata.generation,
        ..PodCondition::default()
    }
}

fn initialized(world: World<'_>, phase: &str, init: &[ContainerStatus]) -> Judged {
    let holds = init_state(world) == InitState::Done;
    if phase == "Succeeded" {
        return Judged { kind: "Initialized", holds: true, reason: Some("PodCompleted"), message: None };
    }
    if holds {
        return Judged { kind: "Initialized", holds, reason: None, message: None };
    }
    let open = |status: &&ContainerStatus| !status.ready && status.started != Some(true);
    let names: Vec<&str> = init.iter().filter(open).map(|status| status.name.as_str()).collect();
    Judged {
        kind: "Initialized",
        holds,
        reason: Some("ContainersNotInitialized"),
        message: Some(format!("containers with incomplete status: [{}]", names.join(" "))),
    }
}

fn containers_ready(
    world: World<'_>,
    done: Option<&'static str>,
    init: &[ContainerStatus],
    main: &[ContainerStatus],
) -> Judged {
    let kind = "ContainersReady";
    if let Some(reason) = done {
        return Judged { kind, holds: false, reason: Some(reason), message: None };
    }
    let is_sidecar = |name: &str| pod::container(world.pod, name).is_some_and(|(_, role)| role == Role::Sidecar);
    let sidecars = init.iter().filter(|status| is_sidecar(&status.name));
    let unready: Vec<&str> =
        sidecars.chain(main).filter(|status| !status.ready).map(|status| status.name.as_str()).collect();
    if unready.is_empty() {
        return Judged { kind, holds: true, reason: None, message: None };
    }
    Judged {
        kind,
        holds: false,
        reason: Some("ContainersNotReady"),
        message: Some(format!("containers with unready status: [{}]", unready.join(" "))),
    }
}

/// What is missing for the Pod's readiness gates, if anything.
fn unmet_gates(pod: &Pod) -> Option<String> {
    let gates = pod.spec.as_ref()?.readiness_gates.as_deref()?;
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    let unmet: Vec<String> = gates
        .iter()
        .filter_map(|gate| {
            let kind = &gate.condition_type;
            match conditions.iter().find(|condition| condition.type_ == *kind) {
                None => Some(format!("corresponding condition of pod readiness gate \"{kind}\" does not exist.")),
                Some(condition) if condition.status != "True" => Some(format!(
                    "the status of pod readiness gate \"{kind}\" is not \"True\", but {}",
                    condition.status
                )),
                Some(_) => None,
            }
        })
        .collect();
    (!unmet.is_empty()).then(|| unmet.join(", "))
}

#[cfg(test)]
mod tests;
