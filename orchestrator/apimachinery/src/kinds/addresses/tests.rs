use super::*;

#[track_caller]
fn check(rule: fn(&str) -> Vec<String>, text: &str, expected: &str) {
    assert_eq!(rule(text).join("; "), expected, "{text}");
}

#[test]
fn addresses_and_networks_must_be_canonical() {
    check(canonical_ip, "10.0.0.1", "");
    check(canonical_ip, "2001:db8::1", "");
    check(canonical_ip, "2001:DB8::1", "must be in canonical form (\"2001:db8::1\")");
    check(canonical_ip, "::ffff:1.2.3.4", "must not be an IPv4-mapped IPv6 address");
    check(canonical_ip, "10.0.0.256", "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)");
    check(canonical_network, "10.0.0.0/24", "");
    check(canonical_network, "10.0.0.1/24", "must not have bits set beyond the prefix length");
    check(canonical_network, "10.0.0.1", NOT_A_NETWORK);
    check(network, "10.0.0.1/24", "");
    check(interface_address, "10.0.0.1/24", "");
}
