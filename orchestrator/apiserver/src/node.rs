//! The only way from the API server to a node.

use async_trait::async_trait;
use runtime_base::ByteStream;
use std::io;

/// Opens connections to kubelets. On the stream the kubelet's HTTP/1.1 paths are spoken:
/// `GET /containerLogs/NAMESPACE/POD/CONTAINER?follow=&tailLines=&sinceSeconds=&sinceTime=&timestamps=&limitBytes=&previous=`
/// answers text; `GET /portForward/NAMESPACE/POD?uid=&port=N` with `Connection: Upgrade`,
/// `Upgrade: coracle-tcp` answers 101 and becomes the raw bytes of one TCP connection to that
/// port (one request for each connection).
/// `GET /exec/NAMESPACE/POD/CONTAINER?command=&stdin=&stdout=&stderr=&tty=` (`command` once for each
/// word, the others `true` or `false`) and `GET /attach/…` with `Upgrade: websocket` and the
/// subprotocol `v5.channel.k8s.io` or `v4.channel.k8s.io` answer 101 and become that WebSocket:
/// the first byte of a message is its channel (0 input, 1 output, 2 errors, 3 the exit as a
/// `metav1.Status`, 4 `{"Width":80,"Height":24}`); in v5 the message `[255, 0]` ends the input. The
/// node closes it with the code 1000, which kubectl insists on. All other paths are what
/// `nodes/NAME/proxy` asks for. Errors are plain text with a status code.
#[async_trait]
pub trait NodeDialer: Send + Sync {
    /// A stream to the kubelet of `node`; `NotFound` when no such node is connected.
    async fn dial(&self, node: &str) -> io::Result<ByteStream>;
}
