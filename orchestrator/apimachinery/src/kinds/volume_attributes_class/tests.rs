use crate::kinds::tests::{change_refused, created, refused, shown};
use expect_test::expect;
use serde_json::json;

#[test]
fn a_class_of_attributes_has_some_and_keeps_them() {
    let class = created("VolumeAttributesClass", json!({"driverName": "d", "parameters": {"a": "b"}}));
    change_refused(
        "VolumeAttributesClass",
        &class,
        |class| {
            class["driverName"] = json!("e");
            class["parameters"]["a"] = json!("c");
        },
        expect![[r#"
            driverName: Forbidden: updates to driverName are forbidden.
            parameters: Forbidden: updates to parameters are forbidden.
        "#]],
    );
    refused(
        "VolumeAttributesClass",
        json!({"driverName": ""}),
        expect![[r#"
        driverName: Required value
        parameters: Required value: must contain at least one key/value pair
    "#]],
    );
    shown(
        "VolumeAttributesClass",
        &[class],
        expect![[r#"
        x | d | 60m
    "#]],
    );
}
