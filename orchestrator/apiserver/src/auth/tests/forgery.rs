//! Tokens that must not be believed.

use super::world::{House, START, account, pod};
use crate::auth::{Authentication, ISSUER};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use http::HeaderMap;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": [ISSUER], "sub": "system:serviceaccount:shop:default",
        "exp": START + 3600, "iat": START, "nbf": START, "jti": "1",
        "kubernetes.io": {
            "namespace": "shop", "serviceaccount": {"name": "default", "uid": "sa-1"},
            "pod": {"name": "web", "uid": "uid-web"},
        },
    })
}

fn key_of(house: &House) -> (EncodingKey, String) {
    let pem = std::fs::read(house.dir.path().join("sa.key")).unwrap();
    let id = house.tokens.jwks()["keys"][0]["kid"].as_str().unwrap().to_owned();
    (EncodingKey::from_ec_pem(&pem).unwrap(), id)
}

fn signed(house: &House, change: impl Fn(&mut Value)) -> String {
    let (key, id) = key_of(house);
    let mut header = Header::new(Algorithm::ES256);
    header.kid = Some(id);
    let mut claims = claims();
    change(&mut claims);
    jsonwebtoken::encode(&header, &claims, &key).unwrap()
}

fn raw(header: Value, signature: &[u8]) -> String {
    let part = |value: &Value| BASE64.encode(value.to_string());
    format!("{}.{}.{}", part(&header), part(&claims()), BASE64.encode(signature))
}

fn house() -> House {
    let house = House::new();
    house.world.put(&account("shop", "default", "sa-1"));
    house.world.put(&pod("shop", "web", "n1", json!({})));
    house
}

async fn believed(house: &House, token: &str) -> bool {
    matches!(house.ask(token).await, Authentication::Known(_))
}

#[tokio::test]
async fn forged_tokens_are_refused() {
    let house = house();
    assert!(believed(&house, &signed(&house, |_| {})).await, "the pattern of all forgeries is good");
    let (_, id) = key_of(&house);
    let public = house.pki.service_account_key().public_key_pem();
    let confused = {
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some(id.clone());
        jsonwebtoken::encode(&header, &claims(), &EncodingKey::from_secret(public.as_bytes())).unwrap()
    };
    let keyless = {
        let header = Header::new(Algorithm::ES256);
        jsonwebtoken::encode(&header, &claims(), &key_of(&house).0).unwrap()
    };
    let stranger = {
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some(id.clone());
        jsonwebtoken::encode(&header, &claims(), &key_of(&House::new()).0).unwrap()
    };
    let tampered = {
        let good = signed(&house, |_| {});
        let mut parts: Vec<String> = good.split('.').map(str::to_owned).collect();
        let mut changed = claims();
        changed["kubernetes.io"]["serviceaccount"]["name"] = json!("admin");
        parts[1] = BASE64.encode(changed.to_string());
        parts.join(".")
    };
    let set = |path: &'static str, value: Value| {
        signed(&house, move |claims| *claims.pointer_mut(path).unwrap() = value.clone())
    };
    for (what, token) in [
        ("alg none", raw(json!({"alg": "none", "kid": id}), b"")),
        ("alg None in capitals", raw(json!({"alg": "NONE", "kid": id}), b"")),
        ("empty signature", raw(json!({"alg": "ES256", "kid": id}), b"")),
        ("zero signature", raw(json!({"alg": "ES256", "kid": id}), &[0; 64])),
        ("HS256 with the public key", confused),
        ("no key id", keyless),
        ("another key under our id", stranger),
        ("another key id", raw(json!({"alg": "ES256", "kid": "x"}), &[1; 64])),
        ("changed claims", tampered),
        ("another issuer", set("/iss", json!("https://evil"))),
        ("another audience", set("/aud", json!(["vault"]))),
        ("no audience", set("/aud", json!([]))),
        ("expired", set("/exp", json!(START))),
        ("not yet valid", set("/nbf", json!(START + 60))),
        ("a subject that is not its account", set("/sub", json!("system:serviceaccount:kube-system:default"))),
        ("another uid of the account", set("/kubernetes.io/serviceaccount/uid", json!("sa-0"))),
        ("no uid of the account", set("/kubernetes.io/serviceaccount/uid", json!(""))),
        ("an account that is gone", set("/kubernetes.io/serviceaccount/name", json!("gone"))),
        ("another uid of the Pod", set("/kubernetes.io/pod/uid", json!("uid-0"))),
        ("a Pod that is gone", set("/kubernetes.io/pod/name", json!("gone"))),
        ("a Pod of another namespace", set("/kubernetes.io/namespace", json!("default"))),
        (
            "a Secret that is gone",
            signed(&house, |claims| claims["kubernetes.io"]["secret"] = json!({"name": "s", "uid": "1"})),
        ),
        ("no claims of ours", signed(&house, |claims| drop(claims.as_object_mut().unwrap().remove("kubernetes.io")))),
        ("huge", format!("{}.e.e", "e".repeat(100_000))),
        ("dots", "...".into()),
    ] {
        assert!(matches!(house.ask(&token).await, Authentication::Refused(_)), "{what} was believed");
    }
}

#[tokio::test]
async fn a_token_ends_with_the_objects_that_it_is_bound_to() {
    let house = house();
    let token = signed(&house, |_| {});
    assert!(believed(&house, &token).await);
    house.world.put(&account("shop", "default", "sa-2"));
    assert!(!believed(&house, &token).await, "the account was made anew");
    house.world.put(&account("shop", "default", "sa-1"));
    assert!(believed(&house, &token).await);
    let mut dying = pod("shop", "web", "n1", json!({}));
    dying["metadata"]["deletionTimestamp"] = json!("2024-12-31T23:59:30Z");
    house.world.put(&dying);
    assert!(believed(&house, &token).await, "a Pod may talk while it ends");
    dying["metadata"]["deletionTimestamp"] = json!("2024-12-31T23:58:00Z");
    house.world.put(&dying);
    assert!(!believed(&house, &token).await);
    house.world.remove(&dying);
    assert!(!believed(&house, &token).await);
}

#[tokio::test]
async fn a_token_that_was_good_expires() {
    let house = house();
    let token = signed(&house, |_| {});
    let mut headers = HeaderMap::new();
    headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
    for (later, good) in [(0, true), (3599, true), (3600, false), (100_000, false)] {
        let answer = house.authenticator_at(later).authenticate(&headers, &[]).await;
        assert_eq!(matches!(answer, Authentication::Known(_)), good, "after {later} s");
    }
}
