//! Servers beside this one, over HTTPS on loopback.

use crate::{Body, body};
use futures::FutureExt;
use http_body_util::BodyExt;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use runtime_base::Tasks;
use serde_json::Value;
use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::Arc;
use tokio::net::TcpListener;

/// What a server answers: to a method, a path, headers and a body.
pub(crate) type Answer = Arc<dyn Fn(&str, &http::HeaderMap, &[u8]) -> (u16, Value) + Send + Sync>;

/// What answers one request of an HTTPS server.
pub(crate) type Handler = Arc<
    dyn Fn(http::Request<hyper::body::Incoming>) -> futures::future::BoxFuture<'static, http::Response<Body>>
        + Send
        + Sync,
>;

/// An HTTPS server on loopback: its port and its certificate (PEM).
pub(crate) async fn https(tasks: &Tasks, answer: Answer) -> (u16, String) {
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
pub(crate) async fn serve(tasks: &Tasks, handler: Handler) -> (u16, String) {
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
