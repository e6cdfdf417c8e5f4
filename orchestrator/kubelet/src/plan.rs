//! What is to be done for a Pod next; pure.

use crate::limits::PULL_ERROR_SHOWN;
use crate::pod::{self, Role, after};
use crate::record::{ContainerRecord, Life, PodRecord, Step};
use k8s_openapi::api::core::v1::{Container, Pod};
use k8s_openapi::jiff::Timestamp;
use std::time::Duration;

/// All that a plan depends on.
#[derive(Clone, Copy, Debug)]
pub struct World<'a> {
    /// The Pod as the API last showed it.
    pub pod: &'a Pod,
    /// Whether the API still has it.
    pub present: bool,
    /// What the node knows.
    pub record: &'a PodRecord,
}

/// One thing to do; its end is told by a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Give the Pod its network.
    MakeSandbox,
    /// Make its volumes.
    MountVolumes,
    /// Write again what volumes show.
    RefreshVolumes,
    /// Pull, make and start a container.
    Start {
        /// Its name.
        container: String,
        /// The number of the run.
        attempt: u32,
    },
    /// Ask a container to end, and kill it at the deadline.
    Stop {
        /// Its name.
        container: String,
        /// When it is killed.
        deadline: Timestamp,
        /// The Event's text.
        message: String,
    },
    /// Take network and volumes away.
    CleanUp,
    /// Delete the Pod in the API for good.
    Delete,
}

/// What to do now and when to look again if nothing happens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Things to begin now; they may run side by side.
    pub operations: Vec<Operation>,
    /// When to plan again at the latest.
    pub wake_at: Option<Timestamp>,
}

impl Plan {
    fn wake(&mut self, at: Timestamp) {
        self.wake_at = Some(self.wake_at.map_or(at, |earlier| earlier.min(at)));
    }

    /// Adds `operation` once `due` has come.
    fn when_due(&mut self, due: Option<Timestamp>, now: Timestamp, operation: Operation) {
        match due {
            Some(due) if due <= now => self.operations.push(operation),
            Some(due) => self.wake(due),
            None => {}
        }
    }
}

/// Why a Pod's containers are to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It is deleted or gone.
    Deleted,
    /// It ran longer than its activeDeadlineSeconds.
    DeadlineExceeded,
    /// All that it has to do is done.
    Finished,
}

/// How far the init containers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InitState {
    /// All are done (sidecars started), or the main containers have begun already.
    Done,
    /// One is not done yet.
    Pending,
    /// One failed and is not started again.
    Failed,
}

/// When the Pod's time is over, if it has a limit.
fn active_deadline(world: World<'_>) -> Option<Timestamp> {
    let seconds = world.pod.spec.as_ref()?.active_deadline_seconds?;
    Some(after(world.record.start_time, Duration::from_secs(u64::try_from(seconds).ok()?)))
}

/// Whether the Pod's time was over before all that it has to do was done.
pub fn deadline_exceeded(world: World<'_>, now: Timestamp) -> bool {
    let Some(deadline) = active_deadline(world).filter(|deadline| *deadline <= now) else { return false };
    if world.record.verdict.is_some() {
        return false;
    }
    let last = pod::containers(world.pod)
        .filter(|(_, role)| *role != Role::Sidecar)
        .filter_map(|(container, _)| Some(record_of(world, container)?.ended.as_ref()?.finished_at))
        .max();
    !is_finished(world) || last.is_none_or(|last| last >= deadline)
}

/// Whether the container ended and stays so.
pub fn is_over(pod: &Pod, container: &Container, role: Role, record: &ContainerRecord) -> bool {
    record.life == Life::Idle
        && record.ended.as_ref().is_some_and(|end| !pod::container_policy(pod, container, role).restarts(end.code))
}

fn record_of<'a>(world: World<'a>, container: &Container) -> Option<&'a ContainerRecord> {
    world.record.containers.get(&container.name)
}

/// How far the init containers are.
pub fn init_state(world: World<'_>) -> InitState {
    let begun = pod::containers(world.pod).any(|(container, role)| {
        role == Role::Main
            && record_of(world, container).is_some_and(|record| record.life != Life::Idle || record.ended.is_some())
    });
    for (container, role) in pod::containers(world.pod) {
        let Some(record) = record_of(world, container) else { continue };
        let failed = record.ended.as_ref().is_some_and(|end| end.code != 0);
        match role {
            Role::Main => break,
            Role::Sidecar if begun || record.running().is_some_and(|running| running.started) => {}
            Role::Init if record.life == Life::Idle && record.ended.is_some() && !failed => {}
            Role::Init if failed && is_over(world.pod, container, role, record) => return InitState::Failed,
            Role::Init if begun => {}
            Role::Sidecar | Role::Init => return InitState::Pending,
        }
    }
    InitState::Done
}

/// Whether all that the Pod has to do is done.
pub fn is_finished(world: World<'_>) -> bool {
    if world.record.verdict.is_some() {
        return true;
    }
    match init_state(world) {
        InitState::Failed => true,
        InitState::Pending => false,
        InitState::Done => {
            let mut mains = pod::containers(world.pod).filter(|(_, role)| *role == Role::Main).peekable();
            mains.peek().is_some()
                && mains.all(|(container, role)| {
                    record_of(world, container).is_some_and(|record| is_over(world.pod, container, role, record))
                })
        }
    }
}

/// Why the Pod's containers are to end, and by when.
pub fn ending(world: World<'_>, now: Timestamp) -> Option<(Ending, Timestamp)> {
    if !world.present {
        return Some((Ending::Deleted, now));
    }
    if let Some(deleted) = &world.pod.metadata.deletion_timestamp {
        return Some((Ending::Deleted, deleted.0));
    }
    if let Some(deadline) = active_deadline(world).filter(|_| deadline_exceeded(world, now)) {
        return Some((Ending::DeadlineExceeded, after(deadline, pod::grace(world.pod))));
    }
    if is_finished(world) {
        // What is left are sidecars; they have the Pod's grace from the last end on.
        let ends = world.record.containers.values().filter_map(|record| record.ended.as_ref());
        let last = ends.map(|end| end.finished_at).max().unwrap_or(now);
        return Some((Ending::Finished, after(last, pod::grace(world.pod))));
    }
    None
}

/// What is to be done for the Pod at `now`.
pub fn plan(world: World<'_>, now: Timestamp) -> Plan {
    let mut plan = Plan::default();
    if let Some((ending, deadline)) = ending(world, now) {
        end(&mut plan, world, ending, deadline.max(now), now);
    } else {
        if let Some(deadline) = active_deadline(world) {
            plan.wake(deadline);
        }
        run(&mut plan, world, now);
    }
    plan
}

/// Towards a Pod that runs.
fn run(plan: &mut Plan, world: World<'_>, now: Timestamp) {
    let record = world.record;
    plan.when_due(record.sandbox.due(now), now, Operation::MakeSandbox);
    if !record.sandbox.is_done() {
        return;
    }
    plan.when_due(record.volumes.due(now), now, Operation::MountVolumes);
    if !record.volumes.is_done() {
        return;
    }
    if !record.refreshing {
        plan.when_due(record.refresh_at, now, Operation::RefreshVolumes);
    }
    let init = init_state(world);
    for (container, role) in pod::containers(world.pod) {
        let Some(state) = record_of(world, container) else { continue };
        if role == Role::Main && init != InitState::Done {
            break;
        }
        keep(plan, world.pod, container, role, state, now);
        let done = match role {
            Role::Main => true,
            Role::Sidecar => init == InitState::Done || state.running().is_some_and(|running| running.started),
            Role::Init => {
                init == InitState::Done
                    || (state.life == Life::Idle && state.ended.as_ref().is_some_and(|end| end.code == 0))
            }
        };
        if !done {
            break;
        }
    }
}

/// Starts a container that is to run, stops one that is to be started anew.
fn keep(plan: &mut Plan, pod: &Pod, container: &Container, role: Role, record: &ContainerRecord, now: Timestamp) {
    let name = || container.name.clone();
    match &record.life {
        Life::Starting => {}
        Life::Running(running) => {
            if let (Some(kill), None) = (&running.kill, running.stop_by) {
                let deadline = after(kill.since, kill.grace).max(now);
                plan.operations.push(Operation::Stop { container: name(), deadline, message: kill.message.clone() });
            }
        }
        Life::Idle if is_over(pod, container, role, record) => {}
        // The main containers run: an init container that is known to be done stays so.
        Life::Idle => {
            let mut due = record.ended.as_ref().map_or(now, |end| end.retry_at());
            if let Some(failure) = &record.failure {
                due = due.max(failure.retry_at);
                let shown_until = after(failure.failed_at, PULL_ERROR_SHOWN);
                if shown_until > now {
                    plan.wake(shown_until);
                }
            }
            plan.when_due(Some(due), now, Operation::Start { container: name(), attempt: record.next_attempt() });
        }
    }
}

/// Towards a Pod that ended.
fn end(plan: &mut Plan, world: World<'_>, ending: Ending, deadline: Timestamp, now: Timestamp) {
    let record = world.record;
    let alive = |role: Role| {
        let all = pod::containers(world.pod).filter(move |(_, own)| (*own == Role::Sidecar) == (role == Role::Sidecar));
        all.filter_map(move |(container, _)| Some((container, record_of(world, container)?)))
            .filter(|(_, record)| record.life != Life::Idle)
            .collect::<Vec<_>>()
    };
    let (mains, sidecars) = (alive(Role::Main), alive(Role::Sidecar));
    let mut stop = |container: &Container, record: &ContainerRecord| {
        let Some(running) = record.running() else { return };
        if running.stop_by.is_none_or(|earlier| deadline < earlier) {
            let message = format!("Stopping container {}", container.name);
            plan.operations.push(Operation::Stop { container: container.name.clone(), deadline, message });
        }
    };
    for (container, record) in &mains {
        stop(container, record);
    }
    if mains.is_empty() || deadline <= now {
        // Sidecars end in the reverse order of their start, each once those after it are gone.
        let count = if deadline <= now { sidecars.len() } else { 1 };
        for (container, record) in sidecars.iter().rev().take(count) {
            stop(container, record);
        }
    } else if !sidecars.is_empty() {
        plan.wake(deadline);
    }
    let busy = record.sandbox.is_doing() || record.volumes.is_doing() || record.refreshing;
    if !mains.is_empty() || !sidecars.is_empty() || busy {
        return;
    }
    plan.when_due(record.cleanup.due(now), now, Operation::CleanUp);
    if ending == Ending::Deleted && world.present && record.cleanup.is_done() {
        plan.when_due(record.deletion.due(now), now, Operation::Delete);
    }
}

/// Whether nothing is left to do for the Pod, ever.
pub fn is_gone(world: World<'_>) -> bool {
    !world.present && matches!(world.record.cleanup, Step::Done(()))
}

#[cfg(test)]
mod tests;
