use super::*;
use crate::transport::{Body, in_memory};
use http_body_util::{BodyExt, Full};
use k8s_openapi::api::core::v1::ConfigMap;
use std::sync::Mutex;

fn body(text: String) -> Body {
    Full::new(bytes::Bytes::from(text)).map_err(|never| match never {}).boxed_unsync()
}

fn config_map(name: &str, version: u32, owner: &str) -> serde_json::Value {
    serde_json::json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "n", "resourceVersion": version.to_string(), "labels": {"owner": owner}},
    })
}

/// Answers one list with a and b, one watch that changes a, removes b and adds c, then hangs.
fn server() -> kube::Client {
    let watches = Arc::new(Mutex::new(0));
    in_memory(Arc::new(move |request| {
        let watches = watches.clone();
        Box::pin(async move {
            let query = request.uri().query().unwrap_or("").to_owned();
            if !query.contains("watch=true") {
                let items = [config_map("a", 1, "x"), config_map("b", 2, "x")];
                let list = serde_json::json!({"apiVersion": "v1", "kind": "ConfigMapList", "metadata": {"resourceVersion": "2"}, "items": items});
                return http::Response::new(body(list.to_string()));
            }
            let number = {
                let mut watches = watches.lock().unwrap();
                *watches += 1;
                *watches
            };
            if number > 1 {
                assert!(query.contains("resourceVersion=5"), "goes on where it was: {query}");
                std::future::pending::<()>().await;
            }
            let events = [
                ("MODIFIED", config_map("a", 3, "y")),
                ("DELETED", config_map("b", 4, "x")),
                ("ADDED", config_map("c", 5, "y")),
            ];
            let lines =
                events.map(|(kind, object)| serde_json::json!({"type": kind, "object": object}).to_string() + "\n");
            http::Response::new(body(lines.concat()))
        })
    }))
}

#[tokio::test]
async fn it_lists_watches_and_indexes() {
    let tasks = Tasks::new();
    let api: Api<ConfigMap> = Api::all(server());
    let informer = Informer::start(api, Filter::default(), &tasks).with_index("owner", |object: &ConfigMap| {
        object.metadata.labels.iter().flatten().map(|(_, v)| v.clone()).collect()
    });
    let changes = informer.subscribe();
    informer.synced().await;
    while informer.get("n", "c").is_none() {
        changes.next().await;
    }
    let names =
        |objects: Vec<Arc<ConfigMap>>| objects.iter().map(|o| o.metadata.name.clone().unwrap()).collect::<Vec<_>>();
    assert_eq!(names(informer.list()), ["a", "c"]);
    assert_eq!(names(informer.list_namespace("n")), ["a", "c"]);
    assert_eq!(names(informer.by_index("owner", "y")), ["a", "c"]);
    assert!(informer.by_index("owner", "x").is_empty());
    assert!(tasks.stop(Duration::from_secs(5)).await);
}
