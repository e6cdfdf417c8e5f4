pub(crate) mod issuer;

use self::issuer::{Issuer, Signer, claims, config};
use super::{Oidc, OidcConfig};
use crate::auth::tests::world::{House, START};
use crate::auth::{Authentication, Authenticator, ISSUER};
use crate::identity::Identity;
use http::{HeaderMap, HeaderValue};
use runtime_base::{Clock, Tasks};
use serde_json::{Value, json};
use std::time::{Duration, SystemTime};

/// An authenticator that believes an issuer.
fn believer(config: OidcConfig) -> Authenticator {
    let clock = Clock::simulated(SystemTime::UNIX_EPOCH + Duration::from_secs(START));
    let oidc = Oidc::new(config, clock, Tasks::new()).unwrap();
    House::new().authenticator.with_oidc(Some(oidc))
}

async fn answer(authenticator: &Authenticator, token: &str) -> Result<Identity, String> {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", HeaderValue::from_str(&format!("Bearer {token}")).unwrap());
    match authenticator.authenticate(&headers, &[]).await {
        Authentication::Known(identity) => Ok(identity),
        Authentication::Refused(why) => Err(why),
        Authentication::Anonymous => panic!("a token was overlooked"),
    }
}

/// What becomes of a token with these changes, under a configuration with those: `name [groups]`, or why not.
async fn check(issuer: &Issuer, set: impl FnOnce(&mut OidcConfig), changed: Value, expected: &str) {
    let mut config = config(issuer);
    set(&mut config);
    let authenticator = believer(config);
    let mut claims = claims(issuer);
    for (name, value) in changed.as_object().unwrap() {
        claims[name] = value.clone();
    }
    let answer = answer(&authenticator, &issuer.signer.sign(&claims)).await;
    let answer = answer.map(|who| format!("{} {:?}", who.name, who.groups)).unwrap_or_else(|why| why);
    assert_eq!(answer.replace(&issuer.url, "ISSUER"), expected, "{changed}");
}

#[tokio::test]
async fn a_token_is_believed_only_for_this_cluster_and_in_its_time() {
    let issuer = Issuer::start(Signer::rsa("k1")).await;
    let good = r#"ISSUER#jane ["system:authenticated"]"#;
    let cases = [
        (json!({}), good),
        (json!({"aud": ["other", "coracle"]}), good),
        (json!({"aud": "coracle"}), good),
        (json!({"nbf": START + 300}), good),
        (json!({"exp": START as f64 + 0.5}), good),
        (json!({"aud": "other"}), r#"oidc: expected audience "coracle" got ["other"]"#),
        (json!({"aud": null}), r#"oidc: expected audience "coracle" got []"#),
        (json!({"exp": START}), "oidc: token is expired"),
        (json!({"exp": null}), "oidc: token without an expiry"),
        (json!({"exp": "never"}), r#"oidc: claim "exp" is no number"#),
        (json!({"nbf": START + 301}), "oidc: token is not valid yet"),
        (json!({"sub": ""}), r#"oidc: parse username claims "sub": no text"#),
        (json!({"sub": 7}), r#"oidc: parse username claims "sub": no text"#),
    ];
    for (changed, expected) in cases {
        check(&issuer, |_| {}, changed, expected).await;
    }
}

#[tokio::test]
async fn usernames_come_from_their_claim_with_a_prefix() {
    let issuer = Issuer::start(Signer::rsa("k1")).await;
    let email = |config: &mut OidcConfig| config.username_claim = "email".into();
    let none = |config: &mut OidcConfig| config.username_prefix = Some("-".into());
    let oidc = |config: &mut OidcConfig| config.username_prefix = Some("oidc:".into());
    let jane = r#"jane@example.com ["system:authenticated"]"#;
    check(&issuer, none, json!({}), r#"jane ["system:authenticated"]"#).await;
    check(&issuer, oidc, json!({}), r#"oidc:jane ["system:authenticated"]"#).await;
    check(&issuer, oidc, json!({"sub": "system:x"}), r#"oidc:system:x ["system:authenticated"]"#).await;
    let own = r#"oidc: username "system:admin" is the system's own, set a prefix"#;
    check(&issuer, none, json!({"sub": "system:admin"}), own).await;
    check(&issuer, email, json!({"email": "jane@example.com"}), jane).await;
    check(&issuer, email, json!({"email": "jane@example.com", "email_verified": true}), jane).await;
    let unverified = "oidc: email not verified";
    check(&issuer, email, json!({"email": "jane@example.com", "email_verified": false}), unverified).await;
    check(&issuer, email, json!({"email": "jane@example.com", "email_verified": "yes"}), unverified).await;
    check(&issuer, email, json!({}), r#"oidc: parse username claims "email": claim not present"#).await;
}

#[tokio::test]
async fn groups_and_required_claims_are_read() {
    let issuer = Issuer::start(Signer::rsa("k1")).await;
    let groups = |config: &mut OidcConfig| {
        (config.groups_claim, config.groups_prefix) = (Some("roles".into()), "oidc:".into());
    };
    let listed = r#"ISSUER#jane ["oidc:dev", "oidc:ops", "system:authenticated"]"#;
    check(&issuer, groups, json!({"roles": ["dev", "ops"]}), listed).await;
    check(&issuer, groups, json!({"roles": "dev"}), r#"ISSUER#jane ["oidc:dev", "system:authenticated"]"#).await;
    check(&issuer, groups, json!({}), r#"ISSUER#jane ["system:authenticated"]"#).await;
    let odd = r#"oidc: parse groups claim "roles": neither text nor a list"#;
    check(&issuer, groups, json!({"roles": 3}), odd).await;
    check(&issuer, |_| {}, json!({"roles": ["dev"]}), r#"ISSUER#jane ["system:authenticated"]"#).await;

    let hd = |config: &mut OidcConfig| {
        config.required_claims.insert("hd".into(), "example.com".into());
    };
    check(&issuer, hd, json!({"hd": "example.com"}), r#"ISSUER#jane ["system:authenticated"]"#).await;
    check(&issuer, hd, json!({}), "oidc: required claim hd not present in ID token").await;
    let other = "oidc: required claim hd value does not match, want = example.com";
    check(&issuer, hd, json!({"hd": "example.org"}), other).await;
}

#[tokio::test]
async fn keys_are_fetched_once_and_anew_for_an_unknown_one() {
    let issuer = Issuer::start(Signer::rsa("k1")).await;
    let mut config = config(&issuer);
    config.signing_algs.push("ES256".into());
    let authenticator = believer(config);
    assert_eq!(issuer.fetches(), 0, "nothing is fetched before the first token");
    let token = issuer.signer.sign(&claims(&issuer));
    let both = tokio::join!(answer(&authenticator, &token), answer(&authenticator, &token));
    assert!(both.0.is_ok() && both.1.is_ok(), "{both:?}");
    assert_eq!(issuer.fetches(), 1, "two clients wait for one fetch");

    let next = Signer::elliptic("k2");
    let token = next.sign(&claims(&issuer));
    issuer.publish(&[&issuer.signer, &next]);
    let unknown = "oidc: the issuer has no key that the token is signed with";
    for _ in 0..3 {
        assert_eq!(answer(&authenticator, &token).await.unwrap_err(), unknown);
    }
    assert_eq!(issuer.fetches(), 1, "not within ten seconds");
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(10)).await;
    tokio::time::resume();
    assert_eq!(answer(&authenticator, &token).await.unwrap().name, format!("{}#jane", issuer.url));
    assert_eq!(issuer.fetches(), 2);
    assert!(answer(&authenticator, &issuer.signer.sign(&claims(&issuer))).await.is_ok());
}

#[tokio::test]
async fn a_token_of_another_key_is_refused() {
    let issuer = Issuer::start(Signer::elliptic("k1")).await;
    let mut both = config(&issuer);
    both.signing_algs = vec!["RS256".into(), "ES256".into()];
    let authenticator = believer(both);
    let claims = claims(&issuer);
    let other = answer(&authenticator, &Signer::elliptic("k1").sign(&claims)).await.unwrap_err();
    assert_eq!(other, "oidc: InvalidSignature");
    let kind = answer(&authenticator, &Signer::rsa("k1").sign(&claims)).await.unwrap_err();
    assert!(kind.starts_with("oidc: "), "{kind}");
    assert!(answer(&authenticator, &issuer.signer.sign(&claims)).await.is_ok());
    assert!(answer(&authenticator, &issuer.signer.sign_nameless(&claims)).await.is_ok(), "every key is tried");
    assert!(answer(&authenticator, &Signer::elliptic("k1").sign_nameless(&claims)).await.is_err());
    let text = answer(&believer(config(&issuer)), &issuer.signer.sign(&claims)).await.unwrap_err();
    assert_eq!(text, "oidc: ID tokens may not be signed with ES256");
    // A published key is no shared secret.
    let secret = issuer.signer.sign_with_published_key(&claims);
    let text = answer(&authenticator, &secret).await.unwrap_err();
    assert_eq!(text, "oidc: ID tokens may not be signed with HS256");
}

#[tokio::test]
async fn other_tokens_stay_with_the_cluster() {
    let issuer = Issuer::start(Signer::rsa("k1")).await;
    let authenticator = believer(config(&issuer));
    let mut claims = claims(&issuer);
    claims["iss"] = json!("https://elsewhere.example.com");
    let why = answer(&authenticator, &issuer.signer.sign(&claims)).await.unwrap_err();
    assert_eq!(why, "token was not signed by this cluster's key");
    for bad in ["x", "a.b.c", "..", "a.b"] {
        assert!(answer(&authenticator, bad).await.is_err(), "{bad}");
    }
    assert_eq!(issuer.fetches(), 0);
}

#[tokio::test]
async fn a_token_review_tells_who_it_is() {
    let issuer = Issuer::start(Signer::rsa("k1")).await;
    let authenticator = believer(config(&issuer));
    let token = issuer.signer.sign(&claims(&issuer));
    let review = json!({"spec": {"token": token}});
    let status = authenticator.token_review(&review).await["status"].clone();
    assert_eq!((&status["authenticated"], &status["audiences"]), (&json!(true), &json!([ISSUER])));
    assert_eq!(status["user"]["username"], format!("{}#jane", issuer.url));
    let review = json!({"spec": {"token": token, "audiences": ["vault"]}});
    let status = authenticator.token_review(&review).await["status"].clone();
    assert_eq!(status["error"], "token is meant for another audience");
}

#[tokio::test]
async fn an_issuer_that_is_another_or_not_trusted_gives_no_keys() {
    let issuer = Issuer::start(Signer::rsa("k1")).await;
    let token = issuer.signer.sign(&claims(&issuer));
    let unknown = "oidc: the issuer has no key that the token is signed with";
    let stranger = Issuer::start(Signer::rsa("k1")).await;
    let untrusted = OidcConfig { ca: Some(stranger.ca.clone()), ..config(&issuer) };
    assert_eq!(answer(&believer(untrusted), &token).await.unwrap_err(), unknown);
    assert_eq!(issuer.fetches(), 0);
    issuer.call_itself("https://elsewhere.example.com");
    assert_eq!(answer(&believer(config(&issuer)), &token).await.unwrap_err(), unknown);
}

#[tokio::test]
async fn a_configuration_that_cannot_work_is_refused_at_start() {
    let issuer = Issuer::start(Signer::rsa("k1")).await;
    let good = config(&issuer);
    let refused = |set: fn(&mut OidcConfig), expected: &str| {
        let mut config = good.clone();
        set(&mut config);
        let error = Oidc::new(config, Clock::system(), Tasks::new()).err().expect("it is refused").to_string();
        assert!(error.starts_with(expected), "{error}");
    };
    refused(|config| config.issuer_url = "http://a.example".into(), "'oidc-issuer-url' (\"http://a.example\")");
    refused(|config| config.issuer_url = "https://a.example/?x".into(), "'oidc-issuer-url'");
    refused(|config| config.issuer_url = ISSUER.into(), "'oidc-issuer-url' must not be");
    refused(|config| config.client_id.clear(), "'oidc-client-id' must not be empty");
    refused(|config| config.signing_algs = vec!["HS256".into()], "oidc: unsupported signing alg: \"HS256\"");
    refused(|config| config.signing_algs = vec!["none".into()], "oidc: unsupported signing alg: \"none\"");
    refused(|config| config.signing_algs.clear(), "'oidc-signing-algs' must not be empty");
    refused(|config| config.ca = Some(b"no PEM".to_vec()), "'oidc-ca-file' cannot be used");
}
