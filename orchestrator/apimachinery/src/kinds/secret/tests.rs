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
            data[.dockerconfigjson]: Invalid value: "<secret contents redacted>": EOF while parsing an object at line 1 column 1
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
