use crate::pki::{Pki, PkiNames};
use crate::{ApiServer, Body, Identity, NodeDialer, ServerConfig, body};
use async_trait::async_trait;
use bytes::Bytes;
use futures::FutureExt;
use http_body_util::BodyExt;
use orchestrator_store::{RedbOptions, RedbStore, Store};
use runtime_base::{ByteStream, Clock, Rng, Tasks};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

mod admission;
mod aggregation;
mod api;
mod apply;
mod audit;
mod bodies;
mod custom;
mod deletion;
mod evictions;
mod extension;
mod hostile;
mod lists;
mod load;
mod oidc;
mod pods;
mod proxies;
mod routes;
mod services;
mod streams;
mod subresources;
mod watches;
mod wire;

/// The one node that is connected is called `here`.
struct OneNode(Tasks);

#[async_trait]
impl NodeDialer for OneNode {
    async fn dial(&self, node: &str) -> std::io::Result<ByteStream> {
        match node {
            "here" => Ok(tests_node::dial(&self.0)),
            _ => Err(std::io::ErrorKind::NotFound.into()),
        }
    }
}

/// A server over a store in memory, with the namespace `default` and its ServiceAccount.
pub(super) struct Kit {
    pub server: Arc<ApiServer>,
    pub store: Arc<dyn Store>,
    pub tasks: Tasks,
    pub pki: Pki,
    _dir: tempfile::TempDir,
}

pub(super) fn admin() -> Identity {
    Identity::user("admin", &["system:masters"])
}

pub(super) async fn kit() -> Kit {
    let clock = Clock::simulated(SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_000_000));
    let store = RedbStore::in_memory(RedbOptions { clock: clock.clone() }).unwrap();
    let kit = kit_over(store, clock).await;
    for (path, body) in [
        ("/api/v1/namespaces", json!({"metadata": {"name": "default"}})),
        ("/api/v1/namespaces/default/serviceaccounts", json!({"metadata": {"name": "default"}})),
    ] {
        let (code, answer) = kit.post(path, body).await;
        assert_eq!(code, 201, "{answer}");
    }
    kit
}

/// The same with all that a cluster has from the start.
pub(super) async fn bootstrapped() -> Kit {
    let kit = kit().await;
    kit.server.bootstrap(&crate::bootstrap::tests::config()).await.unwrap();
    kit
}

pub(super) async fn kit_over(store: Arc<dyn Store>, clock: Clock) -> Kit {
    audited_kit(store, clock, None).await
}

pub(super) async fn audited_kit(store: Arc<dyn Store>, clock: Clock, audit: Option<crate::audit::AuditConfig>) -> Kit {
    kit_with(store, clock, audit, None).await
}

pub(super) async fn kit_with(
    store: Arc<dyn Store>,
    clock: Clock,
    audit: Option<crate::audit::AuditConfig>,
    oidc: Option<crate::auth::OidcConfig>,
) -> Kit {
    let dir = tempfile::tempdir().unwrap();
    let pki = Pki::load_or_create(dir.path(), &PkiNames::standard("host", &[]), clock.clone()).unwrap();
    let tasks = Tasks::new();
    let config = ServerConfig {
        clock,
        rng: Rng::seeded(1),
        tasks: tasks.clone(),
        service_cidr: "10.96.0.0/12".parse().unwrap(),
        node_ports: 30000..=32767,
        advertised: "127.0.0.1:6443".into(),
        encryption: crate::vault::Keys::fleeting(&Rng::seeded(3)),
        audit,
        oidc,
    };
    let server = ApiServer::start(config, store.clone(), &pki, Arc::new(OneNode(tasks.clone()))).await.unwrap();
    Kit { server, store, tasks, pki, _dir: dir }
}

/// A request whose body is JSON, unless its type says otherwise.
pub(super) fn request(method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> crate::Request {
    let mut request = http::Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body::full(body)).unwrap()
}

pub(super) async fn read(response: http::Response<Body>) -> (u16, Value) {
    let code = response.status().as_u16();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (code, serde_json::from_slice(&bytes).unwrap_or_else(|_| json!(String::from_utf8_lossy(&bytes))))
}

impl Kit {
    pub async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Value) -> (u16, Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        read(self.server.handle(admin(), request(method, path, headers, body)).await).await
    }
    pub async fn get(&self, path: &str) -> (u16, Value) {
        self.send("GET", path, &[], Value::Null).await
    }
    pub async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.send("POST", path, &[], body).await
    }
    pub async fn put(&self, path: &str, body: Value) -> (u16, Value) {
        self.send("PUT", path, &[], body).await
    }
    pub async fn delete(&self, path: &str, body: Value) -> (u16, Value) {
        self.send("DELETE", path, &[], body).await
    }
    /// A patch; `type_` is `json`, `merge` or `strategic-merge`.
    pub async fn patch(&self, path: &str, type_: &str, body: Value) -> (u16, Value) {
        let type_ = format!("application/{type_}-patch+json");
        self.send("PATCH", path, &[("content-type", &type_)], body).await
    }
    pub async fn watch(&self, path: &str) -> Watch {
        self.watch_as(path, &[]).await
    }
    pub async fn watch_as(&self, path: &str, headers: &[(&str, &str)]) -> Watch {
        let response = self.server.handle(admin(), request("GET", path, headers, "")).await;
        assert_eq!(response.status(), 200);
        Watch { body: response.into_body(), rest: String::new() }
    }
}

/// The events of a watch.
pub(super) struct Watch {
    body: Body,
    rest: String,
}

impl Watch {
    /// The next event; `None` at the end.
    pub async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some((line, rest)) = self.rest.split_once('\n') {
                let event = serde_json::from_str(line).unwrap();
                self.rest = rest.to_owned();
                return Some(event);
            }
            let frame = self.body.frame().await?.unwrap();
            self.rest.push_str(std::str::from_utf8(frame.data_ref().unwrap()).unwrap());
        }
    }
    /// `TYPE name@revision` of the next event.
    pub async fn line(&mut self) -> String {
        let Some(event) = self.next().await else { return "end".into() };
        let metadata = &event["object"]["metadata"];
        let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        format!("{} {}@{}", text(&event["type"]), text(&metadata["name"]), text(&metadata["resourceVersion"]))
    }
    /// Whether nothing is there to read.
    pub fn is_quiet(&mut self) -> bool {
        self.rest.is_empty() && self.body.frame().now_or_never().is_none()
    }
}

/// A ConfigMap with one entry.
pub(super) fn config_map(name: &str, value: &str) -> Value {
    json!({"metadata": {"name": name}, "data": {"key": value}})
}

pub(super) const MAPS: &str = "/api/v1/namespaces/default/configmaps";

#[track_caller]
pub(super) fn check(found: &(u16, Value), code: u16, message: &str) {
    assert_eq!(found.0, code, "{}", found.1);
    let text = found.1["message"].as_str().unwrap_or_default();
    assert!(text.contains(message), "{text:?} does not contain {message:?}");
}
