use crate::kinds::tests::{change_refused, created, refused, shown, stored, updated};
use expect_test::expect;
use serde_json::json;

#[test]
fn a_slice_gets_defaults_and_counts_changes() {
    let slice = created(
        "EndpointSlice",
        json!({
            "addressType": "IPv4", "ports": [{"port": 80}, {"name": "a", "port": 81}, {"name": "b"}, {"name": "c", "port": 82}],
            "endpoints": [{"addresses": ["10.0.0.1"]}, {"addresses": ["10.0.0.2"]}],
        }),
    );
    stored(
        &slice,
        "/ports/0",
        expect![[r#"
        {
          "name": "",
          "port": 80,
          "protocol": "TCP"
        }"#]],
    );
    shown(
        "EndpointSlice",
        &[slice.clone(), created("EndpointSlice", json!({}))],
        expect![[r#"
        x | IPv4 | 80,81,b + 1 more... | 10.0.0.1,10.0.0.2 | 60m
        x |  | <unset> | <unset> | 60m
    "#]],
    );
    let smaller = updated("EndpointSlice", &slice, |slice| slice["endpoints"] = json!([]));
    assert_eq!(smaller["metadata"]["generation"], 2);
    change_refused(
        "EndpointSlice",
        &slice,
        |slice| slice["addressType"] = json!("FQDN"),
        expect![[r#"
        addressType: Invalid value: "FQDN": field is immutable
    "#]],
    );
}

#[test]
fn bad_slices_are_refused_in_upstreams_words() {
    let endpoints: Vec<_> = (0..=1000).map(|_| json!({"addresses": ["10.0.0.1"]})).collect();
    refused(
        "EndpointSlice",
        json!({"addressType": "IPv4", "endpoints": endpoints}),
        expect![[r#"
        endpoints: Too many: 1001: must have at most 1000 items
    "#]],
    );
    refused(
        "EndpointSlice",
        json!({"addressType": "IPv4", "endpoints": [
        {}, {"addresses": ["x"]}, {"addresses": ["::1"]}, {"addresses": ["127.0.0.1"]},
    ], "ports": [{"name": "a"}, {"name": "a", "protocol": "Odd"}, {"name": "A_"}]}),
        expect![[r#"
            endpoints[0].addresses: Required value: must contain at least 1 address
            endpoints[1].addresses[0]: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)
            endpoints[2].addresses[0]: Invalid value: "::1": must be a valid IPv4 address
            endpoints[3].addresses[0]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)
            ports[1].name: Duplicate value: "a"
            ports[1].protocol: Unsupported value: "Odd": supported values: "SCTP", "TCP", "UDP"
            ports[2].name: Invalid value: "A_": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')
        "#]],
    );
    refused(
        "EndpointSlice",
        json!({"addressType": "Odd"}),
        expect![[r#"
        addressType: Unsupported value: "Odd": supported values: "FQDN", "IPv4", "IPv6"
    "#]],
    );
}

#[test]
fn what_endpoints_tell_beside_addresses_is_checked() {
    let labels: serde_json::Map<String, serde_json::Value> = (0..17).map(|n| (format!("l{n}"), json!("v"))).collect();
    let zones: Vec<serde_json::Value> = (0..9).map(|n| json!({"name": format!("z{n}")})).collect();
    refused(
        "EndpointSlice",
        json!({"addressType": "FQDN", "ports": [{"name": "a"}], "endpoints": [
            {"addresses": ["plain", "a.example.", "B.example"], "hostname": "A", "nodeName": "N"},
            {"addresses": ["a.example"], "deprecatedTopology": labels, "hints": {"forZones": [{"name": "z"}, {"name": "z"}, {"name": ""}]}},
            {"addresses": ["a.example"], "hints": {"forZones": zones, "forNodes": [{"name": "N"}]}},
        ]}),
        expect![[r#"
            endpoints[0].addresses[0]: Invalid value: "plain": should be a domain with at least two segments separated by dots
            endpoints[0].addresses[2]: Invalid value: "B.example": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
            endpoints[0].nodeName: Invalid value: "N": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
            endpoints[0].hostname: Invalid value: "A": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')
            endpoints[1].deprecatedTopology: Too many: 17: must have at most 16 items
            endpoints[1].hints.forZones[1].name: Duplicate value: "z"
            endpoints[1].hints.forZones[2].name: Invalid value: "": name part must be non-empty
            endpoints[1].hints.forZones[2].name: Invalid value: "": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')
            endpoints[2].hints.forZones: Too many: 9: must have at most 8 items
            endpoints[2].hints.forNodes[0].name: Invalid value: "N": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
        "#]],
    );
    refused(
        "EndpointSlice",
        json!({"addressType": "IPv4", "endpoints": [{"addresses": ["169.254.1.1", "224.0.0.1"]}]}),
        expect![[r#"
            endpoints[0].addresses[0]: Invalid value: "169.254.1.1": may not be in the link-local range (169.254.0.0/16, fe80::/10)
            endpoints[0].addresses[1]: Invalid value: "224.0.0.1": may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)
        "#]],
    );
}
