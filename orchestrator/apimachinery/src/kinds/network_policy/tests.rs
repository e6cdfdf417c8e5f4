use crate::kinds::tests::{created, refused, shown, stored};
use expect_test::expect;
use serde_json::json;

#[test]
fn types_and_protocols_are_filled_in() {
    let policy = created("NetworkPolicy", json!({"spec": {"egress": [{"ports": [{"port": 53}]}]}}));
    stored(
        &policy,
        "/spec",
        expect![[r#"
        {
          "egress": [
            {
              "ports": [
                {
                  "port": 53,
                  "protocol": "TCP"
                }
              ]
            }
          ],
          "podSelector": {},
          "policyTypes": [
            "Ingress",
            "Egress"
          ]
        }"#]],
    );
    shown(
        "NetworkPolicy",
        &[policy, created("NetworkPolicy", json!({"spec": {"podSelector": {"matchLabels": {"a": "b"}}}}))],
        expect![[r#"
            x | <none> | 60m
            x | a=b | 60m
        "#]],
    );
}

#[test]
fn ports_and_peers_are_checked() {
    refused(
        "NetworkPolicy",
        json!({"spec": {
            "ingress": [{
                "ports": [
                    {"protocol": "ICMP"}, {"port": 0}, {"port": 80, "endPort": 79}, {"port": "http", "endPort": 80},
                    {"endPort": 80}, {"port": "Http"},
                ],
                "from": [
                    {}, {"podSelector": {}, "ipBlock": {"cidr": "10.0.0.0/8"}}, {"ipBlock": {}},
                    {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.0.0.0/8", "11.0.0.0/16", "x"]}},
                ],
            }],
            "policyTypes": ["Both"],
        }}),
        expect![[r#"
            spec.ingress[0].ports[0].protocol: Unsupported value: "ICMP": supported values: "SCTP", "TCP", "UDP"
            spec.ingress[0].ports[1].port: Invalid value: 0: must be between 1 and 65535, inclusive
            spec.ingress[0].ports[2].endPort: Invalid value: 79: must be greater than or equal to `port`
            spec.ingress[0].ports[3].endPort: Invalid value: 80: may not be specified when `port` is non-numeric
            spec.ingress[0].ports[4].endPort: Invalid value: 80: may not be specified when `port` is not specified
            spec.ingress[0].ports[5].port: Invalid value: "Http": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)
            spec.ingress[0].from[0]: Required value: must specify a peer
            spec.ingress[0].from[1]: Forbidden: may not specify both ipBlock and another peer
            spec.ingress[0].from[2].ipBlock.cidr: Required value
            spec.ingress[0].from[3].ipBlock.except[0]: Invalid value: "10.0.0.0/8": must be a strict subset of `cidr`
            spec.ingress[0].from[3].ipBlock.except[1]: Invalid value: "11.0.0.0/16": must be a strict subset of `cidr`
            spec.ingress[0].from[3].ipBlock.except[2]: Invalid value: "x": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)
            spec.policyTypes[0]: Unsupported value: "Both": supported values: "Egress", "Ingress"
        "#]],
    );
    refused(
        "NetworkPolicy",
        json!({"spec": {"policyTypes": ["Ingress", "Egress", "Ingress"]}}),
        expect![[r#"
        spec.policyTypes: Invalid value: ["Ingress","Egress","Ingress"]: may not specify more than two policyTypes
    "#]],
    );
}

#[test]
fn networks_with_host_bits_are_warned_of() {
    let block = json!({"ipBlock": {"cidr": "10.0.0.1/8", "except": ["10.1.0.0/16", "10.2.0.9/16"]}});
    let policy = created("NetworkPolicy", json!({"spec": {"egress": [{"to": [block]}]}}));
    expect![[r#"
        spec.egress[0].to[0].ipBlock.cidr: CIDR value "10.0.0.1/8" is ambiguous in this context (should be "10.0.0.0/8" or "10.0.0.1/32"?)
        spec.egress[0].to[0].ipBlock.except[1]: CIDR value "10.2.0.9/16" is ambiguous in this context (should be "10.2.0.0/16" or "10.2.0.9/32"?)"#]].assert_eq(&(crate::kinds::tests::kind("NetworkPolicy").strategy.warnings)(&policy).join("\n"));
}
