use crate::kinds::tests::{change_refused, created, refused, replicated, shown, stored, template, updated};
use expect_test::expect;
use serde_json::{Value, json};

#[test]
fn a_daemon_set_gets_upstreams_defaults() {
    let object = created("DaemonSet", replicated(json!({})));
    stored(
        &object,
        "/spec/updateStrategy",
        expect![[r#"
        {
          "rollingUpdate": {
            "maxSurge": 0,
            "maxUnavailable": 1
          },
          "type": "RollingUpdate"
        }"#]],
    );
    stored(
        &object,
        "/status",
        expect![[r#"
        {
          "currentNumberScheduled": 0,
          "desiredNumberScheduled": 0,
          "numberMisscheduled": 0,
          "numberReady": 0
        }"#]],
    );
    stored(
        &object,
        "/metadata/annotations",
        expect![[r#"
        {
          "deprecated.daemonset.template.generation": "1"
        }"#]],
    );
    assert_eq!(object["spec"]["revisionHistoryLimit"], 10);
}

#[test]
fn the_number_of_templates_is_told_whatever_the_client_sends() {
    const TOLD: &str = "deprecated.daemonset.template.generation";
    let old = created("DaemonSet", replicated(json!({})));
    let changed = updated("DaemonSet", &old, |object| {
        object["spec"]["template"]["spec"]["hostname"] = json!("h");
        object["metadata"]["annotations"] = json!({"a": "b"});
    });
    assert_eq!(changed["metadata"]["annotations"], json!({"a": "b", TOLD: "2"}));
    let same = updated("DaemonSet", &old, |object| object["metadata"]["annotations"] = json!({TOLD: "9"}));
    assert_eq!(same["metadata"]["annotations"][TOLD], "1");
}

#[test]
fn bad_daemon_sets_are_refused_in_upstreams_words() {
    let rolling = |update: Value| replicated(json!({"updateStrategy": {"rollingUpdate": update}}));
    refused(
        "DaemonSet",
        replicated(json!({"selector": {}})),
        expect![[r#"
        spec.selector: Invalid value: {}: empty selector is invalid for daemonset
    "#]],
    );
    refused(
        "DaemonSet",
        replicated(json!({"updateStrategy": {"type": "Odd"}})),
        expect![[r#"
        spec.updateStrategy.type: Unsupported value: "Odd": supported values: "OnDelete", "RollingUpdate"
    "#]],
    );
    refused(
        "DaemonSet",
        rolling(json!({"maxSurge": 1, "maxUnavailable": 1})),
        expect![[r#"
        spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: 1: may not be set when maxUnavailable is non-zero
    "#]],
    );
    refused(
        "DaemonSet",
        rolling(json!({"maxSurge": 0, "maxUnavailable": "0%"})),
        expect![[r#"
        spec.updateStrategy.rollingUpdate.maxUnavailable: Required value: cannot be 0 when maxSurge is 0
    "#]],
    );
    refused(
        "DaemonSet",
        rolling(json!({"maxUnavailable": "200%"})),
        expect![[r#"
        spec.updateStrategy.rollingUpdate.maxUnavailable: Invalid value: "200%": must not be greater than 100%
    "#]],
    );
    let mut once = template();
    once["spec"]["restartPolicy"] = json!("OnFailure");
    refused(
        "DaemonSet",
        replicated(json!({"template": once, "minReadySeconds": -1})),
        expect![[r#"
        spec.template.spec.restartPolicy: Unsupported value: "OnFailure": supported values: "Always"
        spec.minReadySeconds: Invalid value: -1: must be greater than or equal to 0
    "#]],
    );
    let old = created("DaemonSet", replicated(json!({})));
    change_refused(
        "DaemonSet",
        &old,
        |object| object["spec"]["selector"] = json!({"matchExpressions": [{"key": "app", "operator": "Exists"}]}),
        expect![[r#"
            spec.selector: Invalid value: {"matchExpressions":[{"key":"app","operator":"Exists"}]}: field is immutable
        "#]],
    );
}

#[test]
fn get_shows_nodes() {
    let mut object = created("DaemonSet", replicated(json!({})));
    object["spec"]["template"]["spec"]["nodeSelector"] = json!({"a": "b"});
    object["status"] = json!({"desiredNumberScheduled": 5, "currentNumberScheduled": 4, "numberReady": 3,
        "updatedNumberScheduled": 2, "numberAvailable": 1});
    shown(
        "DaemonSet",
        &[created("DaemonSet", replicated(json!({}))), object],
        expect![[r#"
        x | 0 | 0 | 0 | 0 | 0 | <none> | 60m | c | hello:1 | app=x
        x | 5 | 4 | 3 | 2 | 1 | a=b | 60m | c | hello:1 | app=x
    "#]],
    );
}
