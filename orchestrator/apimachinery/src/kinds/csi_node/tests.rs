use crate::kinds::tests::{change_refused, created, refused, shown};
use expect_test::expect;
use serde_json::json;

#[test]
fn drivers_of_a_node_are_checked_and_stay_as_they_are() {
    let node = created("CSINode", json!({"spec": {"drivers": [{"name": "d", "nodeID": "i", "topologyKeys": ["z"]}]}}));
    change_refused(
        "CSINode",
        &node,
        |node| node["spec"]["drivers"][0]["allocatable"] = json!({"count": 3}),
        expect![[""]],
    );
    change_refused(
        "CSINode",
        &node,
        |node| node["spec"]["drivers"][0]["nodeID"] = json!("j"),
        expect![[r#"
        spec.drivers: Invalid value: {"name":"d","nodeID":"j","topologyKeys":["z"]}: field is immutable
    "#]],
    );
    refused(
        "CSINode",
        json!({"spec": {"drivers": [
            {"name": "D_", "nodeID": "", "allocatable": {"count": -1}},
            {"name": "d", "nodeID": "i".repeat(257), "topologyKeys": ["a", "a", "-"]},
            {"name": "d", "nodeID": "i"},
        ]}}),
        expect![[r#"
            spec.drivers[0].name: Invalid value: "D_": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
            spec.drivers[0].nodeID: Required value
            spec.drivers[0].allocatable.count: Invalid value: -1: must be greater than or equal to 0
            spec.drivers[1].nodeID: Invalid value: "iiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiii": must be 256 characters or less
            spec.drivers[1]: Duplicate value: "a"
            spec.drivers[1]: Invalid value: "-": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')
            spec.drivers[2].name: Duplicate value: "d"
        "#]],
    );
    shown(
        "CSINode",
        &[node],
        expect![[r#"
        x | 1 | 60m
    "#]],
    );
}
