use crate::kinds::tests::{change_refused, created, refused, shown, stored};
use expect_test::expect;
use serde_json::json;

#[test]
fn an_ingress_class_keeps_its_controller_and_names_its_parameters() {
    let class =
        created("IngressClass", json!({"spec": {"controller": "a.b/c", "parameters": {"kind": "K", "name": "n"}}}));
    stored(
        &class,
        "/spec/parameters",
        expect![[r#"
        {
          "kind": "K",
          "name": "n",
          "scope": "Cluster"
        }"#]],
    );
    change_refused(
        "IngressClass",
        &class,
        |class| class["spec"]["controller"] = json!("a.b/d"),
        expect![[r#"
        spec.controller: Invalid value: "a.b/d": field is immutable
    "#]],
    );
    refused(
        "IngressClass",
        json!({"spec": {"controller": "nginx", "parameters": {"scope": "Namespace", "apiGroup": "A", "name": "a/b"}}}),
        expect![[r#"
            spec.controller: Invalid value: "nginx": must be a domain-prefixed path (such as "acme.io/foo")
            spec.parameters.apiGroup: Invalid value: "A": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
            spec.parameters.kind: Required value
            spec.parameters.name: Invalid value: "a/b": may not contain '/'
            spec.parameters.namespace: Required value: `parameters.scope` is set to 'Namespace'
        "#]],
    );
    refused(
        "IngressClass",
        json!({"spec": {"parameters": {"kind": "K", "name": "n", "namespace": "n", "scope": "Cluster"}}}),
        expect![[r#"
            spec.controller: Required value
            spec.parameters.namespace: Forbidden: `parameters.scope` is set to 'Cluster'
        "#]],
    );
    let plain = created("IngressClass", json!({"spec": {"controller": "a.b/c"}}));
    shown(
        "IngressClass",
        &[class, plain],
        expect![[r#"
        x | a.b/c | K/n | 60m
        x | a.b/c | <none> | 60m
    "#]],
    );
}
