//! HTTP/1.1 in front of a program that is a handler.

use crate::limits::{DRAIN_SETTLE_TIME, HEAD_BYTES_MAX, HEADERS_MAX, REQUEST_HEAD_TIME_MAX, SERVER_CONNECTIONS_MAX};
use bytes::Bytes;
use futures::FutureExt;
use http::uri::{Authority, Parts, PathAndQuery, Scheme};
use http::{Method, Request, Response, StatusCode, Uri, Version, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use runtime_base::clock::within;
use runtime_base::{Tasks, error::chain};
use runtime_spec::{AcceptedStream, HttpBody, HttpEndpoint, HttpError, HttpRequest, HttpResponse, TcpListener};
use std::convert::Infallible;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tracing::debug;

/// Bounds of one server.
#[derive(Clone, Debug)]
pub struct ServeConfig {
    /// Connections held at once.
    pub connections_max: usize,
    /// How long a request's head may take, counted from the last response.
    pub head_time_max: Duration,
    /// Header fields of a request.
    pub headers_max: usize,
    /// Bytes of a request's head.
    pub head_bytes_max: usize,
}

impl Default for ServeConfig {
    fn default() -> Self {
        ServeConfig {
            connections_max: SERVER_CONNECTIONS_MAX,
            head_time_max: REQUEST_HEAD_TIME_MAX,
            headers_max: HEADERS_MAX,
            head_bytes_max: HEAD_BYTES_MAX,
        }
    }
}

/// A running server; dropping it ends it without draining.
pub struct HttpServer {
    tasks: Tasks,
    draining: watch::Sender<bool>,
    /// Ends when the accept loop and every connection have ended.
    alive: mpsc::Receiver<Infallible>,
    local: SocketAddr,
}

struct Server {
    endpoint: Arc<dyn HttpEndpoint>,
    tasks: Tasks,
    draining: watch::Receiver<bool>,
    builder: http1::Builder,
    alive: mpsc::Sender<Infallible>,
}

impl HttpServer {
    /// Answers the connections of `listener` with `endpoint`.
    pub fn serve(
        listener: Box<dyn TcpListener>,
        endpoint: Arc<dyn HttpEndpoint>,
        tasks: &Tasks,
        config: ServeConfig,
    ) -> HttpServer {
        let (draining, drained) = watch::channel(false);
        let (alive, ended) = mpsc::channel(1);
        let (tasks, local) = (tasks.child(), listener.local());
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(config.head_time_max)
            .max_headers(config.headers_max)
            .max_header_size(config.head_bytes_max)
            .max_buf_size(config.head_bytes_max + 8 * 1024);
        let server = Server { endpoint, tasks: tasks.clone(), draining: drained, builder, alive };
        let connections = Arc::new(Semaphore::new(config.connections_max));
        tasks.spawn("http-accept", accept(listener, Arc::new(server), connections));
        HttpServer { tasks, draining, alive: ended, local }
    }

    /// Where it listens.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// Takes no further connections, answers what was asked (also by those who still wait for
    /// accept), and ends what is left after `grace`. True when nothing was cut off.
    pub async fn stop(mut self, grace: Duration) -> bool {
        self.draining.send_replace(true);
        let finished = within(grace, self.alive.recv()).await.is_some();
        self.tasks.cancel();
        finished
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.tasks.cancel();
    }
}

async fn accept(listener: Box<dyn TcpListener>, server: Arc<Server>, connections: Arc<Semaphore>) {
    let mut draining = server.draining.clone();
    let next = async || {
        // The semaphore is never closed.
        let permit = connections.clone().acquire_owned().await.ok()?;
        let accepted = poll_fn(|cx| listener.poll_accept_stream(cx)).await.ok()?;
        Some((accepted, permit))
    };
    loop {
        let accepted = tokio::select! {
            biased;
            () = drain_asked(&mut draining) => break,
            accepted = next() => accepted,
        };
        // The listener was closed: its Pod is gone.
        let Some((accepted, permit)) = accepted else { return };
        server.start(accepted, permit);
    }
    // They were connected before the stop: a caller cannot tell that nobody took it.
    while let Some(Some((accepted, permit))) = next().now_or_never() {
        server.start(accepted, permit);
    }
}

/// Completes once the server drains, or is gone.
async fn drain_asked(draining: &mut watch::Receiver<bool>) {
    let _ = draining.wait_for(|draining| *draining).await;
}

impl Server {
    fn start(self: &Arc<Self>, accepted: AcceptedStream, permit: OwnedSemaphorePermit) {
        let (server, alive) = (self.clone(), self.alive.clone());
        self.tasks.spawn("http-connection", async move {
            let _held = (permit, alive);
            server.answer(accepted).await;
        });
    }

    async fn answer(&self, accepted: AcceptedStream) {
        let AcceptedStream { local, peer, stream } = accepted;
        let service = service_fn(|request| async move {
            let mut response = handle(&*self.endpoint, request, local).await;
            if *self.draining.borrow() {
                response.headers_mut().insert(header::CONNECTION, header::HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(response)
        });
        let mut connection = pin!(self.builder.serve_connection(TokioIo::new(stream), service));
        let mut draining = self.draining.clone();
        let ended = tokio::select! {
            biased;
            ended = connection.as_mut() => Some(ended),
            () = drain_asked(&mut draining) => within(DRAIN_SETTLE_TIME, connection.as_mut()).await,
        };
        let ended = match ended {
            Some(ended) => ended,
            // Idle ones end at once, the others after their response.
            None => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            debug!(%peer, error = chain(&error), "connection ended early");
        }
    }
}

async fn handle(endpoint: &dyn HttpEndpoint, request: Request<Incoming>, local: SocketAddr) -> HttpResponse {
    let request = match absolute(request, local) {
        Ok(request) => request,
        Err((status, text)) => return plain(status, text.to_owned()),
    };
    match endpoint.handle(request).await {
        Ok(response) => response,
        Err(error) => {
            debug!(%error, "no response from the program");
            plain(status(&error), error.to_string())
        }
    }
}

/// The request with an absolute URI, made of its Host field (RFC 9112, 3.2 and 3.3).
fn absolute(request: Request<Incoming>, local: SocketAddr) -> Result<HttpRequest, (StatusCode, &'static str)> {
    let (mut head, body) = request.into_parts();
    if head.method == Method::CONNECT {
        return Err((StatusCode::NOT_IMPLEMENTED, "CONNECT is not supported"));
    }
    let mut hosts = head.headers.get_all(header::HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => {
            let host = Authority::try_from(host.as_bytes());
            Some(host.map_err(|_| (StatusCode::BAD_REQUEST, "the Host field is not a host"))?)
        }
        (Some(_), Some(_)) => return Err((StatusCode::BAD_REQUEST, "more than one Host field")),
        (None, _) if head.version == Version::HTTP_11 => return Err((StatusCode::BAD_REQUEST, "no Host field")),
        (None, _) => None,
    };
    let mut parts = Parts::default();
    let asked = std::mem::take(&mut head.uri).into_parts();
    // An absolute request target wins over the Host field.
    parts.authority = asked.authority.or(host).or_else(|| Authority::try_from(local.to_string()).ok());
    parts.scheme = Some(Scheme::HTTP);
    parts.path_and_query = asked.path_and_query.or(Some(PathAndQuery::from_static("/")));
    head.uri = Uri::from_parts(parts).map_err(|_| (StatusCode::BAD_REQUEST, "the request target is not a URI"))?;
    let body = body.map_err(|error| HttpError::Protocol(chain(&error))).boxed_unsync();
    Ok(Request::from_parts(head, body))
}

fn status(error: &HttpError) -> StatusCode {
    match error {
        HttpError::NameUnresolvable(_)
        | HttpError::ConnectionRefused(_)
        | HttpError::Tls(_)
        | HttpError::Protocol(_) => StatusCode::BAD_GATEWAY,
        HttpError::Timeout(_) => StatusCode::GATEWAY_TIMEOUT,
        HttpError::Denied(_) => StatusCode::FORBIDDEN,
        HttpError::Overloaded(_) => StatusCode::SERVICE_UNAVAILABLE,
        HttpError::Program(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn plain(status: StatusCode, text: String) -> HttpResponse {
    let body: HttpBody = Full::new(Bytes::from(format!("{text}\n"))).map_err(|never| match never {}).boxed_unsync();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let kind = header::HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

#[cfg(test)]
mod tests;
