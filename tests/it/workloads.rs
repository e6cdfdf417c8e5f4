//! Pods, Deployments and Jobs of Wasm components, from manifest to end.

use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;
use tests_kit::server::free_port;
use tests_kit::{Kubectl, Registry, Server, http, programs, wait_for};

const LIMIT: Duration = Duration::from_secs(60);

/// A Pod of one container.
fn pod(name: &str, guest: &str, more: Value) -> String {
    let mut container = json!({"name": "main", "image": programs::guest_image(guest)});
    for (key, value) in more["container"].as_object().into_iter().flatten() {
        container[key] = value.clone();
    }
    let mut spec = json!({"containers": [container]});
    for (key, value) in more["spec"].as_object().into_iter().flatten() {
        spec[key] = value.clone();
    }
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}).to_string()
}

fn deployment(name: &str, replicas: u32, image: &str, env: &Value) -> String {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {
            "replicas": replicas, "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{
                    "name": "web", "image": image, "env": env, "ports": [{"name": "http", "containerPort": 8080}],
                    "readinessProbe": {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 1},
                    "livenessProbe": {"httpGet": {"path": "/healthz", "port": 8080}},
                }]},
            },
        },
    })
    .to_string()
}

fn node_port_service(name: &str, port: u16) -> String {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
        "spec": {"type": "NodePort", "selector": {"app": name}, "ports": [{"port": 80, "targetPort": "http", "nodePort": port}]},
    })
    .to_string()
}

/// A free port of the NodePort range, beyond the one that an example claims.
fn node_port() -> u16 {
    let in_range = |port: u16| 30100 + port % 2668;
    wait_for("a free node port", LIMIT, || {
        let port = in_range(free_port());
        std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map(|_| port).map_err(|error| error.to_string())
    })
}

fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

fn main_state(pod: &Value) -> &Value {
    &pod["status"]["containerStatuses"][0]["state"]
}

#[test]
fn a_deployment_answers_through_its_node_port_and_heals() {
    let server = Server::start();
    let kubectl = server.kubectl();
    let port = node_port();
    kubectl.apply(&deployment(
        "web",
        2,
        &programs::guest_image("hello-http"),
        &json!([{"name": "GREETING", "value": "Ahoy"}]),
    ));
    kubectl.apply(&node_port_service("web", port));
    kubectl.ok(&["rollout", "status", "deployment/web", "--timeout=60s"]);
    let body = wait_for("an answer", LIMIT, || match http::get(loopback(port), "/") {
        Ok((200, body)) => Ok(body),
        other => Err(format!("{other:?}")),
    });
    assert!(body.contains("Ahoy"), "{body}");
    let names = || -> Vec<String> {
        let list = kubectl.json(&["get", "pods", "-l", "app=web", "--field-selector=status.phase=Running"]);
        let items = list["items"].as_array().cloned().unwrap_or_default();
        items.iter().map(|pod| pod["metadata"]["name"].as_str().unwrap().to_owned()).collect()
    };
    let before = names();
    assert_eq!(before.len(), 2);
    kubectl.ok(&["delete", "pod", &before[0]]);
    let after = wait_for("a new Pod", LIMIT, || {
        let now = names();
        if now.len() == 2 && !now.contains(&before[0]) { Ok(now) } else { Err(format!("{now:?}")) }
    });
    assert!(after.contains(&before[1]));
    kubectl.ok(&["scale", "deployment/web", "--replicas=4"]);
    kubectl.ok(&["rollout", "status", "deployment/web", "--timeout=60s"]);
    assert_eq!(names().len(), 4);
    let described = kubectl.ok(&["describe", "deployment", "web"]);
    assert!(described.contains("ScalingReplicaSet"), "{described}");
}

#[test]
fn a_new_image_is_rolled_out_without_a_failed_request() {
    let registry = Registry::start();
    let server = Server::start();
    let kubectl = server.kubectl();
    let images = ["web:1", "web:2"].map(|name| registry.image(name));
    for image in &images {
        crate::images::build_and_push(&server, &programs::guest("hello-http"), image);
    }
    let port = node_port();
    kubectl.apply(&deployment("web", 3, &images[0], &json!([])));
    kubectl.apply(&node_port_service("web", port));
    kubectl.ok(&["rollout", "status", "deployment/web", "--timeout=60s"]);
    wait_for("an answer", LIMIT, || http::get(loopback(port), "/healthz"));
    let (done, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let asking = {
        let (done, asked) = (done.clone(), asked.clone());
        std::thread::spawn(move || {
            let mut failed = Vec::new();
            while !done.load(Ordering::Relaxed) || asked.load(Ordering::Relaxed) < 1000 {
                asked.fetch_add(1, Ordering::Relaxed);
                match http::get(loopback(port), "/") {
                    Ok((200, _)) => {}
                    other => failed.push(format!("{other:?}")),
                }
            }
            failed
        })
    };
    kubectl.ok(&["set", "image", "deployment/web", &format!("web={}", images[1])]);
    kubectl.ok(&["rollout", "status", "deployment/web", "--timeout=60s"]);
    done.store(true, Ordering::Relaxed);
    let failed = asking.join().unwrap();
    assert!(failed.is_empty(), "{} of {} failed: {:?}", failed.len(), asked.load(Ordering::Relaxed), failed.first());
    let pods = kubectl.json(&["get", "pods", "-l", "app=web"]);
    let current = |pod: &&Value| pod["metadata"]["deletionTimestamp"].is_null();
    for pod in pods["items"].as_array().unwrap().iter().filter(current) {
        assert_eq!(pod["spec"]["containers"][0]["image"], json!(images[1]));
    }
    let history = kubectl.ok(&["rollout", "history", "deployment/web"]);
    assert!(history.contains('2'), "{history}");
    kubectl.ok(&["rollout", "undo", "deployment/web"]);
    kubectl.ok(&["rollout", "status", "deployment/web", "--timeout=60s"]);
    let template = kubectl.json(&["get", "deployment", "web"]);
    assert_eq!(template["spec"]["template"]["spec"]["containers"][0]["image"], json!(images[0]));
}

#[test]
fn pods_run_again_after_a_restart_of_the_server() {
    let mut server = Server::start();
    let kubectl = server.kubectl();
    let port = node_port();
    kubectl.apply(&deployment("web", 2, &programs::guest_image("hello-http"), &json!([])));
    kubectl.apply(&node_port_service("web", port));
    kubectl.ok(&["rollout", "status", "deployment/web", "--timeout=60s"]);
    let facts = |kubectl: &Kubectl| -> Vec<(String, String, String)> {
        let list = kubectl.json(&["get", "pods"]);
        let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
        let items = list["items"].as_array().unwrap().iter();
        items
            .map(|p| (text(&p["metadata"]["name"]), text(&p["metadata"]["uid"]), text(&p["status"]["podIP"])))
            .collect()
    };
    let before = facts(&kubectl);
    server.stop();
    server.restart();
    assert_eq!(facts(&kubectl), before, "the same Pods with the same addresses");
    wait_for("an answer", LIMIT, || match http::get(loopback(port), "/") {
        Ok((200, body)) => Ok(body),
        other => Err(format!("{other:?}")),
    });
    let ready = |deployment: &Value| deployment["status"]["readyReplicas"] == 2;
    kubectl.wait_until(&["get", "deployment", "web"], "both ready", LIMIT, ready);
    assert_eq!(facts(&kubectl), before);
}

#[test]
fn a_job_succeeds_and_another_fails_with_its_exit_code() {
    let server = Server::start();
    let kubectl = server.kubectl();
    let job = |name: &str, code: &str| {
        json!({
            "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name},
            "spec": {"backoffLimit": 0, "template": {"spec": {"restartPolicy": "Never", "containers": [{
                "name": "main", "image": programs::guest_image("hello-p1"),
                "args": ["one", "two"], "env": [{"name": "EXIT_CODE", "value": code}],
            }]}}},
        })
        .to_string()
    };
    kubectl.apply(&job("good", "0"));
    kubectl.apply(&job("bad", "7"));
    kubectl.ok(&["wait", "--for=condition=Complete", "job/good", "--timeout=60s"]);
    kubectl.ok(&["wait", "--for=condition=Failed", "job/bad", "--timeout=60s"]);
    let log = kubectl.ok(&["logs", "job/good"]);
    assert!(log.contains("args: one two"), "{log}");
    let pods = kubectl.json(&["get", "pods", "-l", "job-name=bad"]);
    let end = &main_state(&pods["items"][0])["terminated"];
    assert_eq!((&end["exitCode"], &end["reason"]), (&json!(7), &json!("Error")), "{pods}");
    assert_eq!(pods["items"][0]["status"]["phase"], "Failed");
    let good = kubectl.json(&["get", "job", "good"]);
    assert_eq!(good["status"]["succeeded"], 1);
    let table = kubectl.ok(&["get", "pods"]);
    assert!(table.contains("Completed") && table.contains("Error"), "{table}");
}

#[test]
fn too_much_memory_is_oom_killed() {
    let server = Server::start();
    let kubectl = server.kubectl();
    let limits = json!({"container": {"args": ["memory", "200"], "resources": {"limits": {"memory": "64Mi"}}}, "spec": {"restartPolicy": "Never"}});
    kubectl.apply(&pod("hog", "stress", limits));
    let killed = |pod: &Value| main_state(pod)["terminated"]["reason"] == "OOMKilled";
    let seen = kubectl.wait_until(&["get", "pod", "hog"], "OOMKilled", LIMIT, killed);
    assert_eq!(main_state(&seen)["terminated"]["exitCode"], 137);
}

#[test]
fn a_container_that_ends_again_and_again_backs_off() {
    let server = Server::start();
    let kubectl = server.kubectl();
    kubectl.apply(&pod("crash", "hello-p1", json!({"container": {"env": [{"name": "EXIT_CODE", "value": "3"}]}})));
    let backs_off = |pod: &Value| main_state(pod)["waiting"]["reason"] == "CrashLoopBackOff";
    let seen = kubectl.wait_until(&["get", "pod", "crash"], "CrashLoopBackOff", LIMIT, backs_off);
    let message = main_state(&seen)["waiting"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("back-off 10s restarting failed container"), "{message}");
    assert_eq!(seen["status"]["containerStatuses"][0]["lastState"]["terminated"]["exitCode"], 3);
    assert!(kubectl.ok(&["get", "pods"]).contains("CrashLoopBackOff"));
    let log = kubectl.ok(&["logs", "crash", "--previous"]);
    assert!(log.contains("Hello"), "{log}");
}

#[test]
fn an_image_that_cannot_be_pulled_says_why() {
    let registry = Registry::start();
    let server = Server::start();
    let kubectl = server.kubectl();
    let image = registry.image("nothing:here");
    let manifest = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [{"name": "main", "image": image}]}});
    kubectl.apply(&manifest.to_string());
    let backs_off = |pod: &Value| main_state(pod)["waiting"]["reason"] == "ImagePullBackOff";
    let seen = kubectl.wait_until(&["get", "pod", "p"], "ImagePullBackOff", LIMIT, backs_off);
    let message = main_state(&seen)["waiting"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains(&image), "{message}");
    let described = kubectl.ok(&["describe", "pod", "p"]);
    assert!(described.contains("Failed to pull image") && described.contains("not found"), "{described}");
}

#[test]
fn config_maps_and_secrets_arrive_as_files_and_variables() {
    let server = Server::start();
    let kubectl = server.kubectl();
    kubectl.ok(&["create", "configmap", "settings", "--from-literal=colour=green"]);
    kubectl.ok(&["create", "secret", "generic", "keys", "--from-literal=key=s3cret"]);
    let more = json!({
        "container": {
            "env": [
                {"name": "CONFIG", "value": "/etc/settings/colour"},
                {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "key"}}},
                {"name": "TWICE", "value": "$(KEY)-$(KEY)"},
            ],
            "envFrom": [{"configMapRef": {"name": "settings"}, "prefix": "FROM_"}],
            "volumeMounts": [{"name": "settings", "mountPath": "/etc/settings", "readOnly": true}, {"name": "scratch", "mountPath": "/tmp"}],
        },
        "spec": {"restartPolicy": "Never", "volumes": [{"name": "settings", "configMap": {"name": "settings"}}, {"name": "scratch", "emptyDir": {}}]},
    });
    kubectl.apply(&pod("reader", "hello", more));
    kubectl.wait_until(&["get", "pod", "reader"], "its end", LIMIT, |pod| pod["status"]["phase"] == "Succeeded");
    let log = kubectl.ok(&["logs", "reader"]);
    for expected in ["env: KEY=s3cret", "env: TWICE=s3cret-s3cret", "env: FROM_colour=green", "green"] {
        assert!(log.contains(expected), "{expected} in {log}");
    }
}

#[test]
fn a_pod_too_large_for_the_node_waits_and_says_so() {
    let server = Server::start();
    let kubectl = server.kubectl();
    kubectl.apply(&pod(
        "huge",
        "stress",
        json!({"container": {"args": ["idle"], "resources": {"requests": {"memory": "9000Gi"}}}}),
    ));
    let refused = |pod: &Value| {
        let conditions = pod["status"]["conditions"].as_array().cloned().unwrap_or_default();
        conditions.iter().any(|c| {
            c["reason"] == "Unschedulable" && c["message"].as_str().unwrap_or("").contains("Insufficient memory")
        })
    };
    kubectl.wait_until(&["get", "pod", "huge"], "Unschedulable", LIMIT, refused);
    assert!(kubectl.ok(&["describe", "pod", "huge"]).contains("FailedScheduling"));
}

#[test]
fn a_deleted_deployment_takes_its_pods_with_it() {
    let server = Server::start();
    let kubectl = server.kubectl();
    kubectl.apply(&deployment("web", 2, &programs::guest_image("hello-http"), &json!([])));
    kubectl.ok(&["rollout", "status", "deployment/web", "--timeout=60s"]);
    kubectl.ok(&["delete", "deployment", "web", "--cascade=foreground", "--timeout=60s"]);
    let empty = |list: &Value| list["items"].as_array().is_some_and(Vec::is_empty);
    kubectl.wait_until(&["get", "pods"], "no Pods", LIMIT, empty);
    kubectl.wait_until(&["get", "replicasets"], "no ReplicaSets", LIMIT, empty);
}

#[test]
fn a_deleted_namespace_is_emptied_first() {
    let server = Server::start();
    let kubectl = server.kubectl();
    kubectl.ok(&["create", "namespace", "short"]);
    kubectl.ok(&["create", "configmap", "c", "-n", "short", "--from-literal=a=1"]);
    kubectl.ok_with(
        &["apply", "-n", "short", "-f", "-"],
        &pod("idle", "stress", json!({"container": {"args": ["idle"]}})),
    );
    kubectl.ok(&["wait", "--for=condition=Ready", "pod/idle", "-n", "short", "--timeout=60s"]);
    kubectl.ok(&["delete", "namespace", "short", "--timeout=90s"]);
    assert!(kubectl.fails(&["get", "namespace", "short"]).contains("not found"));
    assert!(kubectl.fails(&["create", "configmap", "x", "-n", "short"]).contains("not found"));
}
