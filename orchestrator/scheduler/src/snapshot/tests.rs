use super::*;
use crate::testing::{container, node, pod, quantities, snapshot};
use k8s_openapi::api::core::v1::ResourceRequirements;
use proptest::prelude::*;

fn init(requests: &[(&str, &str)], sidecar: bool) -> Container {
    Container { restart_policy: sidecar.then(|| "Always".into()), ..container(requests) }
}

fn cpu(pod: &Pod) -> i64 {
    requests(pod).get("cpu")
}

#[test]
fn amounts_are_thousandths_of_a_core_and_whole_units() {
    let asked = requests(&pod("p", &[("cpu", "1.5"), ("memory", "1Ki"), ("example.com/gpu", "2")]));
    assert_eq!(["cpu", "memory", "example.com/gpu", "else"].map(|name| asked.get(name)), [1500, 1024, 2, 0]);
    assert_eq!(requests(&Pod::default()), Amounts::default());
    assert_eq!(cpu(&pod("p", &[("cpu", "nonsense")])), 0);
}

#[test]
fn init_containers_count_by_their_highest_and_sidecars_stay() {
    let with = |inits: Vec<Container>| {
        let mut pod = pod("p", &[("cpu", "300m")]);
        let spec = pod.spec.as_mut().unwrap();
        spec.containers.push(container(&[("cpu", "200m")]));
        spec.init_containers = Some(inits);
        cpu(&pod)
    };
    let plain = |amount: &str| init(&[("cpu", amount)], false);
    let sidecar = |amount: &str| init(&[("cpu", amount)], true);
    assert_eq!(with(vec![]), 500);
    assert_eq!(with(vec![plain("100m"), plain("400m")]), 500);
    assert_eq!(with(vec![plain("900m"), plain("100m")]), 900);
    assert_eq!(with(vec![sidecar("100m")]), 600);
    assert_eq!(with(vec![sidecar("100m"), plain("900m")]), 1000);
    assert_eq!(with(vec![plain("900m"), sidecar("100m")]), 900);
}

#[test]
fn overhead_is_added_and_amounts_of_the_pod_replace_sums() {
    let mut pod = pod("p", &[("cpu", "300m"), ("memory", "1Ki")]);
    let spec = pod.spec.as_mut().unwrap();
    spec.overhead = Some(quantities(&[("cpu", "50m")]));
    assert_eq!(cpu(&pod), 350);
    let resources = ResourceRequirements { requests: Some(quantities(&[("cpu", "1")])), ..Default::default() };
    pod.spec.as_mut().unwrap().resources = Some(resources);
    assert_eq!((cpu(&pod), requests(&pod).get("memory")), (1050, 1024));
}

#[test]
fn a_container_that_asks_for_nothing_is_estimated() {
    let mut pod = pod("p", &[]);
    pod.spec.as_mut().unwrap().containers.push(container(&[("cpu", "1")]));
    let estimated = estimate(&pod);
    assert_eq!(estimated.get("cpu"), 1000 + CPU_MILLIS_GUESS);
    assert_eq!(estimated.get("memory"), 2 * MEMORY_BYTES_GUESS);
    assert_eq!(cpu(&pod), 1000);
}

#[test]
fn an_assumption_can_be_taken_back_until_it_is_true() {
    let mut snapshot = snapshot(&[node("a", &[])]);
    let count = |snapshot: &Snapshot| snapshot.nodes().next().unwrap().load.pods;
    let pod = pod("p", &[("cpu", "1")]);
    snapshot.place("p", "a", &pod, true);
    assert_eq!(count(&snapshot), 1);
    snapshot.forget("p");
    assert_eq!(count(&snapshot), 0);
    snapshot.place("p", "a", &pod, true);
    snapshot.place("p", "a", &pod, false);
    snapshot.forget("p");
    assert_eq!(count(&snapshot), 1, "it is bound");
    snapshot.remove("p");
    assert_eq!(snapshot.nodes().next().unwrap().load.requested.get("cpu"), 0);
}

/// What happens to one of four Pods and three Nodes.
#[derive(Clone, Debug)]
enum Change {
    PutNode(usize),
    RemoveNode(usize),
    Place(usize, usize, i64, bool),
    Remove(usize),
    Forget(usize),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (0..3usize).prop_map(Change::PutNode),
        (0..3usize).prop_map(Change::RemoveNode),
        (0..4usize, 0..3usize, 0..3i64, any::<bool>())
            .prop_map(|(p, n, cpu, assumed)| Change::Place(p, n, cpu, assumed)),
        (0..4usize).prop_map(Change::Remove),
        (0..4usize).prop_map(Change::Forget),
    ]
}

proptest! {
    #[test]
    fn sums_are_those_of_counting_anew(changes in proptest::collection::vec(change(), 0..60)) {
        let mut snapshot = Snapshot::default();
        let mut nodes = std::collections::BTreeSet::new();
        // Pod to Node, cpu, and whether it is only assumed.
        let mut placed: BTreeMap<usize, (usize, i64, bool)> = BTreeMap::new();
        let with = |cpu: i64| pod("p", &[("cpu", cpu.to_string().as_str())]);
        for change in changes {
            match change {
                Change::PutNode(n) => {
                    snapshot.put_node(Arc::new(node(&n.to_string(), &[])));
                    nodes.insert(n);
                }
                Change::RemoveNode(n) => {
                    snapshot.remove_node(&n.to_string());
                    nodes.remove(&n);
                }
                Change::Place(p, n, cpu, assumed) => {
                    snapshot.place(&p.to_string(), &n.to_string(), &with(cpu), assumed);
                    let same = placed.get(&p).filter(|(node, amount, _)| (*node, *amount) == (n, cpu));
                    let assumed = assumed && same.is_none_or(|(_, _, before)| *before);
                    placed.insert(p, (n, cpu, assumed));
                }
                Change::Remove(p) => {
                    snapshot.remove(&p.to_string());
                    placed.remove(&p);
                }
                Change::Forget(p) => {
                    snapshot.forget(&p.to_string());
                    if placed.get(&p).is_some_and(|(_, _, assumed)| *assumed) {
                        placed.remove(&p);
                    }
                }
            }
        }
        let shown: Vec<String> = snapshot.nodes().map(|info| info.node.name_any()).collect();
        prop_assert_eq!(shown, nodes.iter().map(ToString::to_string).collect::<Vec<_>>());
        prop_assert_eq!(snapshot.len(), nodes.len());
        for info in snapshot.nodes() {
            let here = placed.values().filter(|(node, ..)| node.to_string() == info.node.name_any());
            let (count, cpu) = here.fold((0, 0), |(count, sum), (_, cpu, _)| (count + 1, sum + 1000 * cpu));
            prop_assert_eq!((info.load.pods, info.load.requested.get("cpu")), (count, cpu));
            let guessed = i64::try_from(count).unwrap() * MEMORY_BYTES_GUESS;
            prop_assert_eq!((info.load.estimated.get("cpu"), info.load.estimated.get("memory")), (cpu, guessed));
        }
    }
}
