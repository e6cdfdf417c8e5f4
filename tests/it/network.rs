//! The virtual network as Pods and users see it.

use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tests_kit::programs::guest_image;
use tests_kit::server::free_port;
use tests_kit::{Server, http, wait_for};

const LIMIT: Duration = Duration::from_secs(60);

fn echo_server() -> String {
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "server", "labels": {"app": "echo"}},
        "spec": {"containers": [{"name": "main", "image": guest_image("echo"), "args": ["serve", "7000"], "ports": [{"containerPort": 7000}]}]},
    });
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "echo"},
        "spec": {"selector": {"app": "echo"}, "ports": [{"port": 7, "targetPort": 7000}]},
    });
    json!({"apiVersion": "v1", "kind": "List", "items": [pod, service]}).to_string()
}

fn client(name: &str, host: &str, port: &str) -> String {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
        "spec": {"restartPolicy": "Never", "containers": [
            {"name": "main", "image": guest_image("echo"), "args": ["client", host, port, "ahoy", "--times", "3"]},
        ]},
    })
    .to_string()
}

#[test]
fn pods_reach_each_other_by_address_service_and_name() {
    let server = Server::start();
    let kubectl = server.kubectl();
    kubectl.apply(&echo_server());
    kubectl.ok(&["wait", "--for=condition=Ready", "pod/server", "--timeout=60s"]);
    let pod_ip = kubectl.json(&["get", "pod", "server"])["status"]["podIP"].as_str().unwrap().to_owned();
    let cluster_ip = kubectl.json(&["get", "service", "echo"])["spec"]["clusterIP"].as_str().unwrap().to_owned();
    let ways = [
        ("by-pod-ip", pod_ip.as_str(), "7000"),
        ("by-cluster-ip", cluster_ip.as_str(), "7"),
        ("by-short-name", "echo", "7"),
        ("by-full-name", "echo.default.svc.cluster.local", "7"),
    ];
    for (name, host, port) in ways {
        kubectl.apply(&client(name, host, port));
    }
    for (name, _, _) in ways {
        let done = |pod: &Value| pod["status"]["phase"] == "Succeeded";
        kubectl.wait_until(&["get", "pod", name], name, LIMIT, done);
        assert!(kubectl.ok(&["logs", name]).contains("3: ahoy"), "{name}");
    }
}

#[test]
fn containers_of_a_pod_share_localhost_and_other_pods_do_not() {
    let server = Server::start();
    let kubectl = server.kubectl();
    let pair = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pair"},
        "spec": {"restartPolicy": "Never", "containers": [
            {"name": "server", "image": guest_image("echo"), "args": ["serve", "7000"]},
            {"name": "client", "image": guest_image("echo"), "args": ["client", "localhost", "7000", "neighbour"]},
        ]},
    });
    kubectl.apply(&pair.to_string());
    let client_done = |pod: &Value| {
        let statuses = pod["status"]["containerStatuses"].as_array().cloned().unwrap_or_default();
        statuses.iter().any(|c| c["name"] == "client" && c["state"]["terminated"]["exitCode"] == 0)
    };
    kubectl.wait_until(&["get", "pod", "pair"], "the client's end", LIMIT, client_done);
    let alone = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "alone"},
        "spec": {"restartPolicy": "Never", "containers": [
            {"name": "client", "image": guest_image("echo"), "args": ["client", "localhost", "7000", "x", "--wait", "1"]},
        ]},
    });
    kubectl.apply(&alone.to_string());
    kubectl.wait_until(&["get", "pod", "alone"], "its failure", LIMIT, |pod| pod["status"]["phase"] == "Failed");
}

#[test]
fn port_forward_reaches_a_pod() {
    let server = Server::start();
    let kubectl = server.kubectl();
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"},
        "spec": {"containers": [{"name": "web", "image": guest_image("hello-http"), "ports": [{"name": "http", "containerPort": 8080}]}]},
    });
    kubectl.apply(&pod.to_string());
    kubectl.ok(&["wait", "--for=condition=Ready", "pod/web", "--timeout=60s"]);
    let port = free_port();
    let forward =
        kubectl.start(&["port-forward", "pod/web", &format!("{port}:8080")], &server.dir().join("forward.log"));
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    for _ in 0..5 {
        let (status, _) = wait_for("an answer", LIMIT, || {
            http::get(address, "/").map_err(|error| format!("{error}; {}", forward.printed()))
        });
        assert_eq!(status, 200);
    }
}

#[test]
fn logs_are_followed_and_labelled() {
    let server = Server::start();
    let kubectl = server.kubectl();
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pair"},
        "spec": {"containers": [
            {"name": "server", "image": guest_image("echo"), "args": ["serve", "7000"]},
            {"name": "client", "image": guest_image("echo"), "args": ["client", "localhost", "7000", "tick", "--times", "0", "--pause-ms", "50"]},
        ]},
    });
    kubectl.apply(&pod.to_string());
    kubectl.ok(&["wait", "--for=condition=Ready", "pod/pair", "--timeout=60s"]);
    let follow = kubectl.start(&["logs", "-f", "pair", "-c", "client"], &server.dir().join("follow.log"));
    wait_for("ten lines", LIMIT, || {
        let printed = follow.printed();
        if printed.contains("10: tick") { Ok(()) } else { Err(printed) }
    });
    let error = kubectl.fails(&["logs", "pair", "-c", "nobody"]);
    assert!(error.contains("container nobody is not valid for pod pair"), "{error}");
    let tail = kubectl.ok(&["logs", "pair", "-c", "client", "--tail=2", "--timestamps"]);
    assert_eq!(tail.lines().count(), 2, "{tail}");
    assert!(tail.starts_with("20"), "{tail}");
}
