//! Webhooks, policies and the built-in plugins, through the request path.

use super::*;
use crate::pki::tests::loopback::{Answer, https};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

mod plugins;
mod reviews;
mod webhooks;

const HOOKS: &str = "/apis/admissionregistration.k8s.io/v1";
const PODS: &str = "/api/v1/namespaces/default/pods";

/// A review's answer: what `decide` says of the request (`response` without its uid).
fn answer(decide: impl Fn(&Value) -> Value + Send + Sync + 'static) -> Answer {
    Arc::new(move |_, _, body| {
        let review: Value = serde_json::from_slice(body).unwrap();
        let mut response = decide(&review["request"]);
        response["uid"] = review["request"]["uid"].clone();
        (200, json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}))
    })
}

fn patch(operations: Value) -> Value {
    json!({"allowed": true, "patchType": "JSONPatch", "patch": BASE64_STANDARD.encode(operations.to_string())})
}

/// A webhook for ConfigMaps; `more` replaces fields of it.
fn hook(name: &str, port: u16, certificate: &str, more: Value) -> Value {
    let mut hook = json!({
        "name": name, "sideEffects": "None", "admissionReviewVersions": ["v1"],
        "clientConfig": {"url": format!("https://127.0.0.1:{port}/"), "caBundle": BASE64_STANDARD.encode(certificate)},
        "rules": [{"operations": ["CREATE", "UPDATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"]}],
    });
    for (field, value) in more.as_object().into_iter().flatten() {
        hook[field] = value.clone();
    }
    hook
}

async fn configure(kit: &Kit, plural: &str, name: &str, hooks: Value) {
    let made = kit.post(&format!("{HOOKS}/{plural}"), json!({"metadata": {"name": name}, "webhooks": hooks})).await;
    assert_eq!(made.0, 201, "{}", made.1);
    kit.server.caches().fresh().await.unwrap();
}

#[tokio::test]
async fn webhooks_change_and_refuse_objects() {
    let kit = kit().await;
    let mutate = answer(|request| {
        assert_eq!(request["userInfo"]["username"], "admin");
        let mut response = patch(json!([{"op": "add", "path": "/data/added", "value": request["operation"]}]));
        response["warnings"] = json!(["changed on the way"]);
        response
    });
    let validate = answer(|request| match request["object"]["data"]["key"].as_str() {
        Some("bad") => json!({"allowed": false, "status": {"message": "bad key", "code": 422, "reason": "Invalid"}}),
        Some("silent") => json!({"allowed": false}),
        _ => json!({"allowed": true}),
    });
    let (port, certificate) = https(&kit.tasks, mutate).await;
    configure(
        &kit,
        "mutatingwebhookconfigurations",
        "m",
        json!([hook("m.example.com", port, &certificate, json!({}))]),
    )
    .await;
    let (port, certificate) = https(&kit.tasks, validate).await;
    configure(
        &kit,
        "validatingwebhookconfigurations",
        "v",
        json!([hook("v.example.com", port, &certificate, json!({}))]),
    )
    .await;
    let response = kit.server.handle(admin(), request("POST", MAPS, &[], config_map("a", "good").to_string())).await;
    assert_eq!(response.headers()["warning"], "299 - \"changed on the way\"");
    let (code, made) = read(response).await;
    assert_eq!((code, &made["data"]), (201, &json!({"key": "good", "added": "CREATE"})));
    let changed = kit.patch(&format!("{MAPS}/a"), "merge", json!({"data": {"key": "better"}})).await;
    assert_eq!((changed.0, &changed.1["data"]["added"]), (200, &json!("UPDATE")));
    let refused = kit.post(MAPS, config_map("b", "bad")).await;
    check(&refused, 422, "admission webhook \"v.example.com\" denied the request: bad key");
    check(&kit.post(MAPS, config_map("b", "silent")).await, 400, "denied the request without explanation");
    check(&kit.get(&format!("{MAPS}/b")).await, 404, "not found");
}

#[tokio::test]
async fn a_webhook_that_fails_is_fatal_or_ignored_as_it_says() {
    let kit = kit().await;
    let (port, certificate) = https(&kit.tasks, Arc::new(|_, _, _| (500, json!("broken")))).await;
    let hooks = json!([
        hook("open.example.com", port, &certificate, json!({"failurePolicy": "Ignore"})),
        hook("closed.example.com", port, &certificate, json!({"objectSelector": {"matchLabels": {"strict": "yes"}}})),
        hook("other.example.com", port, &certificate, json!({"namespaceSelector": {"matchLabels": {"x": "y"}}})),
        hook(
            "never.example.com",
            port,
            &certificate,
            json!({"matchConditions": [
            {"name": "never", "expression": "object.metadata.name == 'never'"}]})
        ),
    ]);
    configure(&kit, "validatingwebhookconfigurations", "v", hooks).await;
    assert_eq!(kit.post(MAPS, config_map("a", "x")).await.0, 201);
    let mut strict = config_map("b", "x");
    strict["metadata"]["labels"] = json!({"strict": "yes"});
    check(&kit.post(MAPS, strict).await, 500, "failed calling webhook \"closed.example.com\"");
    check(&kit.post(MAPS, config_map("never", "x")).await, 500, "failed calling webhook \"never.example.com\"");
    // Configurations themselves are beyond webhooks, so a bad one can be removed.
    let deleted = kit.delete(&format!("{HOOKS}/validatingwebhookconfigurations/v"), Value::Null).await;
    assert_eq!(deleted.0, 200);
    kit.server.caches().fresh().await.unwrap();
    assert_eq!(kit.post(MAPS, config_map("never", "x")).await.0, 201);
}

fn rules(resource: &str) -> Value {
    json!({"resourceRules": [{"operations": ["CREATE", "UPDATE"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": [resource]}]})
}

async fn policy(kit: &Kit, plural: &str, name: &str, spec: Value, binding: Value) {
    let made = kit.post(&format!("{HOOKS}/{plural}policies"), json!({"metadata": {"name": name}, "spec": spec})).await;
    assert_eq!(made.0, 201, "{}", made.1);
    let mut spec = binding;
    spec["policyName"] = json!(name);
    let bindings = format!("{HOOKS}/{plural}policybindings");
    let made = kit.post(&bindings, json!({"metadata": {"name": format!("{name}-binding")}, "spec": spec})).await;
    assert_eq!(made.0, 201, "{}", made.1);
    kit.server.caches().fresh().await.unwrap();
}

#[tokio::test]
async fn a_policy_denies_and_warns_with_parameters_and_variables() {
    let kit = kit().await;
    assert_eq!(kit.post(MAPS, json!({"metadata": {"name": "limits"}, "data": {"most": "3"}})).await.0, 201);
    let spec = json!({
        "paramKind": {"apiVersion": "v1", "kind": "ConfigMap"},
        "matchConstraints": rules("deployments"),
        "variables": [{"name": "most", "expression": "int(params.data.most)"}],
        "validations": [{
            "expression": "object.spec.replicas <= variables.most",
            "messageExpression": "'at most ' + string(variables.most) + ' replicas'",
        }],
    });
    let binding =
        json!({"validationActions": ["Deny"], "paramRef": {"name": "limits", "parameterNotFoundAction": "Deny"}});
    policy(&kit, "validatingadmission", "few", spec, binding).await;
    let warned = json!({"matchConstraints": rules("deployments"), "validations": [{"expression": "has(object.metadata.labels)", "message": "no labels"}]});
    policy(&kit, "validatingadmission", "labelled", warned, json!({"validationActions": ["Warn"]})).await;
    let deployments = "/apis/apps/v1/namespaces/default/deployments";
    let deployment = |name: &str, replicas: u32| {
        json!({"metadata": {"name": name}, "spec": {"replicas": replicas, "selector": {"matchLabels": {"a": "b"}},
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "x"}]}}}})
    };
    let response = kit.server.handle(admin(), request("POST", deployments, &[], deployment("a", 3).to_string())).await;
    assert_eq!(response.status(), 201);
    let warning = response.headers()["warning"].to_str().unwrap();
    assert!(
        warning.contains("Validation failed for ValidatingAdmissionPolicy 'labelled'") && warning.contains("no labels"),
        "{warning}"
    );
    let refused = kit.post(deployments, deployment("b", 4)).await;
    check(
        &refused,
        422,
        "ValidatingAdmissionPolicy 'few' with binding 'few-binding' denied request: at most 3 replicas",
    );
    assert_eq!(refused.1["reason"], "Invalid");
    assert_eq!(kit.delete(&format!("{MAPS}/limits"), Value::Null).await.0, 200);
    kit.server.caches().fresh().await.unwrap();
    check(&kit.post(deployments, deployment("b", 1)).await, 422, "no params found for policy binding");
}

#[tokio::test]
async fn a_policy_changes_objects_by_apply_and_by_patch() {
    let kit = kit().await;
    let spec = json!({
        "matchConstraints": rules("configmaps"), "failurePolicy": "Fail", "reinvocationPolicy": "Never",
        "matchConditions": [{"name": "not-system", "expression": "object.metadata.name != 'kube-root-ca.crt'"}],
        "mutations": [
            {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": "Object{metadata: Object.metadata{labels: {'by': 'policy'}}}"}},
            {"patchType": "JSONPatch", "jsonPatch": {"expression": "[JSONPatch{op: 'add', path: '/data/patched', value: object.metadata.labels['by']}]"}},
        ],
    });
    policy(&kit, "mutatingadmission", "mark", spec, json!({})).await;
    let (code, made) = kit.post(MAPS, config_map("a", "x")).await;
    assert_eq!((code, &made["metadata"]["labels"]), (201, &json!({"by": "policy"})), "{made}");
    assert_eq!(made["data"], json!({"key": "x", "patched": "policy"}));
}

fn pod(name: &str, container: Value) -> Value {
    let mut spec = json!({"name": "c", "image": "x"});
    for (field, value) in container.as_object().into_iter().flatten() {
        spec[field] = value.clone();
    }
    json!({"metadata": {"name": name}, "spec": {"containers": [spec]}})
}
