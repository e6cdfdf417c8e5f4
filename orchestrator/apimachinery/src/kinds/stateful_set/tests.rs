use crate::kinds::tests::{change_refused, created, kind, refused, replicated, shown, stored, template, with};
use expect_test::expect;
use serde_json::{Value, json};

fn stateful_set(fields: Value) -> Value {
    replicated(with(json!({"serviceName": "s"}), fields))
}

#[test]
fn a_stateful_set_gets_upstreams_defaults() {
    let claim = json!({"metadata": {"name": "v"}, "spec": {"accessModes": ["ReadWriteOnce"]}});
    let mut object = created("StatefulSet", stateful_set(json!({"volumeClaimTemplates": [claim]})));
    object["spec"]["template"] = json!({});
    stored(
        &object,
        "/spec",
        expect![[r#"
        {
          "persistentVolumeClaimRetentionPolicy": {
            "whenDeleted": "Retain",
            "whenScaled": "Retain"
          },
          "podManagementPolicy": "OrderedReady",
          "replicas": 1,
          "revisionHistoryLimit": 10,
          "selector": {
            "matchLabels": {
              "app": "x"
            }
          },
          "serviceName": "s",
          "template": {},
          "updateStrategy": {
            "rollingUpdate": {
              "maxUnavailable": 1,
              "partition": 0
            },
            "type": "RollingUpdate"
          },
          "volumeClaimTemplates": [
            {
              "apiVersion": "v1",
              "kind": "PersistentVolumeClaim",
              "metadata": {
                "name": "v"
              },
              "spec": {
                "accessModes": [
                  "ReadWriteOnce"
                ],
                "volumeMode": "Filesystem"
              },
              "status": {
                "phase": "Pending"
              }
            }
          ]
        }"#]],
    );
    stored(
        &object,
        "/status",
        expect![[r#"
        {
          "availableReplicas": 0,
          "replicas": 0
        }"#]],
    );
}

#[test]
fn bad_stateful_sets_are_refused_in_upstreams_words() {
    refused(
        "StatefulSet",
        stateful_set(json!({"selector": {}})),
        expect![[r#"
        spec.selector: Invalid value: {}: empty selector is invalid for statefulset
    "#]],
    );
    refused(
        "StatefulSet",
        stateful_set(json!({
            "podManagementPolicy": "Odd", "updateStrategy": {"type": "OnDelete", "rollingUpdate": {}},
            "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Odd"}, "ordinals": {"start": -1},
        })),
        expect![[r#"
            spec.podManagementPolicy: Invalid value: "Odd": must be 'OrderedReady' or 'Parallel'
            spec.updateStrategy.rollingUpdate: Invalid value: {}: only allowed for updateStrategy 'RollingUpdate'
            spec.persistentVolumeClaimRetentionPolicy.whenDeleted: Unsupported value: "Odd": supported values: "Delete", "Retain"
            spec.ordinals.start: Invalid value: -1: must be greater than or equal to 0
        "#]],
    );
    refused(
        "StatefulSet",
        stateful_set(json!({"updateStrategy": {"rollingUpdate": {"partition": -1, "maxUnavailable": 0}}})),
        expect![[r#"
            spec.updateStrategy.rollingUpdate.partition: Invalid value: -1: must be greater than or equal to 0
            spec.updateStrategy.rollingUpdate.maxUnavailable: Invalid value: 0: cannot be 0
        "#]],
    );
    refused(
        "StatefulSet",
        stateful_set(json!({"updateStrategy": {"type": "Odd"}})),
        expect![[r#"
        spec.updateStrategy: Invalid value: {"type":"Odd"}: must be 'RollingUpdate' or 'OnDelete'
    "#]],
    );
    let mut bad = template();
    bad["spec"] = json!({"restartPolicy": "Never", "activeDeadlineSeconds": 1, "containers": [{"name": "c"}]});
    refused(
        "StatefulSet",
        stateful_set(json!({"template": bad, "replicas": -1})),
        expect![[r#"
        spec.replicas: Invalid value: -1: must be greater than or equal to 0
        spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"
        spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in StatefulSet is not Supported
    "#]],
    );
}

#[test]
fn only_some_of_the_spec_changes() {
    let old = created("StatefulSet", stateful_set(json!({})));
    change_refused(
        "StatefulSet",
        &old,
        |object| {
            object["spec"]["replicas"] = json!(3);
            object["spec"]["minReadySeconds"] = json!(3);
            object["spec"]["template"]["spec"]["hostname"] = json!("h");
        },
        expect![""],
    );
    change_refused(
        "StatefulSet",
        &old,
        |object| object["spec"]["serviceName"] = json!("t"),
        expect![[r#"
        spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden
    "#]],
    );
    change_refused(
        "StatefulSet",
        &old,
        |object| object["status"] = json!({"replicas": 1, "readyReplicas": 2, "currentReplicas": -1}),
        expect![""],
    );
}

#[test]
fn its_status_adds_up() {
    let mut object = created("StatefulSet", stateful_set(json!({})));
    object["status"] = json!({"replicas": 1, "readyReplicas": 2, "availableReplicas": 3, "currentReplicas": -1});
    let mut errors = crate::field::Errors::default();
    (kind("StatefulSet").strategy.validate)(&object, &mut errors);
    let lines: String = errors.0.iter().map(|error| format!("{error}\n")).collect();
    expect![[r#"
        status.currentReplicas: Invalid value: -1: must be greater than or equal to 0
        status.readyReplicas: Invalid value: 2: cannot be greater than status.replicas
        status.availableReplicas: Invalid value: 3: cannot be greater than status.replicas
        status.availableReplicas: Invalid value: 3: cannot be greater than status.readyReplicas
    "#]]
    .assert_eq(&lines);
}

#[test]
fn get_shows_ready_pods() {
    let mut object = created("StatefulSet", stateful_set(json!({"replicas": 3})));
    object["status"]["readyReplicas"] = json!(2);
    shown(
        "StatefulSet",
        &[object],
        expect![[r#"
        x | 2/3 | 60m | c | hello:1
    "#]],
    );
}
