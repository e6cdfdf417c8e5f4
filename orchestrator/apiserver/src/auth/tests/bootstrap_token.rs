//! Bootstrap tokens.

use super::world::House;
use crate::auth::Authentication;
use base64::Engine;
use serde_json::{Value, json};

const TOKEN: &str = "abcdef.0123456789abcdef";

fn secret(changes: Value) -> Value {
    let mut data = json!({
        "token-id": "abcdef", "token-secret": "0123456789abcdef", "usage-bootstrap-authentication": "true",
        "expiration": "2025-01-02T00:00:00Z", "auth-extra-groups": "system:bootstrappers:kubeadm:default-node-token",
    });
    for (key, value) in changes.as_object().unwrap() {
        data[key] = value.clone();
    }
    let encode = |value: &Value| base64::engine::general_purpose::STANDARD.encode(value.as_str().unwrap_or(""));
    let data: Value =
        data.as_object().unwrap().iter().map(|(key, value)| (key.clone(), json!(encode(value)))).collect();
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "bootstrap.kubernetes.io/token", "data": data,
        "metadata": {"namespace": "kube-system", "name": "bootstrap-token-abcdef"},
    })
}

#[tokio::test]
async fn a_bootstrap_token_is_its_owner_in_the_bootstrappers_groups() {
    let house = House::new();
    house.world.put(&secret(json!({})));
    let Authentication::Known(identity) = house.ask(TOKEN).await else { panic!("refused") };
    assert_eq!(identity.name, "system:bootstrap:abcdef");
    assert_eq!(
        identity.groups,
        ["system:authenticated", "system:bootstrappers", "system:bootstrappers:kubeadm:default-node-token"]
    );
}

#[tokio::test]
async fn bootstrap_tokens_that_do_not_hold_are_refused() {
    for (changes, token, why) in [
        (json!({}), "abcdef.0123456789abcdee", "the secret is another one"),
        (json!({}), "bbcdef.0123456789abcdef", "there is none"),
        (json!({"expiration": "2024-12-31T00:00:00Z"}), TOKEN, "has expired"),
        (json!({"expiration": "soon"}), TOKEN, "no time"),
        (json!({"usage-bootstrap-authentication": "yes"}), TOKEN, "not for authentication"),
        (json!({"token-id": "bbcdef"}), TOKEN, "another id"),
        (json!({"token-secret": ""}), TOKEN, "the secret is another one"),
        (json!({"auth-extra-groups": "system:masters"}), TOKEN, "extra group"),
    ] {
        let house = House::new();
        house.world.put(&secret(changes));
        let Authentication::Refused(text) = house.ask(token).await else { panic!("not refused: {why}") };
        assert!(text.contains(why), "{text}");
    }
}
