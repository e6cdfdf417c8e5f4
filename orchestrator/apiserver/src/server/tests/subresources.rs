use super::*;

const PODS: &str = "/api/v1/namespaces/default/pods";
const REQUESTS: &str = "/apis/certificates.k8s.io/v1/certificatesigningrequests";

fn pod(name: &str) -> Value {
    let resources = json!({"requests": {"cpu": "100m"}, "limits": {"memory": "64Mi"}});
    json!({"metadata": {"name": name}, "spec": {"containers": [{"name": "c", "image": "i:1", "resources": resources}]}})
}

#[tokio::test]
async fn ephemeral_containers_are_added_and_stay() {
    let kit = kit().await;
    kit.post(PODS, pod("a")).await;
    let path = format!("{PODS}/a/ephemeralcontainers");
    let debug = json!({"name": "debug", "image": "busybox", "targetContainerName": "c", "stdin": true});
    let patch = json!({"spec": {"ephemeralContainers": [debug], "nodeName": "n9"}, "metadata": {"labels": {"x": "y"}}});
    let (code, changed) = kit.patch(&path, "strategic-merge", patch).await;
    assert_eq!(code, 200, "{changed}");
    assert_eq!(changed["spec"]["ephemeralContainers"][0]["name"], "debug");
    assert_eq!(changed["spec"]["ephemeralContainers"][0]["terminationMessagePath"], "/dev/termination-log");
    assert_eq!((&changed["spec"]["nodeName"], &changed["metadata"]["labels"]), (&Value::Null, &Value::Null));
    assert_eq!(changed["metadata"]["generation"], 2);
    assert_eq!(kit.get(&path).await.1, changed);
    let gone = kit.patch(&path, "merge", json!({"spec": {"ephemeralContainers": []}})).await;
    check(&gone, 422, "existing ephemeral containers \"debug\" may not be removed");
    let mut unknown = changed.clone();
    unknown["spec"]["ephemeralContainers"][0]["image"] = json!("other");
    check(&kit.put(&path, unknown).await, 422, "existing ephemeral containers \"debug\" may not be changed");
    check(&kit.put(&format!("{PODS}/a"), changed).await, 200, "");
    check(&kit.get(&format!("{PODS}/none/ephemeralcontainers")).await, 404, "pods \"none\" not found");
}

#[tokio::test]
async fn resources_are_resized_and_nothing_else() {
    let kit = kit().await;
    kit.post(PODS, pod("a")).await;
    let path = format!("{PODS}/a/resize");
    let resize =
        |requests: Value| json!({"spec": {"containers": [{"name": "c", "image": "i:2", "resources": requests}]}});
    let (code, changed) = kit.patch(&path, "strategic-merge", resize(json!({"requests": {"cpu": "200m"}}))).await;
    assert_eq!(code, 200, "{changed}");
    let container = &changed["spec"]["containers"][0];
    assert_eq!((&container["image"], &container["resources"]["requests"]["cpu"]), (&json!("i:1"), &json!("200m")));
    let wrong = resize(json!({"requests": {"ephemeral-storage": "1Gi"}}));
    check(&kit.patch(&path, "strategic-merge", wrong).await, 422, "only cpu and memory resources are mutable");
}

fn signing_request(name: &str) -> Value {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name.push(rcgen::DnType::CommonName, "jane");
    let pem = params.serialize_request(&key).unwrap().pem().unwrap();
    use base64::Engine;
    json!({"metadata": {"name": name}, "spec": {
        "request": base64::prelude::BASE64_STANDARD.encode(pem), "usages": ["client auth"],
        "signerName": "kubernetes.io/kube-apiserver-client",
    }})
}

#[tokio::test]
async fn who_asks_for_a_certificate_holds_its_key() {
    use base64::Engine;
    use base64::prelude::BASE64_STANDARD;
    let kit = kit().await;
    let mut forged = signing_request("jane");
    let pem = BASE64_STANDARD.decode(forged["spec"]["request"].as_str().unwrap()).unwrap();
    let (_, pem) = x509_parser::pem::parse_x509_pem(&pem).unwrap();
    let mut der = pem.contents;
    // A letter of the name: the form stays, the signature is another's.
    let at = der.windows(4).position(|four| four == b"jane").unwrap();
    der[at] = b'J';
    let text = format!(
        "-----BEGIN CERTIFICATE REQUEST-----\n{}\n-----END CERTIFICATE REQUEST-----\n",
        BASE64_STANDARD.encode(der)
    );
    forged["spec"]["request"] = json!(BASE64_STANDARD.encode(text));
    check(&kit.post(REQUESTS, forged).await, 422, "spec.request: Invalid value");
    assert_eq!(kit.post(REQUESTS, signing_request("jane")).await.0, 201);
}

#[tokio::test]
async fn certificates_are_approved_once_by_those_who_may() {
    let kit = kit().await;
    let (code, mut made) = kit.post(REQUESTS, signing_request("jane")).await;
    assert_eq!(code, 201, "{made}");
    let path = format!("{REQUESTS}/jane/approval");
    made["status"]["conditions"] = json!([{"type": "Approved", "status": "True", "reason": "Fine", "message": ""}]);
    made["status"]["certificate"] = json!("bm90aGluZw==");
    made["spec"]["username"] = json!("root");

    let rule = json!([{"verbs": ["*"], "apiGroups": ["*"], "resources": ["certificatesigningrequests/approval"]}]);
    let rbac = "/apis/rbac.authorization.k8s.io/v1";
    kit.post(&format!("{rbac}/clusterroles"), json!({"metadata": {"name": "r"}, "rules": rule})).await;
    let binding = json!({
        "metadata": {"name": "b"}, "subjects": [{"kind": "User", "name": "eve", "apiGroup": "rbac.authorization.k8s.io"}],
        "roleRef": {"kind": "ClusterRole", "name": "r", "apiGroup": "rbac.authorization.k8s.io"},
    });
    kit.post(&format!("{rbac}/clusterrolebindings"), binding).await;
    kit.server.caches().fresh().await.unwrap();
    let eves = request("PUT", &path, &[("content-type", "application/json")], made.to_string());
    let refused = read(kit.server.handle(Identity::user("eve", &[]), eves).await).await;
    check(&refused, 403, "user not permitted to approve requests with signerName");

    let (code, approved) = kit.put(&path, made.clone()).await;
    assert_eq!(code, 200, "{approved}");
    let condition = &approved["status"]["conditions"][0];
    assert!(condition["lastUpdateTime"].is_string() && condition["lastTransitionTime"].is_string(), "{condition}");
    assert_eq!((&approved["status"]["certificate"], &approved["spec"]["username"]), (&Value::Null, &json!("admin")));
    let taken_back = kit.patch(&path, "merge", json!({"status": {"conditions": []}})).await;
    check(&taken_back, 422, "updates may not remove a condition of type \"Approved\"");
    let by_status = json!({"status": {"conditions": [{"type": "Denied", "status": "True", "reason": "x"}]}});
    check(&kit.patch(&format!("{REQUESTS}/jane/status"), "merge", by_status).await, 422, "updates may not");
}

#[tokio::test]
async fn a_binding_in_the_namespace_places_its_pod() {
    let kit = kit().await;
    kit.post(PODS, pod("a")).await;
    let bindings = "/api/v1/namespaces/default/bindings";
    let binding = |name: &str| json!({"metadata": {"name": name}, "target": {"kind": "Node", "name": "n1"}});
    let (code, status) = kit.post(bindings, binding("a")).await;
    assert_eq!((code, &status["status"]), (201, &json!("Success")), "{status}");
    assert_eq!(kit.get(&format!("{PODS}/a")).await.1["spec"]["nodeName"], "n1");
    check(&kit.post(bindings, binding("a")).await, 409, "pod a is already assigned to node \"n1\"");
    check(&kit.post(bindings, binding("none")).await, 404, "pods \"none\" not found");
    check(&kit.post(bindings, json!({"target": {"name": "n1"}})).await, 422, "metadata.name: Required value");
}

#[tokio::test]
async fn the_components_are_well() {
    let kit = kit().await;
    let (code, list) = kit.get("/api/v1/componentstatuses").await;
    assert_eq!((code, &list["kind"]), (200, &json!("ComponentStatusList")), "{list}");
    let items = list["items"].as_array().unwrap();
    let names: Vec<&str> = items.iter().filter_map(|item| item["metadata"]["name"].as_str()).collect();
    assert_eq!(names, ["controller-manager", "scheduler", "etcd-0"]);
    let one = kit.get("/api/v1/componentstatuses/etcd-0").await.1;
    assert_eq!(one["conditions"][0], json!({"type": "Healthy", "status": "True", "message": "ok"}));
    check(&kit.get("/api/v1/componentstatuses/none").await, 404, "componentstatuses \"none\" not found");
}

#[tokio::test]
async fn finalizers_of_namespaces_are_checked() {
    let kit = kit().await;
    let path = "/api/v1/namespaces/default/finalize";
    let wish = |finalizers: Value| json!({"metadata": {"name": "default"}, "spec": {"finalizers": finalizers}});
    let refused = kit.put(path, wish(json!(["kubernetes", "odd"]))).await;
    check(&refused, 422, "spec.finalizers[1]: Invalid value: \"odd\": name is neither a standard finalizer name");
    let (code, changed) = kit.put(path, wish(json!(["a.example/b"]))).await;
    assert_eq!((code, &changed["spec"]["finalizers"]), (200, &json!(["a.example/b"])), "{changed}");
}
