//! The only way from the API server to a node.

use async_trait::async_trait;
use runtime_base::ByteStream;
use std::io;

/// Opens connections to kubelets. On the stream the kubelet's HTTP/1.1 paths are spoken:
/// `GET /containerLogs/NAMESPACE/POD/CONTAINER?follow=&tailLines=&sinceSeconds=&sinceTime=&timestamps=&limitBytes=&previous=`
/// answers text; `GET /portForward/NAMESPACE/POD?uid=&port=N` with `Connection: Upgrade`,
/// `Upgrade: coracle-tcp` answers 101 and becomes the raw bytes of one TCP connection to that
/// port (one request for each connection). Errors are plain text with a status code.
#[async_trait]
pub trait NodeDialer: Send + Sync {
    /// A stream to the kubelet of `node`; `NotFound` when no such node is connected.
    async fn dial(&self, node: &str) -> io::Result<ByteStream>;
}
