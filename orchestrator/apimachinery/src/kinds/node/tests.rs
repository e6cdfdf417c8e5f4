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
            spec.taints[0].key: Invalid value: "": name part must be non-empty
            spec.taints[0].key: Invalid value: "": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')
            spec.taints[0].effect: Required value
            spec.taints[1].effect: Unsupported value: "Odd": supported values: "NoExecute", "NoSchedule", "PreferNoSchedule"
            spec.taints[3]: Duplicate value: {"effect":"NoExecute","key":"b"}
            spec.podCIDRs[0]: Invalid value: "x": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)
            status.capacity[cpu]: Invalid value: "-1": must be greater than or equal to 0
            status.allocatable[cpu]: Invalid value: "-1": must be greater than or equal to 0
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
