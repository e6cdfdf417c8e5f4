use super::*;

const PODS: &str = "/api/v1/namespaces/default/pods";
const BUDGETS: &str = "/apis/policy/v1/namespaces/default/poddisruptionbudgets";
const VIOLATES: &str = "Cannot evict pod as it would violate the pod's disruption budget.";

/// A Pod of the application `web` that runs, ready or not.
async fn running(kit: &Kit, name: &str, ready: bool) -> String {
    let body = json!({
        "metadata": {"name": name, "labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "i:1"}]},
    });
    assert_eq!(kit.post(PODS, body).await.0, 201);
    let path = format!("{PODS}/{name}");
    kit.post(&format!("{path}/binding"), json!({"target": {"kind": "Node", "name": "n1"}})).await;
    let ready = if ready { "True" } else { "False" };
    let status = json!({"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": ready}]}});
    assert_eq!(kit.patch(&format!("{path}/status"), "strategic-merge", status).await.0, 200);
    path
}

async fn budget(kit: &Kit, name: &str, more: Value, status: Value) {
    let mut spec = json!({"selector": {"matchLabels": {"app": "web"}}, "minAvailable": 1});
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let (code, made) = kit.post(BUDGETS, json!({"metadata": {"name": name}, "spec": spec})).await;
    assert_eq!(code, 201, "{made}");
    if !status.is_null() {
        set(kit, name, status).await;
    }
}

async fn set(kit: &Kit, name: &str, status: Value) {
    let mut whole = json!({"observedGeneration": 1, "disruptionsAllowed": 0, "currentHealthy": 1,
        "desiredHealthy": 1, "expectedPods": 1});
    whole.as_object_mut().unwrap().extend(status.as_object().unwrap().clone());
    let path = format!("{BUDGETS}/{name}/status");
    let (code, answer) = kit.patch(&path, "merge", json!({"status": whole})).await;
    assert_eq!(code, 200, "{answer}");
}

async fn evict(kit: &Kit, path: &str) -> (u16, Value) {
    kit.post(&format!("{path}/eviction"), json!({"apiVersion": "policy/v1", "kind": "Eviction"})).await
}

fn cause(status: &Value) -> &str {
    assert_eq!(status["details"]["causes"][0]["reason"], "DisruptionBudget", "{status}");
    status["details"]["causes"][0]["message"].as_str().unwrap()
}

#[tokio::test]
async fn a_budget_is_spent_and_then_refuses() {
    let kit = kit().await;
    let (a, b) = (running(&kit, "a", true).await, running(&kit, "b", true).await);
    budget(&kit, "web", json!({}), Value::Null).await;
    let early = evict(&kit, &a).await;
    check(&early, 429, VIOLATES);
    assert_eq!(cause(&early.1), "The disruption budget web is still being processed by the server.");
    assert_eq!((&early.1["reason"], &early.1["details"]["retryAfterSeconds"]), (&json!("TooManyRequests"), &json!(10)));
    set(&kit, "web", json!({"disruptionsAllowed": 1, "currentHealthy": 2})).await;

    let (code, _) = kit.post(&format!("{a}/eviction?dryRun=All"), json!({})).await;
    assert_eq!(code, 201);
    assert_eq!(kit.get(&format!("{BUDGETS}/web")).await.1["status"]["disruptionsAllowed"], 1);
    assert_eq!(kit.get(&a).await.1["metadata"]["deletionTimestamp"], Value::Null);

    assert_eq!(evict(&kit, &a).await.0, 201);
    let status = kit.get(&format!("{BUDGETS}/web")).await.1["status"].clone();
    assert_eq!(status["disruptionsAllowed"], 0);
    assert!(status["disruptedPods"]["a"].is_string(), "{status}");
    assert_eq!(status["conditions"][0]["reason"], "InsufficientPods");
    assert!(kit.get(&a).await.1["metadata"]["deletionTimestamp"].is_string());

    set(&kit, "web", json!({})).await;
    let refused = evict(&kit, &b).await;
    check(&refused, 429, VIOLATES);
    assert_eq!(cause(&refused.1), "The disruption budget web needs 1 healthy pods and has 1 currently");
    assert_eq!(kit.get(&b).await.1["metadata"]["deletionTimestamp"], Value::Null);
    // What goes already may be asked to go again.
    assert_eq!(evict(&kit, &a).await.0, 201);
}

#[tokio::test]
async fn evictions_at_one_time_spend_one_budget_each() {
    let kit = kit().await;
    let mut paths = Vec::new();
    for index in 0..6 {
        paths.push(running(&kit, &format!("p{index}"), true).await);
    }
    budget(&kit, "web", json!({}), json!({"disruptionsAllowed": 2, "currentHealthy": 6, "desiredHealthy": 4})).await;
    let all = futures::future::join_all(paths.iter().map(|path| evict(&kit, path))).await;
    let mut codes: Vec<u16> = all.into_iter().map(|(code, _)| code).collect();
    codes.sort_unstable();
    assert_eq!(codes, [201, 201, 429, 429, 429, 429]);
}

#[tokio::test]
async fn pods_that_are_not_ready_follow_the_policy() {
    let kit = kit().await;
    let pod = running(&kit, "a", false).await;
    budget(&kit, "web", json!({}), json!({"currentHealthy": 0})).await;
    check(&evict(&kit, &pod).await, 429, VIOLATES);
    let always = json!({"spec": {"unhealthyPodEvictionPolicy": "AlwaysAllow"}});
    assert_eq!(kit.patch(&format!("{BUDGETS}/web"), "merge", always).await.0, 200);
    assert_eq!(evict(&kit, &pod).await.0, 201);

    let other = running(&kit, "b", false).await;
    let if_healthy = json!({"spec": {"unhealthyPodEvictionPolicy": "IfHealthyBudget"}});
    kit.patch(&format!("{BUDGETS}/web"), "merge", if_healthy).await;
    set(&kit, "web", json!({"currentHealthy": 1, "observedGeneration": 3})).await;
    assert_eq!(evict(&kit, &other).await.0, 201);
    assert_eq!(kit.get(&format!("{BUDGETS}/web")).await.1["status"]["disruptedPods"], Value::Null);
}

#[tokio::test]
async fn several_budgets_are_too_many_and_pending_pods_need_none() {
    let kit = kit().await;
    let pod = running(&kit, "a", true).await;
    budget(&kit, "one", json!({}), json!({"disruptionsAllowed": 1})).await;
    budget(&kit, "two", json!({}), json!({"disruptionsAllowed": 1})).await;
    let message = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
    check(&evict(&kit, &pod).await, 500, message);
    let body = json!({
        "metadata": {"name": "new", "labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "i:1"}]},
    });
    kit.post(PODS, body).await;
    assert_eq!(evict(&kit, &format!("{PODS}/new")).await.0, 201);
    check(&kit.get(&format!("{PODS}/new")).await, 404, "not found");
    let uid = json!({"deleteOptions": {"preconditions": {"uid": "other"}}});
    check(&kit.post(&format!("{pod}/eviction"), uid).await, 409, "Precondition failed: UID");
    check(&evict(&kit, &format!("{PODS}/none")).await, 404, "pods \"none\" not found");
}
