//! How webhooks are called, and what their answers do.

use super::reviews::{allow, listen};
use super::*;

const MUTATING: &str = "mutatingwebhookconfigurations";
const VALIDATING: &str = "validatingwebhookconfigurations";

#[tokio::test]
async fn a_webhook_of_the_older_review_is_asked_in_it() {
    let kit = kit().await;
    let answered: Answer = Arc::new(|path, _, body| {
        assert_eq!(path, "/?timeout=3s");
        let review: Value = serde_json::from_slice(body).unwrap();
        assert_eq!(review["apiVersion"], "admission.k8s.io/v1beta1");
        let mut response = patch(json!([{"op": "add", "path": "/data/old", "value": "yes"}]));
        response.as_object_mut().unwrap().remove("patchType");
        (200, json!({"response": response}))
    });
    let (port, certificate) = https(&kit.tasks, answered).await;
    let more = json!({"admissionReviewVersions": ["v1alpha9", "v1beta1", "v1"], "timeoutSeconds": 3});
    configure(&kit, MUTATING, "m", json!([hook("m.example.com", port, &certificate, more)])).await;
    let (code, made) = kit.post(MAPS, config_map("a", "x")).await;
    assert_eq!((code, &made["data"]["old"]), (201, &json!("yes")), "{made}");
}

#[tokio::test]
async fn answers_that_make_no_sense_are_failures_of_the_call_and_bad_patches_are_not_ignored() {
    let kit = kit().await;
    let decide = |request: &Value| match request["object"]["metadata"]["name"].as_str() {
        Some("no-type") => json!({"allowed": true, "patch": BASE64_STANDARD.encode("[]")}),
        Some("type-alone") => json!({"allowed": true, "patchType": "JSONPatch"}),
        Some("bad-path") => patch(json!([{"op": "remove", "path": "/data/none"}])),
        Some("moved") => patch(json!([{"op": "replace", "path": "/metadata/namespace", "value": "other"}])),
        Some("renamed") => patch(json!([{"op": "replace", "path": "/metadata/uid", "value": "mine"}])),
        Some("retyped") => patch(json!([{"op": "replace", "path": "/kind", "value": "Secret"}])),
        _ => json!({"allowed": true}),
    };
    listen(&kit, MUTATING, json!(["configmaps"]), json!({"failurePolicy": "Fail"}), decide).await;
    for (name, code, why) in [
        (
            "no-type",
            500,
            "failed calling webhook \"h.example.com\": received invalid webhook response: webhook returned response.patch but not response.patchType",
        ),
        ("type-alone", 500, "webhook returned response.patchType but not response.patch"),
        ("bad-path", 500, "failed calling webhook \"h.example.com\""),
        ("moved", 400, "the namespace of the provided object does not match the namespace sent on the request"),
        ("retyped", 500, "the patch may not change kind"),
        ("renamed", 201, ""),
        ("fine", 201, ""),
    ] {
        let made = kit.post(MAPS, config_map(name, "x")).await;
        check(&made, code, why);
        assert_ne!(made.1["metadata"]["uid"], "mine");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_an_open_webhook_is_skipped() {
    let kit = kit().await;
    let (port, certificate) = https(&kit.tasks, Arc::new(|_, _, _| (307, json!({})))).await;
    let hooks = json!([
        hook("open.example.com", port, &certificate, json!({"failurePolicy": "Ignore"})),
        hook(
            "closed.example.com",
            port,
            &certificate,
            json!({"matchConditions": [{"name": "n", "expression": "object.metadata.name == 'closed'"}]})
        ),
    ]);
    configure(&kit, VALIDATING, "v", hooks).await;
    check(&kit.post(MAPS, config_map("open", "x")).await, 201, "");
    check(&kit.post(MAPS, config_map("closed", "x")).await, 500, "the server answered 307");
}

#[tokio::test]
async fn dry_runs_reach_only_webhooks_without_side_effects() {
    let kit = kit().await;
    let seen = listen(&kit, VALIDATING, json!(["configmaps"]), json!({"sideEffects": "NoneOnDryRun"}), allow).await;
    check(&kit.post(&format!("{MAPS}?dryRun=All"), config_map("a", "x")).await, 201, "");
    let request = seen.last();
    assert_eq!((&request["dryRun"], &request["options"]["dryRun"]), (&json!(true), &json!(["All"])));
    check(&kit.get(&format!("{MAPS}/a")).await, 404, "");
}

#[tokio::test]
async fn a_delete_is_told_with_its_options_and_the_object_that_goes() {
    let kit = kit().await;
    check(&kit.post(MAPS, config_map("a", "x")).await, 201, "");
    let decide = |request: &Value| match request["options"]["gracePeriodSeconds"].as_i64() {
        Some(7) => json!({"allowed": false, "status": {"message": "no"}}),
        // There is nothing that could be changed.
        Some(9) => patch(json!([{"op": "add", "path": "/data", "value": {}}])),
        _ => json!({"allowed": true}),
    };
    let seen = listen(&kit, MUTATING, json!(["configmaps"]), json!({}), decide).await;
    let delete = |seconds: i64| json!({"gracePeriodSeconds": seconds, "propagationPolicy": "Foreground"});
    check(&kit.delete(&format!("{MAPS}/a"), delete(7)).await, 400, "denied the request: no");
    let request = seen.last();
    assert_eq!((&request["object"], &request["oldObject"]["data"]["key"]), (&Value::Null, &json!("x")));
    assert_eq!(request["options"]["propagationPolicy"], "Foreground");
    check(
        &kit.delete(&format!("{MAPS}/a"), delete(9)).await,
        500,
        "attempted to modify the object, which is not supported",
    );
    check(&kit.delete(&format!("{MAPS}/a"), Value::Null).await, 200, "");
}

#[tokio::test]
async fn policies_and_webhooks_that_ask_for_it_see_what_came_after_them() {
    let kit = kit().await;
    let rules = json!({"resourceRules": [{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"]}]});
    let expression = "Object{metadata: Object.metadata{labels: {'keys': string(size(object.data))}}}";
    let spec = json!({"matchConstraints": rules, "failurePolicy": "Fail", "reinvocationPolicy": "IfNeeded",
        "matchConditions": [{"name": "c", "expression": "object.metadata.name == 'a'"}],
        "mutations": [{"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": expression}}]});
    policy(&kit, "mutatingadmission", "count", spec, json!({})).await;
    let decide = |request: &Value| {
        let keys = request["object"]["data"].as_object().map_or(0, serde_json::Map::len);
        patch(json!([{"op": "add", "path": format!("/data/added{keys}"), "value": "x"}]))
    };
    let seen = listen(&kit, MUTATING, json!(["configmaps"]), json!({"reinvocationPolicy": "IfNeeded"}), decide).await;
    let (code, made) = kit.post(MAPS, config_map("a", "x")).await;
    assert_eq!(code, 201, "{made}");
    // The webhook added a key after the policy, which came again; that again the webhook saw.
    assert_eq!(seen.count(), 2);
    assert_eq!(made["metadata"]["labels"]["keys"], "2");
    assert_eq!(made["data"], json!({"key": "x", "added1": "x", "added2": "x"}));
}

#[tokio::test]
async fn a_webhook_for_one_version_of_a_custom_resource_sees_the_other_in_it() {
    use crate::server::tests::custom::{CRONTABS, DEFINITIONS, crontab, definition, version};
    let kit = kit().await;
    let both = definition(json!([version("v1beta1", false), version("v1", true)]));
    check(&kit.post(DEFINITIONS, both).await, 201, "");
    let rule = json!([{"operations": ["*"], "apiGroups": ["stable.example.com"], "apiVersions": ["v1"], "resources": ["crontabs", "crontabs/scale"]}]);
    let decide = |request: &Value| match request["subResource"].as_str() {
        None => patch(json!([{"op": "replace", "path": "/spec/image", "value": request["object"]["apiVersion"]}])),
        _ => json!({"allowed": true}),
    };
    let seen = listen(&kit, MUTATING, json!([]), json!({"rules": rule}), decide).await;
    let beta = CRONTABS.replace("/v1/", "/v1beta1/");
    let (code, made) = kit.post(&beta, crontab("a")).await;
    assert_eq!((code, &made["spec"]["image"]), (201, &json!("stable.example.com/v1")), "{made}");
    assert_eq!(made["apiVersion"], "stable.example.com/v1beta1");
    let request = seen.last();
    assert_eq!(
        (&request["resource"]["version"], &request["requestResource"]["version"]),
        (&json!("v1"), &json!("v1beta1"))
    );
    let scaled = kit.patch(&format!("{beta}/a/scale"), "merge", json!({"spec": {"replicas": 2}})).await;
    check(&scaled, 200, "");
    let request = seen.last();
    assert_eq!((&request["kind"]["kind"], &request["resource"]["version"]), (&json!("Scale"), &json!("v1")));
    assert_eq!((&request["object"]["kind"], &request["subResource"]), (&json!("Scale"), &json!("scale")));
}

#[tokio::test]
async fn a_webhook_may_write_to_the_namespace_whose_quota_the_request_waits_for() {
    let kit = kit().await;
    let quota = json!({"metadata": {"name": "q"}, "spec": {"hard": {"count/configmaps": "10"}}});
    assert_eq!(kit.post("/api/v1/namespaces/default/resourcequotas", quota).await.0, 201);
    let server = kit.server.clone();
    let handler: crate::pki::tests::loopback::Handler = Arc::new(move |request| {
        let server = server.clone();
        async move {
            let body = request.into_body().collect().await.unwrap().to_bytes();
            let review: Value = serde_json::from_slice(&body).unwrap();
            let name = format!("of-{}", review["request"]["name"].as_str().unwrap());
            let made = super::super::request("POST", MAPS, &[], config_map(&name, "x").to_string());
            let made = server.handle(admin(), made).await.status();
            let response = json!({"uid": review["request"]["uid"], "allowed": made == 201});
            let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response});
            http::Response::new(body::full(review.to_string()))
        }
        .boxed()
    });
    let (port, certificate) = crate::pki::tests::loopback::serve(&kit.tasks, handler).await;
    let only = json!([{"name": "n", "expression": "!object.metadata.name.startsWith('of-')"}]);
    let more = json!({"matchConditions": only, "timeoutSeconds": 5});
    configure(&kit, VALIDATING, "v", json!([hook("v.example.com", port, &certificate, more)])).await;
    check(&kit.post(MAPS, config_map("a", "x")).await, 201, "");
    check(&kit.get(&format!("{MAPS}/of-a")).await, 200, "");
    check(&kit.patch(&format!("{MAPS}/a"), "merge", json!({"data": {"key": "y"}})).await, 400, "without explanation");
}
