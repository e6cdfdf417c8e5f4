use crate::kinds::tests::{created, refused, shown, stored};
use expect_test::expect;
use serde_json::json;

#[test]
fn what_this_server_serves_is_available_from_the_start() {
    let spec = json!({"group": "a.b", "version": "v1", "groupPriorityMinimum": 1, "versionPriority": 1});
    let local = created("APIService", json!({"metadata": {"name": "v1.a.b"}, "spec": spec}));
    stored(
        &local,
        "/status",
        expect![[r#"
        {
          "conditions": [
            {
              "lastTransitionTime": "2026-01-01T00:00:00Z",
              "message": "Local APIServices are always available",
              "reason": "Local",
              "status": "True",
              "type": "Available"
            }
          ]
        }"#]],
    );
    let mut remote = spec;
    remote["service"] = json!({"name": "s", "namespace": "n"});
    let remote = created("APIService", json!({"metadata": {"name": "v1.a.b"}, "spec": remote}));
    stored(
        &remote,
        "/spec/service",
        expect![[r#"
        {
          "name": "s",
          "namespace": "n",
          "port": 443
        }"#]],
    );
    let mut missing = remote.clone();
    missing["status"]["conditions"] = json!([{"type": "Available", "status": "False", "reason": "MissingEndpoints"}]);
    shown(
        "APIService",
        &[local, remote, missing],
        expect![[r#"
        v1.a.b | Local | True | 60m
        v1.a.b | n/s | Unknown | 60m
        v1.a.b | n/s | False (MissingEndpoints) | 60m
    "#]],
    );
}

#[test]
fn names_priorities_and_services_are_checked() {
    refused(
        "APIService",
        json!({
            "metadata": {"name": "v1.a"},
            "spec": {"version": "V2", "groupPriorityMinimum": 20001, "versionPriority": 0, "caBundle": "YWJj",
                "insecureSkipTLSVerify": true},
        }),
        expect![[r#"
            metadata.name: Invalid value: "v1.a": must be `spec.version+"."+spec.group`: "V2."
            spec.group: Required value: only v1 may have an empty group and it better be legacy kube
            spec.version: Invalid value: "V2": a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')
            spec.groupPriorityMinimum: Invalid value: 20001: must be positive and less than 20000
            spec.versionPriority: Invalid value: 0: must be positive and less than 1000
            spec.caBundle: Invalid value: "3 bytes": local APIServices may not have a caBundle
            spec.insecureSkipTLSVerify: Invalid value: true: local APIServices may not have insecureSkipTLSVerify
        "#]],
    );
    refused(
        "APIService",
        json!({
            "metadata": {"name": "v1.A"},
            "spec": {"group": "A", "version": "v1", "groupPriorityMinimum": 1, "versionPriority": 1, "caBundle": "YWJj",
                "insecureSkipTLSVerify": true, "service": {"port": 0}},
        }),
        expect![[r#"
            spec.group: Invalid value: "A": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
            spec.service.namespace: Required value
            spec.service.name: Required value
            spec.service.port: Invalid value: 0: port is not valid: must be between 1 and 65535, inclusive
            spec.insecureSkipTLSVerify: Invalid value: true: may not be true if caBundle is present
        "#]],
    );
}
