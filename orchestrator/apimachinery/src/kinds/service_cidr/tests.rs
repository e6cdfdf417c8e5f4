use crate::kinds::tests::{change_refused, created, refused, shown};
use expect_test::expect;
use serde_json::json;

#[test]
fn a_range_may_only_get_a_second_family() {
    let range = created("ServiceCIDR", json!({"spec": {"cidrs": ["10.96.0.0/16"]}, "status": {"conditions": []}}));
    assert_eq!(range["status"], json!({}));
    let cidrs = |cidrs: &[&str]| {
        let cidrs = json!(cidrs);
        move |range: &mut serde_json::Value| range["spec"]["cidrs"] = cidrs
    };
    change_refused("ServiceCIDR", &range, cidrs(&["10.96.0.0/16", "fd00::/108"]), expect![[""]]);
    change_refused(
        "ServiceCIDR",
        &range,
        cidrs(&["10.97.0.0/16"]),
        expect![[r#"
        spec.cidrs[0]: Invalid value: "10.97.0.0/16": field is immutable
    "#]],
    );
    change_refused(
        "ServiceCIDR",
        &range,
        cidrs(&[]),
        expect![[r#"
        spec.cidrs: Required value: at least one CIDR required
        spec.cidrs: Invalid value: []: field is immutable
    "#]],
    );
    refused(
        "ServiceCIDR",
        json!({"spec": {"cidrs": ["10.0.0.1/8", "10.96.0.0/16"]}}),
        expect![[r#"
        spec.cidrs[0]: Invalid value: "10.0.0.1/8": must not have bits set beyond the prefix length
        spec.cidrs: Invalid value: ["10.0.0.1/8","10.96.0.0/16"]: may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64
    "#]],
    );
    refused(
        "ServiceCIDR",
        json!({"spec": {"cidrs": ["10.0.0.0/8", "fd00::/8", "fd01::/16"]}}),
        expect![[r#"
        spec.cidrs: Invalid value: {"cidrs":["10.0.0.0/8","fd00::/8","fd01::/16"]}: may only hold up to 2 values
    "#]],
    );
    shown(
        "ServiceCIDR",
        &[created("ServiceCIDR", json!({"spec": {"cidrs": ["10.96.0.0/16", "fd00::/108"]}}))],
        expect![[r#"
            x | 10.96.0.0/16,fd00::/108 | 60m
        "#]],
    );
}
