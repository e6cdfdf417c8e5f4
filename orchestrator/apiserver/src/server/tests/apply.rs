use super::*;

const APPLY: (&str, &str) = ("content-type", "application/apply-patch+yaml");
const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";

impl Kit {
    async fn apply(&self, path: &str, manager: &str, body: Value) -> (u16, Value) {
        let (path, more) = path.split_once('?').unwrap_or((path, ""));
        self.send("PATCH", &format!("{path}?fieldManager={manager}&{more}"), &[APPLY], body).await
    }
}

fn map(name: &str, data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})
}

fn deployment(replicas: Value) -> Value {
    let mut deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}},
        },
    });
    if !replicas.is_null() {
        deployment["spec"]["replicas"] = replicas;
    }
    deployment
}

/// `MANAGER OPERATION SUBRESOURCE` of each entry.
fn owners(object: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let entries = object["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
    entries
        .iter()
        .map(|entry| {
            assert_eq!(entry["fieldsType"], "FieldsV1");
            assert!(entry["time"].is_string() && entry["apiVersion"].is_string());
            format!("{} {} {}", text(&entry["manager"]), text(&entry["operation"]), text(&entry["subresource"]))
        })
        .collect()
}

fn owned(object: &Value, manager: &str) -> Value {
    let entries = object["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
    entries.iter().find(|entry| entry["manager"] == manager).map_or(Value::Null, |entry| entry["fieldsV1"].clone())
}

#[tokio::test]
async fn a_configuration_makes_changes_and_shrinks_an_object() {
    let kit = kit().await;
    let path = format!("{MAPS}/a");
    let (code, made) = kit.apply(&path, "me", map("a", json!({"x": "1", "y": "1"}))).await;
    assert_eq!((code, owners(&made)), (201, vec!["me Apply -".to_owned()]));
    assert_eq!(made["metadata"]["namespace"], "default");
    assert_eq!(owned(&made, "me"), json!({"f:data": {"f:x": {}, "f:y": {}}}));
    // The same again writes nothing.
    let before = kit.store.revision();
    assert_eq!(kit.apply(&path, "me", map("a", json!({"x": "1", "y": "1"}))).await, (200, made.clone()));
    assert_eq!(kit.store.revision(), before);
    let (code, changed) = kit.apply(&path, "me", map("a", json!({"x": "2"}))).await;
    assert_eq!((code, &changed["data"]), (200, &json!({"x": "2"})));
    assert_eq!(kit.get(&path).await, (200, changed));
}

#[tokio::test]
async fn conflicts_name_the_owner_and_force_moves_the_field() {
    let kit = kit().await;
    let path = format!("{DEPLOYMENTS}/web");
    assert_eq!(kit.apply(&path, "one", deployment(json!(1))).await.0, 201);
    let (code, scaled) =
        kit.patch(&format!("{path}/scale?fieldManager=scaler"), "merge", json!({"spec": {"replicas": 3}})).await;
    assert_eq!((code, &scaled["spec"]["replicas"]), (200, &json!(3)), "{scaled}");
    let (_, now) = kit.get(&path).await;
    assert_eq!(owners(&now), ["one Apply -", "scaler Update scale"]);
    assert_eq!(owned(&now, "scaler"), json!({"f:spec": {"f:replicas": {}}}));
    assert_eq!(owned(&now, "one")["f:spec"]["f:replicas"], Value::Null);

    let answer = kit.apply(&path, "one", deployment(json!(1))).await;
    let owner = "\"scaler\" with subresource \"scale\" using apps/v1";
    check(&answer, 409, &format!("Apply failed with 1 conflict: conflict with {owner}: .spec.replicas"));
    assert_eq!(answer.1["reason"], "Conflict");
    assert_eq!(
        answer.1["details"]["causes"],
        json!([{"reason": "FieldManagerConflict", "message": format!("conflict with {owner}"), "field": ".spec.replicas"}])
    );
    let (code, dry) = kit.apply(&format!("{path}?force=true&dryRun=All"), "one", deployment(json!(1))).await;
    assert_eq!((code, &dry["spec"]["replicas"]), (200, &json!(1)));
    assert_eq!(kit.get(&path).await.1, now);
    let (code, forced) = kit.apply(&format!("{path}?force=true"), "one", deployment(json!(1))).await;
    assert_eq!((code, owners(&forced)), (200, vec!["one Apply -".to_owned()]));
    // Left to others: the value stays when somebody else owns it too.
    assert_eq!(kit.apply(&path, "two", deployment(json!(1))).await.0, 200);
    let (_, left) = kit.apply(&path, "one", deployment(Value::Null)).await;
    assert_eq!(left["spec"]["replicas"], 1, "{left}");
}

#[tokio::test]
async fn applies_that_cannot_be_are_told_in_upstreams_words() {
    let kit = kit().await;
    let path = format!("{MAPS}/a");
    let body = || map("a", json!({"x": "1"}));
    let send = |path: String, body: Value| kit.apply_raw(path, body);
    check(
        &send(path.clone(), body()).await,
        422,
        "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch",
    );
    let forced = kit.patch(&format!("{path}?force=true"), "merge", json!({})).await;
    check(&forced, 422, "force: Forbidden: may not be specified for non-apply patch");
    let long = "x".repeat(129);
    check(&kit.apply(&path, &long, body()).await, 422, "fieldManager: Too long: may not be more than 128 bytes");
    check(&kit.post(&format!("{MAPS}?fieldManager=a%0Ab"), body()).await, 422, "CreateOptions.meta.k8s.io");
    let mut claimed = body();
    claimed["metadata"]["managedFields"] = json!([{}]);
    check(&kit.apply(&path, "me", claimed).await, 400, "metadata.managedFields must be nil");
    check(&kit.apply(&path, "me", deployment(json!(1))).await, 400, "invalid object type: apps/v1, Kind=Deployment");
    check(&kit.apply(&path, "me", json!({"data": {}})).await, 400, "invalid object type: /, Kind=");
    check(&kit.apply(&path, "me", json!([])).await, 400, "");
    let mut unknown = body();
    unknown["wrong"] = json!(1);
    check(
        &kit.apply(&path, "me", unknown).await,
        400,
        "failed to create typed patch object (/a; /v1, Kind=ConfigMap): .wrong: field not declared in schema",
    );
    check(&kit.apply(&format!("{MAPS}/b"), "me", body()).await, 400, "does not match the name on the URL (b)");
    let mut with_uid = body();
    with_uid["metadata"]["uid"] = json!("88e00824");
    check(&kit.apply(&path, "me", with_uid.clone()).await, 409, "uid mismatch: the provided object specified uid");
    let mut old = body();
    old["metadata"]["resourceVersion"] = json!("1");
    check(&kit.apply(&path, "me", old.clone()).await, 409, "the object has been modified");
    let nowhere = "/api/v1/namespaces/none/configmaps/a";
    check(&kit.apply(nowhere, "me", body()).await, 404, "namespaces \"none\" not found");
    check(&kit.apply(&format!("{DEPLOYMENTS}/web/status"), "me", deployment(json!(1))).await, 404, "not found");
    let text = kit.send("PATCH", &path, &[("content-type", "text/plain")], json!({})).await;
    check(&text, 415, "application/strategic-merge-patch+json, application/apply-patch+yaml");
    check(&kit.get(&path).await, 404, "not found");

    assert_eq!(kit.apply(&path, "me", body()).await.0, 201);
    check(&kit.apply(&path, "me", old).await, 409, "the object has been modified");
    check(&kit.apply(&path, "me", with_uid).await, 409, "Precondition failed: UID in precondition");
    let (_, now) = kit.get(&path).await;
    let mut pinned = map("a", json!({"x": "2"}));
    pinned["metadata"]["resourceVersion"] = now["metadata"]["resourceVersion"].clone();
    assert_eq!(kit.apply(&path, "me", pinned).await.0, 200);
}

impl Kit {
    async fn apply_raw(&self, path: String, body: Value) -> (u16, Value) {
        self.send("PATCH", &path, &[APPLY], body).await
    }
}

#[tokio::test]
async fn a_configuration_may_be_yaml() {
    let kit = kit().await;
    let send = async |text: &'static str| {
        let path = format!("{MAPS}/m?fieldManager=me");
        read(kit.server.handle(admin(), request("PATCH", &path, &[APPLY], text)).await).await
    };
    let (code, made) = send("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: m\ndata:\n  a: \"1\"\n").await;
    assert_eq!((code, &made["data"]), (201, &json!({"a": "1"})));
    check(&send("a: [").await, 400, "error decoding YAML");
    check(&send("apiVersion: v1\napiVersion: v1\n").await, 400, "error decoding YAML");
}

#[tokio::test]
async fn to_make_an_object_by_applying_needs_the_right_to_create() {
    let kit = kit().await;
    let rules = json!([{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["patch", "get"]}]);
    let role = json!({"metadata": {"name": "patcher"}, "rules": rules});
    assert_eq!(kit.post("/apis/rbac.authorization.k8s.io/v1/clusterroles", role).await.0, 201);
    let binding = json!({
        "metadata": {"name": "patcher"}, "subjects": [{"kind": "User", "name": "ann", "apiGroup": "rbac.authorization.k8s.io"}],
        "roleRef": {"kind": "ClusterRole", "name": "patcher", "apiGroup": "rbac.authorization.k8s.io"},
    });
    assert_eq!(kit.post("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", binding).await.0, 201);
    kit.server.caches().fresh().await.unwrap();
    let send = async || {
        let path = format!("{MAPS}/a?fieldManager=me");
        let body = map("a", json!({"x": "1"})).to_string();
        read(kit.server.handle(Identity::user("ann", &[]), request("PATCH", &path, &[APPLY], body)).await).await
    };
    check(&send().await, 403, "cannot create resource \"configmaps\"");
    kit.post(MAPS, map("a", json!({"x": "1"}))).await;
    assert_eq!(send().await.0, 200);
}

#[tokio::test]
async fn every_other_write_leaves_an_entry_of_its_manager() {
    let kit = kit().await;
    let agent = [("user-agent", "kubectl/v1.35.2 (linux/amd64) kubernetes/8cc5116")];
    let (_, made) = kit.send("POST", DEPLOYMENTS, &agent, deployment(json!(1))).await;
    assert_eq!(owners(&made), ["kubectl Update -"]);
    let fields = owned(&made, "kubectl");
    assert_eq!(fields["f:spec"]["f:replicas"], json!({}), "{fields}");
    // Defaults are the creator's, what the server sets is nobody's.
    assert_eq!(fields["f:spec"]["f:progressDeadlineSeconds"], json!({}));
    assert_eq!((&fields["f:status"], &fields["f:metadata"]), (&Value::Null, &Value::Null));
    let path = format!("{DEPLOYMENTS}/web");
    let (_, put) = kit.put(&format!("{path}?fieldManager=editor"), deployment(json!(2))).await;
    assert_eq!(owners(&put), ["editor Update -", "kubectl Update -"]);
    let status = json!({"status": {"replicas": 2}});
    let (code, _) = kit.patch(&format!("{path}/status?fieldManager=controller"), "merge", status).await;
    assert_eq!(code, 200);
    let (_, patched) = kit
        .patch(&format!("{path}?fieldManager=x"), "strategic-merge", json!({"metadata": {"labels": {"a": "b"}}}))
        .await;
    assert_eq!(owners(&patched), ["controller Update status", "editor Update -", "kubectl Update -", "x Update -"]);
    assert_eq!(owned(&patched, "controller"), json!({"f:status": {"f:replicas": {}}}));
    assert_eq!(owned(&patched, "x"), json!({"f:metadata": {"f:labels": {".": {}, "f:a": {}}}}));
    assert_eq!(owned(&patched, "editor"), json!({"f:spec": {"f:replicas": {}}}));
    // A client that sends back what it read changes nothing.
    let (_, same) = kit.put(&format!("{path}?fieldManager=other"), patched.clone()).await;
    assert_eq!(same, patched);
    let mut reset = patched;
    reset["metadata"]["managedFields"] = json!([{}]);
    let (_, reset) = kit.put(&path, reset).await;
    assert_eq!(reset["metadata"].get("managedFields"), None);
}

#[tokio::test]
async fn status_and_scale_are_applied_apart() {
    let kit = kit().await;
    let path = format!("{DEPLOYMENTS}/web");
    kit.apply(&path, "me", deployment(Value::Null)).await;
    let status = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {"replicas": 9},
        "status": {"conditions": [{"type": "Available", "status": "True"}]},
    });
    let (code, new) = kit.apply(&format!("{path}/status"), "controller", status).await;
    assert_eq!((code, &new["spec"]["replicas"]), (200, &json!(1)), "{new}");
    assert_eq!(owners(&new), ["controller Apply status", "me Apply -"]);
    let condition = json!({r#"k:{"type":"Available"}"#: {".": {}, "f:type": {}, "f:status": {}}});
    assert_eq!(owned(&new, "controller"), json!({"f:status": {"f:conditions": condition}}));
    let scale =
        json!({"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "web"}, "spec": {"replicas": 4}});
    let (code, scaled) = kit.apply(&format!("{path}/scale"), "scaler", scale).await;
    assert_eq!((code, &scaled["kind"], &scaled["spec"]["replicas"]), (200, &json!("Scale"), &json!(4)), "{scaled}");
    let (_, now) = kit.get(&path).await;
    assert_eq!(owners(&now), ["controller Apply status", "me Apply -", "scaler Apply scale"]);
    // An apply of the whole object cannot write the status.
    let mut whole = deployment(json!(4));
    whole["status"] = json!({"replicas": 5});
    let (_, kept) = kit.apply(&path, "me", whole).await;
    assert_eq!(kept["status"], now["status"]);
    assert_eq!(owned(&kept, "me")["f:status"], Value::Null);
}

#[tokio::test]
async fn applying_what_only_reads_otherwise_writes_nothing() {
    let kit = kit().await;
    let pod = |cpu: &str| {
        json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "creationTimestamp": null},
            "spec": {"containers": [{"name": "c", "image": "i", "resources": {"requests": {"cpu": cpu}}}]},
        })
    };
    let path = "/api/v1/namespaces/default/pods/p";
    let (code, made) = kit.apply(path, "me", pod("1000m")).await;
    assert_eq!(code, 201, "{made}");
    let before = kit.store.revision();
    for cpu in ["1000m", "1"] {
        assert_eq!(kit.apply(path, "me", pod(cpu)).await, (200, made.clone()));
    }
    assert_eq!(kit.apply(path, "other", pod("1")).await.0, 200);
    assert_eq!(kit.store.revision(), before + 1);
}

#[tokio::test]
async fn an_object_that_is_too_large_with_its_owners_is_kept_without() {
    let kit = kit().await;
    let data: serde_json::Map<String, Value> = (0..22_000).map(|n| (format!("{n:030}"), json!(""))).collect();
    let (code, made) = kit.post(MAPS, map("large", Value::Object(data))).await;
    assert_eq!(code, 201, "{}", made["message"]);
    assert_eq!(made["metadata"].get("managedFields"), None);
}

#[tokio::test]
async fn owners_are_told_apart_in_both_versions_of_a_kind() {
    let kit = kit().await;
    let path = |version: &str| format!("/apis/autoscaling/{version}/namespaces/default/horizontalpodautoscalers/web");
    let scaler = |version: &str, share: i64| {
        let mut spec =
            json!({"maxReplicas": 3, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}});
        match version {
            "v1" => spec["targetCPUUtilizationPercentage"] = json!(share),
            _ => {
                let target = json!({"type": "Utilization", "averageUtilization": share});
                spec["metrics"] = json!([{"type": "Resource", "resource": {"name": "cpu", "target": target}}]);
            }
        }
        json!({"apiVersion": format!("autoscaling/{version}"), "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": "web"}, "spec": spec})
    };
    let (code, made) = kit.apply(&path("v1"), "one", scaler("v1", 50)).await;
    assert_eq!(code, 201, "{made}");
    let (code, shared) = kit.apply(&path("v2"), "two", scaler("v2", 50)).await;
    assert_eq!((code, owners(&shared).len()), (200, 2), "{shared}");
    let refused = kit.apply(&path("v2"), "two", scaler("v2", 60)).await;
    let why = "Apply failed with 1 conflict: conflict with \"one\": .spec.targetCPUUtilizationPercentage";
    check(&refused, 409, why);
    let refused = kit.apply(&path("v1"), "one", scaler("v1", 60)).await;
    check(&refused, 409, "Apply failed with 1 conflict: conflict with \"two\": .spec.metrics");
    let (code, forced) = kit.apply(&format!("{}?force=true", path("v2")), "two", scaler("v2", 60)).await;
    assert_eq!(code, 200, "{forced}");
    assert_eq!(owned(&forced, "one")["f:spec"].get("f:targetCPUUtilizationPercentage"), None);
    // The first manager goes over to the other version and shares what it says alike.
    let (code, moved) = kit.apply(&path("v2"), "one", scaler("v2", 60)).await;
    assert_eq!((code, owned(&moved, "one")), (200, owned(&moved, "two")));
    let (_, shown) = kit.get(&path("v1")).await;
    assert_eq!(shown["spec"]["targetCPUUtilizationPercentage"], 60);
    // A replacement through v1 takes what it changes from those who own it in v2.
    let mut changed = shown.clone();
    changed["spec"]["targetCPUUtilizationPercentage"] = json!(70);
    let (code, changed) = kit.put(&path("v1"), changed).await;
    assert_eq!(code, 200, "{changed}");
    assert_eq!(owned(&changed, "two")["f:spec"].get("f:metrics"), None);
}

#[tokio::test]
async fn a_replacement_without_a_name_is_malformed() {
    let kit = kit().await;
    kit.post(MAPS, config_map("a", "1")).await;
    let refused = kit.put(&format!("{MAPS}/a"), json!({"metadata": {}, "data": {}})).await;
    check(&refused, 400, "the name of the object (a based on URL) was undeterminable: name must be provided");
    assert_eq!(refused.1["reason"], "BadRequest");
}
