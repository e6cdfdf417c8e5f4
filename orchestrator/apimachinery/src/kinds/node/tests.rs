use crate::kinds::tests::{change_refused, created, kind, refused, shown};
use expect_test::expect;
use serde_json::json;

#[test]
fn get_nodes_shows_readiness_roles_and_versions() {
    let node = created(
        "Node",
        json!({
            "metadata": {"labels": {"node-role.kubernetes.io/worker": "", "node-role.kubernetes.io/control-plane": "", "kubernetes.io/role": "edge"}},
            "spec": {"unschedulable": true},
            "status": {
                "conditions": [{"type": "Ready", "status": "True"}], "addresses": [{"type": "InternalIP", "address": "192.0.2.7"}],
                "nodeInfo": {"kubeletVersion": "v1.36.0", "osImage": "Debian", "kernelVersion": "6.1", "containerRuntimeVersion": "x://1"},
                "capacity": {"cpu": "2000m", "memory": "1024Mi"},
            },
        }),
    );
    assert_eq!(node["status"]["allocatable"], json!({"cpu": "2", "memory": "1Gi"}));
    assert_eq!(kind("Node").field_text(&created("Node", json!({})), "spec.unschedulable"), "false");
    let gone = created("Node", json!({"status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}}));
    shown(
        "Node",
        &[node, gone, created("Node", json!({}))],
        expect![[r#"
        x | Ready,SchedulingDisabled | control-plane,edge,worker | 60m | v1.36.0 | 192.0.2.7 | <none> | Debian | 6.1 | x://1
        x | NotReady | <none> | 60m |  | <none> | <none> | <unknown> | <unknown> | <unknown>
        x | Unknown | <none> | 60m |  | <none> | <none> | <unknown> | <unknown> | <unknown>
    "#]],
    );
}

#[test]
fn bad_nodes_are_refused_in_upstreams_words() {
    refused(
        "Node",
        json!({"spec": {"podCIDRs": ["x"], "taints": [
        {"key": ""}, {"key": "a", "effect": "Odd"}, {"key": "b", "effect": "NoExecute"}, {"key": "b", "effect": "NoExecute"},
    ]}, "status": {"capacity": {"cpu": "-1"}}}),
        expect![[r#"
            metadata.taints[0].key: Invalid value: "": name part must be non-empty
            metadata.taints[0].key: Invalid value: "": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')
            metadata.taints[0].effect: Required value
            metadata.taints[1].effect: Unsupported value: "Odd": supported values: "NoExecute", "NoSchedule", "PreferNoSchedule"
            metadata.taints[3]: Duplicate value: {"effect":"NoExecute","key":"b"}: taints must be unique by key and effect pair
            status.capacity.cpu: Invalid value: "-1": must be greater than or equal to 0
            status.allocatable.cpu: Invalid value: "-1": must be greater than or equal to 0
            spec.podCIDRs[0]: Invalid value: "x": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)
        "#]],
    );
    let old = created("Node", json!({"spec": {"podCIDRs": ["10.0.0.0/24"], "providerID": "a"}}));
    change_refused(
        "Node",
        &old,
        |node| node["spec"] = json!({"podCIDRs": ["10.0.1.0/24"], "providerID": "b"}),
        expect![[r#"
            spec.podCIDRs: Forbidden: node updates may not change podCIDR except from "" to valid
            spec.providerID: Forbidden: node updates may not change providerID except from "" to valid
        "#]],
    );
}

#[test]
fn a_node_has_one_range_of_each_family_and_each_address_once() {
    let spec = |spec: serde_json::Value| json!({"spec": spec});
    let told = created("Node", spec(json!({"podCIDR": "10.0.0.0/24"})));
    assert_eq!(told["spec"]["podCIDRs"], json!(["10.0.0.0/24"]));
    refused(
        "Node",
        spec(json!({"podCIDRs": ["10.0.0.0/24", "10.0.0.0/24"], "configSource": {}})),
        expect![[r#"
        spec.podCIDRs: Invalid value: ["10.0.0.0/24","10.0.0.0/24"]: may specify no more than one CIDR for each IP family
        spec.podCIDRs[1]: Duplicate value: "10.0.0.0/24"
        spec.configSource: Invalid value: {}: exactly one reference subfield must be non-nil
    "#]],
    );
    refused(
        "Node",
        spec(json!({"configSource": {"configMap": {"uid": "u", "name": "N"}}})),
        expect![[r#"
            spec.configSource.configMap.uid: Forbidden: uid must not be set in spec
            spec.configSource.configMap.namespace: Required value: namespace must be set
            spec.configSource.configMap.name: Invalid value: "N": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
            spec.configSource.configMap.kubeletConfigKey: Required value: kubeletConfigKey must be set
        "#]],
    );
    let old = created("Node", json!({"spec": {"externalID": "x", "podCIDRs": ["10.0.0.1/24"]}}));
    let address = json!({"type": "InternalIP", "address": "10.0.0.1"});
    change_refused(
        "Node",
        &old,
        |node| node["spec"]["externalID"] = json!("y"),
        expect![[r#"
        spec.externalID: Forbidden: may not be updated
    "#]],
    );
    let mut twice = old.clone();
    twice["status"] = json!({"addresses": [address, address]});
    change_refused(
        "Node",
        &twice,
        |_| {},
        expect![[r#"
        status.addresses[1]: Duplicate value: {"address":"10.0.0.1","type":"InternalIP"}
    "#]],
    );
    expect![[r#"
        spec.externalID: this field is deprecated, and is unused by Kubernetes
        spec.podCIDRs[0]: CIDR value "10.0.0.1/24" is ambiguous in this context (should be "10.0.0.0/24" or "10.0.0.1/32"?)"#]].assert_eq(&(kind("Node").strategy.warnings)(&old).join("\n"));
}
