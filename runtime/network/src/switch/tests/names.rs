use super::*;

#[track_caller]
fn sorted(found: Result<Vec<IpAddr>, NetError>) -> Result<Vec<String>, NetError> {
    let mut found: Vec<String> = found?.iter().map(IpAddr::to_string).collect();
    found.sort();
    Ok(found)
}

#[tokio::test(start_paused = true)]
async fn names_are_answered_by_the_pod_the_cluster_and_the_host() {
    let f = Fixture::new();
    let a = f.pod("a");
    let external = |name: &str, to: &str| ServiceEntry {
        external_name: Some(to.to_owned()),
        cluster_ips: vec![],
        ..service(name, "10.96.0.9", vec![])
    };
    f.switch.set_tables(&tables(vec![
        service("web", "10.96.0.5", vec![]),
        external("out", "Example.com."),
        external("in", "web.default.svc.cluster.local"),
        external("round", "round.default.svc.cluster.local"),
    ]));
    let missing = |name: &str| Err(NetError::NameUnresolvable(name.to_owned()));
    let long = "a.".repeat(200);
    for (name, expected) in [
        ("192.0.2.1", Ok(vec!["192.0.2.1"])),
        ("::1", Ok(vec!["::1"])),
        ("localhost", Ok(vec!["127.0.0.1", "::1"])),
        ("App.localhost.", Ok(vec!["127.0.0.1", "::1"])),
        ("A", Ok(vec!["10.244.0.2"])),
        ("web", Ok(vec!["10.96.0.5"])),
        ("WEB.default", Ok(vec!["10.96.0.5"])),
        ("web.default.svc", Ok(vec!["10.96.0.5"])),
        ("web.default.svc.cluster.local", Ok(vec!["10.96.0.5"])),
        ("web.default.svc.cluster.local.", Ok(vec!["10.96.0.5"])),
        ("10-1-2-3.default.pod.cluster.local", Ok(vec!["10.1.2.3"])),
        ("out", Ok(vec!["192.0.2.7"])),
        ("in", Ok(vec!["10.96.0.5"])),
        ("example.com", Ok(vec!["192.0.2.7"])),
        ("web.", missing("web.")),
        ("nothing", missing("nothing")),
        ("nothing.default.svc.cluster.local", missing("nothing.default.svc.cluster.local")),
        ("", missing("")),
        ("a..b", missing("a..b")),
        (&long, missing(&long)),
        ("round", Err(NetError::ResolverFailure("round.default.svc.cluster.local.".to_owned()))),
        ("broken.example", Err(NetError::ResolverFailure("broken.example".to_owned()))),
        ("slow.example", Err(NetError::ResolverFailure("slow.example".to_owned()))),
    ] {
        let expected = expected.map(|names| names.into_iter().map(str::to_owned).collect());
        assert_eq!(sorted(a.resolve(name).await), expected, "{name}");
    }
    let asked = f.names.0.lock().unwrap().clone();
    assert!(asked.iter().all(|name| !name.trim_end_matches('.').ends_with("cluster.local")), "{asked:?}");
}

#[tokio::test]
async fn a_pod_may_have_its_own_rules() {
    let f = Fixture::new();
    f.switch.set_tables(&tables(vec![service("web", "10.96.0.5", vec![])]));
    let dns = DnsConfig {
        searches: vec!["corp.example".to_owned()],
        ndots: 1,
        cluster: false,
        hosts: vec![(ip("192.0.2.9"), vec!["Alias.example".to_owned()])],
    };
    let a = f.switch.attach(&pod("a"), "a", dns).unwrap();
    assert_eq!(a.resolve("web").await, Ok(vec![OUTSIDE]));
    assert_eq!(a.resolve("alias.EXAMPLE").await, Ok(vec![ip("192.0.2.9")]));
    assert!(a.resolve("web.default.svc.cluster.local").await.is_err());
}
