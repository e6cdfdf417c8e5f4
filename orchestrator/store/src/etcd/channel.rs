//! gRPC over HTTP/2 to one of several endpoints: one answer to one question, or a stream of
//! answers. (grpc.io, "gRPC over HTTP2")

use super::EtcdOptions;
use super::tls;
use crate::{StoreError, limits};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use futures::stream::{self, StreamExt};
use http::{HeaderMap, Request, Uri};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioIo, TokioTimer};
use prost::Message;
use runtime_base::clock::within;
use runtime_base::error::chain;
use runtime_base::{ByteStream, Tasks};
use std::convert::Infallible;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio_rustls::TlsConnector;

type Body = BoxBody<Bytes, Infallible>;

/// gRPC's codes that the store tells apart.
const OUT_OF_RANGE: i32 = 11;
const RESOURCE_EXHAUSTED: i32 = 8;

/// What a call ended with, if not with an answer.
#[derive(Debug)]
pub(super) enum CallError {
    /// The revision asked for is compacted.
    Compacted,
    /// The revision asked for is in the future.
    Future,
    /// etcd refuses, or is not reached.
    Store(StoreError),
}

/// One endpoint of the cluster.
#[derive(Clone, Debug)]
struct Endpoint {
    uri: Uri,
    host: String,
    port: u16,
    tls: bool,
}

/// The way to an etcd cluster.
pub(super) struct Channel {
    endpoints: Vec<Endpoint>,
    tls: TlsConnector,
    tasks: Tasks,
    /// The connection of all calls but watches.
    sender: Mutex<Option<(SendRequest<Body>, Endpoint)>>,
}

/// Runs hyper's tasks among those of the store.
#[derive(Clone)]
struct Spawn(Tasks);

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Spawn {
    fn execute(&self, future: F) {
        self.0.spawn("etcd stream", future);
    }
}

impl Endpoint {
    fn parse(text: &str) -> Result<Self, StoreError> {
        let bad = |why: &str| {
            StoreError::Broken(format!(
                "{text:?} is no etcd endpoint ({why}): give http://HOST:PORT or https://HOST:PORT"
            ))
        };
        let uri: Uri = text.trim().parse().map_err(|_| bad("it is no URL"))?;
        let tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(bad("its scheme is neither http nor https")),
        };
        let host = uri.host().ok_or_else(|| bad("it names no host"))?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        if !matches!(uri.path(), "" | "/") {
            return Err(bad("it has a path"));
        }
        Ok(Endpoint { host, port: uri.port_u16().unwrap_or(2379), tls, uri })
    }

    fn call(&self, path: &str, body: Body) -> Request<Body> {
        let mut uri = self.uri.clone().into_parts();
        uri.path_and_query = path.parse().ok();
        let request = Request::post(Uri::from_parts(uri).expect("a checked endpoint and a fixed path"));
        let request = request.header("content-type", "application/grpc").header("te", "trailers");
        request.body(body).expect("fixed headers")
    }
}

fn unavailable(why: impl std::fmt::Display) -> CallError {
    CallError::Store(StoreError::Unavailable(format!("etcd does not answer: {why}")))
}

/// A message as gRPC frames it.
fn framed(message: &impl Message) -> Bytes {
    let length = message.encoded_len();
    let mut bytes = BytesMut::with_capacity(length + 5);
    bytes.put_u8(0);
    bytes.put_u32(u32::try_from(length).expect("requests are bounded by the API server's body limit"));
    message.encode(&mut bytes).expect("there is room");
    bytes.freeze()
}

/// Takes one framed message off the front of `bytes`, when all of it is there.
fn unframed<M: Message + Default>(bytes: &mut BytesMut) -> Result<Option<M>, CallError> {
    let Some((head, _)) = bytes.split_at_checked(5) else { return Ok(None) };
    let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
    if head[0] != 0 || length > limits::ETCD_MESSAGE_BYTES_MAX {
        return Err(unavailable("its answer is compressed or too large"));
    }
    if bytes.len() < 5 + length {
        return Ok(None);
    }
    bytes.advance(5);
    M::decode(bytes.split_to(length).freeze()).map(Some).map_err(unavailable)
}

/// The outcome that headers or trailers tell; `None` when they tell none.
fn outcome(headers: &HeaderMap) -> Option<Result<(), CallError>> {
    let code: i32 = headers.get("grpc-status")?.to_str().ok()?.parse().ok()?;
    if code == 0 {
        return Some(Ok(()));
    }
    let message = headers.get("grpc-message").map(|text| String::from_utf8_lossy(text.as_bytes()).replace("%20", " "));
    let message = message.unwrap_or_else(|| format!("code {code}"));
    Some(Err(match code {
        OUT_OF_RANGE if message.contains("has been compacted") => CallError::Compacted,
        OUT_OF_RANGE if message.contains("future revision") => CallError::Future,
        RESOURCE_EXHAUSTED if message.contains("space exceeded") => CallError::Store(StoreError::Full(format!(
            "etcd has no room ({message}): nothing was written; compact and defragment it, or raise its quota, then \
             clear its alarm with etcdctl alarm disarm"
        ))),
        RESOURCE_EXHAUSTED => CallError::Store(StoreError::Overloaded),
        _ => CallError::Store(StoreError::Unavailable(format!("etcd refuses: {message}"))),
    }))
}

impl Channel {
    /// Checks the options; connects when it is first asked something.
    pub fn new(options: &EtcdOptions, tasks: Tasks) -> Result<Self, StoreError> {
        let endpoints: Vec<Endpoint> =
            options.endpoints.iter().map(|text| Endpoint::parse(text)).collect::<Result<_, _>>()?;
        if endpoints.is_empty() {
            return Err(StoreError::Broken("no etcd endpoint is given".into()));
        }
        Ok(Channel { endpoints, tls: tls::connector(&options.tls)?, tasks, sender: Mutex::new(None) })
    }

    /// Asks `question` at `path` and waits for the answer.
    pub async fn call<Q: Message, A: Message + Default>(&self, path: &str, question: &Q) -> Result<A, CallError> {
        let answer = within(limits::ETCD_CALL_TIME_MAX, self.call_for_long(path, question)).await;
        answer.unwrap_or_else(|| Err(unavailable(format!("no answer in {:?}", limits::ETCD_CALL_TIME_MAX))))
    }

    async fn call_for_long<Q: Message, A: Message + Default>(&self, path: &str, question: &Q) -> Result<A, CallError> {
        let (mut sender, endpoint) = self.connected().await?;
        let body = Full::new(framed(question)).boxed();
        let answer = match sender.send_request(endpoint.call(path, body)).await {
            Ok(answer) => answer,
            Err(error) => {
                // The next call tries another connection.
                *self.sender.lock().await = None;
                return Err(unavailable(chain(&error)));
            }
        };
        if let Some(told) = outcome(answer.headers()) {
            told?;
        }
        let status = answer.status();
        let body = answer.into_body().collect().await.map_err(|error| unavailable(chain(&error)))?;
        match body.trailers().and_then(outcome) {
            Some(told) => told?,
            None => return Err(unavailable(format!("HTTP status {status} without a gRPC status"))),
        }
        let mut bytes = BytesMut::from(&body.to_bytes()[..]);
        unframed(&mut bytes)?.ok_or_else(|| unavailable("its answer is cut off"))
    }

    /// Asks `question` at `path` on a connection of its own; the answers come until one side ends.
    pub async fn stream<Q: Message>(&self, path: &str, question: &Q) -> Result<Answers, CallError> {
        let first = Ok(Frame::data(framed(question)));
        // The request stays open: its end would end the answers.
        let body = BodyExt::boxed(StreamBody::new(stream::iter([first]).chain(stream::pending())));
        let connecting = async {
            let (mut sender, endpoint) = self.connect().await?;
            sender.send_request(endpoint.call(path, body)).await.map_err(|error| unavailable(chain(&error)))
        };
        let answer = within(limits::ETCD_CALL_TIME_MAX, connecting).await;
        let answer = answer.unwrap_or_else(|| Err(unavailable("no answer to a watch")))?;
        if let Some(told) = outcome(answer.headers()) {
            told?;
        }
        Ok(Answers { body: answer.into_body(), bytes: BytesMut::new() })
    }

    async fn connected(&self) -> Result<(SendRequest<Body>, Endpoint), CallError> {
        let mut current = self.sender.lock().await;
        if let Some((sender, endpoint)) = &*current
            && !sender.is_closed()
        {
            return Ok((sender.clone(), endpoint.clone()));
        }
        let made = self.connect().await?;
        *current = Some(made.clone());
        Ok(made)
    }

    /// A connection to the first endpoint that lets us.
    async fn connect(&self) -> Result<(SendRequest<Body>, Endpoint), CallError> {
        let mut failures = Vec::new();
        for endpoint in &self.endpoints {
            let connecting = within(limits::ETCD_CONNECT_TIME_MAX, self.connect_to(endpoint)).await;
            match connecting.unwrap_or_else(|| Err("it takes too long".into())) {
                Ok(sender) => return Ok((sender, endpoint.clone())),
                Err(why) => failures.push(format!("{}: {why}", endpoint.uri.to_string().trim_end_matches('/'))),
            }
        }
        Err(unavailable(failures.join(", ")))
    }

    async fn connect_to(&self, endpoint: &Endpoint) -> Result<SendRequest<Body>, String> {
        let text = |error: std::io::Error| error.to_string();
        let stream = TcpStream::connect((&*endpoint.host, endpoint.port)).await.map_err(text)?;
        stream.set_nodelay(true).map_err(text)?;
        let stream: ByteStream = if endpoint.tls {
            let name = endpoint.host.clone().try_into().map_err(|_| "its host is no name for TLS".to_owned())?;
            Box::new(self.tls.connect(name, stream).await.map_err(text)?)
        } else {
            Box::new(stream)
        };
        const MIB: u32 = 1024 * 1024;
        let (sender, connection) = http2::Builder::new(Spawn(self.tasks.clone()))
            .timer(TokioTimer::new())
            .initial_stream_window_size(4 * MIB)
            .initial_connection_window_size(16 * MIB)
            .keep_alive_interval(limits::ETCD_KEEPALIVE_INTERVAL)
            .keep_alive_timeout(limits::ETCD_KEEPALIVE_TIME_MAX)
            .handshake::<_, Body>(TokioIo::new(stream))
            .await
            .map_err(|error| chain(&error))?;
        self.tasks.spawn("etcd connection", async move {
            // Its end is seen by those who wait for answers.
            let _ = connection.await;
        });
        Ok(sender)
    }

    /// Ends all connections.
    pub async fn close(&self) {
        *self.sender.lock().await = None;
        self.tasks.stop(Duration::from_secs(1)).await;
    }
}

/// Answers as they come.
pub(super) struct Answers {
    body: Incoming,
    bytes: BytesMut,
}

impl Answers {
    /// The next answer.
    pub async fn next<A: Message + Default>(&mut self) -> Result<A, CallError> {
        loop {
            if let Some(answer) = unframed(&mut self.bytes)? {
                return Ok(answer);
            }
            let frame = match self.body.frame().await {
                Some(Ok(frame)) => frame,
                Some(Err(error)) => return Err(unavailable(chain(&error))),
                None => return Err(unavailable("it ended the stream")),
            };
            match frame.into_data() {
                Ok(data) => self.bytes.extend_from_slice(&data),
                Err(frame) => {
                    if let Some(Err(told)) = frame.trailers_ref().and_then(outcome) {
                        return Err(told);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
