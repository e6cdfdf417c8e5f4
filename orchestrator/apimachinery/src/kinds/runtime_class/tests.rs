use crate::kinds::tests::{change_refused, created, refused, shown};
use expect_test::expect;
use serde_json::json;

#[test]
fn a_runtime_class_keeps_its_handler() {
    let class = created("RuntimeClass", json!({"handler": "wasm", "overhead": {"podFixed": {"memory": "1024Ki"}}}));
    assert_eq!(class["overhead"]["podFixed"]["memory"], "1Mi");
    change_refused(
        "RuntimeClass",
        &class,
        |class| class["handler"] = json!("runc"),
        expect![[r#"
        handler: Invalid value: "runc": field is immutable
    "#]],
    );
    refused(
        "RuntimeClass",
        json!({"handler": "A", "overhead": {"podFixed": {"cpu": "x"}}}),
        expect![[r#"
        handler: Invalid value: "A": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')
        overhead.podFixed[cpu]: Invalid value: "x": quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'
    "#]],
    );
    shown(
        "RuntimeClass",
        &[class],
        expect![[r#"
        x | wasm | 60m
    "#]],
    );
}
