use super::*;

#[tokio::test]
async fn a_service_spreads_over_its_ready_endpoints() {
    let f = Fixture::new();
    let (a, b, c) = (f.pod("a"), f.pod("b"), f.pod("c"));
    serve(&f, &b, "0.0.0.0:8080", "b");
    serve(&f, &c, "0.0.0.0:8080", "c");
    let vip = at("10.96.0.5:80");
    f.switch.set_tables(&tables(vec![service("web", "10.96.0.5", vec![target(on(&b, 8080)), target(on(&c, 8080))])]));
    let mut seen = HashMap::new();
    for _ in 0..100 {
        *seen.entry(call(&a, vip).await.unwrap()).or_insert(0) += 1;
    }
    assert!(seen.len() == 2 && seen.values().all(|count| *count > 20), "{seen:?}");
    assert_eq!(call(&a, at("10.96.0.5:81")).await, Err(NetError::ConnectionRefused(at("10.96.0.5:81"))));
    // An endpoint that went before the tables knew costs nothing.
    f.switch.detach("uid-b");
    for _ in 0..20 {
        assert_eq!(call(&a, vip).await.unwrap(), "c");
    }
    // A Pod may reach itself through its Service, and the host may use it too.
    assert_eq!(call(&c, vip).await.unwrap(), "c");
    assert_eq!(ask(f.switch.dial(vip).await.unwrap(), b"!").await.unwrap(), "c!");
    f.switch.set_tables(&tables(vec![service("web", "10.96.0.5", vec![])]));
    assert_eq!(call(&a, vip).await, Err(NetError::ConnectionRefused(vip)));
    f.switch.set_tables(&tables(vec![]));
    assert_eq!(call(&a, vip).await, Err(NetError::ConnectionRefused(vip)));
}

#[tokio::test]
async fn a_service_that_leads_to_a_service_is_refused() {
    let f = Fixture::new();
    let a = f.pod("a");
    f.switch.set_tables(&tables(vec![service("web", "10.96.0.5", vec![target(at("10.96.0.5:80"))])]));
    assert_eq!(call(&a, at("10.96.0.5:80")).await, Err(NetError::ConnectionRefused(at("10.96.0.5:80"))));
}

#[tokio::test]
async fn affinity_keeps_a_client_at_its_endpoint() {
    let f = Fixture::new();
    let (a, b, c) = (f.pod("a"), f.pod("b"), f.pod("c"));
    serve(&f, &b, "0.0.0.0:80", "b");
    serve(&f, &c, "0.0.0.0:80", "c");
    let web = service("web", "10.96.0.5", vec![target(on(&b, 80)), target(on(&c, 80))]);
    let sticky = ServiceEntry { session_affinity: Some(Duration::from_secs(60)), ..web };
    f.switch.set_tables(&tables(vec![sticky]));
    let first = call(&a, at("10.96.0.5:80")).await.unwrap();
    for _ in 0..20 {
        assert_eq!(call(&a, at("10.96.0.5:80")).await.unwrap(), first);
    }
}
