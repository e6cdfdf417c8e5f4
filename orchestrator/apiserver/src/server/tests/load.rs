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
async fn a_slow_watch_is_ended_and_others_go_on() {
    let kit = kit().await;
    kit.post(MAPS, config_map("a", "0")).await;
    let start = kit.store.revision();
    let path = format!("{MAPS}?watch=1&resourceVersion={start}");
    let mut slow = kit.watch(&path).await;
    kit.put(&format!("{MAPS}/a"), config_map("a", "first")).await;
    assert!(slow.line().await.starts_with("MODIFIED"));
    // Few, but together larger than what is remembered.
    let large = "x".repeat(900_000);
    for n in 0..=crate::limits::RECENT_BYTES_MAX / large.len() + 1 {
        assert_eq!(kit.put(&format!("{MAPS}/a"), config_map("a", &format!("{n}{large}"))).await.0, 200);
    }
    let event = slow.next().await.unwrap();
    assert_eq!((&event["type"], &event["object"]["code"]), (&json!("ERROR"), &json!(410)));
    assert!(slow.next().await.is_none());
    // A watch that begins at a forgotten revision is told so too.
    let mut late = kit.watch(&path).await;
    assert_eq!(late.next().await.unwrap()["object"]["reason"], "Expired");
    let mut fresh = kit.watch(&format!("{MAPS}?watch=1&resourceVersion={}", kit.store.revision())).await;
    kit.put(&format!("{MAPS}/a"), config_map("a", "last")).await;
    assert!(fresh.line().await.starts_with("MODIFIED"));
}
