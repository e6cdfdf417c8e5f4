use crate::kinds::tests::{created, refused, shown};
use expect_test::expect;
use serde_json::json;

#[test]
fn classes_are_checked() {
    refused(
        "DeviceClass",
        json!({"spec": {
            "selectors": [{}, {"cel": {"expression": "x".repeat(10_241)}}],
            "config": [{}, {"opaque": {"driver": "D_", "parameters": [1]}}, {"opaque": {"driver": "d", "parameters": null}}],
            "extendedResourceName": "cpu",
        }}),
        expect![[r#"
            spec.selectors[0].cel: Required value
            spec.selectors[1].cel.expression: Too long: may not be more than 10240 bytes
            spec.config[0].opaque: Required value
            spec.config[1].opaque.driver: Invalid value: "D_": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
            spec.config[1].opaque.parameters: Invalid value: "<value omitted>": must be a valid JSON object
            spec.config[2].opaque.parameters: Required value
            spec.extendedResourceName: Invalid value: "cpu": must be a valid extended resource name
        "#]],
    );
    refused(
        "DeviceClass",
        json!({"spec": {"selectors": vec![json!({"cel": {"expression": "true"}}); 33]}}),
        expect![[r#"
            spec.selectors: Too many: 33: must have at most 32 items
        "#]],
    );
    shown(
        "DeviceClass",
        &[created("DeviceClass", json!({"spec": {}}))],
        expect![[r#"
        x | 60m
    "#]],
    );
}
