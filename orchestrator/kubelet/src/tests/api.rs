//! An API server that is just enough for a kubelet: stores objects, merges patches, streams
//! watches.

use bytes::Bytes;
use futures::{FutureExt, StreamExt};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use orchestrator_client::transport::{Body, in_memory};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;

type Key = (String, String, String);

#[derive(Default)]
struct State {
    objects: BTreeMap<Key, Value>,
    log: Vec<(Key, &'static str, Value)>,
    version: u64,
}

/// The server.
pub(super) struct FakeApi {
    state: Mutex<State>,
    changed: watch::Sender<u64>,
}

struct Path {
    plural: String,
    namespace: String,
    name: String,
    sub: String,
}

impl Path {
    fn parse(path: &str) -> Path {
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        let rest = if parts[0] == "api" { &parts[2..] } else { &parts[3..] };
        let (namespace, rest) = match rest {
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (*namespace, rest),
            rest => ("", rest),
        };
        let at = |index: usize| rest.get(index).copied().unwrap_or("").to_owned();
        Path { plural: at(0), namespace: namespace.to_owned(), name: at(1), sub: at(2) }
    }

    fn key(&self) -> Key {
        (self.plural.clone(), self.namespace.clone(), self.name.clone())
    }
}

/// RFC 7386.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(fields) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (name, value) in fields {
        if value.is_null() {
            target.as_object_mut().unwrap().remove(name);
        } else {
            merge(&mut target[name.as_str()], value);
        }
    }
}

fn selected(object: &Value, selector: &str) -> bool {
    selector.split(',').filter(|part| !part.is_empty()).all(|part| {
        let (path, value) = part.split_once('=').unwrap();
        let pointer = format!("/{}", path.replace('.', "/"));
        object.pointer(&pointer).and_then(Value::as_str) == Some(value)
    })
}

impl FakeApi {
    pub(super) fn new() -> Arc<Self> {
        let (changed, _) = watch::channel(0);
        Arc::new(FakeApi { state: Mutex::default(), changed })
    }

    pub(super) fn client(self: &Arc<Self>) -> kube::Client {
        let api = self.clone();
        in_memory(Arc::new(move |request| {
            let api = api.clone();
            async move { api.answer(request).await }.boxed()
        }))
    }

    fn store(&self, key: Key, event: &'static str, mut object: Value) -> Value {
        let mut state = self.state.lock().unwrap();
        state.version += 1;
        let version = state.version;
        object["metadata"]["resourceVersion"] = json!(version.to_string());
        if event == "DELETED" {
            state.objects.remove(&key);
        } else {
            state.objects.insert(key.clone(), object.clone());
        }
        state.log.push((key, event, object.clone()));
        drop(state);
        self.changed.send_replace(version);
        object
    }

    /// Creates or replaces an object.
    pub(super) fn put(&self, plural: &str, object: Value) {
        let text = |field: &str| object["metadata"][field].as_str().unwrap_or("").to_owned();
        let key = (plural.to_owned(), text("namespace"), text("name"));
        let event = if self.get(plural, &key.1, &key.2).is_some() { "MODIFIED" } else { "ADDED" };
        self.store(key, event, object);
    }

    /// Changes an object.
    pub(super) fn change(&self, plural: &str, namespace: &str, name: &str, patch: &Value) {
        let mut object = self.get(plural, namespace, name).unwrap();
        merge(&mut object, patch);
        self.put(plural, object);
    }

    /// Takes an object away at once.
    pub(super) fn vanish(&self, plural: &str, namespace: &str, name: &str) {
        let object = self.get(plural, namespace, name).unwrap();
        self.store((plural.to_owned(), namespace.to_owned(), name.to_owned()), "DELETED", object);
    }

    pub(super) fn get(&self, plural: &str, namespace: &str, name: &str) -> Option<Value> {
        let key = (plural.to_owned(), namespace.to_owned(), name.to_owned());
        self.state.lock().unwrap().objects.get(&key).cloned()
    }

    pub(super) fn version(&self) -> u64 {
        self.state.lock().unwrap().version
    }

    /// Reasons of all events, each with its message.
    pub(super) fn events(&self) -> Vec<String> {
        let state = self.state.lock().unwrap();
        let events = state.objects.iter().filter(|(key, _)| key.0 == "events");
        let mut events: Vec<(u64, String)> = events
            .map(|(_, event)| {
                let version = event["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap();
                let text = |field: &str| event[field].as_str().unwrap_or("").to_owned();
                (version, format!("{} {}", text("reason"), text("message")))
            })
            .collect();
        events.sort();
        events.into_iter().map(|(_, text)| text).collect()
    }

    /// Waits until `holds` says so; panics with the last state of the object after an hour of the
    /// test's clock.
    pub(super) async fn wait_for(
        &self,
        what: &str,
        (plural, namespace, name): (&str, &str, &str),
        holds: impl Fn(Option<&Value>) -> bool,
    ) {
        let mut changed = self.changed.subscribe();
        let waiting = async {
            loop {
                changed.borrow_and_update();
                if holds(self.get(plural, namespace, name).as_ref()) {
                    return;
                }
                changed.changed().await.unwrap();
            }
        };
        if runtime_base::clock::within(Duration::from_secs(3600), waiting).await.is_none() {
            let last = self.get(plural, namespace, name);
            panic!("never {what}: {last:#?}\nevents: {:#?}", self.events());
        }
    }

    async fn answer(self: &Arc<Self>, request: Request<Body>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let path = Path::parse(head.uri.path());
        let query: BTreeMap<String, String> = head
            .uri
            .query()
            .unwrap_or("")
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.replace("%3D", "=").replace("%2C", ",")))
            .collect();
        let body = body.collect().await.unwrap().to_bytes();
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let selector = query.get("fieldSelector").cloned().unwrap_or_default();
        match (&head.method, path.name.is_empty()) {
            (&Method::GET, true) if query.contains_key("watch") => {
                let from = query.get("resourceVersion").and_then(|version| version.parse().ok()).unwrap_or(0);
                self.watch(path, selector, from)
            }
            (&Method::GET, true) => self.list(&path, &selector),
            (&Method::GET, false) => self.found(&path, |_| {}),
            (&Method::POST, _) if path.sub == "token" => {
                let spec = &body["spec"];
                assert_eq!(spec["boundObjectRef"]["kind"], "Pod");
                let status =
                    json!({"token": format!("token-of-{}", path.name), "expirationTimestamp": "2100-01-01T00:00:00Z"});
                reply(
                    StatusCode::CREATED,
                    &json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
                    "metadata": {}, "spec": spec, "status": status}),
                )
            }
            (&Method::POST, _) => self.create(path, body),
            (&Method::PATCH, _) => self.found(&path, |object| {
                if let Some(uid) = body.pointer("/metadata/uid") {
                    assert_eq!(*uid, object["metadata"]["uid"]);
                }
                merge(object, &body);
            }),
            (&Method::DELETE, _) => match self.get(&path.plural, &path.namespace, &path.name) {
                Some(object) => {
                    assert_eq!(body["preconditions"]["uid"], object["metadata"]["uid"]);
                    assert_eq!(body["gracePeriodSeconds"], 0);
                    self.store(path.key(), "DELETED", object.clone());
                    reply(StatusCode::OK, &object)
                }
                None => missing(&path),
            },
            (method, _) => panic!("{method} {} is not expected", head.uri),
        }
    }

    fn create(&self, path: Path, mut body: Value) -> Response<Body> {
        let name = body["metadata"]["name"].as_str().unwrap().to_owned();
        let path = Path { name, ..path };
        if self.get(&path.plural, &path.namespace, &path.name).is_some() {
            return failure(StatusCode::CONFLICT, "AlreadyExists", &path);
        }
        body["metadata"]["uid"] = json!(format!("uid-of-{}", path.name));
        let stored = self.store(path.key(), "ADDED", body);
        reply(StatusCode::CREATED, &stored)
    }

    /// The object, changed if `change` does something.
    fn found(&self, path: &Path, change: impl FnOnce(&mut Value)) -> Response<Body> {
        let Some(before) = self.get(&path.plural, &path.namespace, &path.name) else { return missing(path) };
        let mut object = before.clone();
        change(&mut object);
        let object = if object == before { object } else { self.store(path.key(), "MODIFIED", object) };
        reply(StatusCode::OK, &object)
    }

    fn list(&self, path: &Path, selector: &str) -> Response<Body> {
        let state = self.state.lock().unwrap();
        let items: Vec<&Value> = state
            .objects
            .iter()
            .filter(|(key, _)| key.0 == path.plural && (path.namespace.is_empty() || key.1 == path.namespace))
            .map(|(_, object)| object)
            .filter(|object| selected(object, selector))
            .collect();
        let list = json!({"apiVersion": "v1", "kind": "List",
            "metadata": {"resourceVersion": state.version.to_string()}, "items": items});
        reply(StatusCode::OK, &list)
    }

    fn watch(self: &Arc<Self>, path: Path, selector: String, from: u64) -> Response<Body> {
        let (api, changed) = (self.clone(), self.changed.subscribe());
        let from = usize::try_from(from).unwrap();
        let stream = futures::stream::unfold((from, changed), move |(mut next, mut changed)| {
            let (api, plural, namespace, selector) =
                (api.clone(), path.plural.clone(), path.namespace.clone(), selector.clone());
            async move {
                loop {
                    changed.borrow_and_update();
                    let found = api.state.lock().unwrap().log.get(next).cloned();
                    match found {
                        Some((key, event, object)) => {
                            next += 1;
                            let ours = key.0 == plural && (namespace.is_empty() || key.1 == namespace);
                            if ours && selected(&object, &selector) {
                                let line = format!("{}\n", json!({"type": event, "object": object}));
                                return Some((Ok(Frame::data(Bytes::from(line))), (next, changed)));
                            }
                        }
                        None => changed.changed().await.ok()?,
                    }
                }
            }
        });
        Response::new(StreamBody::new(stream.boxed()).boxed_unsync())
    }
}

fn reply(status: StatusCode, body: &Value) -> Response<Body> {
    let body = Full::new(Bytes::from(body.to_string())).map_err(|never| match never {}).boxed_unsync();
    Response::builder().status(status).header("content-type", "application/json").body(body).unwrap()
}

fn failure(status: StatusCode, reason: &str, path: &Path) -> Response<Body> {
    let message = format!("{} \"{}\"", path.plural, path.name);
    let body = json!({"apiVersion": "v1", "kind": "Status", "status": "Failure", "metadata": {}, "message": message,
        "reason": reason, "code": status.as_u16()});
    reply(status, &body)
}

fn missing(path: &Path) -> Response<Body> {
    failure(StatusCode::NOT_FOUND, "NotFound", path)
}
