//! Every route, called by those who may not: made from the catalog, so that a new kind is in it at once.

use super::*;
use orchestrator_apimachinery::{Kind, Scope, Verb};

/// What everybody who is authenticated may ask about themselves.
const OWN_REVIEWS: [&str; 3] = ["selfsubjectaccessreviews", "selfsubjectreviews", "selfsubjectrulesreviews"];

fn routes(kind: &Kind, namespace: &str) -> Vec<(&'static str, String)> {
    let collection = kind.collection_path(if kind.scope == Scope::Namespaced { namespace } else { "" });
    let object = format!("{collection}/one");
    let mut routes: Vec<(&'static str, String)> = kind
        .verbs
        .iter()
        .map(|verb| match verb {
            Verb::Get => ("GET", object.clone()),
            Verb::List => ("GET", collection.clone()),
            Verb::Watch => ("GET", format!("{collection}?watch=1")),
            Verb::Create => ("POST", collection.clone()),
            Verb::Update => ("PUT", object.clone()),
            Verb::Patch => ("PATCH", object.clone()),
            Verb::Delete => ("DELETE", object.clone()),
            Verb::DeleteCollection => ("DELETE", collection.clone()),
        })
        .collect();
    let parts = ["status", "scale", "log", "exec", "attach", "portforward", "proxy", "eviction", "binding", "token"];
    for part in parts.into_iter().chain(["finalize", "approval", "ephemeralcontainers", "resize"]) {
        routes.extend(["GET", "PUT", "PATCH", "POST"].map(|method| (method, format!("{object}/{part}"))));
    }
    routes
}

/// A cluster with the namespace `other`, which `eve` administers.
async fn neighboured() -> Kit {
    let kit = bootstrapped().await;
    let binding = json!({
        "metadata": {"name": "eve"}, "subjects": [{"kind": "User", "name": "eve", "apiGroup": "rbac.authorization.k8s.io"}],
        "roleRef": {"kind": "ClusterRole", "name": "admin", "apiGroup": "rbac.authorization.k8s.io"},
    });
    check(&kit.post("/api/v1/namespaces", json!({"metadata": {"name": "other"}})).await, 201, "");
    let bindings = "/apis/rbac.authorization.k8s.io/v1/namespaces/other/rolebindings";
    check(&kit.post(bindings, binding).await, 201, "");
    kit.server.caches().fresh().await.unwrap();
    kit
}

#[tokio::test]
async fn no_route_is_open_to_strangers_and_neighbours() {
    let kit = neighboured().await;
    let mut count = 0;
    for kind in kit.server.caches().catalog().all() {
        for (method, path) in routes(kind, "default") {
            count += 1;
            let call = || request(method, &path, &[], "");
            let stranger = kit.server.handle_from_outside(&[], call()).await;
            assert_eq!(stranger.status(), 401, "{method} {path} without credentials");
            if OWN_REVIEWS.contains(&&*kind.plural) && (method, &path) == ("POST", &kind.collection_path("")) {
                continue;
            }
            let nobody = kit.server.handle(Identity::user("nobody", &[]), call()).await;
            assert_eq!(nobody.status(), 403, "{method} {path} without rights");
            // An admin of another namespace, who may do all that can be done there.
            let eve = kit.server.handle(Identity::user("eve", &[]), call()).await;
            assert_eq!(eve.status(), 403, "{method} {path} from another namespace");
        }
    }
    assert!(count > 500, "{count} routes");
    let eve =
        kit.server.handle(Identity::user("eve", &[]), request("GET", "/api/v1/namespaces/other/pods", &[], "")).await;
    assert_eq!(eve.status(), 200);
}

#[tokio::test]
async fn paths_that_are_no_resource_are_closed_to_strangers() {
    let kit = neighboured().await;
    for path in
        ["/api", "/apis", "/apis/apps/v1", "/metrics", "/openapi/v2", "/openapi/v3", "/openid/v1/jwks", "/livez/ping"]
    {
        let stranger = kit.server.handle_from_outside(&[], request("GET", path, &[], "")).await;
        assert_eq!(stranger.status(), 401, "{path}");
    }
    let nobody = kit.server.handle(Identity::user("nobody", &[]), request("GET", "/metrics", &[], "")).await;
    assert_eq!(nobody.status(), 403);
}
