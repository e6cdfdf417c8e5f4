use super::*;

const PODS: &str = "/api/v1/namespaces/default/pods";

fn pod(name: &str) -> Value {
    json!({"metadata": {"name": name}, "spec": {"containers": [{"name": "c", "image": "i:1"}]}})
}

#[tokio::test]
async fn a_pod_gets_what_admission_adds() {
    let kit = kit().await;
    let (code, made) = kit.post(PODS, pod("a")).await;
    assert_eq!(code, 201, "{made}");
    let spec = &made["spec"];
    assert_eq!((&spec["serviceAccountName"], &spec["priority"]), (&json!("default"), &json!(0)));
    assert_eq!(spec["preemptionPolicy"], "PreemptLowerPriority");
    let volume = &spec["volumes"][0];
    assert!(volume["name"].as_str().unwrap().starts_with("kube-api-access-"));
    assert_eq!(volume["projected"]["sources"][0]["serviceAccountToken"]["path"], "token");
    let mount = &spec["containers"][0]["volumeMounts"][0];
    assert_eq!(mount["mountPath"], "/var/run/secrets/kubernetes.io/serviceaccount");
    assert_eq!((&mount["name"], &mount["readOnly"]), (&volume["name"], &json!(true)));
    assert_eq!(spec["tolerations"].as_array().unwrap().len(), 2);
    assert_eq!(made["status"]["phase"], "Pending");

    let mut quiet = pod("b");
    quiet["spec"]["automountServiceAccountToken"] = json!(false);
    assert_eq!(kit.post(PODS, quiet).await.1["spec"]["volumes"], Value::Null);
}

#[tokio::test]
async fn pods_that_name_what_is_not_there_are_refused() {
    let kit = kit().await;
    let missing = "error looking up service account default/ghost: serviceaccount \"ghost\" not found";
    for (field, value, message) in [
        ("serviceAccountName", "ghost", missing),
        ("priorityClassName", "none", "no PriorityClass with name none was found"),
        ("runtimeClassName", "none", "pod rejected: RuntimeClass \"none\" not found"),
    ] {
        let mut body = pod("a");
        body["spec"][field] = json!(value);
        check(&kit.post(PODS, body).await, 403, message);
    }
    let mut body = pod("a");
    body["spec"]["priorityClassName"] = json!("system-node-critical");
    assert_eq!(kit.post(PODS, body).await.1["spec"]["priority"], 2_000_001_000);
    let mut body = pod("b");
    body["spec"]["priority"] = json!(7);
    check(&kit.post(PODS, body).await, 403, "must not be provided in pod spec");
}

#[tokio::test]
async fn a_pod_waits_for_its_namespaces_service_account() {
    let kit = kit().await;
    kit.post("/api/v1/namespaces", json!({"metadata": {"name": "new"}})).await;
    let early = kit.post("/api/v1/namespaces/new/pods", pod("a"));
    let account = kit.post("/api/v1/namespaces/new/serviceaccounts", json!({"metadata": {"name": "default"}}));
    let ((code, made), _) = tokio::join!(early, account);
    assert_eq!(code, 201, "{made}");
    kit.post("/api/v1/namespaces", json!({"metadata": {"name": "bare"}})).await;
    tokio::time::pause();
    let refused = kit.post("/api/v1/namespaces/bare/pods", pod("a")).await;
    check(&refused, 403, "serviceaccount \"default\" not found");
}

#[tokio::test]
async fn a_pod_is_bound_once() {
    let kit = kit().await;
    kit.post(PODS, pod("a")).await;
    let binding = json!({"metadata": {"name": "a"}, "target": {"kind": "Node", "name": "n1"}});
    let path = format!("{PODS}/a/binding");
    check(&kit.post(&path, json!({"target": {"name": ""}})).await, 422, "target.name: Required value");
    let (code, status) = kit.post(&path, binding.clone()).await;
    assert_eq!((code, &status["status"]), (201, &json!("Success")));
    let (_, bound) = kit.get(&format!("{PODS}/a")).await;
    assert_eq!(bound["spec"]["nodeName"], "n1");
    let conditions = bound["status"]["conditions"].as_array().unwrap();
    assert!(conditions.iter().any(|c| c["type"] == "PodScheduled" && c["status"] == "True"));
    check(&kit.post(&path, binding).await, 409, "pod a is already assigned to node \"n1\"");
    let (_, list) = kit.get("/api/v1/pods?fieldSelector=spec.nodeName%3Dn1").await;
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
}

async fn bound(kit: &Kit, name: &str) -> String {
    kit.post(PODS, pod(name)).await;
    kit.post(&format!("{PODS}/{name}/binding"), json!({"target": {"kind": "Node", "name": "n1"}})).await;
    format!("{PODS}/{name}")
}

#[tokio::test]
async fn a_pod_goes_with_grace() {
    let kit = kit().await;
    let path = bound(&kit, "a").await;
    let (code, marked) = kit.delete(&path, Value::Null).await;
    assert_eq!((code, &marked["metadata"]["deletionGracePeriodSeconds"]), (200, &json!(30)));
    let first = marked["metadata"]["deletionTimestamp"].as_str().unwrap().to_owned();
    // A later delete may shorten the time, not lengthen it.
    let (_, longer) = kit.delete(&path, json!({"gracePeriodSeconds": 60})).await;
    assert_eq!(longer["metadata"]["deletionTimestamp"], first);
    let (_, shorter) = kit.delete(&path, json!({"gracePeriodSeconds": 5})).await;
    assert_eq!(shorter["metadata"]["deletionGracePeriodSeconds"], 5);
    assert!(shorter["metadata"]["deletionTimestamp"].as_str().unwrap() < first.as_str());
    // The kubelet confirms.
    let (code, gone) = kit.delete(&path, json!({"gracePeriodSeconds": 0})).await;
    assert_eq!((code, &gone["kind"], &gone["metadata"]["name"]), (200, &json!("Pod"), &json!("a")));
    check(&kit.get(&path).await, 404, "not found");
    // A Pod that is nowhere goes at once.
    kit.post(PODS, pod("b")).await;
    assert_eq!(kit.delete(&format!("{PODS}/b"), Value::Null).await.1["metadata"]["name"], "b");
    check(&kit.get(&format!("{PODS}/b")).await, 404, "not found");
}

#[tokio::test]
async fn an_eviction_deletes() {
    let kit = kit().await;
    let path = bound(&kit, "a").await;
    let body = json!({"metadata": {"name": "a"}, "deleteOptions": {"gracePeriodSeconds": 7}});
    let (code, status) = kit.post(&format!("{path}/eviction"), body).await;
    assert_eq!((code, &status["status"]), (201, &json!("Success")));
    assert_eq!(kit.get(&path).await.1["metadata"]["deletionGracePeriodSeconds"], 7);
}

#[tokio::test]
async fn logs_of_a_pod_without_a_node_are_refused_clearly() {
    let kit = kit().await;
    let path = bound(&kit, "a").await;
    let (code, status) = kit.get(&format!("{path}/log")).await;
    assert!(code >= 400 && status["kind"] == "Status", "{status}");
    check(&kit.get(&format!("{PODS}/none/log")).await, 404, "pods \"none\" not found");
}

#[tokio::test]
async fn a_pods_labels_change_and_nothing_is_null() {
    let kit = kit().await;
    let (_, made) = kit.post(PODS, pod("a")).await;
    assert!(made["spec"].as_object().unwrap().values().all(|field| !field.is_null()), "{made}");
    let labels = json!({"metadata": {"labels": {"x": "y"}, "annotations": {"n": "1"}}});
    for type_ in ["merge", "strategic-merge"] {
        let (code, changed) = kit.patch(&format!("{PODS}/a"), type_, labels.clone()).await;
        assert_eq!((code, &changed["metadata"]["labels"]), (200, &labels["metadata"]["labels"]), "{changed}");
    }
    let (code, put) = kit.put(&format!("{PODS}/a"), kit.get(&format!("{PODS}/a")).await.1).await;
    assert_eq!(code, 200, "{put}");
}

#[tokio::test]
async fn who_may_only_get_may_not_connect() {
    let kit = kit().await;
    kit.post(PODS, pod("a")).await;
    let rule =
        |verbs: Value| json!([{"verbs": verbs, "apiGroups": [""], "resources": ["pods/portforward", "pods/exec"]}]);
    let rbac = "/apis/rbac.authorization.k8s.io/v1";
    kit.post(&format!("{rbac}/clusterroles"), json!({"metadata": {"name": "r"}, "rules": rule(json!(["get"]))})).await;
    let binding = json!({
        "metadata": {"name": "b"}, "subjects": [{"kind": "User", "name": "eve", "apiGroup": "rbac.authorization.k8s.io"}],
        "roleRef": {"kind": "ClusterRole", "name": "r", "apiGroup": "rbac.authorization.k8s.io"},
    });
    assert_eq!(kit.post(&format!("{rbac}/clusterrolebindings"), binding).await.0, 201);
    kit.server.caches().fresh().await.unwrap();
    let connect = async |what: &str| {
        let request = request("GET", &format!("{PODS}/a/{what}"), &[], "");
        read(kit.server.handle(Identity::user("eve", &[]), request).await).await
    };
    check(&connect("portforward").await, 403, "cannot create resource \"pods/portforward\"");
    check(&connect("exec").await, 403, "cannot create resource \"pods/exec\"");
    let more = json!({"rules": rule(json!(["get", "create"]))});
    kit.patch(&format!("{rbac}/clusterroles/r"), "merge", more).await;
    kit.server.caches().fresh().await.unwrap();
    check(&connect("portforward").await, 400, "does not have a host assigned");
    let query = "?stdout=true&command=ls";
    check(&connect(&format!("exec{query}")).await, 400, "pod a does not have a host assigned");
    check(&connect("exec").await, 400, "you must specify at least 1 of stdin, stdout, stderr");
    check(&connect("exec?stdout=true").await, 400, "you must specify a command to execute");
    check(&connect(&format!("exec{query}&container=x")).await, 400, "container x is not valid for pod a");
}

#[tokio::test]
async fn new_pods_and_changed_templates_are_warned_of_and_nothing_else() {
    let kit = kit().await;
    let send = async |method: &str, path: &str, type_: &str, body: Value| {
        let request = request(method, path, &[("content-type", type_)], body.to_string());
        let response = kit.server.handle(admin(), request).await;
        assert!(response.status().is_success(), "{method} {path}: {}", response.status());
        let warnings = response.headers().get_all("warning").iter();
        warnings.map(|text| text.to_str().unwrap().to_owned()).collect::<Vec<_>>().join("; ")
    };
    let (json_type, merge) = ("application/json", "application/merge-patch+json");
    let env = json!([{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]);
    let mut odd = pod("a");
    odd["spec"]["containers"][0]["env"] = env.clone();
    assert!(send("POST", PODS, json_type, odd).await.contains("hides previous definition"));
    let labels = json!({"metadata": {"labels": {"a": "b"}}});
    assert_eq!(send("PATCH", &format!("{PODS}/a"), merge, labels.clone()).await, "");
    const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";
    let deployment = json!({"metadata": {"name": "d.e"}, "spec": {
        "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i:1", "env": env}]}},
    }});
    let made = send("POST", DEPLOYMENTS, json_type, deployment).await;
    assert!(made.contains("metadata.name: this is used in Pod names and hostnames"), "{made}");
    assert!(made.contains("spec.template.spec.containers[0].env[1]: hides previous definition"), "{made}");
    let path = format!("{DEPLOYMENTS}/d.e");
    assert_eq!(send("PATCH", &path, merge, labels).await, "");
    let scaled = send("PATCH", &path, merge, json!({"spec": {"replicas": 2}})).await;
    assert!(scaled.contains("hides previous definition") && !scaled.contains("metadata.name"), "{scaled}");
}
