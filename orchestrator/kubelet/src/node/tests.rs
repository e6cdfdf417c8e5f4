use super::*;
use runtime_base::{Clock, Rng};

fn config() -> KubeletConfig {
    KubeletConfig {
        node_name: "n1".into(),
        node_ip: "192.0.2.1".parse().unwrap(),
        data_dir: "/tmp".into(),
        max_pods: 110,
        pod_cidr: "10.244.0.0/18".into(),
        cluster_domain: "cluster.local".into(),
        version: "v1.36.0".into(),
        labels: [("own".to_owned(), "x".to_owned())].into(),
        capacity: Capacity { cpu_millis: 2000, memory_bytes: 4 << 30, storage_bytes: 10 << 30 },
        clock: Clock::system(),
        rng: Rng::seeded(1),
    }
}

#[test]
fn a_node_says_what_it_is() {
    let facts =
        Facts { runtime_version: "wasmtime://48".into(), handlers: vec!["wasmtime".into()], ..Facts::default() };
    let now = Timestamp::from_second(100).unwrap();
    let first = status(&config(), &facts, &[], now);
    assert_eq!(first.capacity.as_ref().unwrap()["cpu"].0, "2");
    assert_eq!(first.capacity.as_ref().unwrap()["memory"].0, "4194304Ki");
    assert_eq!(first.allocatable.as_ref().unwrap()["pods"].0, "110");
    let later = Timestamp::from_second(400).unwrap();
    let conditions = first.conditions.unwrap();
    let second = status(&config(), &facts, &conditions, later);
    let ready = second.conditions.unwrap().into_iter().find(|condition| condition.type_ == "Ready").unwrap();
    assert_eq!(ready.last_transition_time, Some(api_time(now)));
    assert_eq!(ready.last_heartbeat_time, Some(api_time(later)));
    let labels = labels(&config());
    assert_eq!((labels["kubernetes.io/hostname"].as_str(), labels["own"].as_str()), ("n1", "x"));
}

#[test]
fn this_machine_has_something() {
    let capacity = Capacity::of_machine(Path::new("/tmp/not/there"));
    assert!(capacity.cpu_millis >= 1000 && capacity.memory_bytes > 1 << 20 && capacity.storage_bytes > 0);
}
