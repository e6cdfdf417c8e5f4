use super::*;
use std::collections::BTreeSet;

const SERVICES: &str = "/api/v1/namespaces/default/services";

fn service(name: &str, type_: &str) -> Value {
    json!({"metadata": {"name": name}, "spec": {"type": type_, "ports": [{"port": 80}], "selector": {"a": "b"}}})
}

#[tokio::test]
async fn services_get_addresses_and_node_ports_of_their_own() {
    let kit = kit().await;
    let made = (0..20).map(|n| {
        let kit = &kit;
        async move { kit.post(SERVICES, service(&format!("s{n}"), "NodePort")).await }
    });
    let (mut addresses, mut ports) = (BTreeSet::new(), BTreeSet::new());
    for (code, made) in futures::future::join_all(made).await {
        assert_eq!(code, 201, "{made}");
        let spec = &made["spec"];
        assert_eq!(spec["clusterIPs"], json!([spec["clusterIP"]]));
        assert_eq!((&spec["ipFamilies"], &spec["ipFamilyPolicy"]), (&json!(["IPv4"]), &json!("SingleStack")));
        addresses.insert(spec["clusterIP"].as_str().unwrap().to_owned());
        ports.insert(spec["ports"][0]["nodePort"].as_u64().unwrap());
    }
    assert_eq!((addresses.len(), ports.len()), (20, 20));
    assert!(ports.iter().all(|port| (30000..=32767).contains(port)));
    assert!(addresses.iter().all(|address| address.starts_with("10.")));
}

#[tokio::test]
async fn wished_addresses_and_ports_are_given_once_and_come_back() {
    let kit = kit().await;
    let mut wish = service("a", "NodePort");
    wish["spec"]["clusterIP"] = json!("10.96.0.10");
    wish["spec"]["ports"][0]["nodePort"] = json!(30080);
    let (code, made) = kit.post(SERVICES, wish.clone()).await;
    assert_eq!((code, &made["spec"]["clusterIP"]), (201, &json!("10.96.0.10")));
    wish["metadata"]["name"] = json!("b");
    let refused = kit.post(SERVICES, wish.clone()).await;
    check(&refused, 422, "provided IP is already allocated");
    check(&refused, 422, "provided port is already allocated");
    kit.delete(&format!("{SERVICES}/a"), Value::Null).await;
    assert_eq!(kit.post(SERVICES, wish).await.0, 201);
    let mut far = service("c", "NodePort");
    far["spec"]["clusterIP"] = json!("192.168.1.1");
    check(&kit.post(SERVICES, far).await, 422, "is not in the valid range");
    let mut far = service("c", "NodePort");
    far["spec"]["ports"][0]["nodePort"] = json!(80);
    check(&kit.post(SERVICES, far).await, 422, "The range of valid ports is 30000-32767");
}

#[tokio::test]
async fn a_service_keeps_what_it_has_when_it_changes() {
    let kit = kit().await;
    let (_, made) = kit.post(SERVICES, service("a", "ClusterIP")).await;
    let path = format!("{SERVICES}/a");
    assert_eq!(made["spec"]["ports"][0]["nodePort"], Value::Null);
    let (code, open) = kit.patch(&path, "merge", json!({"spec": {"type": "NodePort"}})).await;
    assert_eq!(code, 200, "{open}");
    let port = open["spec"]["ports"][0]["nodePort"].as_u64().unwrap();
    assert_eq!(open["spec"]["clusterIP"], made["spec"]["clusterIP"]);
    // A client that replaces the Service without naming them keeps both.
    let (_, same) = kit.put(&path, service("a", "NodePort")).await;
    assert_eq!(same["spec"]["ports"][0]["nodePort"], port);
    assert_eq!(same["spec"]["clusterIP"], made["spec"]["clusterIP"]);
    let (code, closed) = kit.patch(&path, "merge", json!({"spec": {"type": "ClusterIP"}})).await;
    assert_eq!((code, &closed["spec"]["ports"][0]["nodePort"]), (200, &Value::Null));
    let mut headless = service("h", "ClusterIP");
    headless["spec"]["clusterIP"] = json!("None");
    assert_eq!(kit.post(SERVICES, headless).await.1["spec"]["clusterIPs"], json!(["None"]));
}

const ADDRESSES: &str = "/apis/networking.k8s.io/v1/ipaddresses";
const RANGES: &str = "/apis/networking.k8s.io/v1/servicecidrs";

async fn names(kit: &Kit, path: &str) -> Vec<String> {
    let (_, list) = kit.get(path).await;
    let items = list["items"].as_array().unwrap().iter();
    items.map(|item| item["metadata"]["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn an_address_comes_and_goes_with_its_service() {
    let kit = kit().await;
    let (_, made) = kit.post(SERVICES, service("a", "ClusterIP")).await;
    let address = made["spec"]["clusterIP"].as_str().unwrap().to_owned();
    let (code, found) = kit.get(&format!("{ADDRESSES}/{address}")).await;
    assert_eq!(code, 200, "{found}");
    let metadata = &found["metadata"];
    assert_eq!(
        metadata["labels"],
        json!({
            "ipaddress.kubernetes.io/ip-family": "IPv4",
            "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io",
        })
    );
    assert_eq!(found["spec"], json!({"parentRef": {"resource": "services", "namespace": "default", "name": "a"}}));
    assert_eq!(metadata["resourceVersion"], made["metadata"]["resourceVersion"], "written together");
    assert_eq!(metadata["managedFields"][0]["manager"], "kube-apiserver");
    // A dry run takes nothing.
    let (code, _) = kit.post(&format!("{SERVICES}?dryRun=All"), service("b", "ClusterIP")).await;
    assert_eq!((code, names(&kit, ADDRESSES).await), (201, vec![address.clone()]));
    let external = json!({"spec": {"type": "ExternalName", "externalName": "a.example", "clusterIP": ""}});
    let (code, changed) = kit.patch(&format!("{SERVICES}/a"), "merge", external).await;
    assert_eq!(code, 200, "{changed}");
    assert_eq!(changed["spec"].get("clusterIPs"), None);
    assert!(names(&kit, ADDRESSES).await.is_empty());
    let (_, back) = kit.patch(&format!("{SERVICES}/a"), "merge", json!({"spec": {"type": "ClusterIP"}})).await;
    assert_eq!(names(&kit, ADDRESSES).await, [back["spec"]["clusterIP"].as_str().unwrap()]);
    // A finalizer keeps the address with the Service.
    kit.patch(&format!("{SERVICES}/a"), "merge", json!({"metadata": {"finalizers": ["a/b"]}})).await;
    kit.delete(&format!("{SERVICES}/a"), Value::Null).await;
    assert_eq!(names(&kit, ADDRESSES).await.len(), 1);
    kit.patch(&format!("{SERVICES}/a"), "merge", json!({"metadata": {"finalizers": null}})).await;
    assert!(names(&kit, ADDRESSES).await.is_empty());
}

#[tokio::test]
async fn an_address_that_somebody_took_by_hand_is_taken() {
    let kit = kit().await;
    let parent = json!({"group": "gateway.example", "resource": "gateways", "namespace": "default", "name": "g"});
    let by_hand = json!({"metadata": {"name": "10.96.0.10"}, "spec": {"parentRef": parent}});
    assert_eq!(kit.post(ADDRESSES, by_hand).await.0, 201);
    let mut wish = service("a", "ClusterIP");
    wish["spec"]["clusterIP"] = json!("10.96.0.10");
    let refused = kit.post(SERVICES, wish.clone()).await;
    check(&refused, 422, "failed to allocate IP 10.96.0.10: provided IP is already allocated");
    for wrong in ["10.96.0.0", "10.111.255.255", "10.112.0.1"] {
        wish["spec"]["clusterIP"] = json!(wrong);
        let why =
            format!("the provided IP ({wrong}) is not in the valid range. The range of valid IPs is 10.96.0.0/12");
        check(&kit.post(SERVICES, wish.clone()).await, 422, &why);
    }
    wish["spec"]["clusterIP"] = json!("10.96.0.300");
    check(&kit.post(SERVICES, wish.clone()).await, 422, "spec.clusterIPs[0]: Invalid value: \"10.96.0.300\"");
}

#[tokio::test]
async fn the_cluster_starts_with_its_range_and_further_ones_widen_it() {
    let kit = bootstrapped().await;
    let mut watch = kit
        .watch(&format!(
            "{RANGES}?watch=1&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan"
        ))
        .await;
    let own = loop {
        let event = watch.next().await.unwrap();
        if event["object"]["status"]["conditions"][0]["status"] == "True" {
            break event["object"].clone();
        }
    };
    assert_eq!((&own["metadata"]["name"], &own["spec"]), (&json!("kubernetes"), &json!({"cidrs": ["10.96.0.0/12"]})));
    assert_eq!(names(&kit, ADDRESSES).await, ["10.96.0.1"]);
    let mut far = service("far", "ClusterIP");
    far["spec"]["clusterIP"] = json!("172.20.0.5");
    check(&kit.post(SERVICES, far.clone()).await, 422, "is not in the valid range");
    let more = json!({"metadata": {"name": "more"}, "spec": {"cidrs": ["172.20.0.0/24"]}});
    assert_eq!(kit.post(RANGES, more).await.0, 201);
    assert_eq!(kit.post(SERVICES, far).await.0, 201);
    // It stays until nothing needs it.
    while watch.next().await.unwrap()["object"]["status"]["conditions"][0]["status"] != "True" {}
    assert_eq!(kit.delete(&format!("{RANGES}/more"), Value::Null).await.0, 200);
    let held = loop {
        let event = watch.next().await.unwrap();
        if event["object"]["status"]["conditions"][0]["reason"] == "Terminating" {
            break event;
        }
    };
    assert_eq!(held["type"], "MODIFIED");
    let mut late = service("late", "ClusterIP");
    late["spec"]["clusterIP"] = json!("172.20.0.6");
    check(&kit.post(SERVICES, late).await, 422, "is not in the valid range");
    assert_eq!(kit.delete(&format!("{SERVICES}/far"), Value::Null).await.0, 200);
    while watch.next().await.unwrap()["type"] != "DELETED" {}
    assert_eq!(names(&kit, RANGES).await, ["kubernetes"]);
}

#[tokio::test]
async fn missing_addresses_come_back_and_stray_ones_go() {
    let kit = bootstrapped().await;
    let mut watch = kit.watch(&format!("{ADDRESSES}?watch=1")).await;
    assert_eq!(kit.delete(&format!("{ADDRESSES}/10.96.0.1"), Value::Null).await.0, 200);
    while watch.next().await.unwrap()["type"] != "DELETED" {}
    assert_eq!(watch.next().await.unwrap()["object"]["metadata"]["name"], "10.96.0.1");
    let labels = json!({"ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io"});
    let parent = json!({"resource": "services", "namespace": "default", "name": "gone"});
    let stray = json!({"metadata": {"name": "10.96.7.7", "labels": labels}, "spec": {"parentRef": parent}});
    assert_eq!(kit.post(ADDRESSES, stray).await.0, 201);
    while watch.next().await.unwrap()["type"] != "DELETED" {}
    assert_eq!(names(&kit, ADDRESSES).await, ["10.96.0.1"]);
}

#[tokio::test]
async fn services_have_the_families_of_the_cluster() {
    let kit = kit().await;
    let with = |fields: Value| {
        let mut made = service("f", "ClusterIP");
        for (field, value) in fields.as_object().unwrap() {
            made["spec"][field] = value.clone();
        }
        made
    };
    for (fields, why) in [
        (json!({"ipFamilyPolicy": "RequireDualStack"}), "this cluster is not configured for dual-stack services"),
        (
            json!({"ipFamilies": ["IPv6"]}),
            "spec.ipFamilies[0]: Invalid value: \"IPv6\": not configured on this cluster",
        ),
        (
            json!({"ipFamilyPolicy": "SingleStack", "ipFamilies": ["IPv4", "IPv6"]}),
            "when multiple IP families are specified",
        ),
        (json!({"clusterIP": "fd00::1"}), "IPv6 is not configured on this cluster"),
    ] {
        check(&kit.post(SERVICES, with(fields)).await, 422, why);
    }
    let (code, made) = kit.post(SERVICES, with(json!({"ipFamilyPolicy": "PreferDualStack"}))).await;
    assert_eq!(code, 201, "{made}");
    assert_eq!(
        (&made["spec"]["ipFamilies"], &made["spec"]["ipFamilyPolicy"]),
        (&json!(["IPv4"]), &json!("PreferDualStack"))
    );
    let free = json!({"metadata": {"name": "free"}, "spec": {"clusterIP": "None"}});
    let (_, made) = kit.post(SERVICES, free).await;
    assert_eq!(made["spec"]["ipFamilies"], json!(["IPv4", "IPv6"]));
    assert_eq!(made["spec"]["ipFamilyPolicy"], "RequireDualStack");
}

#[tokio::test]
async fn a_local_load_balancer_has_a_port_for_health_checks() {
    let kit = kit().await;
    let mut wish = service("a", "LoadBalancer");
    wish["spec"]["externalTrafficPolicy"] = json!("Local");
    wish["spec"]["ports"] = json!([
        {"name": "t", "port": 53, "protocol": "TCP"}, {"name": "u", "port": 53, "protocol": "UDP"},
    ]);
    let (code, made) = kit.post(SERVICES, wish.clone()).await;
    assert_eq!(code, 201, "{made}");
    let spec = &made["spec"];
    assert_eq!(spec["ports"][0]["nodePort"], spec["ports"][1]["nodePort"], "one number for both protocols");
    let health = spec["healthCheckNodePort"].as_u64().unwrap();
    assert!((30000..=32767).contains(&health) && spec["ports"][0]["nodePort"] != health);
    wish["metadata"]["name"] = json!("b");
    wish["spec"]["healthCheckNodePort"] = json!(health);
    check(&kit.post(SERVICES, wish).await, 422, "spec.healthCheckNodePort: Invalid value");
    let cluster = json!({"spec": {"externalTrafficPolicy": "Cluster"}});
    let (code, changed) = kit.patch(&format!("{SERVICES}/a"), "merge", cluster).await;
    assert_eq!((code, changed["spec"].get("healthCheckNodePort")), (200, None), "{changed}");
}
