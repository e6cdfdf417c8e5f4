//! The way out for requests of a Pod's programs.

use crate::limits::{
    ADDRESSES_TRIED_MAX, CONNECT_TIME_MAX, FIRST_BYTE_TIME_MAX, HEAD_BYTES_MAX, HEADERS_MAX, IDLE_TIME_MAX,
};
use crate::pool::{Key, Pool};
use crate::tls::{PrivateRoots, Roots, Tls};
use async_trait::async_trait;
use bytes::Bytes;
use http::uri::{PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Method, Request, Uri, Version, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use runtime_base::clock::within;
use runtime_base::{ByteStream, Clock, Tasks, error::chain};
use runtime_spec::pipe::PipeStream;
use runtime_spec::{HttpBody, HttpError, HttpOutbound, HttpRequest, HttpResponse, NetError, PodNetwork};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tracing::debug;

/// Bounds and trust of outgoing requests.
#[derive(Clone, Debug)]
pub struct OutboundConfig {
    /// How long connecting may take, name and TLS included.
    pub connect_timeout: Duration,
    /// How long the first byte of a response may take.
    pub first_byte_timeout: Duration,
    /// How long an unused connection is kept.
    pub idle_timeout: Duration,
    /// Whom https trusts.
    pub roots: Roots,
    /// Addresses where https trusts others instead: the cluster's own servers.
    pub private_roots: PrivateRoots,
}

impl Default for OutboundConfig {
    fn default() -> Self {
        OutboundConfig {
            connect_timeout: CONNECT_TIME_MAX,
            first_byte_timeout: FIRST_BYTE_TIME_MAX,
            idle_timeout: IDLE_TIME_MAX,
            roots: Roots::System,
            private_roots: PrivateRoots::new(),
        }
    }
}

/// Sends requests of programs over their Pod's network, HTTP/1.1 with or without TLS. One serves
/// all Pods of a node: connections are kept for each Pod alone.
pub struct Outbound {
    config: OutboundConfig,
    tasks: Tasks,
    tls: Tls,
    pool: Arc<Pool>,
}

/// Where a request goes.
struct Destination {
    https: bool,
    /// Without the brackets of an IPv6 address.
    host: String,
    port: u16,
    authority: String,
}

/// A request that got no response, with the request if it can be sent again.
struct Failure {
    error: HttpError,
    request: Option<HttpRequest>,
}

impl Outbound {
    /// Connections belong to `tasks` and end with it.
    pub fn new(config: OutboundConfig, clock: Clock, tasks: Tasks) -> Self {
        let pool = Pool::new(config.idle_timeout, clock, tasks.clone());
        Outbound { tls: Tls::new(config.roots.clone(), config.private_roots.clone()), config, tasks, pool }
    }

    async fn connect(
        &self,
        network: &Arc<dyn PodNetwork>,
        to: &Destination,
    ) -> Result<SendRequest<HttpBody>, HttpError> {
        let (mut stream, address) = open(network, to).await?;
        if to.https {
            stream = self.tls.connect(&to.host, address, stream).await?;
        }
        let mut builder = http1::Builder::new();
        builder.max_headers(HEADERS_MAX).max_header_size(HEAD_BYTES_MAX).max_buf_size(HEAD_BYTES_MAX + 8 * 1024);
        let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(|error| broken(&error))?;
        self.tasks.spawn("http-outbound", async move {
            if let Err(error) = connection.await {
                debug!(error = chain(&error), "outgoing connection ended early");
            }
        });
        Ok(sender)
    }

    async fn exchange(
        &self,
        sender: &mut SendRequest<HttpBody>,
        request: HttpRequest,
        authority: &str,
    ) -> Result<http::Response<Incoming>, Failure> {
        match within(self.config.first_byte_timeout, sender.try_send_request(request)).await {
            Some(Ok(response)) => Ok(response),
            Some(Err(mut failure)) => {
                let request = failure.take_message();
                Err(Failure { error: broken(failure.error()), request })
            }
            None => Err(Failure { error: HttpError::Timeout(format!("no response from {authority}")), request: None }),
        }
    }
}

#[async_trait]
impl HttpOutbound for Outbound {
    async fn send(&self, network: &Arc<dyn PodNetwork>, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (to, mut request) = prepare(request)?;
        let key = Key::new(network, to.https, &to.host, to.port);
        let finish = |sender, response: http::Response<Incoming>| {
            let kept = Kept { pool: self.pool.clone(), key: key.clone(), network: Arc::downgrade(network), sender };
            response.map(|body| Streamed::new(body, kept).boxed_unsync())
        };
        // A kept connection may have been closed by its server a moment ago. Then the request
        // goes again, unless the server may have acted on it.
        while let Some(mut sender) = self.pool.take(&key).await {
            let spare = copy_if_repeatable(&request);
            match self.exchange(&mut sender, request, &to.authority).await {
                Ok(response) => return Ok(finish(sender, response)),
                Err(Failure { request: Some(back), .. }) => request = back,
                Err(Failure { error: error @ HttpError::Protocol(_), request: None }) => {
                    request = spare.ok_or(error)?;
                }
                Err(Failure { error, request: None }) => return Err(error),
            }
        }
        let connected = within(self.config.connect_timeout, self.connect(network, &to)).await;
        let timeout = || HttpError::Timeout(format!("no connection to {}", to.authority));
        let mut sender = connected.ok_or_else(timeout)??;
        match self.exchange(&mut sender, request, &to.authority).await {
            Ok(response) => Ok(finish(sender, response)),
            Err(Failure { error, .. }) => Err(error),
        }
    }
}

/// Connects to the first address of the host that answers.
async fn open(network: &Arc<dyn PodNetwork>, to: &Destination) -> Result<(ByteStream, SocketAddr), HttpError> {
    let addresses = network.resolve(&to.host).await.map_err(|error| refusal(error, &to.authority))?;
    let mut last = HttpError::NameUnresolvable(to.host.clone());
    for ip in addresses.into_iter().take(ADDRESSES_TRIED_MAX) {
        let address = SocketAddr::new(ip, to.port);
        match network.connect(None, address).await {
            Ok(connection) => {
                return Ok((Box::new(PipeStream::new(connection.reader, connection.writer)), address));
            }
            Err(error) => last = refusal(error, &to.authority),
        }
    }
    Err(last)
}

fn refusal(error: NetError, authority: &str) -> HttpError {
    let authority = authority.to_owned();
    match error {
        NetError::NameUnresolvable(name) | NetError::ResolverFailure(name) => HttpError::NameUnresolvable(name),
        NetError::ConnectionRefused(_) | NetError::Unreachable(_) => HttpError::ConnectionRefused(authority),
        NetError::Timeout(_) => HttpError::Timeout(format!("no connection to {authority}")),
        NetError::AccessDenied(_) => HttpError::Denied(authority),
        NetError::TooManySockets => HttpError::Overloaded(error.to_string()),
        other => HttpError::Protocol(other.to_string()),
    }
}

fn broken(error: &hyper::Error) -> HttpError {
    HttpError::Protocol(chain(error))
}

/// Splits a request with an absolute URI into where it goes and what is sent there.
fn prepare(request: HttpRequest) -> Result<(Destination, HttpRequest), HttpError> {
    let (mut head, body) = request.into_parts();
    let invalid = |what: &str| HttpError::Protocol(format!("{what} in a request"));
    if head.method == Method::CONNECT {
        return Err(invalid("method CONNECT"));
    }
    let https = match head.uri.scheme() {
        Some(scheme) if *scheme == Scheme::HTTP => false,
        Some(scheme) if *scheme == Scheme::HTTPS => true,
        _ => return Err(invalid("a scheme other than http and https")),
    };
    let host = head.uri.host().filter(|host| !host.is_empty()).ok_or_else(|| invalid("no host"))?;
    let standard = if https { 443 } else { 80 };
    let port = head.uri.port_u16().unwrap_or(standard);
    let authority = if port == standard { host.to_owned() } else { format!("{host}:{port}") };
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let path = head.uri.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/"));
    remove_hop_by_hop(&mut head.headers);
    if !head.headers.contains_key(header::HOST) {
        let value = HeaderValue::from_str(&authority).map_err(|_| invalid("a host that is not one"))?;
        head.headers.insert(header::HOST, value);
    }
    head.version = Version::HTTP_11;
    head.uri = Uri::from(path);
    Ok((Destination { https, host, port, authority }, Request::from_parts(head, body)))
}

/// Fields that belong to one connection are the connection's to set (RFC 9110, 7.6.1).
fn remove_hop_by_hop(headers: &mut HeaderMap) {
    for name in [header::CONNECTION, header::TRANSFER_ENCODING, header::UPGRADE, header::TE] {
        headers.remove(name);
    }
    for name in ["keep-alive", "proxy-connection", "http2-settings"] {
        headers.remove(name);
    }
}

/// A second copy of a request that may be sent twice: idempotent (RFC 9110, 9.2.2), no body.
fn copy_if_repeatable(request: &HttpRequest) -> Option<HttpRequest> {
    let repeatable = request.method().is_idempotent() && request.body().is_end_stream();
    repeatable.then(|| {
        let mut copy = Request::new(Empty::new().map_err(|never| match never {}).boxed_unsync());
        *copy.method_mut() = request.method().clone();
        *copy.uri_mut() = request.uri().clone();
        *copy.headers_mut() = request.headers().clone();
        copy
    })
}

/// A connection in use, to be kept once its response has been read.
struct Kept {
    pool: Arc<Pool>,
    key: Key,
    network: Weak<dyn PodNetwork>,
    sender: SendRequest<HttpBody>,
}

/// A response's body; read to its end, it gives its connection back.
struct Streamed {
    body: Incoming,
    kept: Option<Kept>,
}

impl Streamed {
    fn new(body: Incoming, kept: Kept) -> Self {
        let mut streamed = Streamed { body, kept: Some(kept) };
        if streamed.body.is_end_stream() {
            streamed.give_back();
        }
        streamed
    }

    fn give_back(&mut self) {
        if let Some(Kept { pool, key, network, sender }) = self.kept.take() {
            pool.put(key, network, sender);
        }
    }
}

impl Body for Streamed {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if frame.is_none() || self.body.is_end_stream() {
            self.give_back();
        }
        Poll::Ready(frame.map(|frame| frame.map_err(|error| broken(&error))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests;
