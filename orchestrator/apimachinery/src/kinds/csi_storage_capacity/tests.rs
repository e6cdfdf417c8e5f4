use crate::kinds::tests::{change_refused, created, refused, shown};
use expect_test::expect;
use serde_json::json;

#[test]
fn capacity_changes_but_not_what_it_is_of() {
    let capacity = created("CSIStorageCapacity", json!({"storageClassName": "c", "capacity": "1024Mi"}));
    change_refused(
        "CSIStorageCapacity",
        &capacity,
        |capacity| {
            capacity["capacity"] = json!("1");
            capacity["storageClassName"] = json!("d");
            capacity["nodeTopology"] = json!({});
        },
        expect![[r#"
            nodeTopology: Invalid value: {}: field is immutable
            storageClassName: Invalid value: "d": field is immutable
        "#]],
    );
    refused(
        "CSIStorageCapacity",
        json!({"storageClassName": "C", "capacity": "-1", "nodeTopology": {"matchExpressions": [{"operator": "In", "key": "a"}]}}),
        expect![[r#"
            nodeTopology.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'
            storageClassName: Invalid value: "C": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
            capacity: Invalid value: "-1": must be greater than or equal to 0
        "#]],
    );
    shown(
        "CSIStorageCapacity",
        &[capacity, created("CSIStorageCapacity", json!({"storageClassName": "c"}))],
        expect![[r#"
            x | c | 1Gi
            x | c | <unset>
        "#]],
    );
}
