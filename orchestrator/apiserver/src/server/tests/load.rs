use super::*;

/// Many clients at once: all is kept, and a watcher sees each creation. The time is printed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn creations_at_the_same_time_are_all_kept_and_seen() {
    const CLIENTS: usize = 16;
    const EACH: usize = 20;
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::simulated(SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_000_000));
    let store = RedbStore::open(&dir.path().join("s"), RedbOptions { clock: clock.clone() }).unwrap();
    let kit = Arc::new(kit_over(store, clock.clone()).await);
    kit.post("/api/v1/namespaces", json!({"metadata": {"name": "default"}})).await;
    let mut watch = kit.watch(&format!("{MAPS}?watch=1&resourceVersion={}", kit.store.revision())).await;
    let tasks = Tasks::new();
    let start = clock.monotonic();
    for client in 0..CLIENTS {
        let kit = kit.clone();
        tasks.spawn_to_end("client", async move {
            for n in 0..EACH {
                assert_eq!(kit.post(MAPS, config_map(&format!("m{client}-{n}"), "v")).await.0, 201);
            }
        });
    }
    for _ in 0..CLIENTS * EACH {
        assert_eq!(watch.next().await.unwrap()["type"], "ADDED");
    }
    println!("{} creations in {:?}", CLIENTS * EACH, start.elapsed());
    assert!(tasks.stop(Duration::from_secs(30)).await);
    assert_eq!(kit.get(MAPS).await.1["items"].as_array().unwrap().len(), CLIENTS * EACH);
}

#[tokio::test]
async fn bodies_and_objects_have_limits() {
    let kit = kit().await;
    let announced = request("POST", MAPS, &[("content-length", "4000000")], "{}");
    check(&read(kit.server.handle(admin(), announced).await).await, 413, "limit is");
    let large = "x".repeat(4 << 20);
    check(&read(kit.server.handle(admin(), request("POST", MAPS, &[], large)).await).await, 413, "limit is");
    let large = kit.post(MAPS, config_map("a", &"x".repeat(2 << 20))).await;
    assert!([413, 422].contains(&large.0), "{}", large.1);
    check(&kit.get(&format!("{MAPS}?a={}", "x".repeat(40_000))).await, 414, "too long");
    assert_eq!(kit.post(MAPS, config_map("a", "1")).await.0, 201);
}

#[tokio::test]
async fn a_slow_watch_goes_on_from_the_store_until_that_forgot() {
    let kit = kit().await;
    kit.post(MAPS, config_map("a", "0")).await;
    let start = kit.store.revision();
    let path = format!("{MAPS}?watch=1&resourceVersion={start}");
    let mut slow = kit.watch(&path).await;
    kit.put(&format!("{MAPS}/a"), config_map("a", "first")).await;
    assert!(slow.line().await.starts_with("MODIFIED"));
    // Few, but together larger than what is remembered.
    let large = "x".repeat(900_000);
    let last = crate::limits::RECENT_BYTES_MAX / large.len() + 1;
    for n in 0..=last {
        assert_eq!(kit.put(&format!("{MAPS}/a"), config_map("a", &format!("{n}{large}"))).await.0, 200);
    }
    let mut late = kit.watch(&path).await;
    assert!(late.line().await.starts_with("MODIFIED"));
    for watch in [&mut slow, &mut late] {
        for n in 0..=last {
            let event = watch.next().await.unwrap();
            assert_eq!(event["type"], "MODIFIED");
            let text = event["object"]["data"]["key"].as_str().unwrap();
            assert_eq!(text.split_once('x').unwrap().0, n.to_string());
        }
    }
    // Then both go on with what the cache remembers.
    kit.put(&format!("{MAPS}/a"), config_map("a", "next")).await;
    for watch in [&mut slow, &mut late] {
        assert_eq!(watch.next().await.unwrap()["object"]["data"]["key"], "next");
    }
    // A watch that begins at a revision that the store has forgotten too is told so.
    kit.store.compact(kit.store.revision() - 1).await.unwrap();
    let mut gone = kit.watch(&path).await;
    let event = gone.next().await.unwrap();
    assert_eq!((&event["type"], &event["object"]["code"]), (&json!("ERROR"), &json!(410)));
    assert_eq!(event["object"]["reason"], "Expired");
    assert!(gone.next().await.is_none());
    let mut fresh = kit.watch(&format!("{MAPS}?watch=1&resourceVersion={}", kit.store.revision())).await;
    kit.put(&format!("{MAPS}/a"), config_map("a", "last")).await;
    assert!(fresh.line().await.starts_with("MODIFIED"));
}

#[tokio::test]
async fn a_level_without_seats_refuses_and_says_when_to_come_again() {
    let kit = kit().await;
    let group = "/apis/flowcontrol.apiserver.k8s.io/v1";
    let closed = json!({"metadata": {"name": "closed"}, "spec": {"type": "Limited", "limited": {
        "nominalConcurrencyShares": 0, "borrowingLimitPercent": 0, "limitResponse": {"type": "Reject"}}}});
    let (code, level) = kit.post(&format!("{group}/prioritylevelconfigurations"), closed).await;
    assert_eq!(code, 201, "{level}");
    let schema = json!({"metadata": {"name": "eves"}, "spec": {
        "matchingPrecedence": 10, "priorityLevelConfiguration": {"name": "closed"},
        "rules": [{"subjects": [{"kind": "User", "user": {"name": "eve"}}],
            "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "namespaces": ["*"]}]}]}});
    let (code, schema) = kit.post(&format!("{group}/flowschemas"), schema).await;
    assert_eq!(code, 201, "{schema}");
    let rbac = "/apis/rbac.authorization.k8s.io/v1";
    let rules = json!([{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]);
    kit.post(&format!("{rbac}/clusterroles"), json!({"metadata": {"name": "all"}, "rules": rules})).await;
    let binding = json!({
        "metadata": {"name": "all"}, "subjects": [{"kind": "User", "name": "eve", "apiGroup": "rbac.authorization.k8s.io"}],
        "roleRef": {"kind": "ClusterRole", "name": "all", "apiGroup": "rbac.authorization.k8s.io"},
    });
    assert_eq!(kit.post(&format!("{rbac}/clusterrolebindings"), binding).await.0, 201);
    kit.server.caches().fresh().await.unwrap();
    let answer = kit.server.handle(Identity::user("eve", &[]), request("GET", MAPS, &[], "")).await;
    assert_eq!((answer.status().as_u16(), &answer.headers()["retry-after"]), (429, &"1".parse().unwrap()));
    assert_eq!(answer.headers()["x-kubernetes-pf-flowschema-uid"], *schema["metadata"]["uid"].as_str().unwrap());
    assert_eq!(answer.headers()["x-kubernetes-pf-prioritylevel-uid"], *level["metadata"]["uid"].as_str().unwrap());
    check(&read(answer).await, 429, "too many requests, please try again later.");
    assert_eq!(kit.get(MAPS).await.0, 200);
    let (_, text) = kit.get("/metrics").await;
    let line = "apiserver_flowcontrol_rejected_requests_total{flow_schema=\"eves\",priority_level=\"closed\",reason=\"concurrency-limit\"} 1";
    assert!(text.as_str().unwrap().contains(line), "{text}");
}
