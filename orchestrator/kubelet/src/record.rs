//! What the node knows of a Pod beyond its object: how far each step came and what the
//! containers do. Changed only by [`PodRecord::begin`] and [`PodRecord::apply`].

use crate::limits::{CRASH_BACKOFF, CRASH_RESET, FAILURE_BACKOFF};
use crate::plan::Operation;
use crate::pod::{self, after, timestamp};
use k8s_openapi::api::core::v1::{ContainerState as ApiState, ContainerStateTerminated, ContainerStatus, Pod};
use k8s_openapi::jiff::Timestamp;
use runtime_spec::{ExitReason, ExitStatus};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

/// How far something that is done once came.
#[derive(Clone, Debug, PartialEq)]
pub enum Step<T> {
    /// Not begun.
    Todo,
    /// An operation is under way.
    Doing(u32),
    /// Done.
    Done(T),
    /// Failed; tried again.
    Failed(Failure),
}

impl<T> Step<T> {
    /// Whether an operation is under way.
    pub fn is_doing(&self) -> bool {
        matches!(self, Step::Doing(_))
    }

    /// Whether it is done.
    pub fn is_done(&self) -> bool {
        matches!(self, Step::Done(_))
    }

    /// When it is to be begun: now for what was never tried.
    pub fn due(&self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Step::Todo => Some(now),
            Step::Failed(failure) => Some(failure.retry_at),
            Step::Doing(_) | Step::Done(_) => None,
        }
    }

    fn begin(&mut self) {
        let failures = if let Step::Failed(failure) = self { failure.failures } else { 0 };
        *self = Step::Doing(failures);
    }

    fn end(&mut self, result: Result<T, Problem>, now: Timestamp) {
        let failures = if let Step::Doing(failures) = self { *failures } else { 0 };
        *self = match result {
            Ok(value) => Step::Done(value),
            Err(problem) => Step::Failed(Failure::new(problem, failures, now)),
        };
    }
}

/// Why an operation failed, as a user reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// A reason of a waiting container, such as `ErrImagePull`.
    pub reason: &'static str,
    /// The whole message.
    pub message: String,
}

/// A failed step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Why.
    pub problem: Problem,
    /// How many failures in a row, this one included.
    pub failures: u32,
    /// When.
    pub failed_at: Timestamp,
    /// When it is tried again.
    pub retry_at: Timestamp,
}

impl Failure {
    fn new(problem: Problem, before: u32, now: Timestamp) -> Self {
        Failure { problem, failures: before + 1, failed_at: now, retry_at: after(now, FAILURE_BACKOFF.delay(before)) }
    }
}

/// The end of one run of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The run, with the runtime's prefix.
    pub id: Option<String>,
    /// Its exit code.
    pub code: i32,
    /// `Completed`, `Error`, `OOMKilled` or `StartError`.
    pub reason: String,
    /// An explanation; may be empty.
    pub message: String,
    /// When it started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Timestamp,
    /// How long the next run waits.
    pub delay: Duration,
}

impl Ended {
    /// When the next run may start.
    pub fn retry_at(&self) -> Timestamp {
        after(self.finished_at, self.delay)
    }

    /// As the API shows it.
    pub fn to_api(&self) -> ContainerStateTerminated {
        ContainerStateTerminated {
            container_id: self.id.clone(),
            exit_code: self.code,
            reason: Some(self.reason.clone()),
            message: Some(self.message.clone()).filter(|message| !message.is_empty()),
            started_at: self.started_at.map(pod::api_time),
            finished_at: Some(pod::api_time(self.finished_at)),
            signal: None,
        }
    }

    fn from_api(state: &ContainerStateTerminated, now: Timestamp) -> Self {
        Ended {
            id: state.container_id.clone(),
            code: state.exit_code,
            reason: state.reason.clone().unwrap_or_default(),
            message: state.message.clone().unwrap_or_default(),
            started_at: state.started_at.as_ref().map(|time| time.0),
            finished_at: state.finished_at.as_ref().map_or(now, |time| time.0),
            delay: Duration::ZERO,
        }
    }
}

/// Why a running container is to be stopped and started again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kill {
    /// The Event's text.
    pub message: String,
    /// How long it has to end.
    pub grace: Duration,
    /// Since when it is wanted.
    pub since: Timestamp,
}

/// A run that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// The run, with the runtime's prefix.
    pub id: String,
    /// When it started.
    pub started_at: Timestamp,
    /// Whether its startup probe has passed (or there is none).
    pub started: bool,
    /// Whether it is ready to serve.
    pub ready: bool,
    /// When it will have ended, if it was asked to.
    pub stop_by: Option<Timestamp>,
    /// Why it is to be started anew.
    pub kill: Option<Kill>,
}

/// What a container does now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Life {
    /// Nothing.
    Idle,
    /// An operation makes and starts it.
    Starting,
    /// It runs.
    Running(Running),
}

/// One container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerRecord {
    /// The number of the latest run; 0 is the first.
    pub restart_count: u32,
    /// What it does now.
    pub life: Life,
    /// How the latest run that ended did.
    pub ended: Option<Ended>,
    /// How the run before that did.
    pub previous: Option<Ended>,
    /// Why the latest start failed.
    pub failure: Option<Failure>,
    /// Ends in a row without a long run in between.
    pub crashes: u32,
    /// The image that runs: as it was asked for, and its identity.
    pub image: Option<(String, String)>,
}

impl ContainerRecord {
    fn new() -> Self {
        ContainerRecord {
            restart_count: 0,
            life: Life::Idle,
            ended: None,
            previous: None,
            failure: None,
            crashes: 0,
            image: None,
        }
    }

    /// The number of the next run.
    pub fn next_attempt(&self) -> u32 {
        if self.ended.is_some() { self.restart_count + 1 } else { self.restart_count }
    }

    /// The run that has not ended.
    pub fn running(&self) -> Option<&Running> {
        if let Life::Running(running) = &self.life { Some(running) } else { None }
    }

    /// A container that an earlier process of this node reported; what ran died with it.
    fn resumed(status: &ContainerStatus, now: Timestamp) -> Self {
        let state = |state: &Option<ApiState>| state.clone().unwrap_or_default();
        let (current, last) = (state(&status.state), state(&status.last_state));
        let mut record = Self::new();
        record.restart_count = u32::try_from(status.restart_count).unwrap_or(0);
        record.image = Some((status.image.clone(), status.image_id.clone())).filter(|(_, id)| !id.is_empty());
        record.previous = last.terminated.as_ref().map(|ended| Ended::from_api(ended, now));
        if let Some(running) = current.running {
            record.ended = Some(Ended {
                id: status.container_id.clone(),
                code: 137,
                reason: "Error".to_owned(),
                message: "the node process ended".to_owned(),
                started_at: running.started_at.map(|time| time.0),
                finished_at: now,
                delay: Duration::ZERO,
            });
        } else if let Some(terminated) = current.terminated {
            record.ended = Some(Ended::from_api(&terminated, now));
        } else {
            // Waiting: in back-off, or its first start had not come yet.
            record.ended = record.previous.take();
            record.crashes = u32::from(record.ended.is_some());
        }
        record
    }
}

/// How a Pod ended for reasons of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// `Succeeded` or `Failed`.
    pub phase: String,
    /// Why, if the Pod as a whole has a reason.
    pub reason: Option<String>,
    /// An explanation.
    pub message: Option<String>,
}

/// One Pod.
#[derive(Clone, Debug, PartialEq)]
pub struct PodRecord {
    /// When the node took it.
    pub start_time: Timestamp,
    /// Its network, with its addresses.
    pub sandbox: Step<Vec<IpAddr>>,
    /// Its volumes.
    pub volumes: Step<()>,
    /// When what volumes show is to be written again.
    pub refresh_at: Option<Timestamp>,
    /// Whether that is under way.
    pub refreshing: bool,
    /// Its containers by name.
    pub containers: BTreeMap<String, ContainerRecord>,
    /// Set when its status was final already.
    pub verdict: Option<Verdict>,
    /// Taking network and volumes away.
    pub cleanup: Step<()>,
    /// The final delete in the API.
    pub deletion: Step<()>,
}

/// What became of an operation, or what a container did.
#[derive(Clone, Debug)]
pub enum Report {
    /// The network was made.
    Sandbox(Result<Vec<IpAddr>, Problem>),
    /// Volumes were made; when to write them again.
    Volumes(Result<Option<Timestamp>, Problem>),
    /// Volumes were written again; when to do so next.
    Refreshed(Option<Timestamp>),
    /// Something that volumes show has changed.
    VolumesStale,
    /// A container was started (or not).
    Started {
        /// Its name.
        container: String,
        /// The number of its run.
        attempt: u32,
        /// What runs, or why nothing does.
        result: Result<Run, Problem>,
    },
    /// A container ended.
    Exited {
        /// Its name.
        container: String,
        /// The number of its run.
        attempt: u32,
        /// How.
        exit: ExitStatus,
    },
    /// A probe changed its mind.
    Probed {
        /// Its container.
        container: String,
        /// The number of the run.
        attempt: u32,
        /// Which probe.
        kind: ProbeKind,
        /// Whether it passes now.
        passed: bool,
        /// How long a container that is killed for it has; the Pod's grace when `None`.
        grace: Option<Duration>,
    },
    /// The network and the volumes are gone.
    CleanedUp(Result<(), Problem>),
    /// The API has deleted the Pod.
    Deleted(Result<(), Problem>),
}

/// Which probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProbeKind {
    /// Whether it has started; until then the others wait.
    Startup,
    /// Whether it is to be started anew.
    Liveness,
    /// Whether it serves.
    Readiness,
}

impl ProbeKind {
    /// As Events spell it at a sentence's start.
    pub fn title(self) -> &'static str {
        match self {
            ProbeKind::Startup => "Startup",
            ProbeKind::Liveness => "Liveness",
            ProbeKind::Readiness => "Readiness",
        }
    }
}

/// A run that was started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// With the runtime's prefix.
    pub id: String,
    /// The image as it was asked for.
    pub image: String,
    /// The image's identity.
    pub image_id: String,
    /// When it started.
    pub started_at: Timestamp,
}

impl PodRecord {
    /// A Pod that this process sees for the first time; its status tells what an earlier one did.
    pub fn new(pod: &Pod, now: Timestamp) -> Self {
        let status = pod.status.clone().unwrap_or_default();
        let statuses: Vec<ContainerStatus> =
            [status.init_container_statuses, status.container_statuses].into_iter().flatten().flatten().collect();
        let containers = pod::containers(pod)
            .map(|(container, _)| {
                let known = statuses.iter().find(|status| status.name == container.name);
                let record = known.map_or_else(ContainerRecord::new, |known| ContainerRecord::resumed(known, now));
                (container.name.clone(), record)
            })
            .collect();
        let verdict = pod::is_finished(pod).then(|| Verdict {
            phase: status.phase.unwrap_or_default(),
            reason: status.reason,
            message: status.message,
        });
        PodRecord {
            start_time: status.start_time.map_or(now, |time| time.0),
            sandbox: Step::Todo,
            volumes: Step::Todo,
            refresh_at: None,
            refreshing: false,
            containers,
            verdict,
            cleanup: Step::Todo,
            deletion: Step::Todo,
        }
    }

    /// Notes that `operation` is under way; the plan does not ask for it again until its report.
    pub fn begin(&mut self, operation: &Operation) {
        match operation {
            Operation::MakeSandbox => self.sandbox.begin(),
            Operation::MountVolumes => self.volumes.begin(),
            Operation::RefreshVolumes => {
                self.refreshing = true;
                self.refresh_at = None;
            }
            Operation::Start { container, .. } => {
                if let Some(record) = self.containers.get_mut(container) {
                    record.life = Life::Starting;
                }
            }
            Operation::Stop { container, deadline, .. } => {
                if let Some(Life::Running(running)) = self.containers.get_mut(container).map(|record| &mut record.life)
                {
                    running.stop_by = Some(*deadline);
                }
            }
            Operation::CleanUp => self.cleanup.begin(),
            Operation::Delete => self.deletion.begin(),
        }
    }

    /// Takes in what happened.
    pub fn apply(&mut self, pod: &Pod, report: Report, now: Timestamp) {
        match report {
            Report::Sandbox(result) => self.sandbox.end(result, now),
            Report::Volumes(result) => {
                if let Ok(refresh_at) = &result {
                    self.refresh_at = self.refresh_at.or(*refresh_at);
                }
                self.volumes.end(result.map(|_| ()), now);
            }
            Report::Refreshed(next) => {
                self.refreshing = false;
                self.refresh_at = self.refresh_at.or(next);
            }
            Report::VolumesStale => self.volumes_stale(now),
            Report::Started { container, attempt, result } => self.started(pod, &container, attempt, result, now),
            Report::Exited { container, attempt, exit } => self.exited(&container, attempt, exit),
            Report::Probed { container, attempt, kind, passed, grace } => {
                self.probed(pod, &container, attempt, kind, passed, grace.unwrap_or_else(|| pod::grace(pod)), now);
            }
            Report::CleanedUp(result) => self.cleanup.end(result, now),
            Report::Deleted(result) => self.deletion.end(result, now),
        }
    }

    /// What a container or a volume names has changed: failures that may be mended by it are
    /// tried again at once, volumes are written again.
    fn volumes_stale(&mut self, now: Timestamp) {
        if let Step::Failed(failure) = &mut self.volumes {
            failure.retry_at = now;
        }
        self.refresh_at = Some(now);
        for record in self.containers.values_mut() {
            if let Some(failure) = &mut record.failure
                && failure.problem.reason == "CreateContainerConfigError"
            {
                failure.retry_at = now;
            }
        }
    }

    fn started(&mut self, pod: &Pod, name: &str, attempt: u32, result: Result<Run, Problem>, now: Timestamp) {
        let Some(record) = self.containers.get_mut(name) else { return };
        let Some((container, _)) = pod::container(pod, name) else { return };
        match result {
            Ok(run) => {
                let started = container.startup_probe.is_none();
                record.restart_count = attempt;
                record.failure = None;
                record.image = Some((run.image, run.image_id));
                record.life = Life::Running(Running {
                    id: run.id,
                    started_at: run.started_at,
                    started,
                    ready: started && container.readiness_probe.is_none(),
                    stop_by: None,
                    kill: None,
                });
            }
            Err(problem) => {
                let before = record.failure.as_ref().map_or(0, |failure| failure.failures);
                record.failure = Some(Failure::new(problem, before, now));
                record.life = Life::Idle;
            }
        }
    }

    fn exited(&mut self, name: &str, attempt: u32, exit: ExitStatus) {
        let Some(record) = self.containers.get_mut(name) else { return };
        let Life::Running(running) = &record.life else { return };
        if record.restart_count != attempt {
            return;
        }
        let (started_at, finished_at) = (timestamp(exit.started_at), timestamp(exit.finished_at));
        if pod::between(started_at, finished_at) >= CRASH_RESET {
            record.crashes = 0;
        }
        // The first restart comes at once, those after it wait.
        let delay = record.crashes.checked_sub(1).map_or(Duration::ZERO, |n| CRASH_BACKOFF.delay(n));
        record.crashes += 1;
        let ended = Ended {
            id: Some(running.id.clone()),
            code: exit.code,
            reason: reason_text(exit.reason).to_owned(),
            message: exit.message,
            started_at: Some(started_at),
            finished_at,
            delay,
        };
        record.previous = record.ended.replace(ended);
        record.life = Life::Idle;
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of one report")]
    fn probed(
        &mut self,
        pod: &Pod,
        name: &str,
        attempt: u32,
        kind: ProbeKind,
        passed: bool,
        grace: Duration,
        now: Timestamp,
    ) {
        let Some(record) = self.containers.get_mut(name) else { return };
        let Life::Running(running) = &mut record.life else { return };
        if record.restart_count != attempt {
            return;
        }
        let has_readiness = pod::container(pod, name).is_some_and(|(container, _)| container.readiness_probe.is_some());
        match (kind, passed) {
            (ProbeKind::Startup, true) => {
                running.started = true;
                running.ready = !has_readiness;
            }
            (ProbeKind::Readiness, passed) => running.ready = passed,
            (ProbeKind::Liveness, true) => {}
            (ProbeKind::Startup | ProbeKind::Liveness, false) => {
                let probe = kind.title().to_lowercase();
                let message = format!("Container {name} failed {probe} probe, will be restarted");
                running.kill.get_or_insert(Kill { message, grace, since: now });
            }
        }
    }
}

fn reason_text(reason: ExitReason) -> &'static str {
    match reason {
        ExitReason::Completed => "Completed",
        ExitReason::Error => "Error",
        ExitReason::OomKilled => "OOMKilled",
        ExitReason::StartError => "StartError",
    }
}
