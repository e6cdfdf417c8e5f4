//! The audit log, as requests write it.

use super::*;
use crate::audit::{AuditConfig, LogOptions, Policy};
use std::path::Path;

async fn audited(dir: &Path, rules: &str, size_max: u64) -> Kit {
    let clock = Clock::simulated(SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_000_000));
    let store = RedbStore::in_memory(RedbOptions { clock: clock.clone() }).unwrap();
    let text = format!("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n{rules}");
    let log = LogOptions { path: dir.join("audit.log"), size_max, age_max: Duration::ZERO, backups_max: 2 };
    let audit = AuditConfig { policy: Policy::parse(text.as_bytes()).unwrap(), log };
    audited_kit(store, clock, Some(audit)).await
}

/// Ends the server, which ends the writer's thread, and reads what it wrote once that is there.
async fn lines(kit: Kit, dir: &Path, count: usize) -> Vec<Value> {
    kit.tasks.stop(Duration::from_secs(5)).await;
    drop(kit);
    let (clock, limit) = (Clock::system(), Duration::from_secs(20));
    let start = clock.monotonic();
    while clock.monotonic() - start < limit {
        let text = std::fs::read_to_string(dir.join("audit.log")).unwrap_or_default();
        if text.ends_with('\n') && text.lines().count() >= count {
            return text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        }
        tokio::task::yield_now().await;
    }
    panic!("the audit log has not got {count} lines");
}

#[tokio::test]
async fn accepted_and_refused_requests_are_written_down() {
    let dir = tempfile::tempdir().unwrap();
    let rules = "- level: None\n  resources: [{group: \"\", resources: [namespaces]}]\n\
                 - level: Metadata\n  resources: [{group: \"\", resources: [secrets]}]\n- level: RequestResponse\n";
    let kit = audited(dir.path(), rules, 0).await;
    kit.post("/api/v1/namespaces", json!({"metadata": {"name": "default"}})).await;
    let headers = [("audit-id", "mine"), ("user-agent", "me/1")];
    assert_eq!(kit.send("POST", MAPS, &headers, config_map("a", "1")).await.0, 201);
    let secrets = "/api/v1/namespaces/default/secrets";
    let secret = json!({"metadata": {"name": "s"}, "stringData": {"password": "hunter22"}});
    assert_eq!(kit.post(secrets, secret).await.0, 201);
    let nobody = Identity::user("nobody", &[]);
    let refused = kit.server.handle(nobody, request("DELETE", &format!("{MAPS}/a"), &[], "")).await;
    assert!(refused.headers().contains_key("audit-id"));
    assert_eq!(refused.status(), 403);
    assert_eq!(kit.server.handle_from_outside(&[], request("GET", MAPS, &[], "")).await.status(), 401);
    let events = lines(kit, dir.path(), 8).await;
    let text = serde_json::to_string(&events).unwrap();
    assert!(!text.contains("hunter22") && !text.contains("password"), "Metadata holds no objects");
    let stages: Vec<&str> = events.iter().map(|event| event["stage"].as_str().unwrap()).collect();
    assert_eq!(stages, ["RequestReceived", "ResponseComplete"].repeat(4));
    let made = &events[1];
    assert_eq!(
        (&made["auditID"], &made["verb"], &made["userAgent"]),
        (&json!("mine"), &json!("create"), &json!("me/1"))
    );
    assert_eq!(
        made["objectRef"],
        json!({"resource": "configmaps", "apiVersion": "v1", "namespace": "default", "name": "a"})
    );
    assert_eq!((&made["requestObject"]["data"]["key"], &made["responseStatus"]["code"]), (&json!("1"), &json!(201)));
    assert_eq!(made["responseObject"]["kind"], "ConfigMap");
    assert_eq!(made["annotations"]["authorization.k8s.io/decision"], "allow");
    let denied = &events[5];
    assert_eq!(denied["annotations"]["authorization.k8s.io/decision"], "forbid");
    assert_eq!(
        (&denied["responseStatus"]["code"], &denied["responseStatus"]["reason"]),
        (&json!(403), &json!("Forbidden"))
    );
    assert_eq!(
        (&events[7]["user"]["username"], &events[7]["responseStatus"]["code"]),
        (&json!("system:anonymous"), &json!(401))
    );
}

#[tokio::test]
async fn a_watch_is_written_down_when_it_starts_and_when_it_ends() {
    let dir = tempfile::tempdir().unwrap();
    let kit = audited(dir.path(), "- level: Metadata\n", 0).await;
    let watch = kit.watch("/api/v1/nodes?watch=1").await;
    drop(watch);
    let events = lines(kit, dir.path(), 3).await;
    let stages: Vec<&str> = events.iter().map(|event| event["stage"].as_str().unwrap()).collect();
    assert_eq!(stages, ["RequestReceived", "ResponseStarted", "ResponseComplete"]);
}

#[tokio::test]
async fn the_log_is_rotated_and_old_files_go() {
    let dir = tempfile::tempdir().unwrap();
    let kit = audited(dir.path(), "- level: Metadata\n", 2000).await;
    for _ in 0..20 {
        kit.get("/version").await;
    }
    lines(kit, dir.path(), 1).await;
    let mut names: Vec<String> =
        std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert!(names.len() <= 3 && names.contains(&"audit.log".to_owned()), "{names:?}");
    assert!(names.iter().any(|name| name.starts_with("audit-2026-11-18T")), "{names:?}");
}

#[tokio::test]
async fn bodies_of_every_media_type_are_written_down_as_json() {
    let dir = tempfile::tempdir().unwrap();
    let kit = audited(dir.path(), "- level: RequestResponse\n  omitManagedFields: true\n", 0).await;
    kit.post("/api/v1/namespaces", json!({"metadata": {"name": "default"}})).await;
    let send = async |method: &str, path: &str, headers: &[(&str, &str)], body: Bytes| {
        let answer = kit.server.handle(admin(), request(method, path, headers, body)).await;
        (answer.status().as_u16(), answer.into_body().collect().await.unwrap().to_bytes())
    };
    let yaml = [("content-type", "application/yaml"), ("accept", "application/yaml")];
    assert_eq!(send("POST", MAPS, &yaml, Bytes::from("metadata: {name: a}\ndata: {key: yaml}\n")).await.0, 201);
    let path = format!("{MAPS}/a");
    let protobuf = "application/vnd.kubernetes.protobuf";
    let (_, map) = send("GET", &path, &[("accept", protobuf)], Bytes::new()).await;
    let both = [("content-type", protobuf), ("accept", protobuf)];
    assert_eq!(send("PUT", &path, &both, map).await.0, 200);
    let apply = [("content-type", "application/apply-patch+yaml")];
    let patch = Bytes::from("apiVersion: v1\nkind: ConfigMap\ndata: {more: applied}\n");
    assert_eq!(send("PATCH", &format!("{path}?fieldManager=me"), &apply, patch).await.0, 200);
    assert_eq!(kit.patch(&path, "json", json!([{"op": "add", "path": "/data/third", "value": "x"}])).await.0, 200);
    let bad = send("POST", MAPS, &[("content-type", "application/yaml")], Bytes::from("{{{")).await;
    assert_eq!(bad.0, 400);
    assert_eq!(send("DELETE", MAPS, &[], Bytes::new()).await.0, 200);
    let metrics = kit.get("/metrics").await.1;
    let metrics = metrics.as_str().unwrap();
    assert!(metrics.contains("apiserver_audit_error_total{plugin=\"log\"} 0"), "{metrics}");
    assert!(metrics.contains("apiserver_audit_level_total{level=\"RequestResponse\"} 17"), "{metrics}");
    let events = lines(kit, dir.path(), 18).await;
    let ends: Vec<&Value> = events.iter().filter(|event| event["stage"] == "ResponseComplete").collect();
    let made = ends[1];
    assert_eq!((&made["requestObject"]["data"]["key"], &made["objectRef"]["name"]), (&json!("yaml"), &json!("a")));
    assert_eq!(made["responseObject"]["data"]["key"], "yaml");
    assert_eq!(made["responseObject"]["metadata"]["managedFields"], Value::Null);
    assert_eq!(ends[2]["responseObject"]["data"]["key"], "yaml", "a read in protobuf");
    let put = ends[3];
    assert_eq!(
        (&put["requestObject"]["data"], &put["responseObject"]["data"]),
        (&json!({"key": "yaml"}), &json!({"key": "yaml"}))
    );
    assert_eq!(ends[4]["requestObject"]["data"], json!({"more": "applied"}));
    assert_eq!(ends[5]["requestObject"][0]["op"], "add");
    assert_eq!((&ends[6]["requestObject"], &ends[6]["responseStatus"]["code"]), (&Value::Null, &json!(400)));
    assert_eq!(ends[7]["verb"], "deletecollection");
}

#[tokio::test]
async fn a_command_is_written_down_when_it_starts_and_when_it_ends() {
    use super::streams::{PODS, all, pod, socket};
    let dir = tempfile::tempdir().unwrap();
    let rules =
        "- level: None\n  verbs: [create]\n- level: Metadata\n  resources: [{group: \"\", resources: [pods/exec]}]\n";
    let kit = audited(dir.path(), rules, 0).await;
    for (path, body) in [
        ("/api/v1/namespaces", json!({"metadata": {"name": "default"}})),
        ("/api/v1/namespaces/default/serviceaccounts", json!({"metadata": {"name": "default"}})),
    ] {
        assert_eq!(kit.post(path, body).await.0, 201);
    }
    pod(&kit, "web", &["main"]).await;
    let path = format!("{PODS}/web/exec?command=echo&command=hi&stdout=true");
    assert_eq!(all(&mut socket(&kit, &path, "v5.channel.k8s.io").await).await[&1], "hi\n");
    let events = lines(kit, dir.path(), 3).await;
    let stages: Vec<&str> = events.iter().map(|event| event["stage"].as_str().unwrap()).collect();
    assert_eq!(stages, ["RequestReceived", "ResponseStarted", "ResponseComplete"]);
    let last = &events[2];
    assert_eq!((&last["responseStatus"]["code"], &last["objectRef"]["subresource"]), (&json!(101), &json!("exec")));
}

#[tokio::test]
async fn policies_and_webhooks_annotate_what_they_saw() {
    let dir = tempfile::tempdir().unwrap();
    let kit = audited(dir.path(), "- level: Metadata\n  omitStages: [RequestReceived]\n", 0).await;
    kit.post("/api/v1/namespaces", json!({"metadata": {"name": "default"}})).await;
    let answered: crate::pki::tests::loopback::Answer = Arc::new(|_, _, body| {
        let review: Value = serde_json::from_slice(body).unwrap();
        let response = json!({"uid": review["request"]["uid"], "allowed": true, "auditAnnotations": {"seen": "yes"}});
        (200, json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}))
    });
    let (port, certificate) = crate::pki::tests::loopback::https(&kit.tasks, answered).await;
    use base64::Engine;
    let bundle = base64::prelude::BASE64_STANDARD.encode(certificate);
    let rule = json!({"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"]});
    let hook = |name: &str, port: u16| {
        json!({
            "name": name, "sideEffects": "None", "admissionReviewVersions": ["v1"], "rules": [rule], "failurePolicy": "Ignore",
            "clientConfig": {"url": format!("https://127.0.0.1:{port}/"), "caBundle": bundle},
        })
    };
    let hooks = "/apis/admissionregistration.k8s.io/v1";
    let configuration =
        json!({"metadata": {"name": "m"}, "webhooks": [hook("m.example.com", port), hook("n.example.com", 1)]});
    check(&kit.post(&format!("{hooks}/mutatingwebhookconfigurations"), configuration).await, 201, "");
    let spec = json!({
        "matchConstraints": {"resourceRules": [rule]},
        "validations": [{"expression": "false", "message": "never"}],
        "auditAnnotations": [{"key": "name", "valueExpression": "object.metadata.name"}],
    });
    check(
        &kit.post(&format!("{hooks}/validatingadmissionpolicies"), json!({"metadata": {"name": "p"}, "spec": spec}))
            .await,
        201,
        "",
    );
    let binding = json!({"metadata": {"name": "b"}, "spec": {"policyName": "p", "validationActions": ["Audit"]}});
    check(&kit.post(&format!("{hooks}/validatingadmissionpolicybindings"), binding).await, 201, "");
    kit.server.caches().fresh().await.unwrap();
    check(&kit.post(MAPS, config_map("a", "1")).await, 201, "");
    let labels =
        json!({"pod-security.kubernetes.io/enforce": "baseline", "pod-security.kubernetes.io/audit": "restricted"});
    let labelled = json!({"metadata": {"labels": labels}});
    check(&kit.patch("/api/v1/namespaces/default", "merge", labelled).await, 200, "");
    kit.post("/api/v1/namespaces/default/serviceaccounts", json!({"metadata": {"name": "default"}})).await;
    kit.server.caches().fresh().await.unwrap();
    let pod = json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
    check(&kit.post("/api/v1/namespaces/default/pods", pod).await, 201, "");
    let events = lines(kit, dir.path(), 8).await;
    let annotations = &events.last().unwrap()["annotations"];
    assert_eq!(annotations["pod-security.kubernetes.io/enforce-policy"], "baseline:latest", "{annotations}");
    let violations = annotations["pod-security.kubernetes.io/audit-violations"].as_str().unwrap();
    assert!(violations.starts_with("would violate PodSecurity \"restricted:latest\": "), "{violations}");
    let annotations = &events[4]["annotations"];
    assert_eq!(annotations["m.example.com/seen"], "yes", "{annotations}");
    assert_eq!(annotations["p/name"], "a");
    assert_eq!(annotations["failed-open.mutating.webhook.admission.k8s.io/round_0_index_1"], "n.example.com");
    let mutation = r#"{"configuration":"m","mutated":false,"webhook":"m.example.com"}"#;
    assert_eq!(annotations["mutation.webhook.admission.k8s.io/round_0_index_0"], mutation);
    let failure = annotations["validation.policy.admission.k8s.io/validation_failure"].as_str().unwrap();
    let failure: Value = serde_json::from_str(failure).unwrap();
    let expected = json!([{"message": "never", "policy": "p", "binding": "b", "expressionIndex": 0, "validationActions": ["Audit"]}]);
    assert_eq!(failure, expected);
}
