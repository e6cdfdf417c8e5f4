use super::*;
use crate::fixture::{at, ip, service, tables, target};
use std::collections::BTreeSet;

fn headless(name: &str, targets: Vec<Target>) -> ServiceEntry {
    ServiceEntry { headless: true, cluster_ips: Vec::new(), ..service(name, "10.96.0.9", targets) }
}

fn not_ready(address: &str) -> Target {
    Target { ready: false, serving: false, ..target(at(address)) }
}

fn draining(address: &str) -> Target {
    Target { ready: false, serving: true, terminating: true, ..target(at(address)) }
}

#[track_caller]
fn check(services: Vec<ServiceEntry>, name: &str, expected: &[&str]) {
    let found = match Index::new(&tables(services)).lookup(name, &Rng::seeded(1)) {
        Answer::Addresses(mut found) => {
            found.sort();
            found.iter().map(IpAddr::to_string).collect()
        }
        Answer::Alias(name) => vec![name],
        Answer::Nothing => Vec::new(),
    };
    assert_eq!(found, expected, "{name}");
}

#[test]
fn names_follow_the_dns_specification() {
    let web = || service("Web", "10.96.0.5", vec![target(at("10.244.0.2:80"))]);
    check(vec![web()], "web.default.svc", &["10.96.0.5"]);
    check(vec![web()], "web.other.svc", &[]);
    check(vec![web()], "_http._tcp.web.default.svc", &[]);
    check(vec![web()], "default.svc", &[]);
    check(vec![web()], "", &[]);
    check(vec![], "10-244-3-4.ns.pod", &["10.244.3.4"]);
    check(vec![], "10-244-3.ns.pod", &[]);
    check(vec![], "fd00--1.ns.pod", &["fd00::1"]);
}

#[test]
fn a_headless_name_has_its_ready_endpoints() {
    let mut db0 = target(at("10.244.0.2:80"));
    db0.hostname = Some("DB-0".to_owned());
    let targets = vec![db0, target(at("10.244.0.3:80")), not_ready("10.244.0.4:80")];
    let db = headless("db", targets);
    check(vec![db.clone()], "db.default.svc", &["10.244.0.2", "10.244.0.3"]);
    check(vec![db.clone()], "db-0.db.default.svc", &["10.244.0.2"]);
    check(vec![db.clone()], "10-244-0-3.db.default.svc", &["10.244.0.3"]);
    check(vec![db.clone()], "10-244-0-4.db.default.svc", &[]);
    let all = ServiceEntry { publish_not_ready: true, ..db };
    check(vec![all], "db.default.svc", &["10.244.0.2", "10.244.0.3", "10.244.0.4"]);
    check(vec![headless("db", vec![])], "db.default.svc", &[]);
    let portless =
        ServiceEntry { endpoints: vec![Target::ready(ip("10.244.0.9"), 0)], ports: vec![], ..headless("db", vec![]) };
    check(vec![portless], "db.default.svc", &["10.244.0.9"]);
}

#[test]
fn an_external_name_is_an_alias() {
    let external = ServiceEntry { external_name: Some("example.com".to_owned()), ..headless("out", vec![]) };
    check(vec![external], "out.default.svc", &["example.com"]);
}

#[track_caller]
fn endpoints(entry: ServiceEntry, expected: &[&str]) {
    let index = Index::new(&tables(vec![entry]));
    let port = index.port(at("10.96.0.5:80")).unwrap();
    assert_eq!(port.targets.iter().map(SocketAddr::to_string).collect::<Vec<_>>(), expected);
}

#[test]
fn draining_endpoints_serve_only_when_none_is_ready() {
    let with = |targets| service("web", "10.96.0.5", targets);
    endpoints(with(vec![draining("10.0.0.1:80"), target(at("10.0.0.2:80"))]), &["10.0.0.2:80"]);
    endpoints(with(vec![draining("10.0.0.1:80"), not_ready("10.0.0.2:80")]), &["10.0.0.1:80"]);
    endpoints(with(vec![not_ready("10.0.0.2:80")]), &[]);
    endpoints(ServiceEntry { publish_not_ready: true, ..with(vec![not_ready("10.0.0.2:80")]) }, &["10.0.0.2:80"]);
}

fn three() -> Vec<Target> {
    ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"].map(|text| target(at(text))).to_vec()
}

#[test]
fn every_endpoint_gets_its_share_and_each_try_is_another_one() {
    let index = Index::new(&tables(vec![service("web", "10.96.0.5", three())]));
    let port = index.port(at("10.96.0.5:80")).unwrap();
    let balancer = Balancer::new(Rng::seeded(3), Clock::system());
    let mut first = HashMap::new();
    for _ in 0..300 {
        let tries = balancer.choose(port, ip("10.0.0.9"));
        assert_eq!(tries.iter().collect::<BTreeSet<_>>().len(), 3);
        *first.entry(tries[0]).or_insert(0) += 1;
    }
    assert!(first.len() == 3 && first.values().all(|count| *count > 60), "{first:?}");
}

#[tokio::test(start_paused = true)]
async fn affinity_lasts_as_long_as_it_is_used_and_its_endpoint_lives() {
    let sticky = |targets| {
        let affinity = Some(Duration::from_secs(100));
        Index::new(&tables(vec![ServiceEntry { session_affinity: affinity, ..service("web", "10.96.0.5", targets) }]))
    };
    let (index, client) = (sticky(three()), ip("10.0.0.9"));
    let port = index.port(at("10.96.0.5:80")).unwrap();
    let balancer = Balancer::new(Rng::seeded(3), Clock::system());
    let chosen = at("10.0.0.2:80");
    balancer.connected(port, client, chosen);
    for _ in 0..20 {
        tokio::time::advance(Duration::from_secs(90)).await;
        assert_eq!(balancer.choose(port, client)[0], chosen);
        balancer.connected(port, client, chosen);
    }
    tokio::time::advance(Duration::from_secs(101)).await;
    let later: BTreeSet<_> = (0..50).map(|_| balancer.choose(port, client)[0]).collect();
    assert_eq!(later.len(), 3);
    balancer.connected(port, client, chosen);
    let smaller = sticky(three()[2..].to_vec());
    assert_eq!(balancer.choose(smaller.port(at("10.96.0.5:80")).unwrap(), client), [at("10.0.0.3:80")]);
}

#[test]
fn the_first_service_keeps_a_disputed_address() {
    let (a, b) = (service("a", "10.96.0.5", three()), service("b", "10.96.0.5", vec![]));
    let index = Index::new(&tables(vec![a, b]));
    assert_eq!(&*index.port(at("10.96.0.5:80")).unwrap().key, "default/a:80");
}
