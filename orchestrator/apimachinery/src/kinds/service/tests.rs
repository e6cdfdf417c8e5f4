use crate::field::Errors;
use crate::kinds::tests::{change_refused, created, kind, refused, shown, stored, updated, with};
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

/// What is wrong with a Service of these fields beside a port.
#[track_caller]
fn spec_refused(fields: serde_json::Value, expected: expect_test::Expect) {
    let spec = with(json!({"ports": [{"port": 80}]}), fields);
    refused("Service", json!({"spec": spec}), expected);
}

#[test]
fn fields_that_a_type_has_no_use_for_are_refused() {
    spec_refused(
        json!({"loadBalancerClass": "a/b", "allocateLoadBalancerNodePorts": true, "healthCheckNodePort": 30000,
            "loadBalancerSourceRanges": ["10.0.0.0/8"], "trafficDistribution": "Odd", "internalTrafficPolicy": "Odd"}),
        expect![[r#"
            spec.LoadBalancerSourceRanges: Forbidden: may only be used when `type` is 'LoadBalancer'
            spec.allocateLoadBalancerNodePorts: Forbidden: may only be used when `type` is 'LoadBalancer'
            spec.loadBalancerClass: Forbidden: may only be used when `type` is 'LoadBalancer'
            spec.healthCheckNodePort: Invalid value: 30000: may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'
            spec.internalTrafficPolicy: Unsupported value: "Odd": supported values: "Cluster", "Local"
            spec.trafficDistribution: Unsupported value: "Odd": supported values: "PreferClose", "PreferSameNode", "PreferSameZone"
        "#]],
    );
    spec_refused(
        json!({"type": "LoadBalancer", "loadBalancerClass": "a b", "loadBalancerSourceRanges": [" 10.0.0.0/8 ", "x"],
            "externalTrafficPolicy": "Local", "healthCheckNodePort": 70000}),
        expect![[r#"
            spec.LoadBalancerSourceRanges[1]: Invalid value: "x": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)
            spec.loadBalancerClass: Invalid value: "a b": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')
            spec.healthCheckNodePort: Invalid value: 70000: must be between 1 and 65535, inclusive
        "#]],
    );
    spec_refused(
        json!({"externalIPs": ["127.0.0.1", "0.0.0.0"]}),
        expect![[r#"
        spec.externalIPs[0]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)
        spec.externalIPs[1]: Invalid value: "0.0.0.0": may not be unspecified (0.0.0.0)
    "#]],
    );
    let mut topology = json!({"spec": {"ports": [{"port": 80}]}});
    topology["metadata"]["annotations"] = json!({
        "service.kubernetes.io/topology-mode": "Auto", "service.kubernetes.io/topology-aware-hints": "Disabled",
        "service.beta.kubernetes.io/load-balancer-source-ranges": "10.0.0.0/8,y",
    });
    refused(
        "Service",
        topology,
        expect![[r#"
        metadata.annotations[service.kubernetes.io/topology-mode]: Invalid value: "Auto": must match annotations[service.kubernetes.io/topology-aware-hints] when both are specified
        metadata.annotations[service.beta.kubernetes.io/load-balancer-source-ranges]: Forbidden: may only be used when `type` is 'LoadBalancer'
        metadata.annotations[service.beta.kubernetes.io/load-balancer-source-ranges]: Invalid value: "y": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)
    "#]],
    );
    let balanced = created("Service", json!({"spec": {"type": "LoadBalancer", "ports": [{"port": 80}]}}));
    let mut told = balanced.clone();
    told["status"] = json!({"loadBalancer": {"ingress": [
        {"ip": "x", "hostname": "10.0.0.1"}, {"hostname": "A", "ipMode": "VIP"}, {"ip": "10.0.0.1", "ipMode": "Odd"},
    ]}});
    let mut errors = Errors::default();
    (kind("Service").strategy.validate_update)(&told, &balanced, &mut errors);
    let lines: String = errors.0.iter().map(|error| format!("{error}\n")).collect();
    expect![[r#"
        status.loadBalancer.ingress[0].ip: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)
        status.loadBalancer.ingress[0].hostname: Invalid value: "10.0.0.1": must be a DNS name, not an IP address
        status.loadBalancer.ingress[1].ipMode: Forbidden: may not be specified when `ip` is not set
        status.loadBalancer.ingress[1].hostname: Invalid value: "A": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
        status.loadBalancer.ingress[2].ipMode: Unsupported value: "Odd": supported values: "Proxy", "VIP"
    "#]]
    .assert_eq(&lines);
    // An address that was given before the type changed stays until a controller takes it away.
    told["status"] = json!({"loadBalancer": {"ingress": [{"ip": "10.0.0.1"}]}});
    change_refused("Service", &told, |new| new["spec"]["type"] = json!("ClusterIP"), expect![[""]]);
}

#[test]
fn addresses_and_families_have_to_agree() {
    spec_refused(
        json!({"clusterIPs": ["10.0.0.1"]}),
        expect![[r#"
        spec.clusterIPs: Invalid value: ["10.0.0.1"]: must be empty when `clusterIP` is not specified
    "#]],
    );
    spec_refused(
        json!({"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.2"]}),
        expect![[r#"
        spec.clusterIPs: Invalid value: ["10.0.0.2"]: first value must match `clusterIP`
    "#]],
    );
    spec_refused(
        json!({"clusterIP": "None", "clusterIPs": ["None", "10.0.0.2"]}),
        expect![[r#"
        spec.clusterIPs: Invalid value: ["None","10.0.0.2"]: 'None' must be the first and only value
    "#]],
    );
    spec_refused(
        json!({"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1", "10.0.0.2", "None"]}),
        expect![[r#"
        spec.clusterIPs[2]: Invalid value: "None": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)
        spec.clusterIPs: Invalid value: ["10.0.0.1","10.0.0.2","None"]: may only hold up to 2 values
    "#]],
    );
    spec_refused(
        json!({"clusterIP": "fd00::1", "ipFamilies": ["IPv4", "IPv4", "Odd"], "ipFamilyPolicy": "Odd"}),
        expect![[r#"
            spec.ipFamilies: Invalid value: ["IPv4","IPv4","Odd"]: may only hold up to 2 values
            spec.ipFamilies[1]: Duplicate value: "IPv4"
            spec.ipFamilies[2]: Unsupported value: "Odd": supported values: "IPv4", "IPv6"
            spec.ipFamilyPolicy: Unsupported value: "Odd": supported values: "PreferDualStack", "RequireDualStack", "SingleStack"
            spec.clusterIPs[0]: Invalid value: "fd00::1": expected an IPv4 value as indicated by `ipFamilies[0]`
        "#]],
    );
    spec_refused(
        json!({"clusterIP": "010.000.000.001"}),
        expect![[r#"
        spec.clusterIPs[0]: Invalid value: "010.000.000.001": must not have leading 0s
    "#]],
    );
    spec_refused(
        json!({"clusterIP": "::ffff:10.0.0.1"}),
        expect![[r#"
        spec.clusterIPs[0]: Invalid value: "::ffff:10.0.0.1": must not be an IPv4-mapped IPv6 address
    "#]],
    );
}

#[test]
fn what_was_given_out_once_does_not_change() {
    let old = created(
        "Service",
        json!({"spec": {"type": "LoadBalancer", "clusterIP": "10.0.0.1", "ipFamilies": ["IPv4"], "ports": [{"port": 80}],
            "externalTrafficPolicy": "Local", "healthCheckNodePort": 30100, "loadBalancerClass": "a/b"}}),
    );
    change_refused(
        "Service",
        &old,
        |service| {
            service["spec"]["healthCheckNodePort"] = json!(30101);
            service["spec"]["ipFamilies"] = json!(["IPv6"]);
            service["spec"]["loadBalancerClass"] = json!("a/c");
        },
        expect![[r#"
            spec.clusterIPs[0]: Invalid value: "10.0.0.1": expected an IPv6 value as indicated by `ipFamilies[0]`
            spec.ipFamilies[0]: Invalid value: ["IPv6"]: may not change once set
            spec.healthCheckNodePort: Forbidden: field is immutable
            spec.loadBalancerClass: Invalid value: "a/c": may not change once set
        "#]],
    );
    let kept = updated("Service", &old, |service| {
        service["spec"]["healthCheckNodePort"] = json!(0);
        service["spec"]["clusterIP"] = json!("");
    });
    assert_eq!(kept["spec"]["healthCheckNodePort"], 30100);
    assert_eq!(kept["spec"]["clusterIPs"], json!(["10.0.0.1"]));
}

#[test]
fn what_a_service_asks_for_in_vain_is_warned_of() {
    let warned =
        |object: serde_json::Value| (kind("Service").strategy.warnings)(&created("Service", object)).join("\n");
    let headless = json!({"metadata": {"annotations": {"service.kubernetes.io/topology-aware-hints": "Auto"}},
        "spec": {"clusterIP": "None", "sessionAffinity": "ClientIP", "externalIPs": ["fd00:0::1"],
            "loadBalancerIP": "10.0.0.1", "externalName": "a.example", "trafficDistribution": "PreferClose"}});
    expect![[r#"
        annotation service.kubernetes.io/topology-aware-hints is deprecated, please use service.kubernetes.io/topology-mode instead
        spec.loadBalancerIP is ignored for headless services
        spec.externalIPs is ignored for headless services
        spec.SessionAffinity is ignored for headless services
        spec.externalIPs[0]: IPv6 address "fd00:0::1" should be in RFC 5952 canonical format ("fd00::1")
        spec.externalName is ignored when spec.type is not "ExternalName"
        spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone""#]].assert_eq(&warned(headless));
    let named = json!({"spec": {"type": "ExternalName", "externalName": "a.example", "externalIPs": ["10.0.0.1"]}});
    expect![[r#"spec.externalIPs is ignored when spec.type is "ExternalName""#]].assert_eq(&warned(named));
    let balanced = json!({"spec": {"type": "LoadBalancer", "externalIPs": ["10.0.0.1"],
        "loadBalancerSourceRanges": ["10.0.0.1/8", "FD00::/8"]}});
    expect![[r#"
        spec.externalIPs is deprecated and may no longer be implemented in some clusters
        spec.loadBalancerSourceRanges[0]: CIDR value "10.0.0.1/8" is ambiguous in this context (should be "10.0.0.0/8" or "10.0.0.1/32"?)
        spec.loadBalancerSourceRanges[1]: IPv6 CIDR value "FD00::/8" should be in RFC 5952 canonical format ("fd00::/8")"#]].assert_eq(&warned(balanced));
}
