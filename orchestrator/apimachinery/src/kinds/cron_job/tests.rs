use crate::kinds::tests::{container, created, kind, refused, shown, stored, with};
use expect_test::expect;
use serde_json::{Value, json};

fn cron_job(fields: Value) -> Value {
    let job = json!({"spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [container()]}}}});
    let spec = with(json!({"schedule": "0 * * * *", "jobTemplate": job}), fields);
    json!({"spec": spec})
}

#[test]
fn a_cron_job_gets_upstreams_defaults() {
    let mut object = created("CronJob", cron_job(json!({})));
    object["spec"]["jobTemplate"]["spec"]["template"]["spec"] = json!({});
    stored(
        &object,
        "/spec",
        expect![[r#"
        {
          "concurrencyPolicy": "Allow",
          "failedJobsHistoryLimit": 1,
          "jobTemplate": {
            "metadata": {},
            "spec": {
              "template": {
                "metadata": {},
                "spec": {}
              }
            }
          },
          "schedule": "0 * * * *",
          "successfulJobsHistoryLimit": 3,
          "suspend": false
        }"#]],
    );
    assert_eq!(object["metadata"]["generation"], 1);
}

#[test]
fn bad_cron_jobs_are_refused_in_upstreams_words() {
    refused(
        "CronJob",
        cron_job(json!({"schedule": ""})),
        expect![[r#"
        spec.schedule: Required value
    "#]],
    );
    refused(
        "CronJob",
        cron_job(json!({"schedule": "TZ=UTC 0 * * * *"})),
        expect![[r#"
        spec.schedule: Invalid value: "TZ=UTC 0 * * * *": cannot use TZ or CRON_TZ in schedule, use timeZone field instead
    "#]],
    );
    refused(
        "CronJob",
        cron_job(json!({"schedule": "0 * * *", "timeZone": "Nowhere/Land"})),
        expect![[r#"
        spec.schedule: Invalid value: "0 * * *": expected exactly 5 fields, found 4: [0 * * *]
        spec.timeZone: Invalid value: "Nowhere/Land": unknown time zone Nowhere/Land
    "#]],
    );
    refused(
        "CronJob",
        cron_job(json!({"timeZone": "Local"})),
        expect![[r#"
        spec.timeZone: Invalid value: "Local": timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones
        spec.timeZone: Invalid value: "Local": unknown time zone Local
    "#]],
    );
    refused(
        "CronJob",
        cron_job(json!({"timeZone": "europe/paris"})),
        expect![[r#"
        spec.timeZone: Invalid value: "europe/paris": unknown time zone europe/paris
    "#]],
    );
    refused(
        "CronJob",
        cron_job(json!({"timeZone": ""})),
        expect![[r#"
        spec.timeZone: Invalid value: "": timeZone must be nil or non-empty string
    "#]],
    );
    refused("CronJob", cron_job(json!({"timeZone": "Etc/UTC"})), expect![""]);
    refused(
        "CronJob",
        cron_job(json!({
            "concurrencyPolicy": "Odd", "startingDeadlineSeconds": -1, "successfulJobsHistoryLimit": -1,
            "jobTemplate": {"spec": {
                "manualSelector": true, "selector": {}, "template": {"spec": {"containers": [container()]}},
            }},
        })),
        expect![[r#"
            spec.startingDeadlineSeconds: Invalid value: -1: must be greater than or equal to 0
            spec.concurrencyPolicy: Unsupported value: "Odd": supported values: "Allow", "Forbid", "Replace"
            spec.jobTemplate.spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"
            spec.jobTemplate.spec.selector: Invalid value: {}: `selector` will be auto-generated
            spec.jobTemplate.spec.manualSelector: Unsupported value: "true": supported values: "false", "nil"
            spec.successfulJobsHistoryLimit: Invalid value: -1: must be greater than or equal to 0
        "#]],
    );
    let mut long = cron_job(json!({}));
    long["metadata"] = json!({"name": "a".repeat(53)});
    refused(
        "CronJob",
        long,
        expect![[r#"
            metadata.name: Invalid value: "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa": must be no more than 52 characters
        "#]],
    );
}

#[test]
fn get_shows_when_it_runs() {
    let fresh = created("CronJob", cron_job(json!({})));
    let mut used = created("CronJob", cron_job(json!({"timeZone": "Etc/UTC", "suspend": true})));
    used["status"] = json!({"active": [{"name": "a"}], "lastScheduleTime": "2026-01-01T00:55:00Z"});
    shown(
        "CronJob",
        &[fresh.clone(), used],
        expect![[r#"
        x | 0 * * * * | <none> | False | 0 | <none> | 60m | c | hello:1 | <none>
        x | 0 * * * * | Etc/UTC | True | 1 | 5m | 60m | c | hello:1 | <none>
    "#]],
    );
    let mut dotted = fresh;
    dotted["metadata"]["name"] = json!("a.b");
    expect!["metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label is recommended: [a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')]"].assert_eq(&(kind("CronJob").strategy.warnings)(&dotted).join("\n"));
}
