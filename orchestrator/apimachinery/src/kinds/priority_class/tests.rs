use crate::kinds::tests::{change_refused, created, refused, shown};
use expect_test::expect;
use serde_json::json;

#[test]
fn a_priority_class_keeps_its_value() {
    let class = created("PriorityClass", json!({"value": 5, "globalDefault": true}));
    change_refused(
        "PriorityClass",
        &class,
        |class| {
            class["value"] = json!(6);
            class["preemptionPolicy"] = json!("Never");
        },
        expect![[r#"
            value: Forbidden: may not be changed in an update.
            preemptionPolicy: Invalid value: "Never": field is immutable
        "#]],
    );
    refused(
        "PriorityClass",
        json!({"metadata": {"name": "system-mine"}, "value": 5, "preemptionPolicy": "Odd"}),
        expect![[r#"
            metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use only
            preemptionPolicy: Unsupported value: "Odd": supported values: "Never", "PreemptLowerPriority"
        "#]],
    );
    refused(
        "PriorityClass",
        json!({"value": 1_000_000_001}),
        expect![[r#"
        value: Forbidden: maximum allowed value of a user defined priority is 1000000000
    "#]],
    );
    refused(
        "PriorityClass",
        json!({"metadata": {"name": "system-node-critical"}, "value": 2_000_001_000}),
        expect![""],
    );
    shown(
        "PriorityClass",
        &[class],
        expect![[r#"
        x | 5 | true | 60m | PreemptLowerPriority
    "#]],
    );
}
