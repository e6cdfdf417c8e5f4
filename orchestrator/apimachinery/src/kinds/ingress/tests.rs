use crate::kinds::tests::{created, kind, refused, shown, stored, updated};
use expect_test::expect;
use serde_json::json;

#[test]
fn rules_and_backends_are_checked() {
    refused(
        "Ingress",
        json!({"spec": {}}),
        expect![[r#"
        spec: Invalid value: null: either `defaultBackend` or `rules` must be specified
    "#]],
    );
    let backend =
        |value| json!({"host": "a", "http": {"paths": [{"path": "/", "pathType": "Exact", "backend": value}]}});
    refused(
        "Ingress",
        json!({"spec": {
            "rules": [
                {"host": "10.0.0.1", "http": {"paths": []}},
                {"host": "*.*.b"},
                {"http": {"paths": [
                    {"backend": {}},
                    {"pathType": "Odd", "backend": {"service": {"name": "s", "port": {"name": "http"}}}},
                    {"pathType": "Prefix", "path": "a/../b//c/..", "backend": {"resource": {"name": "x/y"}}},
                ]}},
                backend(json!({})),
                backend(json!({"service": {"name": "S", "port": {}}})),
                backend(json!({"service": {"name": "s", "port": {"name": "p", "number": 80}}})),
                backend(json!({"service": {"name": "s", "port": {"number": 70000}}, "resource": {"kind": "K", "name": "n"}})),
            ],
            "tls": [{"hosts": ["*"], "secretName": "S"}], "ingressClassName": "C",
        }}),
        expect![[r#"
            spec.rules[0].host: Invalid value: "10.0.0.1": must be a DNS name, not an IP address
            spec.rules[0].http.paths: Required value
            spec.rules[1].host: Invalid value: "*.*.b": a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', regex used for validation is '\*\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
            spec.rules[2].http.paths[0].pathType: Required value: pathType must be specified
            spec.rules[2].http.paths[1].pathType: Unsupported value: "Odd": supported values: "Exact", "ImplementationSpecific", "Prefix"
            spec.rules[2].http.paths[2].path: Invalid value: "a/../b//c/..": must be an absolute path
            spec.rules[2].http.paths[2].path: Invalid value: "a/../b//c/..": must not contain '//'
            spec.rules[2].http.paths[2].path: Invalid value: "a/../b//c/..": must not contain '/../'
            spec.rules[2].http.paths[2].path: Invalid value: "a/../b//c/..": cannot end with '/..'
            spec.rules[2].http.paths[2].backend.resource.kind: Required value
            spec.rules[2].http.paths[2].backend.resource.name: Invalid value: "x/y": may not contain '/'
            spec.rules[3].http.paths[0].backend: Invalid value: "": resource or service backend is required
            spec.rules[4].http.paths[0].backend.service.name: Invalid value: "S": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')
            spec.rules[4].http.paths[0].backend: Required value: port name or number is required
            spec.rules[5].http.paths[0].backend: Invalid value: "": cannot set both port name & port number
            spec.rules[6].http.paths[0].backend: Invalid value: "": cannot set both resource and service backends
            spec.tls[0].hosts[0]: Invalid value: "*": a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', regex used for validation is '\*\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
            spec.tls[0].secretName: Invalid value: "S": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
            spec.ingressClassName: Invalid value: "C": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
        "#]],
    );
    refused(
        "Ingress",
        json!({
            "metadata": {"annotations": {"kubernetes.io/ingress.class": "a"}},
            "spec": {"ingressClassName": "b", "defaultBackend": {"service": {"name": "1s", "port": {"number": 1}}}},
        }),
        expect![[r#"
            annotations.kubernetes.io/ingress.class: Invalid value: "a": must match `ingressClassName` when both are specified
        "#]],
    );
}

#[test]
fn the_row_shows_hosts_addresses_and_ports() {
    let spec = |hosts: &[&str]| {
        let rules: Vec<_> = hosts.iter().map(|host| json!({"host": host})).collect();
        json!({"spec": {"rules": rules, "ingressClassName": "nginx", "tls": [{}]}})
    };
    let mut published = created("Ingress", spec(&["b", "", "a"]));
    stored(
        &published,
        "/status",
        expect![[r#"
        {
          "loadBalancer": {}
        }"#]],
    );
    published["status"] =
        json!({"loadBalancer": {"ingress": [{"ip": "10.0.0.2"}, {"hostname": "h"}, {"ip": "10.0.0.1"}]}});
    let backend = json!({"spec": {"defaultBackend": {"service": {"name": "s", "port": {"number": 80}}}}});
    shown(
        "Ingress",
        &[created("Ingress", backend), published, created("Ingress", spec(&["a", "b", "c", "d", "e"]))],
        expect![[r#"
            x | <none> | * |  | 80 | 60m
            x | nginx | b,a | 10.0.0.1,10.0.0.2,h | 80, 443 | 60m
            x | nginx | a,b,c + 2 more... |  | 80, 443 | 60m
        "#]],
    );
}

#[test]
fn only_a_changed_spec_raises_the_generation() {
    let ingress = created("Ingress", json!({"spec": {"defaultBackend": {"resource": {"kind": "K", "name": "n"}}}}));
    let same = updated("Ingress", &ingress, |ingress| ingress["status"] = json!({"loadBalancer": {"ingress": []}}));
    assert_eq!(same, ingress);
    let changed = updated("Ingress", &ingress, |ingress| ingress["spec"]["ingressClassName"] = json!("c"));
    assert_eq!(changed["metadata"]["generation"], 2);
}

#[test]
fn the_old_annotation_brings_a_warning() {
    let ingress = json!({"metadata": {"annotations": {"kubernetes.io/ingress.class": "a"}}});
    assert_eq!(
        (kind("Ingress").strategy.warnings)(&ingress),
        [r#"annotation "kubernetes.io/ingress.class" is deprecated, please use 'spec.ingressClassName' instead"#]
    );
}
