use crate::kinds::tests::{change_refused, created, refused, shown, stored};
use expect_test::expect;
use serde_json::json;

#[test]
fn plain_texts_become_data() {
    let secret = created("Secret", json!({"stringData": {"a": "b"}, "data": {"a": "eA==", "c": "eA=="}}));
    stored(
        &secret,
        "/data",
        expect![[r#"
        {
          "a": "Yg==",
          "c": "eA=="
        }"#]],
    );
    assert_eq!((secret.get("stringData"), &secret["type"]), (None, &json!("Opaque")));
    shown(
        "Secret",
        &[secret],
        expect![[r#"
        x | Opaque | 2 | 60m
    "#]],
    );
}

#[test]
fn bad_secrets_are_refused_in_upstreams_words() {
    refused(
        "Secret",
        json!({"type": "kubernetes.io/tls", "stringData": {"tls.crt": "x"}}),
        expect![[r#"
        data[tls.key]: Required value
    "#]],
    );
    refused(
        "Secret",
        json!({"type": "kubernetes.io/dockerconfigjson", "stringData": {".dockerconfigjson": "{"}}),
        expect![[r#"
            data[.dockerconfigjson]: Invalid value: "<secret contents redacted>": unexpected end of JSON input
        "#]],
    );
    refused(
        "Secret",
        json!({"type": "kubernetes.io/basic-auth"}),
        expect![[r#"
        data[username]: Required value
        data[password]: Required value
    "#]],
    );
    refused(
        "Secret",
        json!({"type": "kubernetes.io/service-account-token"}),
        expect![[r#"
        metadata.annotations[kubernetes.io/service-account.name]: Required value
    "#]],
    );
    refused(
        "Secret",
        json!({"data": {"a": "not base64"}}),
        expect![[r#"
            data[a]: Invalid value: "a": the value must be encoded in base64
        "#]],
    );
    let old = created("Secret", json!({"stringData": {"a": "b"}, "immutable": true}));
    change_refused(
        "Secret",
        &old,
        |secret| {
            secret["type"] = json!("other");
            secret["stringData"] = json!({"a": "c"});
        },
        expect![[r#"
            type: Invalid value: "other": field is immutable
            data: Forbidden: field is immutable when `immutable` is set
        "#]],
    );
}

#[test]
fn docker_configurations_are_maps_and_keys_are_not_empty() {
    let secret = |type_: &str, key: &str, value: &str| json!({"type": format!("kubernetes.io/{type_}"), "stringData": {key: value}});
    refused(
        "Secret",
        secret("dockercfg", ".dockercfg", "[]"),
        expect![[r#"
        data[.dockercfg]: Invalid value: "<secret contents redacted>": json: cannot unmarshal array into Go value of type map[string]interface {}
    "#]],
    );
    refused(
        "Secret",
        secret("dockerconfigjson", ".dockerconfigjson", "{x"),
        expect![[r#"
        data[.dockerconfigjson]: Invalid value: "<secret contents redacted>": invalid JSON at line 1 column 2
    "#]],
    );
    refused(
        "Secret",
        secret("ssh-auth", "ssh-privatekey", ""),
        expect![[r#"
        data[ssh-privatekey]: Required value
    "#]],
    );
}
