//! Servers beside this one: conversion webhooks and aggregated APIs, on loopback.

use super::custom::{CRONTABS, DEFINITIONS, crontab, definition, version};
use super::*;
use crate::pki::tests::loopback::https;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

/// Moves `spec.image` to `spec.picture` and back.
fn convert(body: &[u8]) -> Value {
    let review: Value = serde_json::from_slice(body).unwrap();
    let wanted = &review["request"]["desiredAPIVersion"];
    let one = |object: &Value| {
        let mut object = object.clone();
        object["apiVersion"] = wanted.clone();
        let (from, to) = if *wanted == "stable.example.com/v1" { ("picture", "image") } else { ("image", "picture") };
        let value = object["spec"].as_object_mut().unwrap().remove(from);
        if let Some(value) = value {
            object["spec"][to] = value;
        }
        object
    };
    let converted: Vec<Value> = review["request"]["objects"].as_array().unwrap().iter().map(one).collect();
    json!({
        "apiVersion": review["apiVersion"], "kind": review["kind"],
        "response": {"uid": review["request"]["uid"], "convertedObjects": converted, "result": {"status": "Success"}},
    })
}

#[tokio::test]
async fn a_webhook_converts_between_versions() {
    let kit = kit().await;
    let (port, certificate) = https(&kit.tasks, Arc::new(|_, _, body| (200, convert(body)))).await;
    let mut old = version("v1beta1", false);
    let spec = &mut old["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"];
    let image = spec.as_object_mut().unwrap().remove("image").unwrap();
    spec["picture"] = image;
    old["selectableFields"] = json!([{"jsonPath": ".spec.picture"}]);
    let mut both = definition(json!([old, version("v1", true)]));
    both["spec"]["conversion"] = json!({"strategy": "Webhook", "webhook": {
        "conversionReviewVersions": ["v1"],
        "clientConfig": {"url": format!("https://127.0.0.1:{port}/convert"), "caBundle": BASE64_STANDARD.encode(certificate)},
    }});
    let (code, made) = kit.post(DEFINITIONS, both).await;
    assert_eq!(code, 201, "{made}");
    let beta = "/apis/stable.example.com/v1beta1/namespaces/default/crontabs";
    let mut object = crontab("a");
    object["spec"] = json!({"cronSpec": "* * * * */5", "picture": "cron"});
    let (code, made) = kit.post(beta, object).await;
    assert_eq!((code, &made["spec"]["picture"]), (201, &json!("cron")), "{made}");
    let (_, stored) = kit.get(&format!("{CRONTABS}/a")).await;
    assert_eq!((&stored["spec"]["image"], stored["spec"].get("picture")), (&json!("cron"), None));
    let mut watch = kit.watch(&format!("{beta}?watch=1")).await;
    let event = watch.next().await.unwrap();
    assert_eq!(event["object"]["spec"]["picture"], "cron");
    let (_, list) = kit.get(&format!("{beta}?fieldSelector=spec.picture%3Dcron")).await;
    assert_eq!(list["items"][0]["apiVersion"], "stable.example.com/v1beta1");
    let (code, _) = kit.patch(&format!("{beta}/a"), "merge", json!({"spec": {"picture": "other"}})).await;
    assert_eq!((code, &kit.get(&format!("{CRONTABS}/a")).await.1["spec"]["image"]), (200, &json!("other")));
}
