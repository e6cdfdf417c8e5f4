use super::{Level, checks, is_version};
use serde_json::{Value, json};

#[track_caller]
fn check(level: Level, spec: Value, expected: &[&str]) {
    assert_eq!(checks::violations(level, &spec, &json!({})), expected);
}

#[test]
fn a_plain_pod_keeps_the_baseline_and_not_the_restricted_level() {
    let pod = json!({"containers": [{"name": "a", "image": "x"}]});
    check(Level::Privileged, pod.clone(), &[]);
    check(Level::Baseline, pod.clone(), &[]);
    check(
        Level::Restricted,
        pod,
        &[
            "allowPrivilegeEscalation != false (container \"a\" must set securityContext.allowPrivilegeEscalation=false)",
            "unrestricted capabilities (container \"a\" must set securityContext.capabilities.drop=[\"ALL\"])",
            "runAsNonRoot != true (pod or container \"a\" must set securityContext.runAsNonRoot=true)",
            "seccompProfile (pod or container \"a\" must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\")",
        ],
    );
    let careful = json!({
        "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
        "volumes": [{"name": "v", "emptyDir": {}}],
        "containers": [{"name": "a", "securityContext": {
            "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}}}],
    });
    check(Level::Restricted, careful, &[]);
}

#[test]
fn what_reaches_the_host_violates_the_baseline() {
    let context = |context: Value| json!({"containers": [{"name": "a", "securityContext": context}]});
    check(
        Level::Baseline,
        json!({"hostNetwork": true, "hostPID": true, "containers": []}),
        &["host namespaces (hostNetwork=true, hostPID=true)"],
    );
    check(
        Level::Baseline,
        context(json!({"privileged": true})),
        &["privileged (container \"a\" must not set securityContext.privileged=true)"],
    );
    check(
        Level::Baseline,
        context(json!({"capabilities": {"add": ["NET_ADMIN", "CHOWN"]}})),
        &[
            "non-default capabilities (container \"a\" must not include \"NET_ADMIN\" in securityContext.capabilities.add)",
        ],
    );
    check(
        Level::Baseline,
        json!({"volumes": [{"name": "v", "hostPath": {"path": "/"}}], "containers": [{"name": "a", "ports": [{"hostPort": 80}]}]}),
        &["hostPath volumes (volume \"v\")", "hostPort (container \"a\" uses hostPort 80)"],
    );
    check(
        Level::Baseline,
        json!({"securityContext": {"sysctls": [{"name": "kernel.msgmax"}]}, "containers": []}),
        &["forbidden sysctls (kernel.msgmax)"],
    );
}

#[test]
fn versions_are_latest_or_a_minor() {
    assert!(is_version("latest") && is_version("v1.36"));
    assert!(!is_version("1.36") && !is_version("v1.x") && !is_version(""));
}
