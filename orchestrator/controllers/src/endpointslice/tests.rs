use super::*;
use crate::testing::{Cluster, labels, meta, pod};
use k8s_openapi::api::core::v1::{Container, ContainerPort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use proptest::prelude::*;

fn service(target: IntOrString) -> Service {
    let port = ServicePort { name: Some("http".into()), port: 80, target_port: Some(target), ..ServicePort::default() };
    let spec = ServiceSpec {
        selector: Some(labels(&[("app", "x")])),
        ports: Some(vec![port]),
        cluster_ip: Some("10.96.0.7".into()),
        ..ServiceSpec::default()
    };
    Service { metadata: meta("s", "s-uid"), spec: Some(spec), status: None }
}

fn plain() -> Service {
    service(IntOrString::Int(8080))
}

/// A Pod with an address and a port named `web`.
fn addressed(name: &str, ip: &str, phase: &str, ready: bool) -> Pod {
    let mut pod = pod(name, phase, ready);
    pod.status.as_mut().unwrap().pod_ip = Some(ip.into());
    let port = ContainerPort { name: Some("web".into()), container_port: 9000, ..ContainerPort::default() };
    let container = Container { name: "main".into(), ports: Some(vec![port]), ..Container::default() };
    pod.spec.as_mut().unwrap().containers = vec![container];
    pod
}

fn deleting(mut pod: Pod) -> Pod {
    pod.metadata.deletion_timestamp = Some(Time(crate::testing::now()));
    pod
}

fn world(cluster: &Cluster) -> World {
    let service: Arc<Service> = cluster.get("services", "n", "s").unwrap();
    let pods = cluster.all::<Pod>("pods").into_iter().filter(|pod| selects(&service, pod)).collect();
    World { service, pods, slices: cluster.all("endpointslices") }
}

fn cluster(service: &Service, pods: &[Pod]) -> Cluster {
    let mut cluster = Cluster::default();
    cluster.put("services", service);
    pods.iter().for_each(|pod| cluster.put("pods", pod));
    cluster
}

#[track_caller]
fn settled(mut cluster: Cluster) -> Vec<Arc<EndpointSlice>> {
    cluster.apply(&plan(&world(&cluster)));
    let again = plan(&world(&cluster));
    assert!(again.is_empty(), "{again:?}");
    cluster.all("endpointslices")
}

/// What the slices say: address, port, ready, serving, terminating.
fn shown(slices: &[Arc<EndpointSlice>]) -> Vec<(String, i32, [bool; 3])> {
    let of = |slice: &Arc<EndpointSlice>| {
        let port = slice.ports.iter().flatten().next().and_then(|port| port.port).unwrap_or(0);
        let state = |endpoint: &Endpoint| {
            let c = endpoint.conditions.clone().unwrap();
            [c.ready, c.serving, c.terminating].map(Option::unwrap)
        };
        let row = move |e: &Endpoint| (e.addresses[0].clone(), port, state(e));
        slice.endpoints.iter().flatten().map(row).collect::<Vec<_>>()
    };
    let mut all: Vec<_> = slices.iter().flat_map(of).collect();
    all.sort();
    all
}

#[test]
fn a_service_without_pods_has_one_empty_slice() {
    let slices = settled(cluster(&plain(), &[]));
    assert_eq!(slices.len(), 1);
    assert!(slices[0].endpoints.as_ref().is_none_or(Vec::is_empty));
    assert_eq!(slices[0].labels()[SERVICE_NAME], "s");
    assert_eq!(slices[0].labels()[MANAGED_BY], MANAGER);
    assert!(!slices[0].labels().contains_key(HEADLESS));
    assert_eq!(owner::controller_of(&slices[0].metadata).unwrap().uid, "s-uid");
    assert!(slices[0].metadata.generate_name.as_deref() == Some("s-"));
}

#[test]
fn conditions_follow_the_pod() {
    let pods = [
        addressed("ready", "10.0.0.1", "Running", true),
        addressed("unready", "10.0.0.2", "Running", false),
        deleting(addressed("ending", "10.0.0.3", "Running", true)),
        addressed("done", "10.0.0.4", "Succeeded", false),
        addressed("failed", "10.0.0.5", "Failed", false),
        pod("no-address", "Pending", false),
        addressed("empty-address", "", "Pending", false),
    ];
    let row = |ip: &str, state| (ip.to_owned(), 8080, state);
    let expected = [
        row("10.0.0.1", [true, true, false]),
        row("10.0.0.2", [false, false, false]),
        row("10.0.0.3", [false, true, true]),
    ];
    assert_eq!(shown(&settled(cluster(&plain(), &pods))), expected);
    let mut publishing = plain();
    publishing.spec.as_mut().unwrap().publish_not_ready_addresses = Some(true);
    let ready: Vec<bool> = shown(&settled(cluster(&publishing, &pods))).iter().map(|(_, _, s)| s[0]).collect();
    assert_eq!(ready, [true, true, true]);
}

#[test]
fn a_named_target_port_is_that_of_each_pod() {
    let mut other = addressed("other", "10.0.0.2", "Running", true);
    other.spec.as_mut().unwrap().containers[0].ports.as_mut().unwrap()[0].container_port = 9001;
    let mut without = addressed("without", "10.0.0.3", "Running", true);
    without.spec.as_mut().unwrap().containers[0].ports = None;
    let pods = [addressed("one", "10.0.0.1", "Running", true), other, without];
    let slices = settled(cluster(&service(IntOrString::String("web".into())), &pods));
    assert_eq!(slices.len(), 3, "one for each set of ports");
    let ports: Vec<i32> = shown(&slices).iter().map(|(_, port, _)| *port).collect();
    assert_eq!(ports, [9000, 9001, 0]);
}

#[test]
fn new_ports_take_no_slice_that_others_need() {
    let named = service(IntOrString::String("web".into()));
    let mut cluster = cluster(&named, &[addressed("old", "10.0.0.1", "Running", true)]);
    cluster.apply(&plan(&world(&cluster)));
    let mut new = addressed("new", "10.0.0.2", "Running", true);
    new.spec.as_mut().unwrap().containers[0].ports.as_mut().unwrap()[0].container_port = 80;
    cluster.put("pods", &new);
    let next = plan(&world(&cluster));
    assert_eq!(next.writes.len(), 1, "{next:?}");
    assert_eq!(next.writes[0].body["endpoints"][0]["addresses"][0], "10.0.0.2");
    assert_eq!(settled(cluster).len(), 2);
}

#[test]
fn a_headless_service_says_so_and_names_hosts() {
    let mut headless = plain();
    headless.spec.as_mut().unwrap().cluster_ip = Some("None".into());
    headless.metadata.labels = Some(labels(&[("team", "t")]));
    let mut named = addressed("named", "10.0.0.1", "Running", true);
    let spec = named.spec.as_mut().unwrap();
    (spec.hostname, spec.subdomain) = (Some("host".into()), Some("s".into()));
    let mut stranger = named.clone();
    stranger.metadata = meta("stranger", "stranger-uid");
    stranger.metadata.labels = named.metadata.labels.clone();
    stranger.spec.as_mut().unwrap().subdomain = Some("t".into());
    let slices = settled(cluster(&headless, &[named, stranger]));
    assert_eq!((slices[0].labels()[HEADLESS].as_str(), slices[0].labels()["team"].as_str()), ("", "t"));
    let mut hosts: Vec<_> = slices[0].endpoints.iter().flatten().map(|e| e.hostname.clone()).collect();
    hosts.sort();
    assert_eq!(hosts, [None, Some("host".into())]);
    let endpoint = &slices[0].endpoints.as_ref().unwrap()[0];
    assert_eq!(endpoint.node_name.as_deref(), Some("node"));
    assert_eq!(endpoint.target_ref.as_ref().unwrap().kind.as_deref(), Some("Pod"));
}

#[test]
fn slices_of_services_without_selector_or_with_another_owner_go() {
    let mut cluster = cluster(&plain(), &[addressed("one", "10.0.0.1", "Running", true)]);
    cluster.apply(&plan(&world(&cluster)));
    let mut external = plain();
    external.spec.as_mut().unwrap().type_ = Some("ExternalName".into());
    let mut bare = plain();
    bare.spec.as_mut().unwrap().selector = None;
    for service in [external, bare] {
        let mut cluster = cluster.clone();
        cluster.put("services", &service);
        assert_eq!(settled(cluster).len(), 0);
    }
    let before = cluster.all::<EndpointSlice>("endpointslices")[0].name_any();
    let mut recreated = plain();
    recreated.metadata.uid = Some("another-uid".into());
    cluster.put("services", &recreated);
    let after = settled(cluster);
    assert_eq!(after.len(), 1);
    assert_ne!(after[0].name_any(), before);
}

#[test]
fn a_slice_holds_no_more_than_its_limit() {
    let pod = |index: usize| addressed(&format!("p{index}"), &format!("10.0.1.{index}"), "Running", true);
    let mut pods: Vec<Pod> = (0..=ENDPOINTS_PER_SLICE_MAX).map(pod).collect();
    let sizes = |slices: &[Arc<EndpointSlice>]| {
        let mut sizes: Vec<usize> = slices.iter().map(|slice| slice.endpoints.as_ref().unwrap().len()).collect();
        sizes.sort_unstable();
        sizes
    };
    assert_eq!(sizes(&settled(cluster(&plain(), &pods))), [1, 100]);
    // Pods of the host's network share one address.
    pods.iter_mut().for_each(|pod| pod.status.as_mut().unwrap().pod_ip = Some("192.0.2.1".into()));
    assert_eq!(sizes(&settled(cluster(&plain(), &pods))), [1, 100]);
}

proptest! {
    #[test]
    fn a_plan_applied_leaves_nothing_to_plan(
        steps in proptest::collection::vec(
            proptest::collection::vec((0..3usize, any::<bool>(), any::<bool>(), 9000..9003i32), 0..6), 1..4),
    ) {
        let mut cluster = cluster(&service(IntOrString::String("web".into())), &[]);
        for pods in steps {
            let serving = pods.iter().filter(|(phase, ..)| *phase < 2).count();
            cluster.remove_all("pods");
            for (index, (phase, ready, ending, port)) in pods.into_iter().enumerate() {
                let phase = ["Pending", "Running", "Failed"][phase];
                let mut new = addressed(&format!("p{index}"), &format!("10.0.0.{index}"), phase, ready);
                new.spec.as_mut().unwrap().containers[0].ports.as_mut().unwrap()[0].container_port = port;
                cluster.put("pods", &if ending { deleting(new) } else { new });
            }
            cluster.apply(&plan(&world(&cluster)));
            prop_assert!(plan(&world(&cluster)).is_empty());
            prop_assert_eq!(shown(&cluster.all("endpointslices")).len(), serving);
        }
    }
}
