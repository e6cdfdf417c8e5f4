use crate::kinds::tests::{change_refused, created, kind, refused, shown, template};
use expect_test::expect;
use serde_json::json;

#[test]
fn a_replica_set_counts_its_pods() {
    let selector = json!({"matchLabels": {"app": "x"}, "matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["c", "b"]}]});
    let mut set = created("ReplicaSet", json!({"spec": {"selector": selector, "template": template()}}));
    assert_eq!(set["spec"]["replicas"], 1);
    assert_eq!(kind("ReplicaSet").field_text(&set, "status.replicas"), "0");
    set["status"] = json!({"replicas": 1, "readyReplicas": 1});
    shown(
        "ReplicaSet",
        std::slice::from_ref(&set),
        expect![[r#"
        x | 1 | 1 | 1 | 60m | c | hello:1 | a notin (b,c),app=x
    "#]],
    );
    change_refused(
        "ReplicaSet",
        &set,
        |set| set["spec"]["selector"] = json!({"matchLabels": {"app": "x"}}),
        expect![[r#"
            spec.selector: Invalid value: {"matchLabels":{"app":"x"}}: field is immutable
        "#]],
    );
    refused(
        "ReplicaSet",
        json!({"spec": {"replicas": -1}}),
        expect![[r#"
        spec.replicas: Invalid value: -1: must be greater than or equal to 0
        spec.selector: Required value
        spec.template.spec.containers: Required value
    "#]],
    );
}
