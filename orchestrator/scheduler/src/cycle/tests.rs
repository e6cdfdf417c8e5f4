use super::*;
use crate::testing::{node, pod, snapshot, tainted, toleration};
use k8s_openapi::api::core::v1::{Node, Toleration};
use std::sync::Arc;

fn decided(nodes: &[Node], pod: &Pod) -> Answer {
    decide(&Plugins::default(), &snapshot(nodes), pod, 0)
}

#[track_caller]
fn check_message(nodes: &[Node], pod: &Pod, expected: &str, expected_plugins: &[&str]) {
    match decided(nodes, pod) {
        Answer::Nowhere { message, refused_by } => {
            assert_eq!(message, expected);
            assert_eq!(refused_by, expected_plugins);
        }
        answer => panic!("{answer:?}"),
    }
}

fn small(name: &str) -> Node {
    node(name, &[("cpu", "1"), ("memory", "1Gi")])
}

fn tolerant(tolerations: Vec<Toleration>) -> Pod {
    let mut pod = pod("p", &[]);
    pod.spec.as_mut().unwrap().tolerations = Some(tolerations);
    pod
}

#[test]
fn messages_are_upstreams() {
    let greedy = pod("p", &[("cpu", "2"), ("memory", "2Gi")]);
    let plain = pod("p", &[("cpu", "2")]);
    check_message(&[], &plain, "no nodes available to schedule pods", &["NodeName"]);
    check_message(&[small("a")], &plain, "0/1 nodes are available: 1 Insufficient cpu.", &["NodeResourcesFit"]);
    check_message(
        &[small("a"), small("b")],
        &greedy,
        "0/2 nodes are available: 2 Insufficient cpu, 2 Insufficient memory.",
        &["NodeResourcesFit"],
    );
    check_message(
        &[small("a"), tainted(small("b"), &["k=v:NoSchedule"])],
        &plain,
        "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint {k: v}.",
        &["NodeResourcesFit", "TaintToleration"],
    );
    check_message(
        &[tainted(small("a"), &["node.kubernetes.io/not-ready:NoExecute"])],
        &pod("p", &[]),
        "0/1 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/not-ready: }.",
        &["TaintToleration"],
    );
    let gpu = pod("p", &[("example.com/gpu", "1")]);
    check_message(
        &[small("a")],
        &gpu,
        "0/1 nodes are available: 1 Insufficient example.com/gpu.",
        &["NodeResourcesFit"],
    );
}

#[test]
fn cordoned_full_and_unmatched_nodes_say_so() {
    let mut cordoned = small("a");
    cordoned.spec.as_mut().unwrap().unschedulable = Some(true);
    let text = "0/1 nodes are available: 1 node(s) were unschedulable.";
    check_message(&[cordoned.clone()], &pod("p", &[]), text, &["NodeUnschedulable"]);
    let daemon = tolerant(vec![toleration("node.kubernetes.io/unschedulable", "Exists", "", "NoSchedule")]);
    assert_eq!(decided(&[cordoned], &daemon), Answer::Node("a".into()));

    let full = node("a", &[("pods", "1")]);
    let mut taken = snapshot(&[full]);
    taken.place("other", "a", &pod("other", &[]), false);
    let answer = decide(&Plugins::default(), &taken, &pod("p", &[]), 0);
    let message = "0/1 nodes are available: 1 Too many pods.".to_owned();
    assert_eq!(answer, Answer::Nowhere { message, refused_by: vec!["NodeResourcesFit"] });

    let mut choosy = pod("p", &[]);
    choosy.spec.as_mut().unwrap().node_selector = Some([("disk".to_owned(), "ssd".to_owned())].into());
    let text = "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.";
    check_message(&[small("a")], &choosy, text, &["NodeAffinity"]);
    let mut labelled = small("b");
    labelled.metadata.labels =
        Some([("disk".to_owned(), "ssd".to_owned()), ("zone".to_owned(), "z".to_owned())].into());
    assert_eq!(decided(&[small("a"), labelled], &choosy), Answer::Node("b".into()));

    let mut named = pod("p", &[]);
    named.spec.as_mut().unwrap().node_name = Some("b".into());
    let text = "0/1 nodes are available: 1 node(s) didn't match the requested node name.";
    check_message(&[small("a")], &named, text, &["NodeName"]);
}

#[test]
fn tolerations_cover_taints_by_key_value_and_effect() {
    let cases = [
        ("k=v:NoSchedule", toleration("k", "Equal", "v", "NoSchedule"), true),
        ("k=v:NoSchedule", toleration("k", "", "v", ""), true),
        ("k=v:NoSchedule", toleration("k", "Equal", "w", ""), false),
        ("k=v:NoSchedule", toleration("k", "Equal", "", ""), false),
        ("k:NoSchedule", toleration("k", "Equal", "", ""), true),
        ("k=v:NoSchedule", toleration("k", "Exists", "", ""), true),
        ("k=v:NoSchedule", toleration("", "Exists", "", ""), true),
        ("k=v:NoSchedule", toleration("", "Exists", "", "NoExecute"), false),
        ("k=v:NoExecute", toleration("", "Exists", "", "NoExecute"), true),
        ("k=v:NoSchedule", toleration("j", "Exists", "", ""), false),
        ("k=v:NoSchedule", toleration("k", "Unknown", "v", ""), false),
        ("k=v:PreferNoSchedule", toleration("j", "Exists", "", ""), true),
    ];
    for (taint, toleration, fits) in cases {
        let answer = decided(&[tainted(small("a"), &[taint])], &tolerant(vec![toleration.clone()]));
        assert_eq!(matches!(answer, Answer::Node(_)), fits, "{taint} {toleration:?}");
    }
    let both = tainted(small("a"), &["k:NoSchedule", "j:NoSchedule"]);
    let one = tolerant(vec![toleration("k", "Exists", "", "")]);
    let text = "0/1 nodes are available: 1 node(s) had untolerated taint {j: }.";
    check_message(&[both], &one, text, &["TaintToleration"]);
}

#[test]
fn what_fits_exactly_fits() {
    let exact = pod("p", &[("cpu", "1"), ("memory", "1Gi")]);
    assert_eq!(decided(&[small("a")], &exact), Answer::Node("a".into()));
    let mut used = snapshot(&[small("a")]);
    used.place("other", "a", &pod("other", &[("cpu", "1m")]), true);
    let answer = decide(&Plugins::default(), &used, &exact, 0);
    assert!(matches!(answer, Answer::Nowhere { .. }), "an assumed Pod takes room: {answer:?}");
    let nothing = pod("p", &[]);
    used.place("more", "a", &pod("more", &[("cpu", "999m"), ("memory", "1Gi")]), true);
    assert_eq!(decide(&Plugins::default(), &used, &nothing, 0), Answer::Node("a".into()));
}

#[test]
fn the_emptier_and_the_untainted_node_wins() {
    let mut nodes = snapshot(&[small("a"), small("b")]);
    nodes.place("other", "a", &pod("other", &[("cpu", "500m"), ("memory", "512Mi")]), false);
    for tie in 0..4 {
        let wanted = decide(&Plugins::default(), &nodes, &pod("p", &[("cpu", "100m")]), tie);
        assert_eq!(wanted, Answer::Node("b".into()));
    }
    let nodes = [tainted(small("a"), &["k:PreferNoSchedule"]), small("b")];
    assert_eq!(decided(&nodes, &pod("p", &[])), Answer::Node("b".into()));
    let unmoved = tolerant(vec![toleration("k", "Exists", "", "")]);
    let answers = [0, 1].map(|tie| decide(&Plugins::default(), &snapshot(&nodes), &unmoved, tie));
    assert_eq!(answers, [Answer::Node("a".into()), Answer::Node("b".into())], "a tie is broken by chance");
}

#[test]
fn pods_that_ask_for_nothing_spread_too() {
    let mut nodes = snapshot(&["a", "b", "c"].map(|name| node(name, &[("cpu", "4"), ("memory", "8Gi")])));
    for index in 0..9 {
        let pod = pod(&format!("p{index}"), &[]);
        let Answer::Node(node) = decide(&Plugins::default(), &nodes, &pod, index) else { panic!("it fits") };
        nodes.place(&pod.name_any(), &node, &pod, true);
    }
    assert!(nodes.nodes().all(|node| node.load.pods == 3));
}

#[test]
fn scores_are_upstreams() {
    let plugins = Plugins::default();
    let score = |name: &str, used: &[(&str, &str)], asked: &[(&str, &str)]| {
        let mut nodes = snapshot(&[node("a", &[("cpu", "4"), ("memory", "10000")])]);
        nodes.place("other", "a", &pod("other", used), false);
        let pod = pod("p", asked);
        let candidate = Candidate { pod: &pod, requests: requests(&pod), estimate: estimate(&pod) };
        let plugin = plugins.scores.iter().find(|plugin| plugin.name() == name).unwrap();
        plugin.score(&candidate, nodes.nodes().next().unwrap())
    };
    let (least, balanced) = ("NodeResourcesFit", "NodeResourcesBalancedAllocation");
    let none = [("cpu", "0"), ("memory", "0")];
    assert_eq!(score(least, &none, &none), 100);
    assert_eq!(score(least, &none, &[("cpu", "3"), ("memory", "5000")]), 37, "(25 + 50) / 2");
    assert_eq!(score(least, &[("cpu", "3"), ("memory", "5000")], &[("cpu", "3"), ("memory", "5000")]), 0);
    assert_eq!(score(balanced, &none, &[("cpu", "3"), ("memory", "5000")]), 87, "shares of 0.75 and 0.5");
    assert_eq!(score(balanced, &none, &[("cpu", "2"), ("memory", "5000")]), 100);
    assert_eq!(score(balanced, &none, &none), 0);
}

#[test]
fn a_refusal_is_woken_only_by_what_may_help() {
    use crate::plugins::ClusterEvent::{Node, PodGone};
    let plugins = Plugins::default();
    let woken = |name: &str| [Node, PodGone].map(|event| plugins.wakes(name, event));
    assert_eq!(woken("NodeResourcesFit"), [true, true]);
    for name in ["NodeName", "NodeAffinity", "NodeUnschedulable", "TaintToleration"] {
        assert_eq!(woken(name), [true, false], "{name}");
    }
    assert_eq!(woken("unknown"), [false, false]);
}

#[test]
fn a_node_without_a_status_takes_no_pods() {
    let mut snapshot = snapshot(&[]);
    let mut bare = small("a");
    bare.status = None;
    snapshot.put_node(Arc::new(bare));
    let answer = decide(&Plugins::default(), &snapshot, &pod("p", &[]), 0);
    assert!(matches!(answer, Answer::Nowhere { .. }), "{answer:?}");
}
