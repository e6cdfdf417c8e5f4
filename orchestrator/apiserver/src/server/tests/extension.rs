//! Servers beside this one: conversion webhooks and aggregated APIs, on loopback.

use super::custom::{CRONTABS, DEFINITIONS, crontab, definition, version};
use super::*;
use crate::bootstrap::BootstrapConfig;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::net::Ipv4Addr;
use tokio::net::TcpListener;

/// What a server answers: to a method, a path, headers and a body.
pub(super) type Answer = Arc<dyn Fn(&str, &http::HeaderMap, &[u8]) -> (u16, Value) + Send + Sync>;

/// An HTTPS server on loopback: its port and its certificate (PEM).
pub(super) async fn https(tasks: &Tasks, answer: Answer) -> (u16, String) {
    let certified = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let key = rustls_pki_types::PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der());
    let config = rustls::ServerConfig::builder_with_provider(crate::pki::provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key.into())
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let inner = tasks.clone();
    tasks.spawn("extension server", async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, answer) = (acceptor.clone(), answer.clone());
            inner.spawn("extension connection", async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
                    let answer = answer.clone();
                    async move {
                        let (head, body) = request.into_parts();
                        let body = body.collect().await.unwrap().to_bytes();
                        let (code, value) = answer(&head.uri.to_string(), &head.headers, &body);
                        let response = http::Response::builder().status(code);
                        Ok::<_, Infallible>(response.body(body::full(value.to_string())).unwrap())
                    }
                });
                let _ =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    (port, certified.cert.pem())
}

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

/// Whether APIServices are served; where not, a definition makes do for this test.
async fn serve_api_services(kit: &Kit) {
    if kit.get("/apis/apiregistration.k8s.io/v1/apiservices").await.0 == 200 {
        return;
    }
    let open = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let definition = json!({
        "metadata": {
            "name": "apiservices.apiregistration.k8s.io",
            "annotations": {"api-approved.kubernetes.io": "unapproved, for a test"},
        },
        "spec": {
            "group": "apiregistration.k8s.io", "scope": "Cluster", "names": {"plural": "apiservices", "kind": "APIService"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": open}}],
        },
    });
    let (code, made) = kit.post(DEFINITIONS, definition).await;
    assert_eq!(code, 201, "{made}");
}

#[tokio::test]
async fn another_server_answers_its_group() {
    let kit = kit().await;
    serve_api_services(&kit).await;
    let answer: Answer = Arc::new(|path, headers, _| {
        let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        match path {
            "/apis/metrics.example.com/v1" => (
                200,
                json!({
                    "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "metrics.example.com/v1",
                    "resources": [{"name": "loads", "singularName": "load", "namespaced": false, "kind": "Load", "verbs": ["get", "list"]}],
                }),
            ),
            _ => (200, json!({"path": path, "user": text("x-remote-user"), "group": text("x-remote-group")})),
        }
    });
    let (port, _) = https(&kit.tasks, answer).await;
    let config = BootstrapConfig {
        service_ip: [10, 96, 0, 1].into(),
        advertise_ip: [10, 244, 0, 1].into(),
        port: 6443,
        ca: "CA".into(),
        front_proxy_ca: "FRONT".into(),
    };
    kit.server.bootstrap(&config).await.unwrap();
    let service = json!({
        "metadata": {"name": "v1.metrics.example.com"},
        "spec": {
            "group": "metrics.example.com", "version": "v1", "groupPriorityMinimum": 100, "versionPriority": 100,
            "insecureSkipTLSVerify": true, "service": {"namespace": "default", "name": "metrics", "port": 443},
        },
    });
    let services = "/apis/apiregistration.k8s.io/v1/apiservices";
    let mut watch =
        kit.watch(&format!("{services}?watch=1&fieldSelector=metadata.name%3Dv1.metrics.example.com")).await;
    let (code, made) = kit.post(services, service).await;
    assert_eq!(code, 201, "{made}");
    assert_eq!(reason(&mut watch).await, "ServiceNotFound");
    let loads = "/apis/metrics.example.com/v1/loads";
    check(&kit.get(loads).await, 503, "service unavailable");
    let ports = json!([{"port": 443, "targetPort": port}]);
    kit.post("/api/v1/namespaces/default/services", json!({"metadata": {"name": "metrics"}, "spec": {"ports": ports}}))
        .await;
    let slice = json!({
        "metadata": {"name": "metrics", "labels": {"kubernetes.io/service-name": "metrics"}}, "addressType": "IPv4",
        "ports": [{"name": "", "port": port}], "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": true}}],
    });
    let slices = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices";
    // Loopback is no endpoint that a client may write.
    let stored = crate::registry::envelope::seal(&with(slice, "discovery.k8s.io/v1", "EndpointSlice")).unwrap();
    let key = "/registry/discovery.k8s.io/endpointslices/default/metrics";
    kit.store
        .txn(orchestrator_store::Txn {
            compare: vec![],
            ops: vec![orchestrator_store::Op::Put { key: key.into(), value: stored }],
        })
        .await
        .unwrap();
    assert_eq!(kit.get(&format!("{slices}/metrics")).await.0, 200);
    while reason(&mut watch).await != "Passed" {}
    let (code, answer) = kit.get(&format!("{loads}?limit=5")).await;
    assert_eq!(code, 200, "{answer}");
    assert_eq!(answer, json!({"path": format!("{loads}?limit=5"), "user": "admin", "group": "system:masters"}));
    let accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    let (_, groups) = kit.send("GET", "/apis", &[("accept", accept)], Value::Null).await;
    let found = groups["items"].as_array().unwrap().iter().find(|one| one["metadata"]["name"] == "metrics.example.com");
    assert_eq!(found.unwrap()["versions"][0]["resources"][0]["resource"], "loads");
    assert_eq!(kit.get("/apis/metrics.example.com").await.1["preferredVersion"]["version"], "v1");
    assert_eq!(kit.get("/apis/metrics.example.com/v1").await.1["resources"][0]["name"], "loads");
}

fn with(mut object: Value, api_version: &str, kind: &str) -> Value {
    (object["apiVersion"], object["kind"]) = (json!(api_version), json!(kind));
    object["metadata"]["namespace"] = json!("default");
    object
}

/// Why an APIService is available or not, once that is told.
async fn reason(watch: &mut Watch) -> String {
    loop {
        let event = watch.next().await.unwrap();
        let conditions = event["object"]["status"]["conditions"].as_array().cloned().unwrap_or_default();
        if let Some(condition) = conditions.first() {
            return condition["reason"].as_str().unwrap().to_owned();
        }
    }
}
