use super::*;

fn names(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|item| item["metadata"]["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_list_in_pages_shows_one_moment() {
    let kit = kit().await;
    for name in ["a", "b", "c", "d", "e"] {
        kit.post(MAPS, config_map(name, "1")).await;
    }
    let (_, first) = kit.get(&format!("{MAPS}?limit=2")).await;
    assert_eq!((names(&first), &first["metadata"]["remainingItemCount"]), (vec!["a", "b"], &json!(3)));
    // What happens between the pages is not seen.
    kit.delete(&format!("{MAPS}/c"), Value::Null).await;
    kit.post(MAPS, config_map("bb", "1")).await;
    let token = first["metadata"]["continue"].as_str().unwrap();
    let (code, second) = kit.get(&format!("{MAPS}?limit=2&continue={token}")).await;
    assert_eq!(code, 200, "{second}");
    assert_eq!(names(&second), ["c", "d"]);
    assert_eq!(second["metadata"]["resourceVersion"], first["metadata"]["resourceVersion"]);
    let token = second["metadata"]["continue"].as_str().unwrap().to_owned();
    let (_, third) = kit.get(&format!("{MAPS}?limit=2&continue={token}")).await;
    assert_eq!((names(&third), &third["metadata"]["continue"]), (vec!["e"], &Value::Null));

    kit.store.compact(kit.store.revision()).await.unwrap();
    check(
        &kit.get(&format!("{MAPS}?limit=2&continue={token}")).await,
        410,
        "The provided continue parameter is too old",
    );
    check(&kit.get(&format!("{MAPS}?continue=bogus")).await, 400, "continue key is not valid");
    let both = kit.get(&format!("{MAPS}?continue={token}&resourceVersion=5")).await;
    check(&both, 400, "specifying resource version is not allowed when using continue");
}

#[tokio::test]
async fn revisions_say_how_old_a_list_may_be() {
    let kit = kit().await;
    let (_, made) = kit.post(MAPS, config_map("a", "1")).await;
    let then = made["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    kit.delete(&format!("{MAPS}/a"), Value::Null).await;
    kit.server.caches().fresh().await.unwrap();
    let list = async |query: &str| kit.get(&format!("{MAPS}?{query}")).await;
    assert_eq!(names(&list(&format!("resourceVersion={then}&resourceVersionMatch=Exact")).await.1), ["a"]);
    assert!(names(&list(&format!("resourceVersion={then}")).await.1).is_empty());
    assert!(names(&list("resourceVersion=0").await.1).is_empty());
    check(&list("resourceVersionMatch=Exact").await, 422, "is forbidden unless resourceVersion is provided");
    check(&list("resourceVersion=0&resourceVersionMatch=Exact").await, 422, "forbidden for resourceVersion \"0\"");
    check(&list("resourceVersion=1&resourceVersionMatch=Roughly").await, 422, "Unsupported value");
    check(&list("resourceVersion=x").await, 400, "strconv.ParseUint: parsing \"x\": invalid syntax");
    check(&list("sendInitialEvents=true").await, 422, "sendInitialEvents is forbidden for list");
    tokio::time::pause();
    let future = list("resourceVersion=999999").await;
    check(&future, 504, "Too large resource version: 999999");
    assert_eq!(future.1["details"]["causes"][0]["reason"], "ResourceVersionTooLarge");
}

#[tokio::test]
async fn selectors_choose() {
    let kit = kit().await;
    for (name, app) in [("a", "web"), ("b", "db"), ("c", "web")] {
        let mut body = config_map(name, "1");
        body["metadata"]["labels"] = json!({"app": app});
        kit.post(MAPS, body).await;
    }
    let list = async |query: &str| kit.get(&format!("{MAPS}?{query}")).await;
    assert_eq!(names(&list("labelSelector=app%3Dweb").await.1), ["a", "c"]);
    assert_eq!(names(&list("labelSelector=app+notin+(web)").await.1), ["b"]);
    assert_eq!(names(&list("fieldSelector=metadata.name%3Db").await.1), ["b"]);
    assert!(names(&list("fieldSelector=metadata.name%3Dnone").await.1).is_empty());
    assert_eq!(names(&list("fieldSelector=metadata.name!%3Db&labelSelector=app").await.1), ["a", "c"]);
    check(&list("fieldSelector=data.key%3D1").await, 400, "is not a known field selector");
    check(&list("labelSelector=%3D%3D").await, 400, "");
    let (_, page) = list("labelSelector=app%3Dweb&limit=1").await;
    assert_eq!(names(&page), ["a"]);
    // The count of the rest is not known without looking at all of it.
    assert!(page["metadata"]["continue"].is_string() && page["metadata"]["remainingItemCount"].is_null());
    check(&kit.get("/api/v1/pods?fieldSelector=spec.wonder%3D1").await, 400, "field label not supported: spec.wonder");
}

#[tokio::test]
async fn namespaces_are_listed_apart_and_together() {
    let kit = kit().await;
    kit.post("/api/v1/namespaces", json!({"metadata": {"name": "def"}})).await;
    kit.post("/api/v1/namespaces/def/configmaps", config_map("x", "1")).await;
    kit.post(MAPS, config_map("y", "1")).await;
    assert_eq!(names(&kit.get("/api/v1/namespaces/def/configmaps").await.1), ["x"]);
    assert_eq!(names(&kit.get("/api/v1/configmaps").await.1), ["x", "y"]);
    assert_eq!(names(&kit.get("/api/v1/namespaces").await.1), ["def", "default"]);
}

#[tokio::test]
async fn empty_lists_and_maps_are_as_good_as_none() {
    let kit = kit().await;
    let containers =
        json!([{"name": "a", "image": "i:1", "args": [], "env": [], "ports": [], "resources": {"limits": {}}}]);
    let template = json!({"metadata": {"labels": {"a": "b"}}, "spec": {"containers": containers}});
    let spec = json!({"replicas": 0, "selector": {"matchLabels": {"a": "b"}}, "template": template});
    let path = "/apis/apps/v1/namespaces/default/deployments";
    let made = kit.post(path, json!({"metadata": {"name": "d", "annotations": {}}, "spec": spec})).await;
    assert_eq!(made.0, 201, "{}", made.1);
    assert_eq!(made.1["metadata"]["annotations"], Value::Null);
    let container = &made.1["spec"]["template"]["spec"]["containers"][0];
    assert_eq!((&container["args"], &container["ports"]), (&Value::Null, &Value::Null));
    assert_eq!(container["resources"], json!({}));
    // Neither does a patch of them change anything.
    let empty = json!({"metadata": {"annotations": {}, "finalizers": []}, "spec": {"template": {"spec": {
        "volumes": [], "tolerations": [], "nodeSelector": {}, "affinity": null,
    }}}});
    let patched = kit.patch(&format!("{path}/d"), "merge", empty).await;
    assert_eq!(patched.1["metadata"]["resourceVersion"], made.1["metadata"]["resourceVersion"], "{}", patched.1);
    assert_eq!(patched.1["metadata"]["generation"], 1);
}
