//! get, describe, explain, logs, events, wait, port-forward, proxy and what shows the server itself.

use super::{LIMIT, Rows, pod};
use tests_kit::{http, server::free_port, wait_for};

pub fn rows(rows: &Rows) {
    server_itself(rows);
    rows.ok_with("create -f -", &pod("p1", "hello-http"), &["pod/p1 created"]);
    rows.ok("wait --for=condition=Ready pod/p1 --timeout=60s", &["pod/p1 condition met"]);
    rows.ok("wait --for=jsonpath={.status.phase}=Running pod/p1 --timeout=20s", &["pod/p1 condition met"]);
    rows.ok("wait --for=delete pod/nonexist --timeout=5s", &[]);
    rows.fails("wait --for=condition=Failed pod/p1 --timeout=1s", 1, &["timed out waiting for the condition"]);
    gets(rows);
    explains(rows);
    rows.ok("logs p1", &[]);
    rows.ok("logs p1 --tail=5 --timestamps", &[]);
    rows.ok("logs -l app=web --all-containers --prefix", &[]);
    rows.fails("logs p1 -c nothing", 1, &["container nothing is not valid for pod p1"]);
    rows.ok("events", &["REASON", "Pod/p1"]);
    rows.ok("events --for pod/p1", &["Scheduled", "Started"]);
    forwarding(rows);
    rows.fails("top pods", 1, &["Metrics API not available"]);
    rows.fails("top nodes", 1, &["Metrics API not available"]);
    rows.ok("get all", &["pod/p1", "service/kubernetes"]);
    rows.ok("get cm,secret", &["configmap/kube-root-ca.crt"]);
}

fn server_itself(rows: &Rows) {
    rows.ok("version", &["Client Version", "Server Version: v1.36"]);
    rows.ok("api-versions", &["apps/v1", "rbac.authorization.k8s.io/v1", "autoscaling/v2", "storage.k8s.io/v1"]);
    rows.ok(
        "api-resources",
        &[
            "deployments",
            "deploy",
            "apps/v1",
            "statefulsets",
            "sts",
            "networkpolicies",
            "netpol",
            "poddisruptionbudgets",
        ],
    );
    rows.ok("api-resources --api-group=apps", &["deployments", "daemonsets", "controllerrevisions"]);
    rows.ok(
        "api-resources --verbs=list --namespaced -o name",
        &["pods", "deployments.apps", "ingresses.networking.k8s.io"],
    );
    rows.ok("cluster-info", &["Kubernetes control plane", "is running at"]);
    rows.ok("get --raw /readyz", &["ok"]);
    rows.ok("get --raw /readyz?verbose", &["[+]ping ok", "readyz check passed"]);
    rows.ok("get --raw /healthz", &["ok"]);
    rows.ok("get --raw /metrics", &["# TYPE"]);
    rows.fails("get --raw /nothing", 1, &["the server could not find the requested resource"]);
    rows.ok("config view", &["clusters:", "server: https://127.0.0.1"]);
    rows.ok("completion bash", &["bash completion"]);
    rows.fails("plugin list", 1, &["unable to find any kubectl plugins"]);
    rows.ok("options", &["--kubeconfig"]);
}

fn gets(rows: &Rows) {
    rows.ok("get pods", &["NAME", "READY", "STATUS", "RESTARTS", "AGE", "p1", "1/1", "Running"]);
    rows.ok("get pods -o wide", &["IP", "NODE", "NOMINATED NODE", "READINESS GATES", "<none>"]);
    rows.ok("get pod p1 -o yaml", &["kind: Pod", "name: p1", "phase: Running"]);
    rows.ok("get pods -A --sort-by=.metadata.name", &["NAMESPACE", "default", "p1"]);
    rows.ok("get pods -l app=web --field-selector=status.phase=Running -o name --chunk-size=1", &["pod/p1"]);
    rows.ok("get pods --field-selector=status.phase=Pending", &["No resources found"]);
    rows.ok("get pods -o jsonpath={.items[0].metadata.name}", &["p1"]);
    rows.ok("get pods -o custom-columns=N:.metadata.name,P:.status.phase", &["N", "p1", "Running"]);
    rows.ok("get po,svc -o name", &["pod/p1", "service/kubernetes"]);
    rows.ok("get pods --show-labels", &["LABELS", "app=web"]);
    rows.ok("get pods -L app", &["APP", "web"]);
    rows.fails("get pods nothing", 1, &["Error from server (NotFound): pods \"nothing\" not found"]);
    rows.ok("get pods nothing --ignore-not-found", &[]);
    rows.fails("get nonsense", 1, &["the server doesn't have a resource type \"nonsense\""]);
    rows.fails("get pods --field-selector=spec.nothing=1", 1, &["field label not supported: spec.nothing"]);
    rows.ok("describe pod p1", &["Name:", "p1", "Conditions:", "Events:", "Started"]);
    rows.ok("describe node", &["Capacity:", "Allocatable:", "Non-terminated Pods:", "p1"]);
    rows.ok("get pods -w --request-timeout=2s", &["p1"]);
    rows.ok("get events -w --watch-only --request-timeout=2s", &[]);
    rows.ok("get pods --output-watch-events -w --request-timeout=2s", &["EVENT", "ADDED", "p1"]);
}

fn explains(rows: &Rows) {
    rows.ok("explain deploy.spec.template.spec.containers.ports", &["containerPort", "FIELDS:", "-required-"]);
    rows.ok("explain pods --recursive", &["containers", "livenessProbe", "terminationGracePeriodSeconds"]);
    rows.ok("explain pods --output=plaintext-openapiv2", &["KIND:", "Pod", "spec"]);
    rows.ok("explain cronjob.spec", &["schedule", "concurrencyPolicy"]);
    rows.ok(
        "explain pod.spec.restartPolicy",
        &["FIELD: restartPolicy <string>", "ENUM:", "    Always", "    OnFailure"],
    );
    rows.fails("explain nonsense", 1, &["nonsense"]);
    // Every kind can be explained whole.
    let names = rows.ok("api-resources -o name --verbs=create", &[]);
    // kubectl reads `events.events.k8s.io` as a field of the core group's Event.
    for name in names.lines().filter(|name| *name != "events.events.k8s.io") {
        rows.ok(&format!("explain {name} --recursive"), &["KIND:", "FIELDS:"]);
    }
}

fn forwarding(rows: &Rows) {
    let port = free_port();
    let forward =
        rows.kubectl.start(&["port-forward", "p1", &format!("{port}:8080")], &rows.server.dir().join("forward.log"));
    let body =
        wait_for("an answer through the forwarded port", LIMIT, || http::get(([127, 0, 0, 1], port).into(), "/"));
    assert_eq!(body.0, 200, "{}", body.1);
    drop(forward);
    let port = free_port();
    let proxy = rows.kubectl.start(&["proxy", &format!("--port={port}")], &rows.server.dir().join("proxy.log"));
    let body = wait_for("an answer of the proxy", LIMIT, || http::get(([127, 0, 0, 1], port).into(), "/version"));
    assert!(body.1.contains("gitVersion"), "{}", body.1);
    drop(proxy);
}
