//! Requests to the kubelet of a Pod's node.

use super::StreamContext;
use super::limits::{CONNECT_TIME_MAX, ERROR_BYTES_MAX};
use super::query::encode;
use crate::body::{Request, full};
use crate::node::NodeDialer;
use bytes::Bytes;
use http::HeaderValue;
use http::header::{CONNECTION, HOST, UPGRADE};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use orchestrator_apimachinery::{ApiError, meta};
use runtime_base::{ByteStream, Tasks, clock};
use serde_json::Value;
use std::io;
use std::sync::Arc;

/// The Pod that a stream leads to.
#[derive(Clone)]
pub(crate) struct Target {
    dialer: Arc<dyn NodeDialer>,
    pub tasks: Tasks,
    pub node: String,
    pub namespace: String,
    pub pod: String,
    pub uid: String,
}

/// Why there is no answer from a node.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoAnswer {
    #[error("node {0:?} is not connected")]
    NotConnected(String),
    #[error("node {0:?} cannot be reached")]
    Dial(String, #[source] io::Error),
    #[error("the connection to node {0:?} failed")]
    Http(String, #[source] hyper::Error),
    #[error("node {0:?} does not answer")]
    Slow(String),
}

impl From<NoAnswer> for ApiError {
    fn from(error: NoAnswer) -> Self {
        ApiError::unavailable(runtime_base::error::chain(&error))
    }
}

impl Target {
    /// `None` when the Pod was not bound to a node yet.
    pub fn new(ctx: &StreamContext<'_>, pod: &Value) -> Option<Self> {
        let node = pod["spec"]["nodeName"].as_str().filter(|name| !name.is_empty())?;
        Some(Target {
            dialer: ctx.dialer.clone(),
            tasks: ctx.tasks.clone(),
            node: node.into(),
            namespace: meta::namespace(pod).into(),
            pod: meta::name(pod).into(),
            uid: meta::uid(pod).into(),
        })
    }

    /// The same; 400 when the Pod was not bound to a node yet.
    pub fn bound(ctx: &StreamContext<'_>, pod: &Value) -> Result<Self, ApiError> {
        let unbound = || ApiError::bad_request(format!("pod {} does not have a host assigned", meta::name(pod)));
        Self::new(ctx, pod).ok_or_else(unbound)
    }

    /// A node's kubelet itself.
    pub fn of_node(ctx: &StreamContext<'_>, node: &str) -> Self {
        Target {
            dialer: ctx.dialer.clone(),
            tasks: ctx.tasks.clone(),
            node: node.into(),
            namespace: String::new(),
            pod: String::new(),
            uid: String::new(),
        }
    }

    /// Sends a GET for `path` to the node, over a connection of its own.
    pub async fn get(&self, path: &str, upgrade: Option<&str>) -> Result<http::Response<Incoming>, NoAnswer> {
        let mut request = http::Request::get(path);
        if let Some(protocol) = upgrade {
            request = request.header(CONNECTION, "Upgrade").header(UPGRADE, protocol);
        }
        let request = request.body(full(Bytes::new())).expect("names of a stored Pod make a valid path");
        self.ask(request).await
    }

    /// Sends a request that is answered soon.
    pub async fn ask(&self, request: Request) -> Result<http::Response<Incoming>, NoAnswer> {
        let answer = clock::within(CONNECT_TIME_MAX, self.ask_patiently(request)).await;
        answer.unwrap_or_else(|| Err(NoAnswer::Slow(self.node.clone())))
    }

    /// Sends a request, over a connection of its own.
    pub async fn ask_patiently(&self, mut request: Request) -> Result<http::Response<Incoming>, NoAnswer> {
        let node = || self.node.clone();
        let dialled = clock::within(CONNECT_TIME_MAX, self.dialer.dial(&self.node)).await;
        let stream = dialled.ok_or_else(|| NoAnswer::Slow(node()))?.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => NoAnswer::NotConnected(node()),
            _ => NoAnswer::Dial(node(), error),
        })?;
        let failed = |error| NoAnswer::Http(node(), error);
        request.headers_mut().insert(HOST, HeaderValue::from_static("kubelet"));
        send(&self.tasks, stream, request).await.map_err(failed)
    }

    /// What a client is told when the node does not do what it was asked for.
    pub async fn refusal(&self, answer: http::Response<Incoming>) -> ApiError {
        let status = answer.status();
        let text = error_text(answer).await;
        match status.as_u16() {
            400 => ApiError::bad_request(text),
            404 => ApiError::new(404, "NotFound", text),
            500 => ApiError::internal(text),
            501 => ApiError::new(501, "", text),
            _ => ApiError::new(502, "", format!("node {:?} answered {status}: {text}", self.node)),
        }
    }

    /// A connection to `port` of the Pod; the error is what the client is to read.
    pub async fn connect(&self, port: u16) -> Result<ByteStream, String> {
        let Target { namespace, pod, uid, .. } = self;
        let words = |why: String| format!("error forwarding port {port} to pod {pod}_{namespace}, uid {uid}: {why}");
        let path = format!("/portForward/{namespace}/{pod}?uid={}&port={port}", encode(uid));
        let answer = self.get(&path, Some("coracle-tcp")).await;
        let answer = answer.map_err(|error| words(runtime_base::error::chain(&error)))?;
        if answer.status() != http::StatusCode::SWITCHING_PROTOCOLS {
            return Err(words(error_text(answer).await));
        }
        let upgraded = hyper::upgrade::on(answer).await.map_err(|error| words(error.to_string()))?;
        Ok(Box::new(TokioIo::new(upgraded)))
    }
}

/// Sends one request over a stream, which is of no use after it.
pub(super) async fn send(
    tasks: &Tasks,
    stream: ByteStream,
    request: Request,
) -> Result<http::Response<Incoming>, hyper::Error> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tasks.spawn("outgoing request", async move {
        if let Err(error) = connection.with_upgrades().await {
            tracing::debug!(%error, "a connection for one request ended");
        }
    });
    sender.send_request(request).await
}

/// The plain text of a node's refusal, cut at a limit.
pub(super) async fn error_text(answer: http::Response<Incoming>) -> String {
    let status = answer.status();
    let body = Limited::new(answer.into_body(), ERROR_BYTES_MAX);
    let bytes = clock::within(CONNECT_TIME_MAX, body.collect()).await.and_then(Result::ok);
    let text = bytes.map(|body| String::from_utf8_lossy(&body.to_bytes()).trim().to_owned()).unwrap_or_default();
    if text.is_empty() { format!("the node answered {status}") } else { text }
}
