//! The SPDY/3.1 session of forwarded ports: for each connection one stream of data and one of errors.

use super::kubelet::Target;
use super::limits::{CHUNKS_QUEUED_MAX, CONNECTIONS_MAX, FLUSH_TIME_MAX};
use super::pump::{Outlet, pump};
use super::session::{Line, Opening, Streams, send};
use super::spdy::{self, Reset};
use bytes::Bytes;
use runtime_base::{ByteStream, Tasks, clock};
use std::collections::HashMap;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

/// Serves a client until it closes `io`.
pub(super) async fn serve(io: ByteStream, target: Target) {
    let (read, write) = tokio::io::split(io);
    let (queue, frames) = mpsc::channel(CHUNKS_QUEUED_MAX);
    let connections = target.tasks.child();
    let ports = Ports { target, connections: connections.clone(), pairs: HashMap::new() };
    let mut writing = Box::pin(send(frames, write));
    tokio::select! {
        () = &mut writing => {}
        () = Line::new(queue).run(ports, read) => {
            connections.cancel();
            clock::within(FLUSH_TIME_MAX, writing).await;
        }
    }
    connections.cancel();
}

struct Ports {
    target: Target,
    connections: Tasks,
    /// By request id.
    pairs: HashMap<String, Pair>,
}

/// The two streams of a connection.
struct Pair {
    port: u16,
    error: Option<u32>,
    data: Option<u32>,
    /// Bytes for the Pod; dropped at the end of the client's input.
    incoming: Option<mpsc::Sender<Bytes>>,
    /// The other end, until the connection starts.
    outgoing: Option<mpsc::Receiver<Bytes>>,
    /// Ends the connection at once.
    reset: Option<oneshot::Sender<()>>,
    running: Option<AbortHandle>,
}

impl Pair {
    fn new(port: u16) -> Self {
        let (incoming, outgoing) = mpsc::channel(CHUNKS_QUEUED_MAX);
        let (incoming, outgoing) = (Some(incoming), Some(outgoing));
        Pair { port, error: None, data: None, incoming, outgoing, reset: None, running: None }
    }

    fn is_over(&self) -> bool {
        self.running.as_ref().is_some_and(AbortHandle::is_finished)
    }
}

impl Ports {
    fn pair_of(&mut self, stream: u32) -> Option<&mut Pair> {
        self.pairs.values_mut().find(|pair| pair.data == Some(stream) || pair.error == Some(stream))
    }

    /// Starts the connection of which `stream` was the last missing one.
    fn start(&mut self, stream: u32, queue: &mpsc::Sender<Bytes>) {
        let (target, queue, connections) = (self.target.clone(), queue.clone(), self.connections.clone());
        let Some(pair) = self.pair_of(stream) else { return };
        let (Some(error), Some(data)) = (pair.error, pair.data) else { return };
        let Some(incoming) = pair.outgoing.take() else { return };
        let (reset, was_reset) = oneshot::channel();
        pair.reset = Some(reset);
        let port = pair.port;
        let run = connection(target, port, [error, data], incoming, was_reset, queue);
        pair.running = Some(connections.spawn("forwarded connection", run));
    }
}

impl Streams for Ports {
    async fn open(&mut self, line: &mut Line, opening: Opening<'_>) -> bool {
        let stream = opening.stream;
        self.pairs.retain(|_, pair| !pair.is_over());
        let port = opening.header("port").parse::<u16>().ok().filter(|port| *port > 0);
        let is_data = match opening.header("streamtype") {
            "data" => Some(true),
            "error" => Some(false),
            _ => None,
        };
        let (Some(port), Some(is_data)) = (port, is_data) else { return line.refuse(stream, Reset::Protocol).await };
        // Old clients give no request id; their data stream follows the error stream.
        let request = match opening.header("requestid") {
            "" => (if is_data { stream.saturating_sub(2) } else { stream }).to_string(),
            id => id.to_owned(),
        };
        if self.pairs.len() >= CONNECTIONS_MAX && !self.pairs.contains_key(&request) {
            return line.refuse(stream, Reset::Refused).await;
        }
        let pair = self.pairs.entry(request).or_insert_with(|| Pair::new(port));
        let slot = if is_data { &mut pair.data } else { &mut pair.error };
        if slot.is_some() || pair.port != port {
            return line.refuse(stream, Reset::Protocol).await;
        }
        *slot = Some(stream);
        if is_data && opening.fin {
            pair.incoming = None;
        }
        if !line.accept(stream).await {
            return false;
        }
        self.start(stream, line.queue());
        true
    }

    async fn data(&mut self, stream: u32, bytes: Bytes, fin: bool) {
        let Some(pair) = self.pairs.values_mut().find(|pair| pair.data == Some(stream)) else { return };
        if let Some(incoming) = &pair.incoming
            && !bytes.is_empty()
        {
            // An error means that the Pod reads no more.
            let _ = incoming.send(bytes).await;
        }
        if fin {
            pair.incoming = None;
        }
    }

    async fn reset(&mut self, stream: u32) {
        if let Some(pair) = self.pair_of(stream) {
            pair.incoming = None;
            // The connection may be over already.
            let _ = pair.reset.take().map(|reset| reset.send(()));
        }
    }
}

async fn connection(
    target: Target,
    port: u16,
    [error, data]: [u32; 2],
    incoming: mpsc::Receiver<Bytes>,
    was_reset: oneshot::Receiver<()>,
    queue: mpsc::Sender<Bytes>,
) {
    let outlet = Outlet::new(queue.clone(), move |bytes| spdy::data(data, bytes, false));
    let ended = spdy::data(data, b"", true);
    let forward = async {
        match target.connect(port).await {
            Ok(stream) => {
                pump(stream, incoming, &outlet, Some(&ended)).await;
                None
            }
            Err(text) => Some(text),
        }
    };
    let given_up = async {
        if was_reset.await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    let failure = tokio::select! {
        failure = forward => failure,
        () = given_up => None,
    };
    // The end of the error stream tells the client that all is over.
    if let Some(text) = failure {
        tracing::debug!(pod = %target.pod, port, error = %text.escape_debug(), "a port was not forwarded");
        let _ = queue.send(spdy::data(error, text.as_bytes(), true)).await;
        let _ = queue.send(ended).await;
    } else {
        let _ = queue.send(spdy::data(error, b"", true)).await;
    }
}
