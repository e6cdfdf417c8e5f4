use crate::kinds::tests::{change_refused, container, created, refused, shown, stored, with};
use expect_test::expect;
use serde_json::{Value, json};

fn job(fields: Value) -> Value {
    let spec = with(json!({"template": {"spec": {"restartPolicy": "Never", "containers": [container()]}}}), fields);
    json!({"metadata": {"name": "sum"}, "spec": spec})
}

#[test]
fn a_job_gets_defaults_and_a_selector_of_its_own() {
    let mut stored_job = created("Job", job(json!({})));
    stored_job["spec"]["template"]["spec"] = json!("…");
    stored(
        &stored_job,
        "",
        expect![[r#"
            {
              "metadata": {
                "creationTimestamp": "2026-01-01T00:00:00Z",
                "generation": 1,
                "labels": {
                  "batch.kubernetes.io/controller-uid": "u-1",
                  "batch.kubernetes.io/job-name": "sum",
                  "controller-uid": "u-1",
                  "job-name": "sum"
                },
                "name": "sum",
                "namespace": "default",
                "uid": "u-1"
              },
              "spec": {
                "backoffLimit": 6,
                "completionMode": "NonIndexed",
                "completions": 1,
                "parallelism": 1,
                "podReplacementPolicy": "TerminatingOrFailed",
                "selector": {
                  "matchLabels": {
                    "batch.kubernetes.io/controller-uid": "u-1"
                  }
                },
                "suspend": false,
                "template": {
                  "metadata": {
                    "labels": {
                      "batch.kubernetes.io/controller-uid": "u-1",
                      "batch.kubernetes.io/job-name": "sum",
                      "controller-uid": "u-1",
                      "job-name": "sum"
                    }
                  },
                  "spec": "…"
                }
              },
              "status": {}
            }"#]],
    );
    assert_eq!(created("Job", job(json!({"parallelism": 3})))["spec"].get("completions"), None);
}

#[test]
fn bad_jobs_are_refused_in_upstreams_words() {
    refused(
        "Job",
        json!({"spec": {"template": {"spec": {"containers": [container()]}}}}),
        expect![[r#"
        spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"
    "#]],
    );
    refused(
        "Job",
        job(json!({"completionMode": "Indexed", "parallelism": -1, "backoffLimit": -1})),
        expect![[r#"
        spec.parallelism: Invalid value: -1: must be greater than or equal to 0
        spec.backoffLimit: Invalid value: -1: must be greater than or equal to 0
        spec.completions: Required value: when completion mode is Indexed
    "#]],
    );
    refused(
        "Job",
        job(json!({"completionMode": "Odd", "podReplacementPolicy": "Odd"})),
        expect![[r#"
        spec.completionMode: Unsupported value: "Odd": supported values: "Indexed", "NonIndexed"
        spec.podReplacementPolicy: Unsupported value: "Odd": supported values: "Failed", "TerminatingOrFailed"
    "#]],
    );
    refused(
        "Job",
        job(json!({"manualSelector": true, "selector": {"matchLabels": {"a": "b"}}})),
        expect![[r#"
        spec.template.metadata.labels: Invalid value: null: `selector` does not match template `labels`
    "#]],
    );
    refused(
        "Job",
        job(json!({"selector": {"matchLabels": {"batch.kubernetes.io/controller-uid": "other"}}})),
        expect![[r#"
            spec.selector: Invalid value: {"matchLabels":{"batch.kubernetes.io/controller-uid":"other"}}: `selector` not auto-generated
            spec.template.metadata.labels: Invalid value: {"batch.kubernetes.io/controller-uid":"u-1","batch.kubernetes.io/job-name":"sum","controller-uid":"u-1","job-name":"sum"}: `selector` does not match template `labels`
        "#]],
    );
}

#[test]
fn a_job_keeps_its_template_unless_it_waits() {
    let old = created("Job", job(json!({})));
    change_refused(
        "Job",
        &old,
        |job| {
            job["spec"]["parallelism"] = json!(2);
            job["spec"]["suspend"] = json!(true);
        },
        expect![""],
    );
    let mut waiting = created("Job", job(json!({"suspend": true})));
    waiting["spec"]["template"]["spec"] = json!({"restartPolicy": "Never"});
    change_refused(
        "Job",
        &old,
        |job| {
            job["spec"]["completions"] = json!(2);
            job["spec"]["template"] = waiting["spec"]["template"].clone();
        },
        expect![[r#"
            spec.template.spec.containers: Required value
            spec.completions: Invalid value: 2: field is immutable
            spec.template: Invalid value: {"metadata":{"labels":{"batch.kubernetes.io/controller-uid":"u-1","batch.kubernetes.io/job-name":"sum","controller-uid":"u-1","job-name":"sum"}},"spec":{"dnsPolicy":"ClusterFirst","restartPolicy":"Never","schedulerName":"default-scheduler","securityContext":{},"terminationGracePeriodSeconds":30}}: field is immutable
        "#]],
    );
    let waiting = created("Job", job(json!({"suspend": true})));
    change_refused(
        "Job",
        &waiting,
        |job| job["spec"]["template"]["spec"]["nodeSelector"] = json!({"a": "b"}),
        expect![""],
    );
}

#[test]
fn get_jobs_shows_progress() {
    let with = |spec: Value, status: Value| {
        let mut job = created("Job", job(spec));
        job["status"] = status;
        job
    };
    shown(
        "Job",
        &[
            with(json!({}), json!({})),
            with(json!({"completions": 3}), json!({"startTime": "2026-01-01T00:58:00Z", "succeeded": 1})),
            with(
                json!({"parallelism": 2}),
                json!({"startTime": "2026-01-01T00:00:00Z", "completionTime": "2026-01-01T00:00:09Z",
            "succeeded": 2, "conditions": [{"type": "Complete", "status": "True"}]}),
            ),
            with(json!({}), json!({"conditions": [{"type": "Failed", "status": "True"}]})),
            with(json!({}), json!({"conditions": [{"type": "Suspended", "status": "True"}]})),
        ],
        expect![[r#"
            sum | Running | 0/1 |  | 60m | c | hello:1 | batch.kubernetes.io/controller-uid=u-1
            sum | Running | 1/3 | 2m | 60m | c | hello:1 | batch.kubernetes.io/controller-uid=u-1
            sum | Complete | 2/1 of 2 | 9s | 60m | c | hello:1 | batch.kubernetes.io/controller-uid=u-1
            sum | Failed | 0/1 |  | 60m | c | hello:1 | batch.kubernetes.io/controller-uid=u-1
            sum | Suspended | 0/1 |  | 60m | c | hello:1 | batch.kubernetes.io/controller-uid=u-1
        "#]],
    );
}

#[test]
fn a_status_agrees_with_itself_and_does_not_go_back() {
    let with = |spec: Value, status: Value| {
        let mut job = created("Job", job(spec));
        job["status"] = status;
        job
    };
    let running = with(json!({}), json!({"startTime": "2026-01-01T00:00:00Z", "active": 1, "ready": 1, "failed": 2}));
    let becomes = |old: &Value, status: Value, expected: expect_test::Expect| {
        let kind = crate::kinds::tests::kind("Job");
        let mut object = old.clone();
        object["status"] = status;
        (kind.strategy.prepare_status_update)(&mut object, old);
        let mut errors = crate::field::Errors::default();
        kind.validate_change(&object, old, &mut errors);
        expected.assert_eq(&errors.0.iter().map(|error| format!("{error}\n")).collect::<String>());
    };
    let conditions =
        |types: &[&str]| -> Value { types.iter().map(|type_| json!({"type": type_, "status": "True"})).collect() };
    let started = "2026-01-01T00:00:00Z";
    becomes(
        &running,
        json!({"startTime": started, "failed": 2, "succeeded": 1, "completionTime": "2026-01-01T00:01:00Z",
            "conditions": conditions(&["SuccessCriteriaMet", "Complete"])}),
        expect![""],
    );
    becomes(
        &running,
        json!({"conditions": conditions(&["Complete"]), "active": 1, "ready": 2}),
        expect![[r#"
        status.completionTime: Required value: completionTime is required for Complete jobs
        status.conditions: Invalid value: cannot set Complete=True condition without the SuccessCriteriaMet=true condition
        status.active: Invalid value: 1: active>0 is invalid for finished job
        status.startTime: Required value: startTime is required for finished job
        status.ready: Invalid value: 2: cannot set more ready pods than active
        status.failed: Invalid value: 0: cannot decrease the failed counter
        status.startTime: Required value: startTime cannot be removed for unsuspended job
    "#]],
    );
    becomes(
        &running,
        json!({"startTime": started, "failed": 2, "completionTime": "2025-01-01T00:00:00Z", "terminating": 1,
            "uncountedTerminatedPods": {"failed": ["", "u", "u"]}, "conditions": conditions(&["Failed", "Complete"])}),
        expect![[r#"
            status.uncountedTerminatedPods.failed[0]: Invalid value: "": must not be empty
            status.uncountedTerminatedPods.failed[2]: Duplicate value: "u"
            status.completionTime: Invalid value: "2025-01-01T00:00:00Z": completionTime cannot be set before startTime
            status.conditions: Invalid value: cannot set Complete=True and Failed=true conditions
            status.conditions: Invalid value: cannot set Failed=True condition without the FailureTarget=true condition
            status.conditions: Invalid value: cannot set Complete=True condition without the SuccessCriteriaMet=true condition
            status.terminating: Invalid value: 1: terminating>0 is invalid for finished job
            status.uncountedTerminatedPods: Invalid value: {"failed":["","u","u"]}: uncountedTerminatedPods needs to be empty for finished job
        "#]],
    );
    let done = with(
        json!({}),
        json!({"startTime": started, "succeeded": 1, "completionTime": "2026-01-01T00:01:00Z",
            "conditions": conditions(&["SuccessCriteriaMet", "Complete"])}),
    );
    becomes(
        &done,
        json!({"startTime": started, "succeeded": 1}),
        expect![[r#"
        status.conditions: Invalid value: cannot disable the terminal Complete=True condition
        status.conditions: Invalid value: cannot disable the SuccessCriteriaMet=True condition
    "#]],
    );
    let mut later = done["status"].clone();
    later["completionTime"] = json!("2026-01-01T00:02:00Z");
    becomes(
        &done,
        later,
        expect![[r#"
        status.completionTime: Invalid value: "2026-01-01T00:02:00Z": completionTime cannot be mutated
    "#]],
    );
    let indexed = with(
        json!({"completionMode": "Indexed", "completions": 5, "backoffLimitPerIndex": 1}),
        json!({"startTime": started}),
    );
    becomes(
        &indexed,
        json!({"startTime": started, "completedIndexes": "0-2", "failedIndexes": "2,4"}),
        expect![[r#"
        status.failedIndexes: Invalid value: "2,4": failedIndexes and completedIndexes overlap at index: 2
    "#]],
    );
    becomes(
        &indexed,
        json!({"startTime": started, "completedIndexes": "2-1,9"}),
        expect![[r#"
        status.completedIndexes: Invalid value: "2-1,9": error parsing completedIndexes: non-increasing order, previous: 2, current: 1
    "#]],
    );
    becomes(
        &running,
        json!({"startTime": started, "failed": 2, "completedIndexes": "0", "failedIndexes": ""}),
        expect![[r#"
            status.completedIndexes: Invalid value: "0": cannot set non-empty completedIndexes when non-indexed completion mode
            status.failedIndexes: Invalid value: "": cannot set non-null failedIndexes when backoffLimitPerIndex is null
        "#]],
    );
}
