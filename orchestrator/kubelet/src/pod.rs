//! What a Pod's object asks for, with Kubernetes' defaults in place.

use k8s_openapi::api::core::v1::{Container, ObjectReference, Pod, Probe};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use orchestrator_apimachinery::quantity::Quantity;
use orchestrator_client::recorder;
use runtime_spec::PodRef;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

/// Whether and when a container that ended is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestartPolicy {
    /// After every end.
    Always,
    /// After an end with a code that is not 0.
    OnFailure,
    /// Never.
    Never,
}

impl RestartPolicy {
    fn parse(text: Option<&str>) -> Option<Self> {
        match text? {
            "Always" => Some(RestartPolicy::Always),
            "OnFailure" => Some(RestartPolicy::OnFailure),
            "Never" => Some(RestartPolicy::Never),
            _ => None,
        }
    }

    /// Whether an end with `code` is followed by another start.
    pub fn restarts(self, code: i32) -> bool {
        match self {
            RestartPolicy::Always => true,
            RestartPolicy::OnFailure => code != 0,
            RestartPolicy::Never => false,
        }
    }
}

/// What a container is to its Pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Runs to its end before the next container starts.
    Init,
    /// An init container with restartPolicy Always: starts in turn, stays beside the others.
    Sidecar,
    /// One of `spec.containers`.
    Main,
}

/// The Pod's identity on the node.
pub fn pod_ref(pod: &Pod) -> PodRef {
    let text = |field: &Option<String>| field.clone().unwrap_or_default();
    PodRef { namespace: text(&pod.metadata.namespace), name: text(&pod.metadata.name), uid: text(&pod.metadata.uid) }
}

/// How upstream's messages name a Pod.
pub fn full_name(pod: &PodRef) -> String {
    format!("{}_{}({})", pod.name, pod.namespace, pod.uid)
}

/// The Pod's restartPolicy.
pub fn restart_policy(pod: &Pod) -> RestartPolicy {
    let policy = pod.spec.as_ref().and_then(|spec| spec.restart_policy.as_deref());
    RestartPolicy::parse(policy).unwrap_or(RestartPolicy::Always)
}

/// The restart policy that holds for one container.
pub fn container_policy(pod: &Pod, container: &Container, role: Role) -> RestartPolicy {
    match (role, RestartPolicy::parse(container.restart_policy.as_deref())) {
        (Role::Sidecar, _) => RestartPolicy::Always,
        (_, Some(own)) => own,
        // An init container that succeeded is done.
        (Role::Init, None) if restart_policy(pod) == RestartPolicy::Always => RestartPolicy::OnFailure,
        _ => restart_policy(pod),
    }
}

/// All containers in start order with their roles.
pub fn containers(pod: &Pod) -> impl Iterator<Item = (&Container, Role)> {
    let spec = pod.spec.as_ref();
    let init = spec.and_then(|spec| spec.init_containers.as_deref()).unwrap_or_default();
    let main = spec.map(|spec| spec.containers.as_slice()).unwrap_or_default();
    let role = |container: &Container| match container.restart_policy.as_deref() {
        Some("Always") => Role::Sidecar,
        _ => Role::Init,
    };
    init.iter().map(move |c| (c, role(c))).chain(main.iter().map(|c| (c, Role::Main)))
}

/// The container `name` with its role.
pub fn container<'a>(pod: &'a Pod, name: &str) -> Option<(&'a Container, Role)> {
    containers(pod).find(|(container, _)| container.name == name)
}

/// How long the Pod's containers have to end; at least a second unless it is forced.
pub fn grace(pod: &Pod) -> Duration {
    let seconds = pod
        .metadata
        .deletion_grace_period_seconds
        .or(pod.spec.as_ref().and_then(|spec| spec.termination_grace_period_seconds))
        .unwrap_or(30);
    Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}

/// Whether the Pod's status says that it ended for good.
pub fn is_finished(pod: &Pod) -> bool {
    matches!(phase(pod), Some("Succeeded" | "Failed"))
}

/// The phase in the Pod's status.
pub fn phase(pod: &Pod) -> Option<&str> {
    pod.status.as_ref().and_then(|status| status.phase.as_deref())
}

/// The object that Events about one container name.
pub fn container_reference(pod: &Pod, name: &str) -> ObjectReference {
    let list = match container(pod, name) {
        Some((_, Role::Init | Role::Sidecar)) => "initContainers",
        _ => "containers",
    };
    ObjectReference { field_path: Some(format!("spec.{list}{{{name}}}")), ..recorder::reference(pod) }
}

/// A probe's fields with their defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbeTiming {
    /// Before the first probe.
    pub initial_delay: Duration,
    /// Between probes.
    pub period: Duration,
    /// For one probe.
    pub timeout: Duration,
    /// Successes in a row that count.
    pub success_threshold: u32,
    /// Failures in a row that count.
    pub failure_threshold: u32,
}

impl ProbeTiming {
    /// The timing of `probe`. Source: Kubernetes, "Configure Liveness, Readiness and Startup Probes".
    pub fn of(probe: &Probe) -> Self {
        let seconds = |field: Option<i32>, default: u64| {
            Duration::from_secs(field.and_then(|n| u64::try_from(n).ok()).unwrap_or(default))
        };
        let count = |field: Option<i32>, default: u32| {
            field.and_then(|n| u32::try_from(n).ok()).filter(|n| *n > 0).unwrap_or(default)
        };
        ProbeTiming {
            initial_delay: seconds(probe.initial_delay_seconds, 0),
            period: seconds(probe.period_seconds, 10).max(Duration::from_secs(1)),
            timeout: seconds(probe.timeout_seconds, 1).max(Duration::from_secs(1)),
            success_threshold: count(probe.success_threshold, 1),
            failure_threshold: count(probe.failure_threshold, 3),
        }
    }
}

/// The Pod's quality of service class, from its containers' cpu and memory.
///
/// Source: Kubernetes, "Configure Quality of Service for Pods".
pub fn qos_class(pod: &Pod) -> &'static str {
    const WATCHED: [&str; 2] = ["cpu", "memory"];
    type Amounts = BTreeMap<String, k8s_openapi::apimachinery::pkg::api::resource::Quantity>;
    fn amount(amounts: Option<&Amounts>, name: &str) -> Option<i64> {
        let text = &amounts?.get(name)?.0;
        Quantity::parse(text).ok().map(|quantity| quantity.millis()).filter(|millis| *millis != 0)
    }
    let (mut any, mut guaranteed) = (false, true);
    for (container, _) in containers(pod) {
        let resources = container.resources.as_ref();
        for name in WATCHED {
            let limit = amount(resources.and_then(|r| r.limits.as_ref()), name);
            let request = amount(resources.and_then(|r| r.requests.as_ref()), name);
            any |= limit.is_some() || request.is_some();
            guaranteed &= limit.is_some() && request.is_none_or(|request| Some(request) == limit);
        }
    }
    match (any, guaranteed) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}

/// A point in time for records and plans.
pub fn timestamp(at: SystemTime) -> Timestamp {
    Timestamp::try_from(at).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// A point in time as the API shows it: whole seconds.
pub fn api_time(at: Timestamp) -> Time {
    Time(Timestamp::from_second(at.as_second()).unwrap_or(Timestamp::UNIX_EPOCH))
}

/// `at` moved on by `delay`.
pub fn after(at: Timestamp, delay: Duration) -> Timestamp {
    let delay = k8s_openapi::jiff::SignedDuration::try_from(delay).unwrap_or(k8s_openapi::jiff::SignedDuration::MAX);
    at.checked_add(delay).unwrap_or(Timestamp::MAX)
}

/// From `from` to `to`; zero when that is in the past.
pub fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}
