//! The built-in plugins.

use super::*;

#[tokio::test]
async fn limit_ranges_fill_in_and_bound_what_pods_ask_for() {
    let kit = kit().await;
    let range = json!({"metadata": {"name": "r"}, "spec": {"limits": [{
        "type": "Container", "default": {"memory": "64Mi"}, "defaultRequest": {"cpu": "100m"}, "max": {"memory": "128Mi"}}]}});
    assert_eq!(kit.post("/api/v1/namespaces/default/limitranges", range).await.0, 201);
    kit.server.caches().fresh().await.unwrap();
    let (code, made) = kit.post(PODS, pod("a", json!({}))).await;
    assert_eq!(code, 201, "{made}");
    let resources = &made["spec"]["containers"][0]["resources"];
    assert_eq!(*resources, json!({"limits": {"memory": "64Mi"}, "requests": {"cpu": "100m", "memory": "64Mi"}}));
    let large = pod("b", json!({"resources": {"limits": {"memory": "1Gi"}}}));
    check(&kit.post(PODS, large).await, 403, "maximum memory usage per Container is 128Mi, but limit is 1Gi");
}

#[tokio::test]
async fn quotas_hold_even_when_many_come_at_once() {
    let kit = kit().await;
    let quota = json!({"metadata": {"name": "q"}, "spec": {"hard": {"count/configmaps": "5", "pods": "1", "requests.cpu": "1"}}});
    assert_eq!(kit.post("/api/v1/namespaces/default/resourcequotas", quota).await.0, 201);
    kit.server.caches().fresh().await.unwrap();
    let before = kit.get(MAPS).await.1["items"].as_array().unwrap().len();
    let all =
        futures::future::join_all((0..12).map(|index| kit.post(MAPS, config_map(&format!("m{index}"), "x")))).await;
    let made = all.iter().filter(|(code, _)| *code == 201).count();
    assert_eq!(made + before, 5);
    let refused = all.iter().find(|(code, _)| *code != 201).unwrap();
    check(
        refused,
        403,
        "exceeded quota: q, requested: count/configmaps=1, used: count/configmaps=5, limited: count/configmaps=5",
    );
    check(&kit.post(PODS, pod("a", json!({}))).await, 403, "failed quota: q: must specify requests.cpu for: c");
    let asks = |cpu: &str| json!({"resources": {"requests": {"cpu": cpu}}});
    check(
        &kit.post(PODS, pod("a", asks("2"))).await,
        403,
        "exceeded quota: q, requested: requests.cpu=2, used: requests.cpu=0",
    );
    assert_eq!(kit.post(PODS, pod("a", asks("1"))).await.0, 201);
    check(
        &kit.post(PODS, pod("b", asks("0"))).await,
        403,
        "exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1",
    );
}

#[tokio::test]
async fn namespaces_say_how_secure_their_pods_are() {
    let kit = kit().await;
    let labels =
        json!({"pod-security.kubernetes.io/enforce": "baseline", "pod-security.kubernetes.io/warn": "restricted"});
    let path = "/api/v1/namespaces/default";
    assert_eq!(kit.patch(path, "merge", json!({"metadata": {"labels": labels}})).await.0, 200);
    kit.server.caches().fresh().await.unwrap();
    let refused = kit.post(PODS, pod("a", json!({"securityContext": {"privileged": true}}))).await;
    check(
        &refused,
        403,
        "violates PodSecurity \"baseline:latest\": privileged (container \"c\" must not set securityContext.privileged=true)",
    );
    let response = kit.server.handle(admin(), request("POST", PODS, &[], pod("a", json!({})).to_string())).await;
    assert_eq!(response.status(), 201);
    assert!(response.headers()["warning"].to_str().unwrap().contains("would violate PodSecurity"));
    let wrong = json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "tight"}}});
    check(&kit.patch(path, "merge", wrong).await, 422, "must be one of privileged, baseline, restricted");
}

#[tokio::test]
async fn claims_and_ingresses_get_the_default_classes() {
    let kit = kit().await;
    let marked = |key: &str| json!({"name": "d", "annotations": {key: "true"}});
    let class = json!({"metadata": marked("storageclass.kubernetes.io/is-default-class"), "provisioner": "x/y"});
    assert_eq!(kit.post("/apis/storage.k8s.io/v1/storageclasses", class).await.0, 201);
    let class =
        json!({"metadata": marked("ingressclass.kubernetes.io/is-default-class"), "spec": {"controller": "x/y"}});
    assert_eq!(kit.post("/apis/networking.k8s.io/v1/ingressclasses", class).await.0, 201);
    kit.server.caches().fresh().await.unwrap();
    let claims = "/api/v1/namespaces/default/persistentvolumeclaims";
    let claim = json!({"metadata": {"name": "c"}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}});
    let (code, made) = kit.post(claims, claim).await;
    assert_eq!((code, &made["spec"]["storageClassName"]), (201, &json!("d")), "{made}");
    let grown = kit
        .patch(&format!("{claims}/c"), "merge", json!({"spec": {"resources": {"requests": {"storage": "2Gi"}}}}))
        .await;
    check(&grown, 422, "spec is immutable after creation except resources.requests");
    let ingress = json!({"metadata": {"name": "i"}, "spec": {"defaultBackend": {"service": {"name": "s", "port": {"number": 80}}}}});
    let (code, made) = kit.post("/apis/networking.k8s.io/v1/namespaces/default/ingresses", ingress).await;
    assert_eq!((code, &made["spec"]["ingressClassName"]), (201, &json!("d")), "{made}");
}

#[tokio::test]
async fn pods_carry_the_zone_of_their_node() {
    let kit = kit().await;
    let labels = json!({"topology.kubernetes.io/zone": "z", "topology.kubernetes.io/region": "r", "other": "o"});
    assert_eq!(kit.post("/api/v1/nodes", json!({"metadata": {"name": "n", "labels": labels}})).await.0, 201);
    let mut own = pod("a", json!({}));
    own["metadata"]["labels"] = json!({"topology.kubernetes.io/zone": "mine"});
    assert_eq!(kit.post(PODS, own).await.0, 201);
    let binding = json!({"metadata": {"name": "a"}, "target": {"kind": "Node", "name": "n"}});
    check(&kit.post(&format!("{PODS}/a/binding"), binding).await, 201, "");
    let expected = json!({"topology.kubernetes.io/zone": "mine", "topology.kubernetes.io/region": "r"});
    assert_eq!(kit.get(&format!("{PODS}/a")).await.1["metadata"]["labels"], expected);
    let mut placed = pod("b", json!({}));
    placed["spec"]["nodeName"] = json!("n");
    let (code, made) = kit.post(PODS, placed).await;
    let expected = json!({"topology.kubernetes.io/zone": "z", "topology.kubernetes.io/region": "r"});
    assert_eq!((code, &made["metadata"]["labels"]), (201, &expected), "{made}");
}

#[tokio::test]
async fn pods_do_not_grow_beyond_their_node() {
    let kit = kit().await;
    let node = json!({"metadata": {"name": "n", "labels": {"kubernetes.io/os": "linux"}}});
    assert_eq!(kit.post("/api/v1/nodes", node).await.0, 201);
    let status = json!({"status": {"allocatable": {"cpu": "1", "memory": "1Gi"}}});
    assert_eq!(kit.patch("/api/v1/nodes/n/status", "merge", status).await.0, 200);
    let mut placed = pod("a", json!({"resources": {"requests": {"cpu": "100m"}}}));
    placed["spec"]["nodeName"] = json!("n");
    assert_eq!(kit.post(PODS, placed).await.0, 201);
    let resize = |cpu: &str| json!({"spec": {"containers": [{"name": "c", "resources": {"requests": {"cpu": cpu}}}]}});
    let path = format!("{PODS}/a/resize");
    let refused = kit.patch(&path, "strategic-merge", resize("1500m")).await;
    check(&refused, 403, "Node didn't have enough allocatable resources: cpu, requested: 1500, allocatable: 1000");
    assert_eq!(refused.1["details"]["causes"][0]["reason"], "NodeCapacity");
    check(&kit.patch(&path, "strategic-merge", resize("900m")).await, 200, "");
}

#[tokio::test]
async fn devices_of_others_need_a_labelled_namespace() {
    let kit = kit().await;
    let claims = "/apis/resource.k8s.io/v1/namespaces/default/resourceclaims";
    let claim = |name: &str| {
        let request = json!({"name": "r", "exactly": {"deviceClassName": "c", "adminAccess": true}});
        json!({"metadata": {"name": name}, "spec": {"devices": {"requests": [request]}}})
    };
    let refused = kit.post(claims, claim("a")).await;
    check(
        &refused,
        422,
        "spec.devices.requests[0].adminAccess: Forbidden: admin access to devices requires the `resource.kubernetes.io/admin-access: true` label on the containing namespace",
    );
    let template = json!({"metadata": {"name": "t"}, "spec": {"spec": claim("a")["spec"]}});
    check(&kit.post(&claims.replace("claims", "claimtemplates"), template).await, 422, "admin access to devices");
    let label = json!({"metadata": {"labels": {"resource.kubernetes.io/admin-access": "true"}}});
    assert_eq!(kit.patch("/api/v1/namespaces/default", "merge", label).await.0, 200);
    kit.server.caches().fresh().await.unwrap();
    check(&kit.post(claims, claim("a")).await, 201, "");
}

#[tokio::test]
async fn quotas_count_pods_of_their_scopes_and_what_they_need_at_once() {
    let kit = kit().await;
    let quota = |name: &str, spec: Value| json!({"metadata": {"name": name}, "spec": spec});
    let quotas = "/api/v1/namespaces/default/resourcequotas";
    let hard = json!({"hard": {"requests.cpu": "1"}});
    assert_eq!(kit.post(quotas, quota("cpu", hard)).await.0, 201);
    let effortless = json!({"hard": {"pods": "1"}, "scopes": ["Terminating"]});
    assert_eq!(kit.post(quotas, quota("short", effortless)).await.0, 201);
    kit.server.caches().fresh().await.unwrap();
    let asks = |cpu: &str| json!({"resources": {"requests": {"cpu": cpu}}});
    // An init container needs more than the rest, beside the sidecar that started before it.
    let mut heavy = pod("heavy", asks("100m"));
    let sidecar =
        json!({"name": "s", "image": "i", "restartPolicy": "Always", "resources": {"requests": {"cpu": "200m"}}});
    let init = json!({"name": "i", "image": "i", "resources": {"requests": {"cpu": "500m"}}});
    heavy["spec"]["initContainers"] = json!([sidecar, init]);
    assert_eq!(kit.post(PODS, heavy).await.0, 201);
    check(&kit.post(PODS, pod("b", asks("301m"))).await, 403, "requested: requests.cpu=301m, used: requests.cpu=700m");
    // What a Pod says as a whole comes before its containers.
    let mut whole = pod("whole", asks("10m"));
    whole["spec"]["resources"] = json!({"requests": {"cpu": "400m"}});
    check(&kit.post(PODS, whole).await, 403, "requested: requests.cpu=400m");
    for (name, code) in [("one", 201), ("two", 403)] {
        let mut short = pod(name, asks("1m"));
        short["spec"]["activeDeadlineSeconds"] = json!(5);
        assert_eq!(kit.post(PODS, short).await.0, code, "{name}");
    }
    assert_eq!(kit.post(PODS, pod("long", asks("1m"))).await.0, 201);
}

#[tokio::test]
async fn a_changed_pod_keeps_what_the_plugins_gave_it() {
    let kit = kit().await;
    let mut own = pod("a", json!({}));
    own["spec"]["automountServiceAccountToken"] = json!(false);
    own["spec"]["serviceAccountName"] = json!("default");
    own["spec"]["serviceAccount"] = json!("default");
    assert_eq!(kit.post(PODS, own.clone()).await.0, 201);
    own["metadata"]["labels"] = json!({"new": "label"});
    let (code, changed) = kit.put(&format!("{PODS}/a"), own).await;
    assert_eq!(code, 200, "{changed}");
    assert_eq!(changed["spec"]["priority"], 0);
    assert_eq!(changed["spec"]["tolerations"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn limit_ranges_bound_what_a_pod_is_resized_to() {
    let kit = kit().await;
    assert_eq!(
        kit.post(PODS, pod("a", json!({"resources": {"requests": {"cpu": "100m"}, "limits": {"cpu": "1"}}}))).await.0,
        201
    );
    let range = json!({"metadata": {"name": "r"}, "spec": {"limits": [{"type": "Container", "max": {"cpu": "2"}}]}});
    assert_eq!(kit.post("/api/v1/namespaces/default/limitranges", range).await.0, 201);
    kit.server.caches().fresh().await.unwrap();
    let resize = |cpu: &str| json!({"spec": {"containers": [{"name": "c", "resources": {"limits": {"cpu": cpu}}}]}});
    let path = format!("{PODS}/a/resize");
    let refused = kit.patch(&path, "strategic-merge", resize("3")).await;
    check(&refused, 403, "maximum cpu usage per Container is 2, but limit is 3");
    check(&kit.patch(&path, "strategic-merge", resize("2")).await, 200, "");
}

#[tokio::test]
async fn one_priority_class_alone_is_the_default() {
    let kit = kit().await;
    let classes = "/apis/scheduling.k8s.io/v1/priorityclasses";
    let class = |name: &str| json!({"metadata": {"name": name}, "value": 5, "globalDefault": true});
    check(&kit.post(classes, class("a")).await, 201, "");
    kit.server.caches().fresh().await.unwrap();
    let refused = kit.post(classes, class("b")).await;
    check(&refused, 403, "PriorityClass a is already marked as default. Only one default can exist");
    let described = json!({"description": "the default"});
    check(&kit.patch(&format!("{classes}/a"), "merge", described).await, 200, "");
}
