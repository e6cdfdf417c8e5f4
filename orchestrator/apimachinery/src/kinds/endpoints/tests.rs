use crate::kinds::tests::{created, kind, refused, shown, stored};
use expect_test::expect;
use serde_json::json;

#[test]
fn subsets_with_the_same_addresses_are_joined() {
    let object = created(
        "Endpoints",
        json!({"subsets": [
            {"addresses": [{"ip": "10.0.0.1"}], "ports": [{"name": "a", "port": 80}]},
            {"addresses": [{"ip": "10.0.0.1"}], "ports": [{"name": "b", "port": 81}]},
            {"addresses": [{"ip": "10.0.0.2"}], "ports": [{"name": "a", "port": 80}]},
            {"notReadyAddresses": [{"ip": "10.0.0.2"}], "ports": [{"name": "a", "port": 80}]},
        ]}),
    );
    stored(
        &object,
        "/subsets",
        expect![[r#"
        [
          {
            "addresses": [
              {
                "ip": "10.0.0.1"
              }
            ],
            "ports": [
              {
                "name": "b",
                "port": 81,
                "protocol": "TCP"
              }
            ]
          },
          {
            "addresses": [
              {
                "ip": "10.0.0.1"
              }
            ],
            "notReadyAddresses": [
              {
                "ip": "10.0.0.2"
              }
            ],
            "ports": [
              {
                "name": "a",
                "port": 80,
                "protocol": "TCP"
              }
            ]
          }
        ]"#]],
    );
}

#[test]
fn bad_endpoints_are_refused_in_upstreams_words() {
    let ports = json!([{"port": 0, "protocol": "Odd"}, {"name": "A", "port": 70000, "appProtocol": "a b"}]);
    refused(
        "Endpoints",
        json!({"subsets": [
            {"addresses": [{"ip": "x"}, {"ip": "127.0.0.1"}, {"ip": "0.0.0.0"}, {"ip": "169.254.1.1"},
                {"ip": "224.0.0.1", "hostname": "A", "nodeName": "N"}], "ports": ports},
        ]}),
        expect![[r#"
            subsets[0].addresses[0].ip: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)
            subsets[0].addresses[1].ip: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)
            subsets[0].addresses[2].ip: Invalid value: "0.0.0.0": may not be unspecified (0.0.0.0)
            subsets[0].addresses[3].ip: Invalid value: "169.254.1.1": may not be in the link-local range (169.254.0.0/16, fe80::/10)
            subsets[0].addresses[4].ip: Invalid value: "224.0.0.1": may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)
            subsets[0].addresses[4].hostname: Invalid value: "A": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')
            subsets[0].addresses[4].nodeName: Invalid value: "N": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
            subsets[0].ports[0].name: Required value
            subsets[0].ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive
            subsets[0].ports[0].protocol: Unsupported value: "Odd": supported values: "SCTP", "TCP", "UDP"
            subsets[0].ports[1].name: Invalid value: "A": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')
            subsets[0].ports[1].port: Invalid value: 70000: must be between 1 and 65535, inclusive
            subsets[0].ports[1].appProtocol: Invalid value: "a b": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')
        "#]],
    );
    refused(
        "Endpoints",
        json!({"subsets": [{"ports": [{"port": 80}]}]}),
        expect![[r#"
        subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`
    "#]],
    );
}

#[test]
fn get_shows_three_addresses() {
    let many: Vec<_> = (1..=3).map(|n| json!({"ip": format!("10.0.0.{n}")})).collect();
    let all = created("Endpoints", json!({"subsets": [{"addresses": many, "ports": [{"port": 80}]}]}));
    let more = created(
        "Endpoints",
        json!({"subsets": [
            {"addresses": many, "ports": [{"name": "a", "port": 80}, {"name": "b", "port": 81}]},
        ]}),
    );
    let six = created("Endpoints", json!({"subsets": [{"addresses": [{"ip": "fd00::1"}], "ports": [{"port": 80}]}]}));
    let bare = created("Endpoints", json!({"subsets": [{"addresses": [{"ip": "10.0.0.1"}]}]}));
    shown(
        "Endpoints",
        &[all, more, six, bare, created("Endpoints", json!({}))],
        expect![[r#"
        x | 10.0.0.1:80,10.0.0.2:80,10.0.0.3:80 | 60m
        x | 10.0.0.1:80,10.0.0.2:80,10.0.0.3:80 + 3 more... | 60m
        x | [fd00::1]:80 | 60m
        x | 10.0.0.1 | 60m
        x | <none> | 60m
    "#]],
    );
    let deprecation = "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice";
    assert_eq!(kind("Endpoints").deprecation.as_deref(), Some(deprecation));
}
