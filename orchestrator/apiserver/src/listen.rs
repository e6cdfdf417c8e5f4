//! Connections: TLS, HTTP/1.1 and HTTP/2, upgrades.

mod idle;
mod opening;

use self::idle::Requests;
use self::opening::Opening;
use crate::body::{BodyError, Request, Response};
use crate::limits;
use crate::respond;
use crate::server::ApiServer;
use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use http::Method;
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use orchestrator_apimachinery::ApiError;
use runtime_base::clock::within;
use runtime_base::{ByteStream, Tasks};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tracing::{debug, warn};

/// What ended a response's body early.
#[derive(Debug, thiserror::Error)]
#[error("the response ended early")]
struct Cut(#[source] BodyError);

struct Connection {
    server: Arc<ApiServer>,
    certificates: Arc<Vec<Vec<u8>>>,
    peer: SocketAddr,
    requests: Arc<Requests>,
}

impl Service<http::Request<Incoming>> for Connection {
    type Response = http::Response<UnsyncBoxBody<Bytes, Cut>>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn call(&self, request: http::Request<Incoming>) -> Self::Future {
        let (server, certificates) = (self.server.clone(), self.certificates.clone());
        let under_way = self.requests.begin();
        let mut request = request.map(|body| body.map_err(|error| -> BodyError { Box::new(error) }).boxed_unsync());
        request.extensions_mut().insert(self.peer);
        async move {
            let response = match request.method() {
                &Method::GET | &Method::HEAD => server.handle_from_outside(&certificates, request).await,
                _ => server.handle_to_end(certificates, request).await,
            };
            // The answer is under way as long as its body lives.
            let cut = move |error| {
                let _ = &under_way;
                Cut(error)
            };
            Ok(response.map(|body| body.map_err(cut).boxed_unsync()))
        }
        .boxed()
    }
}

impl ApiServer {
    /// Answers a request that may change something, and ends it even when its client goes away: what
    /// it has sent to the store is written, so turns must be kept and the audit log told until then.
    async fn handle_to_end(self: &Arc<Self>, certificates: Arc<Vec<Vec<u8>>>, request: Request) -> Response {
        let (server, tasks) = (self.clone(), self.tasks.clone());
        let (done, answer) = tokio::sync::oneshot::channel();
        self.tasks.spawn_to_end("request", async move {
            let stopped = async {
                tasks.stopping().await;
                runtime_base::clock::sleep(limits::SHUTDOWN_TIME_MAX).await;
            };
            tokio::select! {
                response = server.handle_from_outside(&certificates, request) => {
                    // Nobody listens when the client is gone.
                    let _ = done.send(response);
                }
                () = stopped => {}
            }
        });
        answer.await.unwrap_or_else(|_| respond::error(&ApiError::unavailable("the server is shutting down")))
    }

    /// Accepts TLS connections until `tasks` stop.
    pub fn listen(self: &Arc<Self>, listener: TcpListener, tls: Arc<rustls::ServerConfig>, tasks: &Tasks) {
        let (server, acceptor) = (self.clone(), tokio_rustls::TlsAcceptor::from(tls));
        let connections = tasks.clone();
        tasks.spawn("listen", async move {
            let room = Arc::new(Semaphore::new(limits::CONNECTIONS_MAX));
            loop {
                let Ok(place) = room.clone().acquire_owned().await else { return };
                let (socket, peer) = match listener.accept().await {
                    Ok(accepted) => accepted,
                    Err(error) => {
                        warn!(%error, "cannot accept a connection");
                        // Out of file descriptors, most likely: let some connections end first.
                        runtime_base::clock::sleep(Duration::from_millis(100)).await;
                        continue;
                    }
                };
                // Only costs latency when it fails.
                let _ = socket.set_nodelay(true);
                let (server, acceptor, tasks) = (server.clone(), acceptor.clone(), connections.clone());
                connections.spawn_to_end("connection", async move {
                    let handshake = within(limits::HANDSHAKE_TIME_MAX, acceptor.accept(socket));
                    tokio::select! {
                        () = tasks.stopping() => {}
                        shaken = handshake => match shaken {
                            Some(Ok(stream)) => {
                                let certificates = stream.get_ref().1.peer_certificates().unwrap_or_default();
                                let certificates = certificates.iter().map(|der| der.to_vec()).collect();
                                server.serve_connection(Box::new(stream), certificates, peer, tasks.clone()).await;
                            }
                            Some(Err(error)) => debug!(%peer, %error, "TLS handshake failed"),
                            None => debug!(%peer, "TLS handshake took too long"),
                        }
                    }
                    drop(place);
                });
            }
        });
    }

    /// Serves HTTP on one connection until it ends or `tasks` stop. `certificates` are those that the
    /// client proved to hold (DER, its own first).
    pub fn serve_connection(
        self: &Arc<Self>,
        stream: ByteStream,
        certificates: Vec<Vec<u8>>,
        peer: SocketAddr,
        tasks: Tasks,
    ) -> BoxFuture<'static, ()> {
        serve_connection(self.clone(), stream, certificates, peer, tasks).boxed()
    }
}

async fn serve_connection(
    server: Arc<ApiServer>,
    stream: ByteStream,
    certificates: Vec<Vec<u8>>,
    peer: SocketAddr,
    tasks: Tasks,
) {
    let certificates = Arc::new(certificates);
    let requests = Arc::new(Requests::default());
    let service = Connection { server, certificates, peer, requests: requests.clone() };
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits::HEADER_TIME_MAX)
        .max_buf_size(limits::HEADER_BYTES_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits::STREAMS_MAX)
        .max_pending_accept_reset_streams(limits::RESETS_PENDING_MAX)
        .max_header_list_size(limits::HEADER_BYTES_MAX as u32)
        .keep_alive_interval(limits::PING_INTERVAL)
        .keep_alive_timeout(limits::PING_TIME_MAX);
    let (stream, told) = Opening::new(stream);
    let mut connection = pin!(builder.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned());
    // The limits of either version of HTTP begin only when a client has told which it speaks.
    let silent = async {
        runtime_base::clock::sleep(limits::HEADER_TIME_MAX).await;
        if told.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    };
    let over = async {
        tokio::select! {
            () = tasks.stopping() => {}
            () = requests.idle() => debug!(%peer, "closing an idle connection"),
        }
    };
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        () = silent => None,
        () = over => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                ended = connection.as_mut() => Some(ended),
                () = async {
                    // What came in the same moment is answered to its end, unless the server stops.
                    loop {
                        runtime_base::clock::sleep(limits::SHUTDOWN_TIME_MAX).await;
                        if tasks.is_stopping() || !requests.is_busy() {
                            return;
                        }
                    }
                } => None,
            }
        }
    };
    if let Some(Err(error)) = ended {
        debug!(%peer, error = %error, "connection ended");
    }
}
