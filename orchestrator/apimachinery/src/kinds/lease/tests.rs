use crate::kinds::tests::{created, refused, shown};
use expect_test::expect;
use serde_json::json;

#[test]
fn a_lease_has_a_holder_and_a_duration() {
    shown(
        "Lease",
        &[created("Lease", json!({"spec": {"holderIdentity": "n1"}})), created("Lease", json!({}))],
        expect![[r#"
            x | n1 | 60m
            x |  | 60m
        "#]],
    );
    refused(
        "Lease",
        json!({"spec": {"leaseDurationSeconds": 0, "leaseTransitions": -1}}),
        expect![[r#"
        spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0
        spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0
    "#]],
    );
}
