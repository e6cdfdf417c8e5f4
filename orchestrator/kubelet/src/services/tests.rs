use super::*;
use serde_json::{Value, json};

fn service(name: &str, spec: Value) -> Arc<Service> {
    Arc::new(serde_json::from_value(json!({"metadata": {"name": name, "namespace": "ns"}, "spec": spec})).unwrap())
}

fn slice(service: &str, ports: Value, endpoints: Value) -> Arc<EndpointSlice> {
    let labels = json!({"kubernetes.io/service-name": service});
    let slice = json!({"metadata": {"name": format!("{service}-x"), "namespace": "ns", "labels": labels},
        "addressType": "IPv4", "ports": ports, "endpoints": endpoints});
    Arc::new(serde_json::from_value(slice).unwrap())
}

#[test]
fn ports_lead_to_the_endpoints_of_their_name() {
    let services = [service(
        "web",
        json!({"clusterIP": "10.96.0.5", "clusterIPs": ["10.96.0.5"], "type": "NodePort", "ports": [
            {"name": "http", "port": 80, "nodePort": 30080, "targetPort": 8080},
            {"name": "dns", "port": 53, "protocol": "UDP"}]}),
    )];
    let slices = [
        slice(
            "web",
            json!([{"name": "http", "port": 8080, "protocol": "TCP"}, {"name": "dns", "port": 5353, "protocol": "UDP"}]),
            json!([{"addresses": ["10.244.0.2"], "conditions": {"ready": true}, "nodeName": "n"},
                {"addresses": ["10.244.0.3"], "conditions": {"ready": false, "serving": true, "terminating": true}}]),
        ),
        slice("other", json!([{"name": "http", "port": 1}]), json!([{"addresses": ["10.244.0.9"]}])),
    ];
    let tables = tables(&services, &slices);
    let entry = &tables.services[0];
    assert_eq!(entry.cluster_ips, ["10.96.0.5".parse::<IpAddr>().unwrap()]);
    assert_eq!((entry.ports[0].port, entry.ports[0].node_port), (80, Some(30080)));
    assert_eq!(entry.ports[1].protocol, Protocol::Udp);
    let targets = &entry.ports[0].targets;
    assert_eq!(targets.len(), 2);
    assert_eq!((targets[0].port, targets[0].ready, targets[0].node.as_deref()), (8080, true, Some("n")));
    assert_eq!((targets[1].ready, targets[1].serving, targets[1].terminating), (false, true, true));
    assert_eq!(entry.ports[1].targets[0].port, 5353);
}

#[test]
fn headless_and_external_services_have_no_cluster_address() {
    let services = [
        service("db", json!({"clusterIP": "None", "clusterIPs": ["None"], "publishNotReadyAddresses": true})),
        service("out", json!({"type": "ExternalName", "externalName": "example.com"})),
        service("sticky", json!({"clusterIP": "10.96.0.6", "sessionAffinity": "ClientIP", "ports": [{"port": 1}]})),
    ];
    let slices = [slice("db", json!([]), json!([{"addresses": ["10.244.0.4"], "hostname": "db-0"}]))];
    let tables = tables(&services, &slices);
    let [db, out, sticky] = &tables.services[..] else { panic!("{tables:?}") };
    assert!(db.headless && db.cluster_ips.is_empty() && db.publish_not_ready);
    assert_eq!(db.endpoints[0].hostname.as_deref(), Some("db-0"));
    assert!(db.endpoints[0].ready, "no condition means ready");
    assert_eq!(out.external_name.as_deref(), Some("example.com"));
    assert_eq!(sticky.session_affinity, Some(Duration::from_secs(10_800)));
    assert_eq!(sticky.cluster_ips.len(), 1);
}

#[test]
fn a_node_port_that_fails_is_its_services_event_once() {
    let port = json!([{"port": 80, "nodePort": 30080}]);
    let services = [service("other", json!({})), service("web", json!({"ports": port}))];
    let failed = |reason: &str| NodePortError { port: 30080, service: "ns/web:80".into(), reason: reason.into() };
    let none = BTreeMap::new();
    let taken = BTreeMap::from([(30080, failed("taken"))]);
    let cases = [
        (vec![failed("taken")], &none, Some((EventType::Warning, "cannot listen on port 30080: taken"))),
        (vec![failed("taken")], &taken, None),
        (vec![failed("denied")], &taken, Some((EventType::Warning, "cannot listen on port 30080: denied"))),
        (vec![], &taken, Some((EventType::Normal, "listening on port 30080"))),
        (vec![], &none, None),
    ];
    for (failed, told, expected) in cases {
        let news = news(&failed, told);
        let said: Vec<_> = news.iter().map(|(_, kind, _, message)| (*kind, message.as_str())).collect();
        assert_eq!(said, Vec::from_iter(expected));
    }
    assert_eq!(owner(30080, &services).and_then(|service| service.metadata.name.as_deref()), Some("web"));
    assert!(owner(80, &services).is_none());
}
