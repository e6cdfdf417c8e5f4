use crate::kinds::tests::{change_refused, created, refused, shown, stored, updated};
use expect_test::expect;
use serde_json::json;

#[test]
fn a_service_gets_upstreams_defaults() {
    let service = created(
        "Service",
        json!({"spec": {"ports": [{"port": 80}, {"port": 53, "protocol": "UDP", "targetPort": "dns"}]}}),
    );
    stored(
        &service,
        "/spec",
        expect![[r#"
        {
          "internalTrafficPolicy": "Cluster",
          "ports": [
            {
              "port": 80,
              "protocol": "TCP",
              "targetPort": 80
            },
            {
              "port": 53,
              "protocol": "UDP",
              "targetPort": "dns"
            }
          ],
          "sessionAffinity": "None",
          "type": "ClusterIP"
        }"#]],
    );
    let service = created(
        "Service",
        json!({"spec": {"type": "LoadBalancer", "sessionAffinity": "ClientIP", "ports": [{"port": 80}]}}),
    );
    stored(
        &service,
        "/spec",
        expect![[r#"
        {
          "allocateLoadBalancerNodePorts": true,
          "externalTrafficPolicy": "Cluster",
          "internalTrafficPolicy": "Cluster",
          "ports": [
            {
              "port": 80,
              "protocol": "TCP",
              "targetPort": 80
            }
          ],
          "sessionAffinity": "ClientIP",
          "sessionAffinityConfig": {
            "clientIP": {
              "timeoutSeconds": 10800
            }
          },
          "type": "LoadBalancer"
        }"#]],
    );
}

#[test]
fn bad_services_are_refused_in_upstreams_words() {
    refused(
        "Service",
        json!({"metadata": {"name": "1a"}, "spec": {}}),
        expect![[r#"
        metadata.name: Invalid value: "1a": a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')
        spec.ports: Required value
    "#]],
    );
    refused(
        "Service",
        json!({"spec": {"ports": [
            {"port": 0}, {"port": 80, "name": "A"}, {"port": 80, "name": "b", "targetPort": 70000, "nodePort": 30000},
            {"port": 80, "name": "b"},
        ]}}),
        expect![[r#"
            spec.ports[0].name: Required value
            spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive
            spec.ports[0].targetPort: Invalid value: 0: must be between 1 and 65535, inclusive
            spec.ports[1].name: Invalid value: "A": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')
            spec.ports[2].targetPort: Invalid value: 70000: must be between 1 and 65535, inclusive
            spec.ports[2].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'
            spec.ports[2]: Duplicate value: {"port":80,"protocol":"TCP"}
            spec.ports[3].name: Duplicate value: "b"
            spec.ports[3]: Duplicate value: {"port":80,"protocol":"TCP"}
        "#]],
    );
    refused(
        "Service",
        json!({"spec": {"type": "ExternalName", "clusterIPs": ["10.0.0.1"]}}),
        expect![[r#"
        spec.clusterIPs: Forbidden: may not be set for ExternalName services
        spec.externalName: Required value
    "#]],
    );
    refused(
        "Service",
        json!({"spec": {"type": "NodePort", "clusterIP": "None", "ports": [
            {"name": "a", "port": 80, "nodePort": 30000}, {"name": "b", "port": 81, "nodePort": 30000},
        ]}}),
        expect![[r#"
            spec.clusterIPs[0]: Invalid value: "None": may not be set to 'None' for NodePort services
            spec.ports[1].nodePort: Duplicate value: 30000
        "#]],
    );
    refused(
        "Service",
        json!({"spec": {
            "type": "Odd", "sessionAffinity": "Odd", "clusterIP": "x", "externalIPs": ["y"], "externalTrafficPolicy": "Local",
            "selector": {"a": "-"}, "ports": [{"port": 80}],
        }}),
        expect![[r#"
            spec.type: Unsupported value: "Odd": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"
            spec.selector: Invalid value: "-": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')
            spec.sessionAffinity: Unsupported value: "Odd": supported values: "ClientIP", "None"
            spec.externalIPs[0]: Invalid value: "y": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)
            spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services
        "#]],
    );
    refused(
        "Service",
        json!({"spec": {"clusterIP": "10.0.0.300", "sessionAffinity": "ClientIP",
            "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 0}}, "ports": [{"port": 80}],
        }}),
        expect![[r#"
            spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 0: must be greater than 0 and less than 86400
            spec.clusterIPs[0]: Invalid value: "10.0.0.300": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)
        "#]],
    );
}

#[test]
fn what_was_allocated_stays() {
    let old = created(
        "Service",
        json!({"spec": {"type": "NodePort", "clusterIP": "10.96.0.7", "ports": [{"port": 80, "nodePort": 30080}]}}),
    );
    let replaced = updated("Service", &old, |service| {
        service["spec"] = json!({"type": "NodePort", "ports": [{"port": 80, "targetPort": 8080}]});
    });
    assert_eq!(replaced["spec"]["clusterIPs"], json!(["10.96.0.7"]));
    assert_eq!(replaced["spec"]["ports"][0]["nodePort"], 30080);
    change_refused(
        "Service",
        &old,
        |service| service["spec"]["clusterIP"] = json!("10.96.0.8"),
        expect![[r#"
        spec.clusterIPs[0]: Invalid value: ["10.96.0.8"]: may not change once set
    "#]],
    );
    let inner = updated("Service", &old, |service| service["spec"]["type"] = json!("ClusterIP"));
    assert_eq!(inner["spec"]["ports"][0].get("nodePort"), None);
    assert_eq!(inner["spec"].get("externalTrafficPolicy"), None);
    change_refused("Service", &old, |service| service["spec"]["type"] = json!("ClusterIP"), expect![""]);
    change_refused(
        "Service",
        &old,
        |service| {
            service["spec"]["type"] = json!("ExternalName");
            service["spec"]["externalName"] = json!("example.com");
        },
        expect![""],
    );
}

#[test]
fn get_services_shows_addresses_and_ports() {
    let service = |spec: serde_json::Value| created("Service", json!({"spec": spec}));
    let mut balanced =
        service(json!({"type": "LoadBalancer", "clusterIP": "10.96.0.2", "ports": [{"port": 80, "nodePort": 30080}]}));
    let pending = balanced.clone();
    balanced["status"] = json!({"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}, {"hostname": "a.example"}]}});
    shown(
        "Service",
        &[
            service(
                json!({"clusterIP": "10.96.0.1", "ports": [{"port": 80}, {"port": 53, "protocol": "UDP"}], "selector": {"app": "x", "b": "y"}}),
            ),
            service(json!({"clusterIP": "None"})),
            service(json!({"type": "ExternalName", "externalName": "example.com"})),
            balanced,
            pending,
        ],
        expect![[r#"
            x | ClusterIP | 10.96.0.1 | <none> | 80/TCP,53/UDP | 60m | app=x,b=y
            x | ClusterIP | None | <none> | <none> | 60m | <none>
            x | ExternalName | <none> | example.com | <none> | 60m | <none>
            x | LoadBalancer | 10.96.0.2 | 192.0.2.1,a.example | 80:30080/TCP | 60m | <none>
            x | LoadBalancer | 10.96.0.2 | <pending> | 80:30080/TCP | 60m | <none>
        "#]],
    );
}
