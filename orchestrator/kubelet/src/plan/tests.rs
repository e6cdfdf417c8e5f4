use super::*;
use crate::record::{ProbeKind, Problem, Report, Run};
use crate::status::{NodeFacts, status};
use k8s_openapi::api::core::v1::PodStatus;
use proptest::prelude::*;
use runtime_spec::{ExitReason, ExitStatus};
use serde_json::{Value, json};
use std::time::SystemTime;

/// A Pod and what happens to it, on a clock that the test moves.
struct Story {
    pod: Pod,
    present: bool,
    record: PodRecord,
    now: Timestamp,
    status: PodStatus,
    /// What was begun and not reported.
    open: Vec<Operation>,
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + second).unwrap()
}

fn system(at: Timestamp) -> SystemTime {
    at.into()
}

impl Story {
    fn new(spec: Value) -> Self {
        let pod: Pod = serde_json::from_value(json!({
            "metadata": {"name": "p", "namespace": "ns", "uid": "u", "generation": 1}, "spec": spec
        }))
        .unwrap();
        let record = PodRecord::new(&pod, at(0));
        Story { pod, present: true, record, now: at(0), status: PodStatus::default(), open: Vec::new() }
    }

    fn of(restart_policy: &str, containers: &[&str]) -> Self {
        let containers: Vec<Value> =
            containers.iter().map(|name| json!({"name": name, "image": format!("{name}:1")})).collect();
        Self::new(json!({"restartPolicy": restart_policy, "containers": containers}))
    }

    fn world(&self) -> World<'_> {
        World { pod: &self.pod, present: self.present, record: &self.record }
    }

    /// Plans and begins, as a worker does.
    fn step(&mut self) -> Plan {
        let plan = plan(self.world(), self.now);
        for operation in &plan.operations {
            self.record.begin(operation);
            self.open.push(operation.clone());
        }
        let node = NodeFacts { host_ip: "192.0.2.1".into() };
        self.status = status(self.world(), &self.status, &node, self.now);
        plan
    }

    fn tell(&mut self, report: Report) {
        self.record.apply(&self.pod, report, self.now);
    }

    /// All that is under way succeeds, until nothing is left to begin.
    fn settle(&mut self) {
        for _ in 0..20 {
            self.step();
            if self.open.is_empty() {
                return;
            }
            for operation in std::mem::take(&mut self.open) {
                self.succeed(operation);
            }
        }
        panic!("never settles: {:?}", self.record);
    }

    fn succeed(&mut self, operation: Operation) {
        let now = self.now;
        self.tell(match operation {
            Operation::MakeSandbox => Report::Sandbox(Ok(vec!["10.244.0.2".parse().unwrap()])),
            Operation::MountVolumes => Report::Volumes(Ok(None)),
            Operation::RefreshVolumes => Report::Refreshed(None),
            Operation::Start { container, attempt } => {
                let id = format!("fake://{container}-{attempt}");
                let run = Run { id, image: "i".into(), image_id: "i@sha256:0".into(), started_at: now };
                Report::Started { container, attempt, result: Ok(run) }
            }
            Operation::Stop { container, .. } => {
                let attempt = self.record.containers[&container].restart_count;
                self.exit_report(&container, attempt, 143)
            }
            Operation::CleanUp => Report::CleanedUp(Ok(())),
            Operation::Delete => Report::Deleted(Ok(())),
        });
    }

    fn exit_report(&self, container: &str, attempt: u32, code: i32) -> Report {
        let started = self.record.containers[container].running().map_or(self.now, |running| running.started_at);
        let reason = if code == 0 { ExitReason::Completed } else { ExitReason::Error };
        let exit = ExitStatus {
            code,
            reason,
            message: String::new(),
            started_at: system(started),
            finished_at: system(self.now),
        };
        Report::Exited { container: container.to_owned(), attempt, exit }
    }

    fn exit(&mut self, container: &str, code: i32) {
        let report = self.exit_report(container, self.record.containers[container].restart_count, code);
        self.tell(report);
    }

    fn fail_start(&mut self, container: &str, reason: &'static str, message: &str) {
        let attempt = self.record.containers[container].next_attempt();
        self.open.clear();
        let problem = Problem { reason, message: message.into() };
        self.tell(Report::Started { container: container.into(), attempt, result: Err(problem) });
    }

    fn wait(&mut self, seconds: u64) {
        self.now = after(self.now, Duration::from_secs(seconds));
    }

    fn delete(&mut self, grace: i64) {
        let deadline = after(self.now, Duration::from_secs(grace.unsigned_abs()));
        self.pod.metadata.deletion_timestamp = Some(pod::api_time(deadline));
        self.pod.metadata.deletion_grace_period_seconds = Some(grace);
    }

    /// One line for the Pod and one for each container.
    fn shown(&self) -> String {
        let condition = |kind: &str| {
            let all = self.status.conditions.iter().flatten();
            all.into_iter().any(|condition| condition.type_ == kind && condition.status == "True")
        };
        let mut lines = vec![format!(
            "{} ready={} initialized={}",
            self.status.phase.as_deref().unwrap_or("-"),
            condition("Ready"),
            condition("Initialized")
        )];
        let statuses = [&self.status.init_container_statuses, &self.status.container_statuses];
        for status in statuses.into_iter().flatten().flatten() {
            let state = status.state.clone().unwrap_or_default();
            let text = match (state.waiting, state.running, state.terminated) {
                (Some(waiting), ..) => {
                    [waiting.reason, waiting.message].into_iter().flatten().collect::<Vec<_>>().join(": ")
                }
                (_, Some(_), _) => "running".to_owned(),
                (.., Some(end)) => format!("{} {}", end.reason.unwrap_or_default(), end.exit_code),
                _ => "nothing".to_owned(),
            };
            lines.push(format!("{} {} restarts={}", status.name, text, status.restart_count));
        }
        lines.join("\n")
    }

    #[track_caller]
    fn check(&mut self, expected: &str) {
        self.step();
        let expected: Vec<&str> = expected.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        assert_eq!(self.shown(), expected.join("\n"));
    }
}

#[test]
fn the_sandbox_comes_before_volumes_and_both_before_the_image() {
    let mut story = Story::of("Always", &["a"]);
    assert_eq!(story.step().operations, [Operation::MakeSandbox]);
    assert_eq!(story.step().operations, [], "what is under way is not begun again");
    story.settle();
    story.check("Running ready=true initialized=true\na running restarts=0");
    assert_eq!(story.status.pod_ip.as_deref(), Some("10.244.0.2"));
    assert_eq!(story.status.observed_generation, Some(1));
}

#[test]
fn a_crash_loop_backs_off_by_doubling_and_a_long_run_ends_it() {
    let mut story = Story::of("Always", &["a"]);
    story.settle();
    story.exit("a", 1);
    assert_eq!(story.step().operations.len(), 1, "the first restart comes at once");
    story.open.clear();
    story.succeed(Operation::Start { container: "a".into(), attempt: 1 });
    for (attempt, seconds, text) in [
        (1, 10, "10s"),
        (2, 20, "20s"),
        (3, 40, "40s"),
        (4, 80, "1m20s"),
        (5, 160, "2m40s"),
        (6, 300, "5m0s"),
        (7, 300, "5m0s"),
    ] {
        story.exit("a", 1);
        story.check(&format!(
            "Running ready=false initialized=true
            a CrashLoopBackOff: back-off {text} restarting failed container=a pod=p_ns(u) restarts={attempt}"
        ));
        assert_eq!(plan(story.world(), story.now).wake_at, Some(after(story.now, Duration::from_secs(seconds))));
        story.wait(seconds - 1);
        assert_eq!(story.step().operations, []);
        story.wait(1);
        assert_eq!(story.step().operations, [Operation::Start { container: "a".into(), attempt: attempt + 1 }]);
        story.open.clear();
        story.succeed(Operation::Start { container: "a".into(), attempt: attempt + 1 });
    }
    story.wait(600);
    story.exit("a", 1);
    assert_eq!(story.step().operations, [Operation::Start { container: "a".into(), attempt: 9 }]);
}

#[test]
fn phases_follow_the_restart_policy() {
    for (policy, code, expected) in [
        ("Always", 0, "Running ready=true initialized=true\na running restarts=1"),
        ("OnFailure", 0, "Succeeded ready=false initialized=true\na Completed 0 restarts=0"),
        ("OnFailure", 3, "Running ready=true initialized=true\na running restarts=1"),
        ("Never", 0, "Succeeded ready=false initialized=true\na Completed 0 restarts=0"),
        ("Never", 3, "Failed ready=false initialized=true\na Error 3 restarts=0"),
    ] {
        let mut story = Story::of(policy, &["a"]);
        story.settle();
        story.exit("a", code);
        story.settle();
        story.check(expected);
        let released = story.record.cleanup.is_done();
        assert_eq!(released, expected.starts_with(['S', 'F']), "{policy} {code}");
    }
}

#[test]
fn a_pod_ends_once_all_its_containers_have() {
    let mut story = Story::of("Never", &["a", "b"]);
    story.settle();
    story.exit("a", 1);
    story.check("Running ready=false initialized=true\na Error 1 restarts=0\nb running restarts=0");
    story.exit("b", 0);
    story.check("Failed ready=false initialized=true\na Error 1 restarts=0\nb Completed 0 restarts=0");
}

#[test]
fn failed_pulls_show_as_errors_and_then_as_back_off() {
    let mut story = Story::of("Always", &["a"]);
    story.settle_sandbox();
    story.fail_start("a", "ErrImagePull", "not found");
    story.check("Pending ready=false initialized=true\na ErrImagePull: not found restarts=0");
    story.wait(4);
    story.check(
        "Pending ready=false initialized=true
        a ImagePullBackOff: Back-off pulling image \"a:1\": ErrImagePull: not found restarts=0",
    );
    story.wait(5);
    assert_eq!(story.step().operations, []);
    story.wait(1);
    assert_eq!(story.step().operations, [Operation::Start { container: "a".into(), attempt: 0 }]);
    story.check(
        "Pending ready=false initialized=true
        a ImagePullBackOff: Back-off pulling image \"a:1\": ErrImagePull: not found restarts=0",
    );
    story.fail_start("a", "ErrImagePull", "not found");
    story.wait(19);
    assert_eq!(story.step().operations, [], "the second wait is longer");
    story.wait(1);
    story.settle();
    story.check("Running ready=true initialized=true\na running restarts=0");
}

impl Story {
    fn settle_sandbox(&mut self) {
        self.step();
        self.succeed(Operation::MakeSandbox);
        self.step();
        self.succeed(Operation::MountVolumes);
        self.open.clear();
        self.step();
    }
}

#[test]
fn a_changed_config_map_retries_at_once() {
    let mut story = Story::of("Always", &["a"]);
    story.settle_sandbox();
    story.fail_start("a", "CreateContainerConfigError", "configmap \"x\" not found");
    story.check(
        "Pending ready=false initialized=true\na CreateContainerConfigError: configmap \"x\" not found restarts=0",
    );
    assert_eq!(story.step().operations, []);
    story.tell(Report::VolumesStale);
    assert!(story.step().operations.contains(&Operation::Start { container: "a".into(), attempt: 0 }));
}

fn with_init(policy: &str, init: Value) -> Story {
    Story::new(json!({"restartPolicy": policy, "initContainers": init, "containers": [{"name": "main", "image": "m"}]}))
}

#[test]
fn init_containers_run_one_after_the_other() {
    let mut story = with_init("Always", json!([{"name": "i1"}, {"name": "i2"}]));
    story.settle();
    story.check(
        "Pending ready=false initialized=false
        i1 running restarts=0
        i2 PodInitializing restarts=0
        main PodInitializing restarts=0",
    );
    story.exit("i1", 1);
    story.settle();
    story.check(
        "Pending ready=false initialized=false
        i1 running restarts=1
        i2 PodInitializing restarts=0
        main PodInitializing restarts=0",
    );
    story.exit("i1", 0);
    story.settle();
    story.exit("i2", 0);
    story.settle();
    story.check(
        "Running ready=true initialized=true
        i1 Completed 0 restarts=1
        i2 Completed 0 restarts=0
        main running restarts=0",
    );
    story.exit("main", 1);
    story.settle();
    assert_eq!(story.record.containers["i1"].restart_count, 1, "a restart of main runs no init container again");
}

#[test]
fn a_failed_init_container_fails_a_pod_that_never_restarts() {
    let mut story = with_init("Never", json!([{"name": "i"}]));
    story.settle();
    story.exit("i", 7);
    story.settle();
    story.check(
        "Failed ready=false initialized=false
        i Error 7 restarts=0
        main PodInitializing restarts=0",
    );
}

#[test]
fn sidecars_start_first_and_end_last() {
    let mut story = with_init("Never", json!([{"name": "s", "restartPolicy": "Always"}]));
    story.settle();
    story.check("Running ready=true initialized=true\ns running restarts=0\nmain running restarts=0");
    story.exit("s", 1);
    story.settle();
    story.check("Running ready=true initialized=true\ns running restarts=1\nmain running restarts=0");
    story.exit("main", 0);
    assert!(matches!(&story.step().operations[..], [Operation::Stop { container, .. }] if container == "s"));
    story.open.clear();
    story.exit("s", 143);
    story.settle();
    story.check("Succeeded ready=false initialized=true\ns Error 143 restarts=1\nmain Completed 0 restarts=0");
}

#[test]
fn deletion_stops_containers_then_takes_the_sandbox_then_the_object() {
    let mut story = Story::of("Always", &["a", "b"]);
    story.settle();
    story.delete(30);
    let deadline = after(story.now, Duration::from_secs(30));
    let stop = |name: &str, deadline| Operation::Stop {
        container: name.into(),
        deadline,
        message: format!("Stopping container {name}"),
    };
    assert_eq!(story.step().operations, [stop("a", deadline), stop("b", deadline)]);
    assert_eq!(story.step().operations, []);
    story.delete(2);
    let sooner = after(story.now, Duration::from_secs(2));
    assert_eq!(story.step().operations, [stop("a", sooner), stop("b", sooner)], "a shorter grace reaches them");
    story.open.clear();
    story.exit("a", 143);
    assert_eq!(story.step().operations, [], "the other one still runs");
    story.exit("b", 0);
    assert_eq!(story.step().operations, [Operation::CleanUp]);
    story.check("Failed ready=false initialized=true\na Error 143 restarts=0\nb Completed 0 restarts=0");
    story.open.clear();
    story.succeed(Operation::CleanUp);
    assert_eq!(story.step().operations, [Operation::Delete]);
    story.open.clear();
    story.succeed(Operation::Delete);
    assert_eq!(story.step().operations, [], "finalizers may keep the object");
    assert!(!is_gone(story.world()));
    story.present = false;
    assert!(is_gone(story.world()));
}

#[test]
fn a_pod_that_is_gone_is_killed_without_grace() {
    let mut story = Story::of("Always", &["a"]);
    story.settle();
    story.present = false;
    let plan = story.step();
    assert!(matches!(&plan.operations[..], [Operation::Stop { deadline, .. }] if *deadline == story.now));
    story.settle();
    assert!(is_gone(story.world()));
}

#[test]
fn a_failed_delete_is_tried_again() {
    let mut story = Story::of("Always", &["a"]);
    story.delete(0);
    story.step();
    story.succeed(Operation::CleanUp);
    story.open.clear();
    assert_eq!(story.step().operations, [Operation::Delete]);
    story.tell(Report::Deleted(Err(Problem { reason: "Delete", message: "503".into() })));
    assert_eq!(story.step().operations, []);
    story.wait(10);
    assert_eq!(story.step().operations, [Operation::Delete]);
}

#[test]
fn the_active_deadline_fails_the_pod() {
    let mut story = Story::new(json!({"activeDeadlineSeconds": 5, "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 1, "containers": [{"name": "a"}]}));
    story.settle();
    assert_eq!(plan(story.world(), story.now).wake_at, Some(at(5)));
    story.wait(5);
    assert!(matches!(&story.step().operations[..], [Operation::Stop { .. }]));
    story.open.clear();
    story.exit("a", 143);
    story.settle();
    story.check("Failed ready=false initialized=true\na Error 143 restarts=0");
    assert_eq!(story.status.reason.as_deref(), Some("DeadlineExceeded"));
}

#[test]
fn probes_make_ready_and_kill() {
    let mut story = Story::new(json!({"terminationGracePeriodSeconds": 7, "containers": [{"name": "a",
        "startupProbe": {}, "livenessProbe": {}, "readinessProbe": {}}]}));
    story.settle();
    let probed = |kind, passed| Report::Probed { container: "a".into(), attempt: 0, kind, passed, grace: None };
    let started = |story: &Story| story.status.container_statuses.as_ref().unwrap()[0].started;
    story.check("Running ready=false initialized=true\na running restarts=0");
    assert_eq!(started(&story), Some(false));
    story.tell(probed(ProbeKind::Startup, true));
    story.check("Running ready=false initialized=true\na running restarts=0");
    assert_eq!(started(&story), Some(true));
    story.tell(probed(ProbeKind::Readiness, true));
    story.check("Running ready=true initialized=true\na running restarts=0");
    story.tell(probed(ProbeKind::Liveness, false));
    let expected = Operation::Stop {
        container: "a".into(),
        deadline: after(story.now, Duration::from_secs(7)),
        message: "Container a failed liveness probe, will be restarted".into(),
    };
    assert_eq!(story.step().operations, [expected]);
    story.open.clear();
    story.exit("a", 143);
    story.settle();
    story.tell(probed(ProbeKind::Readiness, true));
    story.check("Running ready=false initialized=true\na running restarts=1");
}

#[test]
fn what_an_earlier_process_ran_is_started_again() {
    let mut story = Story::of("Always", &["a", "b"]);
    story.settle();
    story.exit("b", 1);
    story.settle();
    story.exit("b", 1);
    story.step();
    story.pod.status = Some(story.status.clone());
    story.record = PodRecord::new(&story.pod, story.now);
    story.settle();
    story.check("Running ready=true initialized=true\na running restarts=1\nb running restarts=2");
    let last = story.status.container_statuses.as_ref().unwrap()[0].last_state.clone().unwrap().terminated.unwrap();
    assert_eq!((last.exit_code, last.message.as_deref()), (137, Some("the node process ended")));
    assert_eq!(last.container_id.as_deref(), Some("fake://a-0"));
}

#[test]
fn a_finished_pod_stays_so_in_the_next_process() {
    for policy in ["Never", "OnFailure"] {
        let mut story = Story::of(policy, &["a"]);
        story.settle();
        story.exit("a", 0);
        story.settle();
        let before = story.status.clone();
        story.pod.status = Some(before.clone());
        story.record = PodRecord::new(&story.pod, story.now);
        story.settle();
        assert_eq!(story.status.container_statuses, before.container_statuses);
        assert_eq!(story.status.phase.as_deref(), Some("Succeeded"));
    }
    let mut story = Story::of("Never", &["a"]);
    story.settle();
    story.pod.status = Some(story.status.clone());
    story.record = PodRecord::new(&story.pod, story.now);
    story.settle();
    story.check("Failed ready=false initialized=true\na Error 137 restarts=0");
}

#[test]
fn volumes_are_written_again_when_due() {
    let mut story = Story::of("Always", &["a"]);
    story.step();
    story.succeed(Operation::MakeSandbox);
    story.step();
    story.tell(Report::Volumes(Ok(Some(at(60)))));
    story.open.clear();
    assert_eq!(story.step().wake_at, Some(at(60)));
    story.wait(60);
    assert!(story.step().operations.contains(&Operation::RefreshVolumes));
    assert!(!story.step().operations.contains(&Operation::RefreshVolumes));
    story.tell(Report::Refreshed(Some(at(120))));
    assert_eq!(story.step().wake_at, Some(at(120)));
}

#[test]
fn conditions_keep_their_times_and_give_reasons() {
    let mut story = with_init("Always", json!([{"name": "i"}]));
    story.settle();
    story.wait(3);
    story.step();
    let condition = |story: &Story, kind: &str| {
        story.status.conditions.iter().flatten().find(|condition| condition.type_ == kind).cloned().unwrap()
    };
    let initialized = condition(&story, "Initialized");
    assert_eq!(initialized.message.as_deref(), Some("containers with incomplete status: [i]"));
    assert_eq!(initialized.reason.as_deref(), Some("ContainersNotInitialized"));
    assert_eq!(initialized.last_transition_time, Some(pod::api_time(at(0))));
    let ready = condition(&story, "Ready");
    assert_eq!(ready.message.as_deref(), Some("containers with unready status: [main]"));
    assert_eq!(ready.observed_generation, Some(1));
    story.exit("i", 0);
    story.settle();
    assert_eq!(condition(&story, "Initialized").last_transition_time, Some(pod::api_time(at(3))));
    assert_eq!(condition(&story, "PodReadyToStartContainers").status, "True");
}

#[test]
fn readiness_gates_wait_for_their_conditions() {
    let mut story =
        Story::new(json!({"readinessGates": [{"conditionType": "x.io/ok"}], "containers": [{"name": "a"}]}));
    story.settle();
    story.check("Running ready=false initialized=true\na running restarts=0");
    story.pod.status = serde_json::from_value(json!({"conditions": [{"type": "x.io/ok", "status": "True"}]})).unwrap();
    story.check("Running ready=true initialized=true\na running restarts=0");
}

/// What may happen to a Pod, by chance.
#[derive(Clone, Debug)]
enum Event {
    Succeed,
    FailStart,
    Exit(usize, i32),
    Probe(usize, bool),
    Wait(u64),
    Delete(i64),
    Stale,
    Vanish,
}

fn events() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => Just(Event::Succeed),
        1 => Just(Event::FailStart),
        3 => (0..3usize, 0..2i32).prop_map(|(which, code)| Event::Exit(which, code)),
        1 => (0..3usize, any::<bool>()).prop_map(|(which, passed)| Event::Probe(which, passed)),
        3 => (0..400u64).prop_map(Event::Wait),
        1 => (0..60i64).prop_map(Event::Delete),
        1 => Just(Event::Stale),
        1 => Just(Event::Vanish),
    ]
}

impl Story {
    fn happen(&mut self, event: Event) {
        let names: Vec<String> = self.record.containers.keys().cloned().collect();
        match event {
            Event::Succeed => {
                for operation in std::mem::take(&mut self.open) {
                    self.succeed(operation);
                }
            }
            Event::FailStart => {
                if let Some(at) = self.open.iter().position(|one| matches!(one, Operation::Start { .. }))
                    && let Operation::Start { container, attempt } = self.open.remove(at)
                {
                    let problem = Problem { reason: "ErrImagePull", message: "no".into() };
                    self.tell(Report::Started { container, attempt, result: Err(problem) });
                }
            }
            Event::Exit(which, code) => {
                let name = &names[which % names.len()];
                if self.record.containers[name].running().is_some() {
                    self.exit(&name.clone(), code);
                    self.open.retain(|one| !matches!(one, Operation::Stop { container, .. } if container == name));
                }
            }
            Event::Probe(which, passed) => {
                let name = names[which % names.len()].clone();
                let attempt = self.record.containers[&name].restart_count;
                let kind = ProbeKind::Liveness;
                self.tell(Report::Probed { container: name, attempt, kind, passed, grace: None });
            }
            Event::Wait(seconds) => self.wait(seconds),
            Event::Delete(grace) => self.delete(grace),
            Event::Stale => self.tell(Report::VolumesStale),
            Event::Vanish => self.present = false,
        }
    }
}

proptest! {
    /// Whatever happens: what was begun is not begun again, nothing runs twice, and a Pod that is
    /// let be comes to rest.
    #[test]
    fn a_plan_after_its_own_plan_is_empty(
        policy in prop_oneof![Just("Always"), Just("OnFailure"), Just("Never")],
        happenings in proptest::collection::vec(events(), 0..40),
    ) {
        let mut story = Story::new(json!({"restartPolicy": policy,
            "initContainers": [{"name": "i"}, {"name": "s", "restartPolicy": "Always"}],
            "containers": [{"name": "a"}, {"name": "b"}]}));
        for event in happenings {
            story.happen(event);
            let first = story.step();
            prop_assert_eq!(story.step().operations, vec![], "after {:?}", first);
            let starts = |name: &str| story.open.iter()
                .filter(|one| matches!(one, Operation::Start { container, .. } if container == name)).count();
            for (name, record) in &story.record.containers {
                prop_assert!(starts(name) <= 1);
                prop_assert!(starts(name) == 0 || record.life == Life::Starting);
            }
        }
        story.wait(1000);
        for _ in 0..40 {
            story.step();
            for operation in std::mem::take(&mut story.open) {
                story.succeed(operation);
            }
        }
        prop_assert_eq!(story.step().operations, vec![]);
        let ended = story.pod.metadata.deletion_timestamp.is_some() || !story.present;
        prop_assert_eq!(ended && !story.record.cleanup.is_done(), false);
    }
}
