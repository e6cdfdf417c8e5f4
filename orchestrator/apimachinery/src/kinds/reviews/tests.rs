use crate::field::Errors;
use crate::kinds::tests::kind;
use expect_test::{Expect, expect};
use serde_json::{Value, json};

#[track_caller]
fn check(name: &str, review: Value, expected: Expect) {
    let mut errors = Errors::default();
    (kind(name).strategy.validate)(&review, &mut errors);
    expected.assert_eq(&errors.0.iter().map(|error| format!("{error}\n")).collect::<String>());
}

#[test]
fn a_review_asks_about_one_thing_for_one_subject() {
    let resource = json!({"verb": "get", "resource": "pods", "namespace": "a"});
    check("SelfSubjectAccessReview", json!({"spec": {"resourceAttributes": resource}}), expect![""]);
    check(
        "SelfSubjectAccessReview",
        json!({"spec": {}}),
        expect![[r#"
        spec.resourceAttributes: Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified
    "#]],
    );
    check(
        "SubjectAccessReview",
        json!({"spec": {"resourceAttributes": resource, "nonResourceAttributes": {}}}),
        expect![[r#"
            spec.nonResourceAttributes: Invalid value: {}: cannot be specified in combination with resourceAttributes
            spec.user: Invalid value: "": at least one of user or group must be specified
        "#]],
    );
    check(
        "LocalSubjectAccessReview",
        json!({"metadata": {"namespace": "b"}, "spec": {"user": "u", "resourceAttributes": resource}}),
        expect![[r#"
            spec.resourceAttributes.namespace: Invalid value: "a": must match metadata.namespace
        "#]],
    );
}
