use super::*;
use std::collections::BTreeMap;

#[tokio::test]
async fn a_watch_shows_what_happens_after_its_revision() {
    let kit = kit().await;
    kit.post(MAPS, config_map("before", "1")).await;
    let start = kit.store.revision();
    kit.post(MAPS, config_map("a", "1")).await;
    let mut watch = kit.watch(&format!("{MAPS}?watch=true&resourceVersion={start}")).await;
    kit.patch(&format!("{MAPS}/a"), "merge", json!({"data": {"key": "2"}})).await;
    kit.delete(&format!("{MAPS}/a"), Value::Null).await;
    assert_eq!(watch.line().await, format!("ADDED a@{}", start + 1));
    assert_eq!(watch.line().await, format!("MODIFIED a@{}", start + 2));
    // The last state, at the revision of its deletion.
    let gone = watch.next().await.unwrap();
    assert_eq!((&gone["type"], &gone["object"]["data"]["key"]), (&json!("DELETED"), &json!("2")));
    assert_eq!(gone["object"]["metadata"]["resourceVersion"], (start + 3).to_string());
    assert!(watch.is_quiet());
}

#[tokio::test]
async fn a_watch_without_revision_starts_with_all_objects() {
    let kit = kit().await;
    kit.post(MAPS, config_map("a", "1")).await;
    for query in ["watch=1", "watch=1&resourceVersion=0"] {
        let mut watch = kit.watch(&format!("{MAPS}?{query}")).await;
        assert!(watch.line().await.starts_with("ADDED a@"));
        assert!(watch.is_quiet());
    }
}

#[tokio::test]
async fn a_watch_list_ends_its_initial_events_with_a_bookmark() {
    let kit = kit().await;
    kit.post(MAPS, config_map("a", "1")).await;
    kit.post(MAPS, config_map("b", "1")).await;
    let query = "watch=true&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan";
    let mut watch = kit.watch(&format!("{MAPS}?{query}")).await;
    assert!(watch.line().await.starts_with("ADDED a@"));
    assert!(watch.line().await.starts_with("ADDED b@"));
    let end = watch.next().await.unwrap();
    assert_eq!(end["type"], "BOOKMARK");
    assert_eq!(end["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"], "true");
    assert_eq!(end["object"]["metadata"]["resourceVersion"], kit.store.revision().to_string());
    assert_eq!((&end["object"]["kind"], &end["object"]["apiVersion"]), (&json!("ConfigMap"), &json!("v1")));
    kit.post(MAPS, config_map("c", "1")).await;
    assert!(watch.line().await.starts_with("ADDED c@"));
    let refused = kit.get(&format!("{MAPS}?watch=true&sendInitialEvents=true")).await;
    check(&refused, 422, "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
    let refused = kit.get(&format!("{MAPS}?watch=true&resourceVersionMatch=Exact&resourceVersion=1")).await;
    check(&refused, 422, "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided");
}

#[tokio::test]
async fn objects_enter_and_leave_a_selection() {
    let kit = kit().await;
    let start = kit.store.revision();
    let mut watch = kit.watch(&format!("{MAPS}?watch=1&resourceVersion={start}&labelSelector=on%3Dyes")).await;
    kit.post(MAPS, config_map("a", "1")).await;
    let path = format!("{MAPS}/a");
    for on in ["yes", "no", "yes"] {
        kit.patch(&path, "merge", json!({"metadata": {"labels": {"on": on}}})).await;
    }
    kit.delete(&path, Value::Null).await;
    let expected = ["ADDED a@{2}", "DELETED a@{3}", "ADDED a@{4}", "DELETED a@{5}"];
    for (line, step) in expected.into_iter().zip(2..) {
        assert_eq!(watch.line().await, line.replace(&format!("{{{step}}}"), &(start + step).to_string()));
    }
    assert!(watch.is_quiet());
}

#[tokio::test]
async fn bookmarks_come_while_nothing_happens_and_time_ends_a_watch() {
    let kit = kit().await;
    let start = kit.store.revision();
    let query = format!("watch=1&resourceVersion={start}&allowWatchBookmarks=true&timeoutSeconds=100");
    let mut watch = kit.watch(&format!("{MAPS}?{query}")).await;
    // Something happens elsewhere.
    kit.post("/api/v1/namespaces", json!({"metadata": {"name": "other"}})).await;
    kit.server.caches().fresh().await.unwrap();
    tokio::time::pause();
    assert_eq!(watch.line().await, format!("BOOKMARK -@{}", start + 1));
    assert_eq!(watch.line().await, "end");
}

#[tokio::test]
async fn a_watch_of_tables_sends_columns_once() {
    let kit = kit().await;
    let accept = [("accept", "application/json;as=Table;v=v1;g=meta.k8s.io")];
    kit.post(MAPS, config_map("a", "1")).await;
    kit.post(MAPS, config_map("b", "1")).await;
    let mut watch = kit.watch_as(&format!("{MAPS}?watch=1"), &accept).await;
    let (first, second) = (watch.next().await.unwrap(), watch.next().await.unwrap());
    assert_eq!((&first["object"]["kind"], &first["object"]["rows"][0]["cells"][0]), (&json!("Table"), &json!("a")));
    assert!(first["object"]["columnDefinitions"].is_array());
    assert!(second["object"]["columnDefinitions"].as_array().is_none_or(Vec::is_empty));
}

#[tokio::test]
async fn watches_end_when_the_server_stops() {
    let kit = kit().await;
    let mut watch = kit.watch(&format!("{MAPS}?watch=1")).await;
    kit.tasks.cancel();
    assert!(watch.next().await.is_none());
}

#[tokio::test]
async fn a_watch_goes_on_over_a_restart() {
    let clock = Clock::simulated(SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_000_000));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let options = RedbOptions { clock: clock.clone() };
    let kit = kit_over(RedbStore::open(&path, options.clone()).unwrap(), clock.clone()).await;
    kit.post("/api/v1/namespaces", json!({"metadata": {"name": "default"}})).await;
    let start = kit.store.revision();
    kit.post(MAPS, config_map("a", "1")).await;
    kit.put(&format!("{MAPS}/a"), config_map("a", "2")).await;
    let (_, before) = kit.get(&format!("{MAPS}/a")).await;
    kit.tasks.stop(Duration::from_secs(5)).await;
    kit.store.close().await;

    let kit = kit_over(RedbStore::open(&path, options).unwrap(), clock).await;
    assert_eq!(kit.get(&format!("{MAPS}/a")).await, (200, before));
    let mut watch = kit.watch(&format!("{MAPS}?watch=1&resourceVersion={start}")).await;
    assert_eq!(watch.line().await, format!("ADDED a@{}", start + 1));
    assert_eq!(watch.line().await, format!("MODIFIED a@{}", start + 2));
}

/// Ordered, unique, reliable, resumable: whatever happens and wherever a watch begins, its events
/// turn the list of its revision into the list of the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn watches_are_ordered_unique_and_resumable() {
    let kit = Arc::new(kit().await);
    let rng = Rng::seeded(7);
    let tasks = Tasks::new();
    for writer in 0..4 {
        let (kit, rng) = (kit.clone(), Rng::seeded(100 + writer));
        tasks.spawn_to_end("writer", async move {
            for step in 0..40 {
                let name = format!("m{}", rng.below(6));
                let path = format!("{MAPS}/{name}");
                match rng.below(3) {
                    0 => kit.post(MAPS, config_map(&name, &step.to_string())).await,
                    1 => kit.patch(&path, "merge", json!({"data": {"key": format!("{writer}-{step}")}})).await,
                    _ => kit.delete(&path, Value::Null).await,
                };
            }
        });
    }
    let mut checks = Vec::new();
    for _ in 0..12 {
        let (_, list) = kit.get(MAPS).await;
        let revision = list["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
        let watch = kit.watch(&format!("{MAPS}?watch=1&resourceVersion={revision}")).await;
        checks.push((list, watch));
        tokio::task::yield_now().await;
        let _ = rng.below(2);
    }
    assert!(tasks.stop(Duration::from_secs(30)).await);
    kit.post(MAPS, config_map("last", "1")).await;
    let (_, end) = kit.get(MAPS).await;
    let state = |list: &Value| -> BTreeMap<String, Value> {
        let items = list["items"].as_array().unwrap();
        items.iter().map(|item| (item["metadata"]["name"].as_str().unwrap().to_owned(), item.clone())).collect()
    };
    for (list, mut watch) in checks {
        let mut objects = state(&list);
        let mut seen: u64 = list["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap();
        while !objects.contains_key("last") {
            let event = watch.next().await.unwrap();
            let object = event["object"].clone();
            let name = object["metadata"]["name"].as_str().unwrap().to_owned();
            let revision: u64 = object["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap();
            assert!(revision > seen, "{revision} after {seen}");
            seen = revision;
            let known = objects.contains_key(&name);
            match event["type"].as_str().unwrap() {
                "ADDED" => assert!(!known, "{name} was added twice"),
                "MODIFIED" | "DELETED" => assert!(known, "{name} was not there"),
                other => panic!("{other}"),
            }
            match event["type"] == "DELETED" {
                true => objects.remove(&name),
                false => objects.insert(name, object),
            };
        }
        assert_eq!(objects, state(&end));
    }
}
