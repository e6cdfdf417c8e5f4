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
