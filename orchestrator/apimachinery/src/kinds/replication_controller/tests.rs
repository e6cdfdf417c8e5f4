use crate::kinds::tests::{created, refused, shown, stored, template, updated};
use expect_test::expect;
use serde_json::json;

#[test]
fn the_templates_labels_stand_in_for_selector_and_labels() {
    let object = created("ReplicationController", json!({"spec": {"template": template()}}));
    assert_eq!(object["spec"]["selector"], json!({"app": "x"}));
    assert_eq!(object["metadata"]["labels"], json!({"app": "x"}));
    stored(
        &object,
        "/status",
        expect![[r#"
        {
          "replicas": 0
        }"#]],
    );
    let changed = updated("ReplicationController", &object, |object| object["spec"]["replicas"] = json!(2));
    assert_eq!(changed["metadata"]["generation"], 2);
}

#[test]
fn bad_controllers_are_refused_in_upstreams_words() {
    let mut ends = template();
    ends["spec"]["restartPolicy"] = json!("Never");
    ends["spec"]["activeDeadlineSeconds"] = json!(5);
    refused(
        "ReplicationController",
        json!({"spec": {"template": ends, "selector": {"a": "b"}, "replicas": -1}}),
        expect![[r#"
            spec.replicas: Invalid value: -1: must be greater than or equal to 0
            spec.template.metadata.labels: Invalid value: {"app":"x"}: `selector` does not match template `labels`
            spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"
            spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in ReplicationController is not Supported
        "#]],
    );
    refused(
        "ReplicationController",
        json!({"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "a:1"}]}}}}),
        expect![[r#"
            spec.selector: Required value
        "#]],
    );
}

#[test]
fn get_shows_pods_wanted_and_there() {
    let mut object = created("ReplicationController", json!({"spec": {"template": template(), "replicas": 3}}));
    object["status"] = json!({"replicas": 2, "readyReplicas": 1});
    shown(
        "ReplicationController",
        &[object],
        expect![[r#"
        x | 3 | 2 | 1 | 60m | c | hello:1 | app=x
    "#]],
    );
}
