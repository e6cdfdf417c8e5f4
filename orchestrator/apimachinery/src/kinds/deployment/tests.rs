use crate::kinds::tests::{change_refused, created, refused, replicated, shown, stored, template, updated};
use expect_test::expect;
use serde_json::{Value, json};

#[test]
fn a_deployment_gets_upstreams_defaults() {
    stored(
        &created("Deployment", replicated(json!({}))),
        "/spec",
        expect![[r#"
        {
          "progressDeadlineSeconds": 600,
          "replicas": 1,
          "revisionHistoryLimit": 10,
          "selector": {
            "matchLabels": {
              "app": "x"
            }
          },
          "strategy": {
            "rollingUpdate": {
              "maxSurge": "25%",
              "maxUnavailable": "25%"
            },
            "type": "RollingUpdate"
          },
          "template": {
            "metadata": {
              "labels": {
                "app": "x"
              }
            },
            "spec": {
              "containers": [
                {
                  "image": "hello:1",
                  "imagePullPolicy": "IfNotPresent",
                  "name": "c",
                  "resources": {},
                  "terminationMessagePath": "/dev/termination-log",
                  "terminationMessagePolicy": "File"
                }
              ],
              "dnsPolicy": "ClusterFirst",
              "restartPolicy": "Always",
              "schedulerName": "default-scheduler",
              "securityContext": {},
              "terminationGracePeriodSeconds": 30
            }
          }
        }"#]],
    );
    let recreated = created("Deployment", replicated(json!({"strategy": {"type": "Recreate"}})));
    stored(
        &recreated,
        "/spec/strategy",
        expect![[r#"
        {
          "type": "Recreate"
        }"#]],
    );
}

#[test]
fn bad_deployments_are_refused_in_upstreams_words() {
    refused(
        "Deployment",
        json!({"spec": {"template": template()}}),
        expect![[r#"
        spec.selector: Required value
    "#]],
    );
    refused(
        "Deployment",
        replicated(json!({"selector": {}})),
        expect![[r#"
        spec.selector: Invalid value: {}: empty selector is invalid for deployment
    "#]],
    );
    refused(
        "Deployment",
        replicated(json!({"selector": {"matchLabels": {"app": "y"}}, "replicas": -1})),
        expect![[r#"
        spec.replicas: Invalid value: -1: must be greater than or equal to 0
        spec.template.metadata.labels: Invalid value: {"app":"x"}: `selector` does not match template `labels`
    "#]],
    );
    refused(
        "Deployment",
        replicated(json!({"selector": {"matchExpressions": [
            {"key": "app", "operator": "In"}, {"key": "app", "operator": "Exists", "values": ["x"]}, {"key": "a", "operator": "Odd"},
        ]}})),
        expect![[r#"
            spec.selector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'
            spec.selector.matchExpressions[1].values: Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'
            spec.selector.matchExpressions[2].operator: Invalid value: "Odd": not a valid selector operator
        "#]],
    );
    refused(
        "Deployment",
        replicated(json!({"strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": "0%"}}})),
        expect![[r#"
            spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "0%": may not be 0 when `maxSurge` is 0
        "#]],
    );
    refused(
        "Deployment",
        replicated(json!({"strategy": {"rollingUpdate": {"maxSurge": "x", "maxUnavailable": "101%"}}})),
        expect![[r#"
            spec.strategy.rollingUpdate.maxSurge: Invalid value: "x": a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')
            spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "101%": must not be greater than 100%
        "#]],
    );
    refused(
        "Deployment",
        replicated(json!({"strategy": {"type": "Odd"}, "minReadySeconds": 5, "progressDeadlineSeconds": 5})),
        expect![[r#"
            spec.strategy.type: Unsupported value: "Odd": supported values: "Recreate", "RollingUpdate"
            spec.progressDeadlineSeconds: Invalid value: 5: must be greater than minReadySeconds
        "#]],
    );
    refused(
        "Deployment",
        replicated(json!({"strategy": {"type": "Recreate", "rollingUpdate": {}}})),
        expect![[r#"
        spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'
    "#]],
    );
    let mut once = template();
    once["spec"]["restartPolicy"] = json!("Never");
    once["spec"]["activeDeadlineSeconds"] = json!(5);
    refused(
        "Deployment",
        replicated(json!({"template": once})),
        expect![[r#"
        spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"
        spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in ReplicaSet is not Supported
    "#]],
    );
}

#[test]
fn the_selector_stays_and_the_generation_counts_changes() {
    let old = created("Deployment", replicated(json!({})));
    change_refused(
        "Deployment",
        &old,
        |object| object["spec"]["selector"]["matchLabels"]["b"] = json!("c"),
        expect![[r#"
            spec.template.metadata.labels: Invalid value: {"app":"x"}: `selector` does not match template `labels`
            spec.selector: Invalid value: {"matchLabels":{"app":"x","b":"c"}}: field is immutable
        "#]],
    );
    let generation = |change: fn(&mut Value)| updated("Deployment", &old, change)["metadata"]["generation"].clone();
    assert_eq!(generation(|object| object["spec"]["replicas"] = json!(5)), 2);
    assert_eq!(generation(|object| object["metadata"]["annotations"] = json!({"a": "b"})), 2);
    assert_eq!(generation(|object| object["metadata"]["labels"] = json!({"a": "b"})), 1);
    assert_eq!(generation(|object| object["status"]["replicas"] = json!(5)), 1);
}

#[test]
fn get_deployments_shows_the_rollout() {
    let mut object = created("Deployment", replicated(json!({"replicas": 3})));
    let fresh = object.clone();
    object["status"] = json!({"readyReplicas": 2, "updatedReplicas": 3, "availableReplicas": 1});
    shown(
        "Deployment",
        &[fresh, object],
        expect![[r#"
        x | 0/3 | 0 | 0 | 60m | c | hello:1 | app=x
        x | 2/3 | 3 | 1 | 60m | c | hello:1 | app=x
    "#]],
    );
}
