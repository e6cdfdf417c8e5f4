use crate::kinds::tests::{change_refused, container, created, refused, shown, stored};
use expect_test::expect;
use serde_json::{Value, json};

fn job(fields: Value) -> Value {
    let mut spec = json!({"template": {"spec": {"restartPolicy": "Never", "containers": [container()]}}});
    for (key, value) in fields.as_object().expect("fields") {
        spec[key] = value.clone();
    }
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
