//! A whole kubelet against a fake API server, a fake Backend and the real switch.

mod api;
mod fake;

use crate::adapters::SwitchNetworks;
use crate::{Capacity, Kubelet, KubeletConfig, Machine};
use api::FakeApi;
use fake::{FakeBackend, FakeImages};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use runtime_base::{Clock, Rng, Tasks};
use runtime_network::{Switch, SwitchConfig, SystemResolver};
use runtime_proxy::{Outbound, OutboundConfig};
use runtime_spec::ExitReason;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const POD: (&str, &str, &str) = ("pods", "ns", "p");

/// One process of a node; another one may follow it on the same directory.
struct Node {
    kubelet: Arc<Kubelet>,
    backend: Arc<FakeBackend>,
    images: Arc<FakeImages>,
    tasks: Tasks,
}

struct Cluster {
    api: Arc<FakeApi>,
    dir: tempfile::TempDir,
    clock: Clock,
}

impl Cluster {
    fn new() -> Self {
        let clock = Clock::simulated(SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000));
        Cluster { api: FakeApi::new(), dir: tempfile::tempdir().unwrap(), clock }
    }

    fn node(&self) -> Node {
        let tasks = Tasks::new();
        let (clock, rng) = (self.clock.clone(), Rng::seeded(7));
        let switch = Switch::open(SwitchConfig {
            node_cidr: "10.244.0.0/24".parse().unwrap(),
            service_cidr: "10.96.0.0/12".parse().unwrap(),
            cluster_domain: "cluster.local".into(),
            state_file: self.dir.path().join("addresses.json"),
            host_ip: "127.0.0.1".parse().unwrap(),
            clock: clock.clone(),
            rng: rng.clone(),
            tasks: tasks.clone(),
            resolver: Arc::new(SystemResolver),
        })
        .unwrap();
        let backend = FakeBackend::new(clock.clone());
        let images = Arc::new(FakeImages::default());
        let machine = Machine {
            backends: vec![backend.clone()],
            networks: Arc::new(SwitchNetworks(switch)),
            images: images.clone(),
            outbound: Arc::new(Outbound::new(OutboundConfig::default(), clock.clone(), tasks.clone())),
        };
        let config = KubeletConfig {
            node_name: "n1".into(),
            node_ip: "192.0.2.1".parse().unwrap(),
            data_dir: self.dir.path().to_owned(),
            max_pods: 10,
            pod_cidr: "10.244.0.0/24".into(),
            cluster_domain: "cluster.local".into(),
            version: "v1.36.0".into(),
            labels: Default::default(),
            capacity: Capacity { cpu_millis: 1000, memory_bytes: 1 << 30, storage_bytes: 1 << 30 },
            clock,
            rng,
        };
        let kubelet = Kubelet::start(config, self.api.client(), machine, &tasks).unwrap();
        Node { kubelet, backend, images, tasks }
    }

    fn pod(&self, spec: Value) {
        self.pod_with(spec, json!({"phase": "Pending"}));
    }

    fn pod_with(&self, mut spec: Value, status: Value) {
        spec["nodeName"] = json!("n1");
        self.api.put(
            "pods",
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "ns",
            "uid": "pod-uid", "generation": 1}, "spec": spec, "status": status}),
        );
    }

    async fn ready(&self) -> Value {
        self.api.wait_for("Ready", POD, |pod| is_ready(pod.unwrap())).await;
        self.api.get("pods", "ns", "p").unwrap()
    }

    async fn waiting(&self, reason: &str) -> String {
        let of = |pod: &Value| pod["status"]["containerStatuses"][0]["state"]["waiting"].clone();
        self.api.wait_for(reason, POD, |pod| of(pod.unwrap())["reason"] == reason).await;
        of(&self.api.get("pods", "ns", "p").unwrap())["message"].as_str().unwrap_or("").to_owned()
    }

    async fn gone(&self) {
        self.api.wait_for("deleted", POD, |pod| pod.is_none()).await;
    }

    fn pod_dir(&self) -> PathBuf {
        self.dir.path().join("pods/pod-uid")
    }

    #[track_caller]
    fn check_event(&self, expected: &str) {
        let events = self.api.events();
        assert!(events.iter().any(|event| event == expected), "no event {expected:?} among {events:#?}");
    }
}

fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array().cloned().unwrap_or_default();
    conditions.iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

impl Node {
    /// One request to the kubelet's API: status and text.
    async fn ask(&self, path: &str) -> (u16, String) {
        let (near, far) = tokio::io::duplex(64 * 1024);
        let kubelet = self.kubelet.clone();
        self.tasks.spawn("serve", async move { kubelet.serve(Box::new(far)).await });
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(near)).await.unwrap();
        self.tasks.spawn("client", async move {
            let _ = connection.await;
        });
        let request = http::Request::get(path).header("host", "n1").body(Empty::<bytes::Bytes>::new()).unwrap();
        let response = sender.send_request(request).await.unwrap();
        let status = response.status().as_u16();
        let text = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(text.to_vec()).unwrap())
    }
}

#[tokio::test(start_paused = true)]
async fn a_pod_runs_and_its_status_tells_all() {
    let cluster = Cluster::new();
    cluster.api.put(
        "services",
        json!({"metadata": {"name": "kubernetes", "namespace": "default"},
        "spec": {"clusterIP": "10.96.0.1", "ports": [{"port": 443}]}}),
    );
    let node = cluster.node();
    cluster.pod(json!({"containers": [{"name": "c", "image": "app:1", "args": ["$(WHO)"],
        "env": [{"name": "WHO", "value": "me"}, {"name": "BOTH", "value": "pod"},
            {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
        "resources": {"limits": {"memory": "64Mi"}}, "volumeMounts": [{"name": "v", "mountPath": "/v"}]}],
        "volumes": [{"name": "v", "emptyDir": {}}]}));
    let pod = cluster.ready().await;
    let status = &pod["status"];
    let ip = status["podIP"].as_str().unwrap();
    assert!(ip.starts_with("10.244.0."));
    let expected = json!([
        status["phase"],
        status["hostIP"],
        status["podIPs"][0]["ip"],
        status["qosClass"],
        status["observedGeneration"]
    ]);
    assert_eq!(expected, json!(["Running", "192.0.2.1", ip, "Burstable", 1]));
    let container = &status["containerStatuses"][0];
    let expected = json!([
        container["containerID"],
        container["image"],
        container["imageID"],
        container["ready"],
        container["started"],
        container["restartCount"]
    ]);
    assert_eq!(expected, json!(["fake://run-0", "app:1", "app:1@sha256:0", true, true, 0]));
    let run = &node.backend.runs("c")[0].workload;
    let env = |name: &str| run.env.iter().rev().find(|(own, _)| own == name).map(|(_, value)| value.as_str());
    assert_eq!(run.args.as_deref(), Some(&["me".to_owned()][..]));
    assert_eq!(
        (env("IP"), env("HOSTNAME"), env("FROM"), env("BOTH")),
        (Some(ip), Some("p"), Some("image"), Some("pod"))
    );
    assert_eq!(env("KUBERNETES_SERVICE_HOST"), Some("10.96.0.1"));
    assert_eq!(run.limits.memory_bytes_max, Some(64 << 20));
    assert!(run.mounts[0].host_path.is_dir() && run.mounts[0].container_path == "/v");
    let reasons: Vec<String> =
        cluster.api.events().iter().map(|event| event.split(' ').next().unwrap().into()).collect();
    assert_eq!(reasons, ["Pulling", "Pulled", "Created", "Started"]);
    cluster.api.wait_for("a Lease", ("leases", "kube-node-lease", "n1"), |lease| lease.is_some()).await;
    let node = cluster.api.get("nodes", "", "n1").unwrap();
    assert_eq!(node["status"]["nodeInfo"]["containerRuntimeVersion"], "fake://1");
    assert_eq!(node["spec"]["podCIDR"], "10.244.0.0/24");
}

#[tokio::test(start_paused = true)]
async fn an_idle_node_writes_nothing_but_its_lease() {
    let cluster = Cluster::new();
    let _node = cluster.node();
    cluster.pod(json!({"containers": [{"name": "c", "image": "app:1"}]}));
    cluster.ready().await;
    runtime_base::clock::sleep(Duration::from_secs(15)).await;
    let before = cluster.api.version();
    runtime_base::clock::sleep(Duration::from_secs(200)).await;
    assert_eq!(cluster.api.version() - before, 20);
}

#[tokio::test(start_paused = true)]
async fn a_container_that_ends_is_started_again_with_growing_waits() {
    let cluster = Cluster::new();
    let node = cluster.node();
    cluster.pod(json!({"containers": [{"name": "c", "image": "app:1"}]}));
    cluster.ready().await;
    node.backend.runs("c")[0].print("first\n");
    node.backend.runs("c")[0].exit(3, ExitReason::Error);
    let count = |pod: Option<&Value>| pod.unwrap()["status"]["containerStatuses"][0]["restartCount"].clone();
    cluster.api.wait_for("a restart", POD, |pod| count(pod) == 1 && is_ready(pod.unwrap())).await;
    node.backend.runs("c")[1].print("second\n");
    node.backend.runs("c")[1].exit(137, ExitReason::OomKilled);
    let message = cluster.waiting("CrashLoopBackOff").await;
    assert_eq!(message, "back-off 10s restarting failed container=c pod=p_ns(pod-uid)");
    let last = &cluster.api.get("pods", "ns", "p").unwrap()["status"]["containerStatuses"][0]["lastState"];
    assert_eq!((&last["terminated"]["reason"], &last["terminated"]["exitCode"]), (&json!("OOMKilled"), &json!(137)));
    assert_eq!(node.ask("/containerLogs/ns/p/c").await, (200, "second\n".into()));
    let before = cluster.clock.now();
    cluster.api.wait_for("another restart", POD, |pod| count(pod) == 2 && is_ready(pod.unwrap())).await;
    let waited = cluster.clock.now().duration_since(before).unwrap();
    assert!((9..12).contains(&waited.as_secs()), "waited {waited:?}");
    assert_eq!(node.ask("/containerLogs/ns/p/c?previous=true").await, (200, "second\n".into()));
    cluster.check_event("BackOff Back-off restarting failed container c in pod p_ns(pod-uid)");
}

#[tokio::test(start_paused = true)]
async fn a_missing_image_backs_off_until_it_is_there() {
    let cluster = Cluster::new();
    let node = cluster.node();
    node.images.missing.lock().unwrap().insert("app:1".into());
    cluster.api.put(
        "secrets",
        json!({"metadata": {"name": "pull", "namespace": "ns"},
        "data": {".dockerconfigjson": "e30="}}),
    );
    cluster.pod(json!({"imagePullSecrets": [{"name": "pull"}], "containers": [{"name": "c", "image": "app:1"}]}));
    assert_eq!(cluster.waiting("ErrImagePull").await, "app:1: not found");
    assert_eq!(node.images.configs.lock().unwrap()[0], b"{}");
    let (code, text) = node.ask("/containerLogs/ns/p/c").await;
    assert_eq!((code, text.as_str()), (400, "container \"c\" in pod \"p\" is waiting to start: image can't be pulled"));
    let message = cluster.waiting("ImagePullBackOff").await;
    assert_eq!(message, "Back-off pulling image \"app:1\": ErrImagePull: app:1: not found");
    cluster.check_event("Failed Failed to pull image \"app:1\": app:1: not found");
    cluster.check_event("Failed Error: ErrImagePull");
    cluster.check_event("BackOff Back-off pulling image \"app:1\"");
    node.images.missing.lock().unwrap().clear();
    cluster.ready().await;
}

#[tokio::test(start_paused = true)]
async fn images_that_cannot_run_say_so() {
    for (image, policy, reason, message) in [
        ("bad name", "Always", "InvalidImageName", "couldn't parse image name \"bad name\""),
        ("app:1", "Never", "ErrImageNeverPull", "Container image \"app:1\" is not present with pull policy of Never"),
        ("broken:1", "Always", "CreateContainerError", "image broken:1: it is not a program"),
        ("linux:1", "Always", "CreateContainerError", "no runtime on this node can run image linux:1"),
    ] {
        let cluster = Cluster::new();
        let _node = cluster.node();
        cluster.pod(json!({"containers": [{"name": "c", "image": image, "imagePullPolicy": policy}]}));
        assert_eq!(cluster.waiting(reason).await, message);
    }
}

#[tokio::test(start_paused = true)]
async fn a_config_map_may_come_late_and_change() {
    let cluster = Cluster::new();
    let node = cluster.node();
    cluster.pod(json!({"serviceAccountName": "sa", "containers": [{"name": "c", "image": "app:1",
        "envFrom": [{"configMapRef": {"name": "late"}}], "volumeMounts": [{"name": "v", "mountPath": "/v"}]}],
        "volumes": [{"name": "v", "projected": {"sources": [
            {"serviceAccountToken": {"path": "token"}}, {"configMap": {"name": "files"}}]}}]}));
    cluster.waiting("ContainerCreating").await;
    let map = |name: &str, value: &str| json!({"metadata": {"name": name, "namespace": "ns"}, "data": {"k": value}});
    cluster.api.put("configmaps", map("files", "one"));
    let message = cluster.waiting("CreateContainerConfigError").await;
    assert_eq!(message, "configmap \"late\" not found");
    let mounted = "FailedMount MountVolume.SetUp failed for volume \"v\" : configmap \"files\" not found";
    cluster.check_event(mounted);
    let before = cluster.clock.now();
    cluster.api.put("configmaps", map("late", "env"));
    cluster.ready().await;
    assert!(cluster.clock.now().duration_since(before).unwrap() < Duration::from_secs(1), "it is not waited for");
    let run = node.backend.runs("c")[0].clone();
    assert!(run.workload.env.contains(&("k".into(), "env".into())));
    let volume = &run.workload.mounts[0];
    assert!(volume.read_only);
    let read = |name: &str| std::fs::read_to_string(volume.host_path.join(name)).unwrap();
    assert_eq!((read("token").as_str(), read("k").as_str()), ("token-of-sa", "one"));
    cluster.api.put("configmaps", map("files", "two"));
    for _ in 0..100 {
        runtime_base::clock::sleep(Duration::from_millis(10)).await;
        if read("k") == "two" {
            return;
        }
    }
    panic!("the volume still shows {:?}", read("k"));
}

#[tokio::test(start_paused = true)]
async fn deletion_is_graceful_and_leaves_nothing() {
    let cluster = Cluster::new();
    let node = cluster.node();
    cluster.pod(json!({"containers": [{"name": "c", "image": "app:1",
        "lifecycle": {"preStop": {"sleep": {"seconds": 4}}}}]}));
    cluster.ready().await;
    assert!(cluster.pod_dir().exists());
    let before = cluster.clock.now();
    let deadline = crate::pod::api_time(crate::pod::timestamp(before + Duration::from_secs(30)));
    cluster.api.change(
        "pods",
        "ns",
        "p",
        &json!({"metadata": {"deletionTimestamp": deadline, "deletionGracePeriodSeconds": 30}}),
    );
    cluster.gone().await;
    let took = cluster.clock.now().duration_since(before).unwrap().as_secs();
    assert!((4..6).contains(&took), "took {took} s");
    let stops = node.backend.runs("c")[0].stops.lock().unwrap().clone();
    assert!(stops.len() == 1 && (24..=26).contains(&stops[0].as_secs()), "{stops:?}");
    cluster.check_event("Killing Stopping container c");
    runtime_base::clock::sleep(Duration::from_secs(1)).await;
    assert!(!cluster.pod_dir().exists());
    assert_eq!(std::fs::read_dir(cluster.dir.path().join("logs/pods")).unwrap().count(), 0);
    assert_eq!(node.ask("/containerLogs/ns/p/c").await.0, 404);
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_vanishes_is_killed_at_once() {
    let cluster = Cluster::new();
    let node = cluster.node();
    cluster.pod(json!({"containers": [{"name": "c", "image": "app:1"}]}));
    cluster.ready().await;
    cluster.api.vanish("pods", "ns", "p");
    runtime_base::clock::sleep(Duration::from_secs(1)).await;
    assert!(!node.backend.runs("c")[0].is_running() && !cluster.pod_dir().exists());
}

#[tokio::test(start_paused = true)]
async fn http_probes_decide_over_ready_and_restart() {
    let cluster = Cluster::new();
    let node = cluster.node();
    node.backend.answer.store(503, Ordering::Relaxed);
    let probe = |period: u32| json!({"httpGet": {"path": "/healthz", "port": "web"}, "periodSeconds": period});
    cluster.pod(json!({"terminationGracePeriodSeconds": 1, "containers": [{"name": "http", "image": "app:1",
        "ports": [{"name": "web", "containerPort": 8000}], "readinessProbe": probe(2), "livenessProbe": probe(60)}]}));
    cluster.api.wait_for("Running", POD, |pod| pod.unwrap()["status"]["phase"] == "Running").await;
    assert!(!is_ready(&cluster.api.get("pods", "ns", "p").unwrap()));
    runtime_base::clock::sleep(Duration::from_secs(10)).await;
    cluster.check_event("Unhealthy Readiness probe failed: HTTP probe failed with statuscode: 503");
    node.backend.answer.store(200, Ordering::Relaxed);
    cluster.ready().await;
    node.backend.answer.store(500, Ordering::Relaxed);
    let count = |pod: Option<&Value>| pod.unwrap()["status"]["containerStatuses"][0]["restartCount"].clone();
    cluster.api.wait_for("a restart", POD, |pod| count(pod) == 1).await;
    cluster.check_event("Killing Container http failed liveness probe, will be restarted");
    node.backend.answer.store(200, Ordering::Relaxed);
    cluster.ready().await;
}

#[tokio::test(start_paused = true)]
async fn ports_of_a_pod_are_reached_through_the_kubelet() {
    let cluster = Cluster::new();
    let node = cluster.node();
    cluster.pod(json!({"containers": [{"name": "http", "image": "app:1"}]}));
    cluster.ready().await;
    let (mut near, far) = tokio::io::duplex(64 * 1024);
    let kubelet = node.kubelet.clone();
    node.tasks.spawn("serve", async move { kubelet.serve(Box::new(far)).await });
    let upgrade = "GET /portForward/ns/p?uid=pod-uid&port=8080 HTTP/1.1\r\nhost: n1\r\nconnection: Upgrade\r\n\
        upgrade: coracle-tcp\r\n\r\n";
    near.write_all(upgrade.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(near.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
    near.write_all(b"GET /there HTTP/1.1\r\nhost: p\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    near.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("you asked for /there"), "{answer}");
    assert_eq!(node.ask("/portForward/ns/p?port=8080").await.0, 426);
    assert_eq!(node.ask("/portForward/ns/gone?port=8080").await.0, 404);
    assert_eq!(node.ask("/portForward/ns/p?port=0").await.0, 400);
    assert_eq!(node.ask("/healthz").await, (200, "ok".into()));
    assert_eq!(node.ask("/exec/ns/p/c").await.0, 404);
}

#[tokio::test(start_paused = true)]
async fn the_next_process_starts_what_the_last_one_ran() {
    let cluster = Cluster::new();
    let first = cluster.node();
    std::fs::create_dir_all(cluster.dir.path().join("pods/orphan/volumes")).unwrap();
    cluster.pod(json!({"containers": [{"name": "c", "image": "app:1",
        "lifecycle": {"preStop": {"sleep": {"seconds": 60}}}}]}));
    let ip = cluster.ready().await["status"]["podIP"].clone();
    runtime_base::clock::sleep(Duration::from_secs(2)).await;
    let before = cluster.api.get("pods", "ns", "p").unwrap();
    first.kubelet.shutdown().await;
    first.tasks.stop(Duration::from_secs(1)).await;
    assert!(!first.backend.runs("c")[0].is_running());
    assert_eq!(cluster.api.get("pods", "ns", "p").unwrap(), before, "the end of the process writes no status");
    let second = cluster.node();
    let count = |pod: Option<&Value>| pod.unwrap()["status"]["containerStatuses"][0]["restartCount"].clone();
    cluster.api.wait_for("a restart", POD, |pod| count(pod) == 1 && is_ready(pod.unwrap())).await;
    let pod = cluster.api.get("pods", "ns", "p").unwrap();
    assert_eq!(pod["status"]["podIP"], ip);
    let last = &pod["status"]["containerStatuses"][0]["lastState"]["terminated"];
    assert_eq!((&last["exitCode"], &last["message"]), (&json!(137), &json!("the node process ended")));
    assert_eq!(second.backend.runs("c").len(), 1);
    assert!(!cluster.dir.path().join("pods/orphan").exists());
}

#[tokio::test(start_paused = true)]
async fn a_finished_pod_frees_its_address_and_keeps_its_log() {
    let cluster = Cluster::new();
    let node = cluster.node();
    cluster.pod(json!({"restartPolicy": "Never", "containers": [{"name": "c", "image": "app:1"}]}));
    cluster.ready().await;
    node.backend.runs("c")[0].print("done\n");
    node.backend.runs("c")[0].exit(0, ExitReason::Completed);
    cluster.api.wait_for("Succeeded", POD, |pod| pod.unwrap()["status"]["phase"] == "Succeeded").await;
    runtime_base::clock::sleep(Duration::from_secs(1)).await;
    assert!(!cluster.pod_dir().exists());
    assert_eq!(node.ask("/containerLogs/ns/p/c").await, (200, "done\n".into()));
    let pod = cluster.api.get("pods", "ns", "p").unwrap();
    assert!(pod["status"]["podIP"].is_string(), "the address stays in the status");
}

#[tokio::test(start_paused = true)]
async fn an_unsupported_volume_is_named() {
    let cluster = Cluster::new();
    let _node = cluster.node();
    cluster.pod(json!({"containers": [{"name": "c", "image": "app:1"}],
        "volumes": [{"name": "v", "nfs": {"server": "s", "path": "/"}}]}));
    cluster.waiting("ContainerCreating").await;
    runtime_base::clock::sleep(Duration::from_secs(1)).await;
    cluster.check_event("FailedMount MountVolume.SetUp failed for volume \"v\" : volume type nfs is not supported yet");
}
