use crate::kinds::tests::{change_refused, created, refused, shown};
use expect_test::expect;
use serde_json::json;

#[test]
fn an_address_is_named_by_itself_and_belongs_to_one_object() {
    let parent = json!({"resource": "services", "namespace": "default", "name": "kubernetes"});
    let address = created("IPAddress", json!({"metadata": {"name": "10.96.0.1"}, "spec": {"parentRef": parent}}));
    change_refused(
        "IPAddress",
        &address,
        |address| address["spec"]["parentRef"]["name"] = json!("x"),
        expect![[r#"
        spec.parentRef: Invalid value: {"name":"x","namespace":"default","resource":"services"}: field is immutable
    "#]],
    );
    refused(
        "IPAddress",
        json!({"metadata": {"name": "2001:DB8::1"}, "spec": {}}),
        expect![[r#"
        metadata.name: Invalid value: "2001:DB8::1": must be in canonical form ("2001:db8::1")
        spec.parentRef: Required value
    "#]],
    );
    refused(
        "IPAddress",
        json!({"metadata": {"name": "a"}, "spec": {"parentRef": {"group": "A", "namespace": "a/b"}}}),
        expect![[r#"
            metadata.name: Invalid value: "a": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)
            spec.parentRef.group: Invalid value: "A": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
            spec.parentRef.resource: Required value
            spec.parentRef.name: Required value
            spec.parentRef.namespace: Invalid value: "a/b": may not contain '/'
        "#]],
    );
    shown(
        "IPAddress",
        &[address],
        expect![[r#"
        10.96.0.1 | services/default/kubernetes | 60m
    "#]],
    );
}
