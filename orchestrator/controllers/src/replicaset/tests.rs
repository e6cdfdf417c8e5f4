use super::*;
use crate::testing::{Cluster, labels, meta, now, pod, selector, template};
use k8s_openapi::api::apps::v1::ReplicaSetSpec;
use proptest::prelude::*;

fn replica_set(replicas: i32) -> ReplicaSet {
    let spec = ReplicaSetSpec {
        replicas: Some(replicas),
        selector: selector(),
        template: Some(template("x:1")),
        ..ReplicaSetSpec::default()
    };
    ReplicaSet { metadata: meta("rs", "rs-uid"), spec: Some(spec), status: None }
}

fn world(cluster: &Cluster) -> World {
    let replica_set: Arc<ReplicaSet> = cluster.get("replicasets", "n", "rs").unwrap();
    let (owned, orphans) = cluster
        .all::<Pod>("pods")
        .into_iter()
        .filter(|pod| controller_of(&pod.metadata).is_none_or(|owner| owner.uid == "rs-uid"))
        .partition(|pod| controller_of(&pod.metadata).is_some());
    World { replica_set, owned, orphans }
}

fn owned(mut pod: Pod) -> Pod {
    pod.metadata.owner_references = Some(vec![owner::controller_reference(&replica_set(1))]);
    pod
}

fn counts(plan: &Plan) -> (usize, usize) {
    let of = |verb: &crate::plan::Verb| plan.writes.iter().filter(|w| w.resource == "pods" && w.verb == *verb).count();
    (of(&crate::plan::Verb::Create), of(&crate::plan::Verb::Delete))
}

#[test]
fn missing_pods_are_created_and_surplus_ones_deleted() {
    let mut cluster = Cluster::default();
    cluster.put("replicasets", &replica_set(3));
    let plan = plan(&world(&cluster), now());
    assert_eq!(counts(&plan), (3, 0));
    assert_eq!(plan.writes[0].body["metadata"]["generateName"], "rs-");
    cluster.apply(&plan);
    cluster.put("replicasets", &replica_set(1));
    assert_eq!(counts(&super::plan(&world(&cluster), now())), (0, 2));
}

#[test]
fn the_least_useful_pods_go_first() {
    let mut cluster = Cluster::default();
    cluster.put("replicasets", &replica_set(1));
    let mut unscheduled = owned(pod("unscheduled", "Pending", false));
    unscheduled.spec = None;
    let pods = [owned(pod("ready", "Running", true)), owned(pod("unready", "Running", false)), unscheduled];
    pods.iter().for_each(|pod| cluster.put("pods", pod));
    let plan = plan(&world(&cluster), now());
    let deleted: Vec<&str> =
        plan.writes.iter().filter(|w| w.resource == "pods").map(|write| write.object.1.as_str()).collect();
    assert_eq!(deleted, ["unscheduled", "unready"]);
}

#[test]
fn finished_and_ending_pods_are_replaced() {
    let mut cluster = Cluster::default();
    cluster.put("replicasets", &replica_set(2));
    cluster.put("pods", &owned(pod("failed", "Failed", false)));
    cluster.put("pods", &owned(pod("good", "Running", true)));
    assert_eq!(counts(&plan(&world(&cluster), now())), (1, 0));
}

#[test]
fn pods_are_adopted_and_released_by_label() {
    let mut cluster = Cluster::default();
    cluster.put("replicasets", &replica_set(1));
    cluster.put("pods", &pod("orphan", "Running", true));
    let mut relabelled = owned(pod("relabelled", "Running", true));
    relabelled.metadata.labels = Some(labels(&[("app", "other")]));
    cluster.put("pods", &relabelled);
    let plan = plan(&world(&cluster), now());
    assert_eq!(counts(&plan), (0, 0));
    cluster.apply(&plan);
    let orphan: Arc<Pod> = cluster.get("pods", "n", "orphan").unwrap();
    assert_eq!(controller_of(&orphan.metadata).unwrap().uid, "rs-uid");
    let released: Arc<Pod> = cluster.get("pods", "n", "relabelled").unwrap();
    assert!(controller_of(&released.metadata).is_none());
}

proptest! {
    #[test]
    fn a_plan_applied_leaves_nothing_to_plan(
        replicas in 0..6i32,
        pods in proptest::collection::vec((0..4usize, any::<bool>(), any::<bool>(), any::<bool>()), 0..8),
    ) {
        let mut cluster = Cluster::default();
        cluster.put("replicasets", &replica_set(replicas));
        for (index, (phase, ready, is_owned, matching)) in pods.into_iter().enumerate() {
            let phase = ["Pending", "Running", "Failed", "Succeeded"][phase];
            let mut new = pod(&format!("p{index}"), phase, ready && phase == "Running");
            if !matching {
                new.metadata.labels = None;
            }
            cluster.put("pods", &if is_owned { owned(new) } else { new });
        }
        let first = plan(&world(&cluster), now());
        prop_assert_eq!(&first, &plan(&world(&cluster), now()), "the same world gives the same plan");
        cluster.apply(&first);
        // What a plan creates or deletes shows in the status only then.
        cluster.apply(&plan(&world(&cluster), now()));
        let last = plan(&world(&cluster), now());
        prop_assert!(last.is_empty(), "{:?}", last);
    }
}
