use crate::kinds::tests::{change_refused, created, refused};
use expect_test::expect;
use serde_json::json;

#[test]
fn bad_metadata_is_refused_in_upstreams_words() {
    refused(
        "ConfigMap",
        json!({"metadata": {"name": "Bad_Name", "namespace": "a.b"}}),
        expect![[r#"
        metadata.name: Invalid value: "Bad_Name": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
        metadata.namespace: Invalid value: "a.b": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')
    "#]],
    );
    refused(
        "ConfigMap",
        json!({"metadata": {"name": "", "generateName": "x_"}}),
        expect![[r#"
        metadata.generateName: Invalid value: "x_": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
        metadata.name: Required value: name or generateName is required
    "#]],
    );
    refused(
        "Node",
        json!({"metadata": {"namespace": "a"}}),
        expect![[r#"
        metadata.namespace: Forbidden: not allowed on this type
    "#]],
    );
    refused(
        "ConfigMap",
        json!({"metadata": {"labels": {"a/b/c": "-"}, "annotations": {"a b": ""}}}),
        expect![[r#"
        metadata.labels: Invalid value: "a/b/c": a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')
        metadata.labels: Invalid value: "-": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')
        metadata.annotations: Invalid value: "a b": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')
    "#]],
    );
    refused(
        "ConfigMap",
        json!({"metadata": {"annotations": {"a": "x".repeat(262_144)}}}),
        expect![[r#"
        metadata.annotations: Too long: may not be more than 262144 bytes
    "#]],
    );
    refused(
        "Pod",
        json!({"metadata": {"finalizers": ["x", "orphan", "foregroundDeletion"]}, "spec": {
            "containers": [crate::kinds::tests::container()],
        }}),
        expect![[r#"
            metadata.finalizers[0]: Invalid value: "x": name is neither a standard finalizer name nor is it fully qualified
            metadata.finalizers: Invalid value: ["x","orphan","foregroundDeletion"]: finalizer orphan and foregroundDeletion cannot be both set
        "#]],
    );
    let owner = |name: &str| json!({"apiVersion": "v1", "kind": "Pod", "name": name, "uid": "u", "controller": true});
    refused(
        "Lease",
        json!({"metadata": {"ownerReferences": [owner("a"), owner("b")]}}),
        expect![[r#"
        metadata.ownerReferences: Invalid value: [{"apiVersion":"v1","controller":true,"kind":"Pod","name":"a","uid":"u"},{"apiVersion":"v1","controller":true,"kind":"Pod","name":"b","uid":"u"}]: Only one reference can have Controller set to true. Found "true" in references for a and b
    "#]],
    );
    refused(
        "Lease",
        json!({"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "Event"}]}}),
        expect![[r#"
        metadata.ownerReferences.name: Invalid value: "": name must not be empty
        metadata.ownerReferences.uid: Invalid value: "": uid must not be empty
        metadata.ownerReferences: Invalid value: {"apiVersion":"v1","kind":"Event"}: v1, Kind=Event is disallowed from being an owner
    "#]],
    );
}

#[test]
fn identity_does_not_change_and_a_deleted_object_gets_no_new_finalizers() {
    let old = created(
        "ConfigMap",
        json!({"metadata": {
            "deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["a/b"], "generation": 2,
        }}),
    );
    change_refused(
        "ConfigMap",
        &old,
        |object| {
            object["metadata"]["uid"] = json!("other");
            object["metadata"]["generation"] = json!(1);
            object["metadata"]["finalizers"] = json!(["a/b", "c/d"]);
        },
        expect![[r#"
            metadata.uid: Invalid value: "other": field is immutable
            metadata.generation: Invalid value: 1: must not be decremented
            metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{"c/d"}
        "#]],
    );
    change_refused("ConfigMap", &old, |object| object["metadata"]["finalizers"] = json!([]), expect![""]);
}
