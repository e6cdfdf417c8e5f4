use super::*;

#[tokio::test]
async fn finalizers_hold_a_deleted_object() {
    let kit = kit().await;
    let mut body = config_map("a", "1");
    body["metadata"]["finalizers"] = json!(["example.com/hold"]);
    kit.post(MAPS, body).await;
    let path = format!("{MAPS}/a");
    let (code, marked) = kit.delete(&path, Value::Null).await;
    assert_eq!((code, &marked["kind"]), (200, &json!("ConfigMap")));
    assert!(marked["metadata"]["deletionTimestamp"].is_string());
    // Deleting again changes nothing; unmarking is not possible; adding finalizers neither.
    let (_, again) = kit.delete(&path, Value::Null).await;
    assert_eq!(again["metadata"]["resourceVersion"], marked["metadata"]["resourceVersion"]);
    let (_, kept) = kit.patch(&path, "merge", json!({"metadata": {"deletionTimestamp": null}})).await;
    assert!(kept["metadata"]["deletionTimestamp"].is_string());
    let more = json!({"metadata": {"finalizers": ["example.com/hold", "example.com/more"]}});
    check(&kit.patch(&path, "merge", more).await, 422, "no new finalizers can be added");
    let (code, _) = kit.patch(&path, "merge", json!({"metadata": {"finalizers": null}})).await;
    assert_eq!(code, 200);
    check(&kit.get(&path).await, 404, "not found");
}

#[tokio::test]
async fn propagation_policies_become_finalizers() {
    let kit = kit().await;
    for (policy, finalizer) in [("Foreground", "foregroundDeletion"), ("Orphan", "orphan")] {
        kit.post(MAPS, config_map("a", "1")).await;
        let path = format!("{MAPS}/a");
        let (_, marked) = kit.delete(&path, json!({"propagationPolicy": policy})).await;
        assert_eq!(marked["metadata"]["finalizers"], json!([finalizer]));
        // Another policy takes the place of the first: nothing holds it any more.
        let (_, status) = kit.delete(&path, json!({"propagationPolicy": "Background"})).await;
        assert_eq!(status["status"], "Success");
    }
    check(&kit.delete(&format!("{MAPS}/a"), json!({"propagationPolicy": "No"})).await, 422, "Unsupported value");
}

#[tokio::test]
async fn preconditions_must_hold() {
    let kit = kit().await;
    let (_, made) = kit.post(MAPS, config_map("a", "1")).await;
    let path = format!("{MAPS}/a");
    check(&kit.delete(&path, json!({"preconditions": {"uid": "x"}})).await, 409, "Precondition failed: UID");
    let stale = json!({"preconditions": {"resourceVersion": "1"}});
    check(&kit.delete(&path, stale).await, 409, "Precondition failed: ResourceVersion");
    let good = json!({"preconditions": {
        "uid": made["metadata"]["uid"], "resourceVersion": made["metadata"]["resourceVersion"],
    }});
    assert_eq!(kit.delete(&path, good).await.0, 200);
}

#[tokio::test]
async fn a_collection_is_deleted_by_selector() {
    let kit = kit().await;
    for (name, label) in [("a", "x"), ("b", "y"), ("c", "x")] {
        let mut body = config_map(name, "1");
        body["metadata"]["labels"] = json!({"l": label});
        kit.post(MAPS, body).await;
    }
    let (code, gone) = kit.delete(&format!("{MAPS}?labelSelector=l%3Dx"), Value::Null).await;
    assert_eq!((code, gone["items"].as_array().unwrap().len()), (200, 2));
    assert_eq!(kit.get(MAPS).await.1["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_namespace_goes_once_its_content_is_gone() {
    let kit = kit().await;
    kit.post("/api/v1/namespaces", json!({"metadata": {"name": "team"}})).await;
    let path = "/api/v1/namespaces/team";
    let (code, marked) = kit.delete(path, Value::Null).await;
    assert_eq!((code, &marked["status"]["phase"]), (200, &json!("Terminating")));
    let maps = "/api/v1/namespaces/team/configmaps";
    let refused = kit.post(maps, config_map("late", "1")).await;
    check(&refused, 403, "unable to create new content in namespace team because it is being terminated");
    assert_eq!(refused.1["details"]["causes"][0]["reason"], "NamespaceTerminating");
    let (_, current) = kit.get(path).await;
    let mut body = current.clone();
    body["spec"]["finalizers"] = json!([]);
    let (code, _) = kit.put(&format!("{path}/finalize"), body).await;
    assert_eq!(code, 200);
    check(&kit.get(path).await, 404, "not found");
    check(&kit.delete("/api/v1/namespaces/default", Value::Null).await, 403, "this namespace may not be deleted");
}
