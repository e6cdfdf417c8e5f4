//! HTTP between rooms: requests to and from programs that are handlers, not servers.

use crate::net::PodNetwork;
use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use std::sync::Arc;

/// A streamed body; each frame is at most what its producer had at hand.
pub type HttpBody = UnsyncBoxBody<Bytes, HttpError>;
/// A request with a streamed body.
pub type HttpRequest = http::Request<HttpBody>;
/// A response with a streamed body.
pub type HttpResponse = http::Response<HttpBody>;

/// Why no response came, or why it ended early.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// The name has no address.
    #[error("no address for {0}")]
    NameUnresolvable(String),
    /// Nobody answers there.
    #[error("connection to {0} refused")]
    ConnectionRefused(String),
    /// It took too long.
    #[error("timed out: {0}")]
    Timeout(String),
    /// A policy forbids it.
    #[error("denied: {0}")]
    Denied(String),
    /// TLS failed (egress to https).
    #[error("tls: {0}")]
    Tls(String),
    /// The peer broke the protocol or the connection.
    #[error("protocol: {0}")]
    Protocol(String),
    /// Too much work waits already.
    #[error("overloaded: {0}")]
    Overloaded(String),
    /// The program failed (trapped, ended, was stopped).
    #[error("program: {0}")]
    Program(String),
}

/// A program that turns a request into a response.
#[async_trait]
pub trait HttpEndpoint: Send + Sync {
    /// Answers one request. The URI is absolute (`http://authority/path`).
    async fn handle(&self, request: HttpRequest) -> Result<HttpResponse, HttpError>;
}

/// How requests of a Pod's programs leave it.
#[async_trait]
pub trait HttpOutbound: Send + Sync {
    /// Sends one request from the Pod of `network`, with `http` or `https` as its scheme.
    async fn send(&self, network: &Arc<dyn PodNetwork>, request: HttpRequest) -> Result<HttpResponse, HttpError>;
}
