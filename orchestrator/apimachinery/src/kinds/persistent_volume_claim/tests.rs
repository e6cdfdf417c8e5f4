use crate::kinds::tests::{change_refused, created, kind, refused, shown, stored, with};
use expect_test::expect;
use serde_json::{Value, json};

fn claim(fields: Value) -> Value {
    let spec = with(json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}), fields);
    json!({"spec": spec})
}

#[test]
fn a_claim_gets_upstreams_defaults() {
    let source = json!({"kind": "PersistentVolumeClaim", "name": "other"});
    let object = created("PersistentVolumeClaim", claim(json!({"dataSourceRef": source})));
    stored(
        &object,
        "/spec",
        expect![[r#"
        {
          "accessModes": [
            "ReadWriteOnce"
          ],
          "dataSource": {
            "kind": "PersistentVolumeClaim",
            "name": "other"
          },
          "dataSourceRef": {
            "kind": "PersistentVolumeClaim",
            "name": "other"
          },
          "resources": {
            "requests": {
              "storage": "1Gi"
            }
          },
          "volumeMode": "Filesystem"
        }"#]],
    );
    assert_eq!(object["status"], json!({"phase": "Pending"}));
}

#[test]
fn bad_claims_are_refused_in_upstreams_words() {
    refused(
        "PersistentVolumeClaim",
        json!({"spec": {}}),
        expect![[r#"
        spec.accessModes: Required value: at least 1 access mode is required
        spec.resources[storage]: Required value
    "#]],
    );
    refused(
        "PersistentVolumeClaim",
        claim(json!({
            "accessModes": ["Odd"], "resources": {"requests": {"storage": "-1Gi"}}, "storageClassName": "A",
            "volumeMode": "Odd", "dataSource": {"kind": "Pod", "name": ""},
            "dataSourceRef": {"kind": "Snapshot", "name": "s", "apiGroup": "A"}, "volumeAttributesClassName": "B",
        })),
        expect![[r#"
            spec.accessModes: Unsupported value: "Odd": supported values: "ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"
            spec.resources[storage]: Invalid value: "-1Gi": must be greater than zero
            spec.storageClassName: Invalid value: "A": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
            spec.volumeMode: Unsupported value: "Odd": supported values: "Block", "Filesystem"
            spec.dataSource.name: Required value
            spec.dataSource: Invalid value: "Pod": must be 'PersistentVolumeClaim' when referencing the default apiGroup
            spec.dataSourceRef.apiGroup: Invalid value: "A": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
            spec: Invalid value: "spec.dataSource": must match dataSourceRef
            spec.volumeAttributesClassName: Invalid value: "B": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
        "#]],
    );
}

#[test]
fn a_bound_claim_may_only_grow() {
    let mut old = created("PersistentVolumeClaim", claim(json!({})));
    change_refused(
        "PersistentVolumeClaim",
        &old,
        |object| object["spec"]["resources"]["requests"]["storage"] = json!("2Gi"),
        expect![[r#"
            spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims
        "#]],
    );
    change_refused("PersistentVolumeClaim", &old, |object| object["spec"]["volumeName"] = json!("v"), expect![""]);
    old["status"] = json!({"phase": "Bound", "capacity": {"storage": "1Gi"}});
    old["spec"]["volumeName"] = json!("v");
    change_refused(
        "PersistentVolumeClaim",
        &old,
        |object| {
            object["spec"]["resources"]["requests"]["storage"] = json!("2Gi");
            object["spec"]["volumeAttributesClassName"] = json!("gold");
        },
        expect![""],
    );
    change_refused(
        "PersistentVolumeClaim",
        &old,
        |object| {
            object["spec"]["resources"]["requests"]["storage"] = json!("1Mi");
            object["spec"]["volumeMode"] = json!("Block");
            object["spec"]["volumeName"] = json!("w");
        },
        expect![[r#"
            spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims
            spec.resources.requests.storage: Forbidden: field can not be less than status.capacity
            volumeMode: Invalid value: "Block": field is immutable
        "#]],
    );
}

#[test]
fn get_shows_volume_and_size() {
    let pending = created("PersistentVolumeClaim", claim(json!({"storageClassName": "fast"})));
    let mut bound = pending.clone();
    bound["spec"]["volumeName"] = json!("pv");
    bound["status"] =
        json!({"phase": "Bound", "accessModes": ["ReadWriteMany", "ReadWriteOnce"], "capacity": {"storage": "1Gi"}});
    shown(
        "PersistentVolumeClaim",
        &[pending.clone(), bound],
        expect![[r#"
        x | Pending |  |  |  | fast | <unset> | 60m | Filesystem
        x | Bound | pv | 1Gi | RWO,RWX | fast | <unset> | 60m | Filesystem
    "#]],
    );
    let mut odd = pending;
    odd["spec"]["resources"]["requests"]["storage"] = json!("100m");
    expect![[r#"spec.resources.requests[storage]: fractional byte value "100m" is invalid, must be an integer"#]]
        .assert_eq(&(kind("PersistentVolumeClaim").strategy.warnings)(&odd).join("\n"));
}
