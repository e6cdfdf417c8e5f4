use super::*;

#[track_caller]
fn check(name: &str, ndots: u8, expected: &[&str]) {
    let config = DnsConfig { ndots, ..DnsConfig::cluster_first("ns", "cluster.local") };
    assert_eq!(config.candidates(name), expected);
}

#[test]
fn few_dots_search_first_and_many_ask_as_given_first() {
    let searched = |name: &str| {
        ["ns.svc.cluster.local.", "svc.cluster.local.", "cluster.local."].map(|domain| format!("{name}.{domain}"))
    };
    let [a, b, c] = searched("web");
    check("web", 5, &[&a, &b, &c, "web"]);
    let [a, b, c] = searched("a.b");
    check("a.b", 1, &["a.b", &a, &b, &c]);
    let [a, b, c] = searched("web");
    check("web", 0, &["web", &a, &b, &c]);
}

#[test]
fn a_final_dot_ends_the_search() {
    check("web.", 5, &["web."]);
}

#[test]
fn a_search_that_makes_the_name_too_long_is_left_out() {
    let long = "a".repeat(245);
    let [a, b] = ["b.c", "much.longer.example"].map(str::to_owned);
    let config = DnsConfig { searches: vec![a, b], ndots: 5, cluster: true, hosts: Vec::new() };
    assert_eq!(config.candidates(&long), [format!("{long}.b.c."), long]);
}

#[test]
fn the_zone_is_found_at_a_label_boundary_only() {
    assert_eq!(below("web.ns.svc.cluster.local.", "cluster.local"), Some("web.ns.svc"));
    assert_eq!(below("cluster.local", "cluster.local"), Some(""));
    assert_eq!(below("mycluster.local", "cluster.local"), None);
    assert_eq!(below("example.com", "cluster.local"), None);
}

#[test]
fn a_resolver_that_fails_is_not_a_missing_name() {
    for text in ["Temporary failure in name resolution", "Try again", "Too many open files (os error 24)"] {
        assert!(matches!(classify(text), HostLookupError::Failed(_)), "{text}");
    }
    for text in ["Name or service not known", "Name does not resolve", "No address associated with hostname"] {
        assert_eq!(classify(text), HostLookupError::NotFound, "{text}");
    }
}
