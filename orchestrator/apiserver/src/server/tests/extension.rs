//! Servers beside this one: conversion webhooks and aggregated APIs, on loopback.

use super::custom::{CRONTABS, DEFINITIONS, crontab, definition, version};
use super::*;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::net::Ipv4Addr;
use tokio::net::TcpListener;

/// What a server answers: to a method, a path, headers and a body.
pub(super) type Answer = Arc<dyn Fn(&str, &http::HeaderMap, &[u8]) -> (u16, Value) + Send + Sync>;

/// What answers one request of an HTTPS server.
pub(super) type Handler = Arc<
    dyn Fn(http::Request<hyper::body::Incoming>) -> futures::future::BoxFuture<'static, http::Response<Body>>
        + Send
        + Sync,
>;

/// An HTTPS server on loopback: its port and its certificate (PEM).
pub(super) async fn https(tasks: &Tasks, answer: Answer) -> (u16, String) {
    let handler: Handler = Arc::new(move |request| {
        let answer = answer.clone();
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            let (code, value) = answer(&head.uri.to_string(), &head.headers, &body);
            http::Response::builder().status(code).body(body::full(value.to_string())).unwrap()
        }
        .boxed()
    });
    serve(tasks, handler).await
}

/// The same with a handler of its own, which may upgrade connections.
pub(super) async fn serve(tasks: &Tasks, handler: Handler) -> (u16, String) {
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
            let (acceptor, handler) = (acceptor.clone(), handler.clone());
            inner.spawn("extension connection", async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let service = service_fn(move |request| {
                    let answering = handler(request);
                    async move { Ok::<_, Infallible>(answering.await) }
                });
                let http = hyper::server::conn::http1::Builder::new();
                let _ = http.serve_connection(TokioIo::new(stream), service).with_upgrades().await;
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
