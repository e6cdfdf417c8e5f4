use super::*;

fn timing(success: u32, failure: u32) -> ProbeTiming {
    let probe = Probe {
        success_threshold: i32::try_from(success).ok(),
        failure_threshold: i32::try_from(failure).ok(),
        ..Probe::default()
    };
    ProbeTiming::of(&probe)
}

/// `+` a pass, `-` a failure; the verdicts in the same places, `.` for none.
#[track_caller]
fn check(kind: ProbeKind, success: u32, failure: u32, looks: &str, expected: &str) {
    let mut state = ProbeState::new(kind, &timing(success, failure));
    let verdicts: String = looks
        .chars()
        .map(|look| match state.observe(look == '+') {
            Some(true) => '+',
            Some(false) => '-',
            None => '.',
        })
        .collect();
    assert_eq!(verdicts, expected);
}

#[test]
fn verdicts_change_after_enough_looks_in_a_row() {
    check(ProbeKind::Readiness, 1, 3, "---+--+---+", "...+.....-+");
    check(ProbeKind::Readiness, 2, 1, "+-+++-", "...+.-");
    check(ProbeKind::Liveness, 1, 3, "+--+---", "......-");
    check(ProbeKind::Startup, 1, 3, "--+", "..+");
    check(ProbeKind::Startup, 1, 3, "---", "..-");
}

#[test]
fn timing_has_upstreams_defaults() {
    let timing = ProbeTiming::of(&Probe::default());
    assert_eq!(
        (timing.initial_delay, timing.period, timing.timeout, timing.success_threshold, timing.failure_threshold),
        (Duration::ZERO, Duration::from_secs(10), Duration::from_secs(1), 1, 3)
    );
}

#[test]
fn ports_are_numbers_or_names() {
    let container: Container =
        serde_json::from_value(serde_json::json!({"name": "c", "ports": [{"name": "web", "containerPort": 8080}]}))
            .unwrap();
    assert_eq!(port_number(&container, &IntOrString::String("web".into())), Ok(8080));
    assert_eq!(port_number(&container, &IntOrString::String("81".into())), Ok(81));
    assert_eq!(port_number(&container, &IntOrString::Int(80)), Ok(80));
    assert!(port_number(&container, &IntOrString::String("gone".into())).is_err());
    assert!(port_number(&container, &IntOrString::Int(0)).is_err());
    assert!(port_number(&container, &IntOrString::Int(70_000)).is_err());
}
