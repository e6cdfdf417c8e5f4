use super::*;
use crate::testing::Cluster;
use k8s_openapi::api::coordination::v1::LeaseSpec;
use k8s_openapi::api::core::v1::{NodeSpec, NodeStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use proptest::prelude::*;

const NOW: i64 = 1_700_000_000;

fn at(second: i64) -> Now {
    Now::from_second(second).unwrap()
}

fn set(type_: &str, status: &str, heard: i64) -> NodeCondition {
    NodeCondition {
        type_: type_.into(),
        status: status.into(),
        last_heartbeat_time: Some(Time(at(heard))),
        ..NodeCondition::default()
    }
}

fn node(conditions: Vec<NodeCondition>) -> Node {
    let metadata = ObjectMeta {
        name: Some("node".into()),
        creation_timestamp: Some(Time(at(NOW - 9_999))),
        ..ObjectMeta::default()
    };
    let status = NodeStatus { conditions: Some(conditions), ..NodeStatus::default() };
    Node { metadata, spec: Some(NodeSpec::default()), status: Some(status) }
}

fn lease(renewed: i64) -> Arc<Lease> {
    let spec = LeaseSpec { renew_time: Some(MicroTime(at(renewed))), ..LeaseSpec::default() };
    Arc::new(Lease { spec: Some(spec), ..Lease::default() })
}

fn cluster(node: &Node) -> Cluster {
    let mut cluster = Cluster::default();
    cluster.put("nodes", node);
    cluster
}

/// A world that has long been watched.
fn world(cluster: &Cluster, lease: Option<Arc<Lease>>) -> World {
    World { node: cluster.get("nodes", "", "node").unwrap(), lease, watching_since: at(NOW - 9_999) }
}

fn taints(cluster: &Cluster) -> Vec<String> {
    let node: Arc<Node> = cluster.get("nodes", "", "node").unwrap();
    let taints = node.spec.clone().unwrap_or_default().taints.unwrap_or_default();
    taints.iter().map(|taint| format!("{}:{}", taint.key, taint.effect)).collect()
}

fn status_of(cluster: &Cluster, type_: &str) -> (String, String) {
    let node: Arc<Node> = cluster.get("nodes", "", "node").unwrap();
    let found = condition(&node, type_).unwrap().clone();
    (found.status, found.reason.unwrap_or_default())
}

/// Applies plans until nothing is left to plan, at most two.
#[track_caller]
fn settle(cluster: &mut Cluster, lease: Option<Arc<Lease>>, now: i64) {
    for _ in 0..2 {
        cluster.apply(&plan(&world(cluster, lease.clone()), at(now)));
    }
    let again = plan(&world(cluster, lease), at(now));
    assert!(again.is_empty(), "{again:?}");
}

#[test]
fn taints_follow_the_state() {
    let ready = |status: &str| vec![set("Ready", status, NOW)];
    let two = |key: &str| vec![format!("{key}:NoSchedule"), format!("{key}:NoExecute")];
    let cases = [
        (ready("True"), vec![]),
        (ready("False"), two(NOT_READY)),
        (ready("Unknown"), two(UNREACHABLE)),
        (vec![], vec![]),
        (
            vec![set("Ready", "True", NOW), set("DiskPressure", "True", NOW), set("MemoryPressure", "False", NOW)],
            vec!["node.kubernetes.io/disk-pressure:NoSchedule".to_owned()],
        ),
    ];
    for (conditions, expected) in cases {
        let mut cluster = cluster(&node(conditions.clone()));
        settle(&mut cluster, Some(lease(NOW)), NOW);
        assert_eq!(taints(&cluster), expected, "{conditions:?}");
        // The way back leaves nothing of it.
        let mut well: Node = cluster.get::<Node>("nodes", "", "node").unwrap().as_ref().clone();
        well.status = node(ready("True")).status;
        cluster.put("nodes", &well);
        settle(&mut cluster, Some(lease(NOW)), NOW);
        assert_eq!(taints(&cluster), Vec::<String>::new());
    }
}

#[test]
fn a_cordon_taints_and_taints_of_others_stay() {
    let mut cordoned = node(vec![set("Ready", "True", NOW)]);
    let own = Taint { key: "own".into(), effect: "NoSchedule".into(), ..Taint::default() };
    cordoned.spec = Some(NodeSpec { unschedulable: Some(true), taints: Some(vec![own]), ..NodeSpec::default() });
    let mut cluster = cluster(&cordoned);
    settle(&mut cluster, Some(lease(NOW)), NOW);
    assert_eq!(taints(&cluster), ["own:NoSchedule", "node.kubernetes.io/unschedulable:NoSchedule"]);
    let mut free: Node = cluster.get::<Node>("nodes", "", "node").unwrap().as_ref().clone();
    free.spec.as_mut().unwrap().unschedulable = None;
    cluster.put("nodes", &free);
    settle(&mut cluster, Some(lease(NOW)), NOW);
    assert_eq!(taints(&cluster), ["own:NoSchedule"]);
}

#[test]
fn a_silent_node_is_unknown_after_the_grace_period() {
    let grace = i64::try_from(GRACE.as_secs()).unwrap();
    let mut cluster = cluster(&node(vec![set("Ready", "True", NOW - 300), set("DiskPressure", "False", NOW - 300)]));
    let waiting = plan(&world(&cluster, Some(lease(NOW))), at(NOW + grace));
    assert!(waiting.is_empty(), "{waiting:?}");
    assert_eq!(waiting.requeue, Some(Duration::from_secs(1)));
    let late = plan(&world(&cluster, Some(lease(NOW))), at(NOW + grace + 1));
    assert_eq!(
        (late.tells[0].reason, late.tells[0].message.as_str()),
        ("NodeNotReady", "Node node status is now: NodeNotReady")
    );
    settle(&mut cluster, Some(lease(NOW)), NOW + grace + 1);
    let pair = |status: &str, reason: &str| (status.to_owned(), reason.to_owned());
    assert_eq!(status_of(&cluster, "Ready"), pair("Unknown", "NodeStatusUnknown"));
    assert_eq!(status_of(&cluster, "DiskPressure"), pair("Unknown", "NodeStatusUnknown"));
    assert_eq!(status_of(&cluster, "PIDPressure"), pair("Unknown", "NodeStatusNeverUpdated"));
    assert_eq!(taints(&cluster), [format!("{UNREACHABLE}:NoSchedule"), format!("{UNREACHABLE}:NoExecute")]);
}

#[test]
fn a_kubelet_that_just_started_is_left_alone() {
    // The Node is new, its Lease is not there yet.
    let mut new = node(vec![]);
    new.metadata.creation_timestamp = Some(Time(at(NOW)));
    let fresh = plan(&world(&cluster(&new), None), at(NOW + 3));
    assert!(fresh.is_empty(), "{fresh:?}");
    assert!(fresh.requeue.is_some());
    // The whole cluster was off for hours; both came back together.
    let old = cluster(&node(vec![set("Ready", "True", NOW - 9_000)]));
    for lease in [None, Some(lease(NOW - 9_000))] {
        let back = plan(&World { watching_since: at(NOW - 2), ..world(&old, lease.clone()) }, at(NOW));
        assert!(back.is_empty(), "{back:?}");
        let silent = plan(&World { watching_since: at(NOW - 60), ..world(&old, lease) }, at(NOW));
        assert!(!silent.is_empty(), "the grace has an end");
    }
}

proptest! {
    #[test]
    fn a_plan_applied_leaves_nothing_to_plan(
        ready in proptest::option::of(0..3usize),
        pressure in any::<bool>(),
        cordoned in any::<bool>(),
        renewed in proptest::option::of(0..120i64),
    ) {
        let mut conditions: Vec<NodeCondition> =
            ready.iter().map(|index| set("Ready", ["True", "False", "Unknown"][*index], NOW - 100)).collect();
        conditions.push(set("MemoryPressure", if pressure { "True" } else { "False" }, NOW - 100));
        let mut node = node(conditions);
        node.spec.as_mut().unwrap().unschedulable = Some(cordoned);
        settle(&mut cluster(&node), renewed.map(|ago| lease(NOW - ago)), NOW);
    }
}
