use crate::kinds::tests::refused;
use expect_test::expect;
use serde_json::json;

#[test]
fn a_binding_names_a_node() {
    refused("Binding", json!({"target": {"kind": "Node", "name": "n"}}), expect![""]);
    refused(
        "Binding",
        json!({"target": {"kind": "Pod"}}),
        expect![[r#"
        target.kind: Unsupported value: "Pod": supported values: "<empty>", "Node"
        target.name: Required value
    "#]],
    );
}
