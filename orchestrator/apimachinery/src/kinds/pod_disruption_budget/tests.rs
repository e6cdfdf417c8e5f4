use crate::kinds::tests::{created, refused, shown, updated};
use expect_test::expect;
use serde_json::json;

#[test]
fn bad_budgets_are_refused_in_upstreams_words() {
    refused(
        "PodDisruptionBudget",
        json!({"spec": {"minAvailable": 1, "maxUnavailable": 1}}),
        expect![[r#"
        spec: Invalid value: {"maxUnavailable":1,"minAvailable":1}: minAvailable and maxUnavailable cannot be both set
    "#]],
    );
    refused(
        "PodDisruptionBudget",
        json!({"spec": {"minAvailable": -1}}),
        expect![[r#"
        spec.minAvailable: Invalid value: -1: must be greater than or equal to 0
    "#]],
    );
    refused(
        "PodDisruptionBudget",
        json!({"spec": {"maxUnavailable": "101%", "unhealthyPodEvictionPolicy": "Odd"}}),
        expect![[r#"
            spec.maxUnavailable: Invalid value: "101%": must not be greater than 100%
            spec.unhealthyPodEvictionPolicy: Unsupported value: "Odd": supported values: "AlwaysAllow", "IfHealthyBudget"
        "#]],
    );
}

#[test]
fn get_shows_what_may_be_missing() {
    let share = created("PodDisruptionBudget", json!({"spec": {"minAvailable": "50%"}}));
    let number = updated("PodDisruptionBudget", &share, |object| object["spec"] = json!({"maxUnavailable": 1}));
    assert_eq!(number["metadata"]["generation"], 2);
    shown(
        "PodDisruptionBudget",
        &[share, number],
        expect![[r#"
        x | 50% | N/A | 0 | 60m
        x | N/A | 1 | 0 | 60m
    "#]],
    );
}
