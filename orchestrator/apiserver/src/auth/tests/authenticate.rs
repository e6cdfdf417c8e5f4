use super::world::{House, START, account, pod};
use crate::auth::x509::Certificates;
use crate::auth::{Authentication, impersonate};
use crate::identity::Identity;
use http::{HeaderMap, HeaderName, HeaderValue};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde_json::json;
use std::time::{Duration, UNIX_EPOCH};

fn der(pem: &str) -> Vec<u8> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap().to_vec()
}

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let parse = |(name, value): &(&str, &str)| {
        (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap())
    };
    pairs.iter().map(parse).fold(HeaderMap::new(), |mut map, (name, value)| {
        map.append(name, value);
        map
    })
}

fn bearer(token: &str) -> HeaderMap {
    headers(&[("authorization", &format!("Bearer {token}"))])
}

fn known(answer: Authentication) -> Identity {
    match answer {
        Authentication::Known(identity) => identity,
        other => panic!("{other:?}"),
    }
}

fn refused(answer: Authentication) -> String {
    match answer {
        Authentication::Refused(why) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_certificate_of_the_ca_names_user_and_groups() {
    let house = House::new();
    let (pem, _) = house.pki.issue_client("jane", &["dev"]).unwrap();
    let who = known(house.authenticator.authenticate(&HeaderMap::new(), &[der(&pem)]).await);
    assert_eq!((who.name.as_str(), who.groups), ("jane", vec!["dev".to_owned(), "system:authenticated".to_owned()]));
}

#[tokio::test]
async fn certificates_that_prove_nothing_are_refused() {
    let (house, other) = (House::new(), House::new());
    let no_headers = HeaderMap::new();
    let (mine, _) = house.pki.issue_client("jane", &[]).unwrap();
    let (foreign, _) = other.pki.issue_client("jane", &["system:masters"]).unwrap();
    let serving = std::fs::read_to_string(house.dir.path().join("apiserver.crt")).unwrap();
    let authority = house.pki.ca_pem().to_owned();
    let (nameless, _) = house.pki.issue_client("", &["system:masters"]).unwrap();
    for (what, chain) in [
        ("another CA", vec![der(&foreign)]),
        ("another CA with ours behind it", vec![der(&foreign), der(&authority)]),
        ("the server's own", vec![der(&serving)]),
        ("the CA itself", vec![der(&authority)]),
        ("no name", vec![der(&nameless)]),
        ("junk", vec![b"\x30\x03junk".to_vec()]),
        ("an empty one", vec![Vec::new()]),
    ] {
        let answer = house.authenticator.authenticate(&no_headers, &chain).await;
        assert!(matches!(answer, Authentication::Refused(_)), "{what}: {answer:?}");
    }
    let year = 366 * 24 * 3600;
    let why = refused(house.authenticator_at(year).authenticate(&no_headers, &[der(&mine)]).await);
    assert!(why.contains("xpired"), "{why}");
}

#[test]
fn a_certificate_that_was_good_is_refused_once_it_is_old() {
    let house = House::new();
    let (mine, _) = house.pki.issue_client("jane", &[]).unwrap();
    let certificates = Certificates::new(house.pki.roots().unwrap()).unwrap();
    let at = |days: u64| certificates.identify(&[der(&mine)], UNIX_EPOCH + Duration::from_secs(START + days * 86_400));
    for days in [0, 0, 300, 0] {
        assert_eq!(at(days).unwrap().name, "jane", "after {days} days");
    }
    assert!(at(366).unwrap_err().contains("xpired"));
    assert_eq!(at(0).unwrap().name, "jane");
    let longer = [der(&mine), der(house.pki.ca_pem())];
    assert_eq!(certificates.identify(&longer, UNIX_EPOCH + Duration::from_secs(START)).unwrap().name, "jane");
}

#[tokio::test]
async fn headers_alone_make_nobody() {
    let house = House::new();
    let spoofed = headers(&[("x-remote-user", "admin"), ("x-remote-group", "system:masters"), ("forwarded", "for=1")]);
    assert_eq!(house.authenticator.authenticate(&spoofed, &[]).await, Authentication::Anonymous);
    for bad in ["Basic YTpi", "Bearer", "Bearer a b", "Bearer junk", "Bearer a.b.c", "", "bearer  "] {
        let answer = house.authenticator.authenticate(&headers(&[("authorization", bad)]), &[]).await;
        assert!(matches!(answer, Authentication::Refused(_)), "{bad:?}: {answer:?}");
    }
    let mut binary = HeaderMap::new();
    binary.insert("authorization", HeaderValue::from_bytes(b"Bearer \xff\xfe").unwrap());
    refused(house.authenticator.authenticate(&binary, &[]).await);
}

#[tokio::test]
async fn a_pods_token_tells_pod_and_node() {
    let house = House::new();
    let owner = account("shop", "default", "sa-1");
    house.world.put(&owner);
    house.world.put(&pod("shop", "web", "n1", json!({})));
    let request =
        json!({"spec": {"boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": "web", "uid": "uid-web"}}});
    let answer = house.tokens.token_request(&*house.world, &owner, &request).unwrap();
    assert_eq!(answer["status"]["expirationTimestamp"], "2025-01-01T01:00:00Z");
    let token = answer["status"]["token"].as_str().unwrap();
    let who = known(house.authenticator.authenticate(&bearer(token), &[]).await);
    expect_test::expect![[r#"
        Identity {
            name: "system:serviceaccount:shop:default",
            uid: "sa-1",
            groups: [
                "system:serviceaccounts",
                "system:serviceaccounts:shop",
                "system:authenticated",
            ],
            extra: {
                "authentication.kubernetes.io/credential-id": [
                    "JTI=SEEDED",
                ],
                "authentication.kubernetes.io/node-name": [
                    "n1",
                ],
                "authentication.kubernetes.io/pod-name": [
                    "web",
                ],
                "authentication.kubernetes.io/pod-uid": [
                    "uid-web",
                ],
            },
        }
    "#]]
    .assert_debug_eq(&{
        let mut who = who.clone();
        who.extra.insert("authentication.kubernetes.io/credential-id".into(), vec!["JTI=SEEDED".into()]);
        who
    });
    let encoded = base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, token);
    let protocols = format!("v5.channel.k8s.io, base64url.bearer.authorization.k8s.io.{encoded}");
    let browser = headers(&[("sec-websocket-protocol", &protocols)]);
    assert_eq!(known(house.authenticator.authenticate(&browser, &[]).await).name, who.name);
}

#[tokio::test]
async fn token_requests_are_checked() {
    let house = House::new();
    let owner = account("shop", "default", "sa-1");
    house.world.put(&owner);
    house.world.put(&pod("shop", "other", "n1", json!({"serviceAccountName": "builder"})));
    let failure = |spec: serde_json::Value| {
        let error = house.tokens.token_request(&*house.world, &owner, &json!({"spec": spec})).unwrap_err();
        format!("{} {error}", error.code)
    };
    let bound = |kind: &str, name: &str, uid: &str| json!({"boundObjectRef": {"apiVersion": "v1", "kind": kind, "name": name, "uid": uid}});
    let texts = [
        failure(json!({"expirationSeconds": 599})),
        failure(json!({"expirationSeconds": 4294967297i64})),
        failure(bound("Pod", "other", "uid-other")),
        failure(bound("Pod", "gone", "")),
        failure(bound("Secret", "gone", "")),
        failure(bound("ConfigMap", "c", "")),
    ];
    expect_test::expect![[r#"
        422 TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: 599: may not specify a duration less than 10 minutes
        422 TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: 4294967297: may not specify a duration larger than 2^32 seconds
        400 cannot bind token for serviceaccount "default" to pod running with different serviceaccount name.
        404 pods "gone" not found
        404 secrets "gone" not found
        400 cannot bind token to object of type v1, Kind=ConfigMap"#]]
    .assert_eq(&texts.join("\n"));
    let long = house.tokens.token_request(&*house.world, &owner, &json!({"spec": {"expirationSeconds": 99999999}}));
    assert_eq!(long.unwrap()["status"]["expirationTimestamp"], "2026-01-01T00:00:00Z", "shortened to a year");
}

#[tokio::test]
async fn a_token_review_tells_the_owner_for_its_audience() {
    let house = House::new();
    let owner = account("shop", "default", "sa-1");
    house.world.put(&owner);
    let request = json!({"spec": {"audiences": ["vault"]}});
    let answer = house.tokens.token_request(&*house.world, &owner, &request).unwrap();
    let token = answer["status"]["token"].as_str().unwrap();
    let review = async |audiences: &[&str]| {
        let review = json!({"spec": {"token": token, "audiences": audiences}});
        house.authenticator.token_review(&review).await["status"].clone()
    };
    let good = review(&["vault", "other"]).await;
    assert_eq!((&good["authenticated"], &good["audiences"]), (&json!(true), &json!(["vault"])));
    assert_eq!(good["user"]["username"], "system:serviceaccount:shop:default");
    assert_eq!(review(&[]).await, json!({"user": {}, "error": "token is meant for another audience"}));
    refused(house.authenticator.authenticate(&bearer(token), &[]).await);
}

#[tokio::test]
async fn the_key_is_published() {
    let house = House::new();
    let key = &house.tokens.jwks()["keys"][0];
    assert_eq!((&key["kty"], &key["alg"], &key["crv"]), (&json!("EC"), &json!("ES256"), &json!("P-256")));
    assert_eq!(key["x"].as_str().unwrap().len(), 43);
    let document = house.tokens.openid_configuration();
    assert_eq!(document["jwks_uri"], "https://kubernetes.default.svc.cluster.local/openid/v1/jwks");
}

#[tokio::test]
async fn impersonation_needs_the_verb_for_each_part() {
    let house = House::new();
    let admin = Identity::user("root", &["system:masters"]);
    let wanted = headers(&[
        ("Impersonate-User", "jane"),
        ("Impersonate-Group", "dev"),
        ("Impersonate-Group", "ops"),
        ("Impersonate-Uid", "7"),
        ("Impersonate-Extra-acme.com%2Fproject", "x"),
    ]);
    let jane = impersonate(admin.clone(), &wanted, &house.rbac).await.unwrap();
    assert_eq!((jane.name.as_str(), jane.uid.as_str()), ("jane", "7"));
    assert_eq!(jane.groups, ["dev", "ops", "system:authenticated"]);
    assert_eq!(jane.extra["acme.com/project"], ["x"]);
    let robot = headers(&[("Impersonate-User", "system:serviceaccount:shop:default")]);
    let robot = impersonate(admin.clone(), &robot, &house.rbac).await.unwrap();
    assert_eq!(robot.groups, ["system:serviceaccounts", "system:serviceaccounts:shop", "system:authenticated"]);
    let nobody = impersonate(admin.clone(), &headers(&[("Impersonate-User", "system:anonymous")]), &house.rbac).await;
    assert_eq!(nobody.unwrap().groups, ["system:unauthenticated"]);

    let plain = Identity::user("eve", &[]);
    let error = impersonate(plain.clone(), &wanted, &house.rbac).await.unwrap_err();
    assert_eq!(
        (error.code, error.message.as_str()),
        (
            403,
            r#"users "jane" is forbidden: User "eve" cannot impersonate resource "users" in API group "" at the cluster scope"#
        )
    );
    house.world.put(&json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "imp"},
        "rules": [{"verbs": ["impersonate"], "apiGroups": [""], "resources": ["users"], "resourceNames": ["jane"]}],
    }));
    house.world.put(&json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "imp"},
        "roleRef": {"kind": "ClusterRole", "name": "imp"}, "subjects": [{"kind": "User", "name": "eve"}],
    }));
    assert!(impersonate(plain.clone(), &headers(&[("Impersonate-User", "jane")]), &house.rbac).await.is_ok());
    let error = impersonate(plain.clone(), &wanted, &house.rbac).await.unwrap_err();
    assert!(error.message.starts_with(r#"groups "dev" is forbidden"#), "{error}");
    let error = impersonate(admin, &headers(&[("Impersonate-Group", "dev")]), &house.rbac).await.unwrap_err();
    assert_eq!(error.code, 400);
    assert_eq!(impersonate(plain.clone(), &HeaderMap::new(), &house.rbac).await.unwrap(), plain);
}
