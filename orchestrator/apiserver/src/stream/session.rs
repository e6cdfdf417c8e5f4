//! A SPDY/3.1 session of forwarded ports: for each connection one stream of data and one of errors.

use super::kubelet::Target;
use super::limits::{CHUNK_BYTES, CHUNKS_QUEUED_MAX, CONNECTIONS_MAX, FLUSH_TIME_MAX};
use super::pump::{Outlet, pump};
use super::spdy::{self, Decoder, Frame, Reset};
use bytes::Bytes;
use runtime_base::{ByteStream, Tasks, clock};
use std::collections::HashMap;
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf};
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

/// Serves a client until it closes `io`.
pub(super) async fn serve(io: ByteStream, target: Target) {
    let (read, write) = tokio::io::split(io);
    let (queue, frames) = mpsc::channel(CHUNKS_QUEUED_MAX);
    let connections = target.tasks.child();
    let session =
        Session { target, queue, connections: connections.clone(), pairs: HashMap::new(), last: 0, replied: false };
    let mut writing = Box::pin(send(frames, write));
    tokio::select! {
        () = &mut writing => {}
        () = session.run(read) => {
            connections.cancel();
            clock::within(FLUSH_TIME_MAX, writing).await;
        }
    }
    connections.cancel();
}

/// Writes frames until there will be no more.
pub(super) async fn send(mut frames: mpsc::Receiver<Bytes>, mut io: impl AsyncWrite + Unpin) {
    while let Some(frame) = frames.recv().await {
        if io.write_all(&frame).await.is_err() {
            return;
        }
        if frames.is_empty() && io.flush().await.is_err() {
            return;
        }
    }
    let _ = io.shutdown().await;
}

struct Session {
    target: Target,
    queue: mpsc::Sender<Bytes>,
    connections: Tasks,
    /// By request id.
    pairs: HashMap<String, Pair>,
    /// The last stream that the client opened.
    last: u32,
    /// Whether a header block was sent: the next one continues its compression.
    replied: bool,
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

impl Session {
    async fn run(mut self, mut read: ReadHalf<ByteStream>) {
        let (mut decoder, mut buffer) = (Decoder::new(), vec![0; CHUNK_BYTES]);
        while let Ok(count @ 1..) = read.read(&mut buffer).await {
            decoder.feed(&buffer[..count]);
            loop {
                let more = match decoder.next() {
                    Ok(Some(frame)) => self.take(frame).await,
                    Ok(None) => break,
                    Err(error) => {
                        tracing::debug!(%error, "a client's SPDY session ended");
                        self.say(spdy::go_away(self.last)).await;
                        false
                    }
                };
                if !more {
                    return;
                }
            }
        }
    }

    /// False once the client is gone.
    async fn say(&self, frame: Bytes) -> bool {
        self.queue.send(frame).await.is_ok()
    }

    /// False when the session is over.
    async fn take(&mut self, frame: Frame) -> bool {
        match frame {
            Frame::Open { stream, headers, fin } => self.open(stream, &headers, fin).await,
            Frame::Data { stream, bytes, fin } => {
                self.receive(stream, bytes, fin).await;
                true
            }
            Frame::Reset { stream } => {
                if let Some(pair) = self.pair_of(stream) {
                    pair.incoming = None;
                    // The connection may be over already.
                    let _ = pair.reset.take().map(|reset| reset.send(()));
                }
                true
            }
            // Even numbers are answers to pings of ours, of which there are none.
            Frame::Ping { id } if id % 2 == 1 => self.say(spdy::pong(id)).await,
            Frame::Ping { .. } | Frame::GoAway | Frame::Other => true,
        }
    }

    fn pair_of(&mut self, stream: u32) -> Option<&mut Pair> {
        self.pairs.values_mut().find(|pair| pair.data == Some(stream) || pair.error == Some(stream))
    }

    async fn receive(&mut self, stream: u32, bytes: Bytes, fin: bool) {
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

    async fn open(&mut self, stream: u32, headers: &[(String, String)], fin: bool) -> bool {
        if stream.is_multiple_of(2) || stream <= self.last {
            self.say(spdy::go_away(self.last)).await;
            return false;
        }
        self.last = stream;
        self.pairs.retain(|_, pair| !pair.is_over());
        let header = |name: &str| headers.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str());
        let port = header("port").parse::<u16>().ok().filter(|port| *port > 0);
        let is_data = match header("streamtype") {
            "data" => Some(true),
            "error" => Some(false),
            _ => None,
        };
        let (Some(port), Some(is_data)) = (port, is_data) else {
            return self.say(spdy::reset(stream, Reset::Protocol)).await;
        };
        // Old clients give no request id; their data stream follows the error stream.
        let request = match header("requestid") {
            "" => (if is_data { stream.saturating_sub(2) } else { stream }).to_string(),
            id => id.to_owned(),
        };
        if self.pairs.len() >= CONNECTIONS_MAX && !self.pairs.contains_key(&request) {
            return self.say(spdy::reset(stream, Reset::Refused)).await;
        }
        let pair = self.pairs.entry(request).or_insert_with(|| Pair::new(port));
        let slot = if is_data { &mut pair.data } else { &mut pair.error };
        if slot.is_some() || pair.port != port {
            return self.say(spdy::reset(stream, Reset::Protocol)).await;
        }
        *slot = Some(stream);
        if is_data && fin {
            pair.incoming = None;
        }
        let first = !std::mem::replace(&mut self.replied, true);
        if !self.say(spdy::reply(stream, first)).await {
            return false;
        }
        self.start(stream);
        true
    }

    /// Starts the connection of which `stream` was the last missing one.
    fn start(&mut self, stream: u32) {
        let (target, queue, connections) = (self.target.clone(), self.queue.clone(), self.connections.clone());
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
