//! The API as the real kubectl speaks it.

use serde_json::{Value, json};
use std::time::Duration;
use tests_kit::{Server, programs, wait_for};

const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn kubectl_creates_changes_and_deletes() {
    let server = Server::start();
    let kubectl = server.kubectl();
    kubectl.ok(&["create", "configmap", "c", "--from-literal=a=1"]);
    kubectl.ok(&["label", "configmap", "c", "colour=green"]);
    kubectl.ok(&["annotate", "configmap", "c", "note=x"]);
    kubectl.ok(&["patch", "configmap", "c", "--type=merge", "-p", r#"{"data":{"b":"2"}}"#]);
    kubectl.ok(&["patch", "configmap", "c", "--type=json", "-p", r#"[{"op":"add","path":"/data/c","value":"3"}]"#]);
    kubectl.ok(&["patch", "configmap", "c", "-p", r#"{"data":{"a":null}}"#]);
    let object = kubectl.json(&["get", "configmap", "c"]);
    assert_eq!(object["data"], json!({"b": "2", "c": "3"}));
    assert_eq!(object["metadata"]["labels"]["colour"], "green");
    assert!(kubectl.ok(&["get", "configmaps", "-l", "colour=green"]).contains("c "));
    assert!(kubectl.ok(&["get", "configmaps", "-l", "colour!=green", "-o", "name"]).contains("kube-root-ca.crt"));
    assert!(kubectl.ok(&["get", "configmaps", "-A", "--field-selector=metadata.name=c"]).contains("default"));
    kubectl.ok(&["delete", "configmap", "c"]);
    let error = kubectl.fails(&["get", "configmap", "c"]);
    assert!(error.contains(r#"configmaps "c" not found"#), "{error}");
    let error = kubectl.fails(&["create", "namespace", "Bad_Name"]);
    assert!(error.contains("is invalid") && error.contains("metadata.name"), "{error}");
}

#[test]
fn apply_merges_what_changed() {
    let server = Server::start();
    let kubectl = server.kubectl();
    let deployment = |image: &str, replicas: u32| {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"},
            "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "d"}}, "template": {
                "metadata": {"labels": {"app": "d"}},
                "spec": {"containers": [{"name": "main", "image": image, "env": [{"name": "A", "value": "1"}]}]}}},
        })
        .to_string()
    };
    assert!(kubectl.apply(&deployment("x:1", 0)).contains("created"));
    assert!(kubectl.apply(&deployment("x:1", 0)).contains("unchanged"));
    assert!(kubectl.apply(&deployment("x:2", 0)).contains("configured"));
    kubectl.ok(&["set", "env", "deployment/d", "B=2"]);
    kubectl.apply(&deployment("x:3", 0));
    let container = kubectl.json(&["get", "deployment", "d"])["spec"]["template"]["spec"]["containers"][0].clone();
    assert_eq!(container["image"], "x:3");
    assert_eq!(container["env"].as_array().unwrap().len(), 2, "{container}");
    let error = kubectl.fails_with(&["apply", "-f", "-"], &deployment("x:3", 0).replace("\"image\"", "\"imagee\""));
    assert!(error.contains("unknown field"), "{error}");
    let mut edited = kubectl.command(&["edit", "deployment", "d"]);
    edited.env("KUBE_EDITOR", "sed -i s/x:3/x:4/");
    assert!(edited.output().unwrap().status.success());
    assert_eq!(kubectl.json(&["get", "deployment", "d"])["spec"]["template"]["spec"]["containers"][0]["image"], "x:4");
}

#[test]
fn explain_and_api_resources_know_every_kind() {
    let server = Server::start();
    let kubectl = server.kubectl();
    let resources = kubectl.ok(&["api-resources"]);
    let kinds = [
        "namespaces",
        "nodes",
        "pods",
        "configmaps",
        "secrets",
        "services",
        "endpointslices",
        "events",
        "deployments",
        "replicasets",
        "jobs",
        "serviceaccounts",
        "leases",
        "runtimeclasses",
    ];
    for kind in kinds {
        assert!(resources.contains(kind), "{kind} in {resources}");
        let explained = kubectl.ok(&["explain", kind]);
        assert!(explained.contains("KIND:") && explained.contains("metadata"), "{explained}");
        kubectl.ok(&["get", kind, "-A"]);
        kubectl.ok(&["get", kind, "-A", "-o", "wide"]);
        kubectl.ok(&["get", kind, "-A", "-o", "yaml"]);
    }
    let explained = kubectl.ok(&["explain", "deployment.spec.template.spec.containers.ports", "--recursive"]);
    assert!(explained.contains("containerPort"), "{explained}");
}

#[test]
fn a_watch_shows_what_happens() {
    let server = Server::start();
    let kubectl = server.kubectl();
    let watch = kubectl.start(&["get", "configmaps", "-w", "-o", "name"], &server.dir().join("watch.log"));
    wait_for(
        "the watch",
        LIMIT,
        || if watch.printed().contains("kube-root-ca") { Ok(()) } else { Err(watch.printed()) },
    );
    kubectl.ok(&["create", "configmap", "first", "--from-literal=a=1"]);
    kubectl.ok(&["delete", "configmap", "first"]);
    wait_for("both events", LIMIT, || {
        let printed = watch.printed();
        if printed.matches("configmap/first").count() >= 2 { Ok(()) } else { Err(printed) }
    });
}

#[test]
fn describe_wait_scale_and_logs_work_on_a_pod() {
    let server = Server::start();
    let kubectl = server.kubectl();
    let image = programs::guest_image("stress");
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "idle"},
        "spec": {"containers": [{"name": "main", "image": image, "args": ["idle"]}]},
    });
    kubectl.apply(&pod.to_string());
    kubectl.ok(&["wait", "--for=condition=Ready", "pod/idle", "--timeout=60s"]);
    let described = kubectl.ok(&["describe", "pod", "idle"]);
    for part in ["Status:", "Running", "Started", "QoS Class:", "BestEffort", "kube-api-access-"] {
        assert!(described.contains(part), "{part} in {described}");
    }
    assert!(kubectl.ok(&["describe", "node"]).contains("idle"));
    let table = kubectl.ok(&["get", "pods", "-o", "wide"]);
    assert!(table.contains("1/1") && table.contains("10.244."), "{table}");
    assert!(kubectl.ok(&["get", "events"]).contains("Started"));
    kubectl.ok(&["delete", "pod", "idle", "--timeout=60s"]);
    let gone = |list: &Value| list["items"].as_array().is_some_and(Vec::is_empty);
    kubectl.wait_until(&["get", "pods"], "no Pods", LIMIT, gone);
}

#[test]
fn rights_are_asked_for_every_request() {
    let server = Server::start();
    let kubectl = server.kubectl();
    kubectl.ok(&["create", "serviceaccount", "reader"]);
    let as_reader = "--as=system:serviceaccount:default:reader";
    let error = kubectl.fails(&["get", "pods", as_reader]);
    assert!(error.contains(r#"User "system:serviceaccount:default:reader" cannot list resource "pods" in API group "" in the namespace "default""#), "{error}");
    kubectl.ok(&["create", "role", "pod-reader", "--verb=get,list", "--resource=pods"]);
    kubectl.ok(&["create", "rolebinding", "reader", "--role=pod-reader", "--serviceaccount=default:reader"]);
    wait_for("the right", LIMIT, || {
        let output = kubectl.run(&["get", "pods", as_reader]);
        if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
    });
    kubectl.fails(&["delete", "pod", "x", as_reader]);
    let token = kubectl.ok(&["create", "token", "reader"]);
    assert_eq!(token.trim().split('.').count(), 3);
    assert!(kubectl.ok(&["auth", "whoami", as_reader]).contains("system:serviceaccounts"));
    assert_eq!(kubectl.ok(&["auth", "can-i", "list", "pods", as_reader]).trim(), "yes");
}
