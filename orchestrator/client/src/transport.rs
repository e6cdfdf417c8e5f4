//! A `kube::Client` whose server is in the same process.

use bytes::Bytes;
use futures::future::BoxFuture;
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use std::convert::Infallible;
use std::sync::Arc;

/// A streamed body on the way in or out.
pub type Body = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

/// Answers requests of one identity; the composition root makes it.
pub type Handler = Arc<dyn Fn(http::Request<Body>) -> BoxFuture<'static, http::Response<Body>> + Send + Sync>;

/// A client whose requests go to `handler` without leaving the process.
pub fn in_memory(handler: Handler) -> kube::Client {
    let service = tower::service_fn(move |request: http::Request<kube::client::Body>| {
        let handler = handler.clone();
        async move {
            let request = request.map(|body| body.map_err(Into::into).boxed_unsync());
            Ok::<_, Infallible>(handler(request).await)
        }
    });
    kube::Client::new(service, "default")
}
