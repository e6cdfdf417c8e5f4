//! ID tokens of an issuer, over TLS on both sides.

use super::wire::{connect, listening_to};
use super::*;
use crate::auth::oidc_issuer::{Issuer, Signer, claims, config};
use hyper_util::rt::TokioIo;

/// Asks over a connection of its own with a bearer token.
async fn ask(kit: &Kit, port: u16, token: &str, method: &str, path: &str, body: &str) -> (u16, Value) {
    let stream = connect(kit, port, None, "http/1.1").await;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    kit.tasks.spawn("client", async move { drop(connection.await) });
    let bearer = format!("Bearer {token}");
    let headers = [("host", "localhost"), ("authorization", bearer.as_str())];
    let answer = sender.send_request(request(method, path, &headers, body.to_owned())).await.unwrap();
    let code = answer.status().as_u16();
    let bytes = answer.into_body().collect().await.unwrap().to_bytes();
    (code, serde_json::from_slice(&bytes).unwrap_or_default())
}

#[tokio::test]
async fn a_token_of_the_issuer_is_a_user_with_its_groups() {
    let issuer = Issuer::start(Signer::rsa("k1")).await;
    let mut config = config(&issuer);
    config.username_prefix = Some("oidc:".into());
    (config.groups_claim, config.groups_prefix) = (Some("roles".into()), "oidc:".into());
    config.required_claims.insert("hd".into(), "example.com".into());
    let (kit, port) = listening_to(Some(config)).await;
    let now = kit.server.registry.now();
    let token = |changes: Value| {
        let mut claims = claims(&issuer);
        (claims["iat"], claims["exp"]) = (json!(now), json!(now + 600));
        (claims["roles"], claims["hd"]) = (json!(["dev"]), json!("example.com"));
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        issuer.signer.sign(&claims)
    };
    let jane = token(json!({}));
    let rbac = "/apis/rbac.authorization.k8s.io/v1";
    let rules = json!([
        {"verbs": ["list"], "apiGroups": [""], "resources": ["configmaps"]},
        {"verbs": ["create"], "apiGroups": ["authentication.k8s.io"], "resources": ["selfsubjectreviews"]},
    ]);
    kit.post(&format!("{rbac}/clusterroles"), json!({"metadata": {"name": "reader"}, "rules": rules})).await;
    check(
        &ask(&kit, port, &jane, "GET", MAPS, "").await,
        403,
        "User \"oidc:jane\" cannot list resource \"configmaps\"",
    );
    let binding = json!({
        "metadata": {"name": "readers"},
        "subjects": [{"kind": "Group", "name": "oidc:dev", "apiGroup": "rbac.authorization.k8s.io"}],
        "roleRef": {"kind": "ClusterRole", "name": "reader", "apiGroup": "rbac.authorization.k8s.io"},
    });
    assert_eq!(kit.post(&format!("{rbac}/clusterrolebindings"), binding).await.0, 201);
    kit.server.caches().fresh().await.unwrap();
    assert_eq!(ask(&kit, port, &jane, "GET", MAPS, "").await.0, 200);
    let me = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
    let (code, found) = ask(&kit, port, &jane, "POST", me, "{}").await;
    assert_eq!(code, 201, "{found}");
    let user = &found["status"]["userInfo"];
    assert_eq!(
        (&user["username"], &user["groups"]),
        (&json!("oidc:jane"), &json!(["oidc:dev", "system:authenticated"]))
    );
    for changes in [
        json!({"hd": "example.org"}),
        json!({"aud": "another"}),
        json!({"exp": now - 1}),
        json!({"iss": format!("{}/x", issuer.url)}),
        json!({"sub": null}),
    ] {
        check(&ask(&kit, port, &token(changes.clone()), "GET", MAPS, "").await, 401, "Unauthorized");
    }
    assert_eq!(ask(&kit, port, &format!("{jane}x"), "GET", MAPS, "").await.0, 401);
    assert_eq!(issuer.fetches(), 1, "its keys are kept");
    // The cluster's own tokens are good beside them.
    kit.post("/api/v1/namespaces/default/serviceaccounts", json!({"metadata": {"name": "default"}})).await;
    let account = "/api/v1/namespaces/default/serviceaccounts/default/token";
    let (_, own) = kit.post(account, json!({"spec": {}})).await;
    kit.server.caches().fresh().await.unwrap();
    let own = own["status"]["token"].as_str().unwrap().to_owned();
    check(&ask(&kit, port, &own, "GET", MAPS, "").await, 403, "system:serviceaccount:default:default");
}
