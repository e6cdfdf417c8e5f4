//! A SPDY/3.1 session with one process: a stream for each of its channels, which the node has in a
//! WebSocket (`v5.channel.k8s.io`).

use super::exec::Options;
use super::limits::{CHUNK_BYTES, CHUNKS_QUEUED_MAX, CONNECT_TIME_MAX, FLUSH_TIME_MAX};
use super::session::{Line, Opening, Streams, send};
use super::spdy::{self, Reset};
use super::websocket::{self, Socket};
use bytes::Bytes;
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use runtime_base::clock;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::tungstenite::Message;

const STDIN: usize = 0;
const ERROR: usize = 3;
const RESIZE: usize = 4;
/// The names that clients give to the channels 0 to 4.
const NAMES: [&str; 5] = ["stdin", "stdout", "stderr", "error", "resize"];
/// `[CLOSE, channel]` ends the input of a channel.
const CLOSE: u8 = 255;

/// The client's stream of each channel.
type Numbers = [Option<u32>; 5];

/// What sets the versions of the protocol apart.
#[derive(Clone, Copy, Debug)]
struct Version {
    /// Whether a terminal's size comes on a stream (from v3 on).
    resizes: bool,
    /// Whether the error stream holds a Status (from v4 on) instead of a text.
    tells_status: bool,
}

impl Version {
    fn of(protocol: &str) -> Self {
        Version {
            resizes: !matches!(protocol, "channel.k8s.io" | "v2.channel.k8s.io"),
            tells_status: protocol.starts_with("v4."),
        }
    }
}

/// Serves until the process or the client has ended.
pub(super) async fn serve(client: Upgraded, node: Upgraded, options: Options, protocol: &'static str) {
    let version = Version::of(protocol);
    let (read, write) = tokio::io::split(TokioIo::new(client));
    let (sink, source) = websocket::open_to_node(node).await.split();
    let (queue, frames) = mpsc::channel(CHUNKS_QUEUED_MAX);
    let (ready, streams) = oneshot::channel();
    let wanted = [options.stdin, options.stdout, options.stderr, true, options.tty && version.resizes];
    let channels = Channels { sink, wanted, streams: [None; 5], ready: Some(ready) };
    let mut writing = Box::pin(send(frames, write));
    let working = async {
        tokio::select! {
            () = Line::new(queue.clone()).run(channels, read) => {}
            () = deliver(source, streams, queue, version) => {}
        }
    };
    tokio::select! {
        () = &mut writing => {}
        () = working => drop(clock::within(FLUSH_TIME_MAX, writing).await),
    }
}

/// The client's side.
struct Channels {
    sink: SplitSink<Socket, Message>,
    /// By channel.
    wanted: [bool; 5],
    streams: Numbers,
    /// Told the streams when all are there.
    ready: Option<oneshot::Sender<Numbers>>,
}

impl Streams for Channels {
    async fn open(&mut self, line: &mut Line, opening: Opening<'_>) -> bool {
        let (stream, name) = (opening.stream, opening.header("streamtype"));
        let channel = NAMES.iter().position(|known| *known == name);
        let channel = channel.filter(|channel| self.wanted[*channel] && self.streams[*channel].is_none());
        let Some(channel) = channel else { return line.refuse(stream, Reset::Protocol).await };
        self.streams[channel] = Some(stream);
        if !line.accept(stream).await {
            return false;
        }
        let complete = (0..NAMES.len()).all(|channel| self.streams[channel].is_some() == self.wanted[channel]);
        if complete && let Some(ready) = self.ready.take() {
            // An error means that the process has ended.
            let _ = ready.send(self.streams);
        }
        if opening.fin {
            self.data(stream, Bytes::new(), true).await;
        }
        true
    }

    /// Passes what the client says to the node.
    async fn data(&mut self, stream: u32, bytes: Bytes, fin: bool) {
        let channel = self.streams.iter().position(|known| *known == Some(stream));
        let Some(channel @ (STDIN | RESIZE)) = channel else { return };
        for chunk in bytes.chunks(CHUNK_BYTES) {
            let message = [&[channel as u8], chunk].concat();
            if self.sink.send(Message::binary(message)).await.is_err() {
                // The node has ended; its last words are on their way.
                return;
            }
        }
        if fin {
            let _ = self.sink.send(Message::binary(vec![CLOSE, channel as u8])).await;
        }
    }

    async fn reset(&mut self, stream: u32) {
        self.data(stream, Bytes::new(), true).await;
    }
}

/// What an older client's error channel holds: nothing after a success, else the text of the Status
/// that the node tells. What is no Status stays as it is.
pub(super) fn plain_status(status: &[u8]) -> Option<Bytes> {
    let Ok(told) = serde_json::from_slice::<Value>(status) else { return Some(Bytes::copy_from_slice(status)) };
    if told["status"] == "Success" {
        return None;
    }
    let text = told["message"].as_str().filter(|text| !text.is_empty()).unwrap_or("the process failed");
    Some(Bytes::copy_from_slice(text.as_bytes()))
}

/// Passes what the node says to the client, and ends the client's streams at the end.
async fn deliver(
    mut source: SplitStream<Socket>,
    streams: oneshot::Receiver<Numbers>,
    queue: mpsc::Sender<Bytes>,
    version: Version,
) {
    let shown =
        |status: &[u8]| if version.tells_status { Some(Bytes::copy_from_slice(status)) } else { plain_status(status) };
    let Some(Ok(streams)) = clock::within(CONNECT_TIME_MAX, streams).await else {
        return tracing::debug!("a client did not open its streams");
    };
    let mut told = false;
    while let Some(Ok(message)) = source.next().await {
        let bytes = match message {
            Message::Binary(bytes) if !bytes.is_empty() => bytes,
            Message::Close(_) => break,
            _ => continue,
        };
        let channel = usize::from(bytes[0]);
        told |= channel == ERROR;
        let Some(Some(stream)) = streams.get(channel) else { continue };
        let told_now = if channel == ERROR { shown(&bytes[1..]) } else { Some(bytes.slice(1..)) };
        let Some(payload) = told_now.filter(|payload| !payload.is_empty()) else { continue };
        if queue.send(spdy::data(*stream, &payload, false)).await.is_err() {
            return;
        }
    }
    if !told && let Some(error) = streams[ERROR] {
        let text = json!({
            "metadata": {}, "status": "Failure", "reason": "InternalError", "code": 500,
            "message": "Internal error occurred: the connection to the node ended before the process did",
        });
        let text = shown(text.to_string().as_bytes()).unwrap_or_default();
        let _ = queue.send(spdy::data(error, &text, false)).await;
    }
    for stream in streams.into_iter().flatten() {
        let _ = queue.send(spdy::data(stream, b"", true)).await;
    }
}
