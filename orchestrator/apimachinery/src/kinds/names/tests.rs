use super::*;
use expect_test::{Expect, expect};

#[track_caller]
fn check(wrong: Vec<String>, expected: Expect) {
    expected.assert_eq(&wrong.join("\n"));
}

#[test]
fn good_names_pass() {
    for name in ["a", "a-b", "0", "a1"] {
        assert!(dns_label(name).is_empty() && dns_subdomain(name).is_empty(), "{name}");
    }
    assert!(dns_subdomain("a.b-c.d").is_empty());
    assert!(of_prefix(dns_subdomain, "job-", true).is_empty());
    for key in ["a", "app.kubernetes.io/name", "A_b.c-1"] {
        assert!(qualified(key).is_empty(), "{key}");
    }
    for value in ["", "a", "A_b.c-1"] {
        assert!(label_value(value).is_empty(), "{value}");
    }
    assert!(path_segment("system:controller:job-controller", false).is_empty());
    assert!(port_name("http-1").is_empty() && port_number(65535).is_empty());
    assert!(environment_variable("A.b-c").is_empty());
    assert!(data_key("..a").len() == 1 && data_key(".a").is_empty() && data_key("tls.crt").is_empty());
    assert!(percent("25%").is_empty() && ip("::1").is_empty() && http_header("X-A").is_empty());
}

#[test]
fn bad_names_are_refused_in_upstreams_words() {
    check(
        dns_label("Bad_Name"),
        expect![
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
        ],
    );
    check(dns_label(&"a".repeat(64)), expect!["must be no more than 63 bytes"]);
    check(
        dns_subdomain("a..b"),
        expect![[
            r#"a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"#
        ]],
    );
    check(
        dns_1035_label("1a"),
        expect![
            "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
        ],
    );
    check(
        of_prefix(dns_subdomain, "-", false),
        expect![[
            r#"a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"#
        ]],
    );
    check(path_segment("..", false), expect!["may not be '..'"]);
    check(
        path_segment("a/b%", false),
        expect![[r#"
        may not contain '/'
        may not contain '%'"#]],
    );
    check(
        qualified("a/b/c"),
        expect![
            "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        ],
    );
    check(qualified("/b"), expect!["prefix part must be non-empty"]);
    check(
        qualified("-x/"),
        expect![[r#"
        prefix part a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
        name part must be non-empty
        name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"#]],
    );
    check(
        label_value("-x"),
        expect![
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
        ],
    );
    check(
        environment_variable("a=b"),
        expect!["a valid environment variable name must consist only of printable ASCII characters other than '='"],
    );
    check(data_key(".."), expect!["must not be '..'"]);
    check(
        data_key("a b"),
        expect![
            "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
        ],
    );
    check(
        port_name("-0--1234567890123"),
        expect![[r#"
        must be no more than 15 bytes
        must contain at least one letter (a-z)
        must not contain consecutive hyphens
        must not begin or end with a hyphen"#]],
    );
    check(port_number(0), expect!["must be between 1 and 65535, inclusive"]);
    check(
        http_header("a:b"),
        expect![
            "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')"
        ],
    );
    check(
        percent("5"),
        expect![
            "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')"
        ],
    );
    check(ip("10.0.0"), expect!["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"]);
}
