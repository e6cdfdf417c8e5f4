use crate::kinds::tests::{change_refused, created, refused, shown};
use expect_test::expect;
use serde_json::json;

#[test]
fn bad_config_maps_are_refused_in_upstreams_words() {
    refused(
        "ConfigMap",
        json!({"data": {"a b": "", "c": ""}, "binaryData": {"c": "YQ==", "..": "?"}}),
        expect![[r#"
            data[a b]: Invalid value: "a b": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')
            data[c]: Invalid value: "c": duplicate of key present in binaryData
            binaryData[..]: Invalid value: "..": must not be '..'
            binaryData[..]: Invalid value: "..": the value must be encoded in base64
        "#]],
    );
    refused(
        "ConfigMap",
        json!({"data": {"a": "x".repeat(super::DATA_BYTES_MAX + 1)}}),
        expect![[r#"
        []: Too long: may not be more than 1048576 bytes
    "#]],
    );
}

#[test]
fn an_immutable_config_map_stays() {
    let old = created("ConfigMap", json!({"data": {"a": "b"}, "immutable": true}));
    change_refused(
        "ConfigMap",
        &old,
        |map| {
            map["immutable"] = json!(false);
            map["data"]["a"] = json!("c");
        },
        expect![[r#"
            immutable: Forbidden: field is immutable when `immutable` is set
            data: Forbidden: field is immutable when `immutable` is set
        "#]],
    );
    change_refused("ConfigMap", &old, |map| map["metadata"]["labels"] = json!({"a": "b"}), expect![""]);
    shown(
        "ConfigMap",
        &[old, created("ConfigMap", json!({}))],
        expect![[r#"
        x | 1 | 60m
        x | 0 | 60m
    "#]],
    );
}
