use crate::kinds::tests::{change_refused, created, refused, shown, stored};
use expect_test::expect;
use serde_json::json;

#[test]
fn a_namespace_is_active_labelled_and_held_by_its_finalizer() {
    let namespace = created("Namespace", json!({"metadata": {"name": "a"}, "status": {"phase": "Odd"}}));
    stored(
        &namespace,
        "",
        expect![[r#"
        {
          "metadata": {
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": {
              "kubernetes.io/metadata.name": "a"
            },
            "name": "a",
            "uid": "u-1"
          },
          "spec": {
            "finalizers": [
              "kubernetes"
            ]
          },
          "status": {
            "phase": "Active"
          }
        }"#]],
    );
    refused(
        "Namespace",
        json!({"metadata": {"name": "a.b"}, "spec": {"finalizers": ["odd"]}}),
        expect![[r#"
            metadata.name: Invalid value: "a.b": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')
            spec.finalizers: Invalid value: "odd": name is neither a standard finalizer name nor is it fully qualified
        "#]],
    );
    change_refused("Namespace", &namespace, |object| object["spec"] = json!({}), expect![""]);
    let mut ended = namespace.clone();
    ended["status"]["phase"] = json!("Terminating");
    change_refused(
        "Namespace",
        &ended,
        |_| {},
        expect![[r#"
        status.Phase: Invalid value: "Terminating": may only be 'Active' if `deletionTimestamp` is empty
    "#]],
    );
    shown(
        "Namespace",
        &[namespace],
        expect![[r#"
        a | Active | 60m
    "#]],
    );
}
