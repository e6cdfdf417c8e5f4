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
