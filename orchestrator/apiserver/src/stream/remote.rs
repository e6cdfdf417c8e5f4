//! A SPDY/3.1 session with one process: a stream for each of its channels, which the node has in a
//! WebSocket (`v5.channel.k8s.io`).

use super::exec::Options;
use super::limits::{CHUNK_BYTES, CHUNKS_QUEUED_MAX, CONNECT_TIME_MAX, FLUSH_TIME_MAX};
use super::session::send;
use super::spdy::{self, Decoder, Frame, Reset};
use super::websocket::{self, Socket};
use bytes::Bytes;
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use runtime_base::clock;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt};
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
type Streams = [Option<u32>; 5];

/// Serves until the process or the client has ended.
pub(super) async fn serve(client: Upgraded, node: Upgraded, options: Options) {
    let (read, write) = tokio::io::split(TokioIo::new(client));
    let (sink, source) = websocket::open_to_node(node).await.split();
    let (queue, frames) = mpsc::channel(CHUNKS_QUEUED_MAX);
    let (ready, streams) = oneshot::channel();
    let wanted = [options.stdin, options.stdout, options.stderr, true, options.tty];
    let session = Session { queue: queue.clone(), sink, wanted, streams: [None; 5], last: 0, ready: Some(ready) };
    let mut writing = Box::pin(send(frames, write));
    let working = async {
        tokio::select! {
            () = session.run(read) => {}
            () = deliver(source, streams, queue) => {}
        }
    };
    tokio::select! {
        () = &mut writing => {}
        () = working => drop(clock::within(FLUSH_TIME_MAX, writing).await),
    }
}

/// The client's side.
struct Session {
    queue: mpsc::Sender<Bytes>,
    sink: SplitSink<Socket, Message>,
    /// By channel.
    wanted: [bool; 5],
    streams: Streams,
    /// The last stream that the client opened.
    last: u32,
    /// Told the streams when all are there.
    ready: Option<oneshot::Sender<Streams>>,
}

impl Session {
    async fn run(mut self, mut read: impl AsyncRead + Unpin) {
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
            Frame::Data { stream, bytes, fin } => self.pass(stream, &bytes, fin).await,
            Frame::Reset { stream } => self.pass(stream, b"", true).await,
            // Even numbers are answers to pings of ours, of which there are none.
            Frame::Ping { id } if id % 2 == 1 => self.say(spdy::pong(id)).await,
            Frame::Ping { .. } | Frame::GoAway | Frame::Other => true,
        }
    }

    async fn open(&mut self, stream: u32, headers: &[(String, String)], fin: bool) -> bool {
        if stream.is_multiple_of(2) || stream <= self.last {
            self.say(spdy::go_away(self.last)).await;
            return false;
        }
        self.last = stream;
        let name = headers.iter().find(|(key, _)| key == "streamtype").map_or("", |(_, value)| value.as_str());
        let channel = NAMES.iter().position(|known| *known == name);
        let channel = channel.filter(|channel| self.wanted[*channel] && self.streams[*channel].is_none());
        let Some(channel) = channel else { return self.say(spdy::reset(stream, Reset::Protocol)).await };
        let first = self.streams.iter().all(Option::is_none);
        self.streams[channel] = Some(stream);
        if !self.say(spdy::reply(stream, first)).await {
            return false;
        }
        let complete = (0..NAMES.len()).all(|channel| self.streams[channel].is_some() == self.wanted[channel]);
        if complete && let Some(ready) = self.ready.take() {
            // An error means that the process has ended.
            let _ = ready.send(self.streams);
        }
        !fin || self.pass(stream, b"", true).await
    }

    /// Passes what the client says to the node.
    async fn pass(&mut self, stream: u32, bytes: &[u8], fin: bool) -> bool {
        let channel = self.streams.iter().position(|known| *known == Some(stream));
        let Some(channel @ (STDIN | RESIZE)) = channel else { return true };
        for chunk in bytes.chunks(CHUNK_BYTES) {
            let message = [&[channel as u8], chunk].concat();
            if self.sink.send(Message::binary(message)).await.is_err() {
                // The node has ended; its last words are on their way.
                return true;
            }
        }
        if fin {
            let _ = self.sink.send(Message::binary(vec![CLOSE, channel as u8])).await;
        }
        true
    }
}

/// Passes what the node says to the client, and ends the client's streams at the end.
async fn deliver(mut source: SplitStream<Socket>, streams: oneshot::Receiver<Streams>, queue: mpsc::Sender<Bytes>) {
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
        if bytes.len() > 1 && queue.send(spdy::data(*stream, &bytes[1..], false)).await.is_err() {
            return;
        }
    }
    if !told && let Some(error) = streams[ERROR] {
        let text = json!({
            "metadata": {}, "status": "Failure", "reason": "InternalError", "code": 500,
            "message": "Internal error occurred: the connection to the node ended before the process did",
        });
        let _ = queue.send(spdy::data(error, text.to_string().as_bytes(), false)).await;
    }
    for stream in streams.into_iter().flatten() {
        let _ = queue.send(spdy::data(stream, b"", true)).await;
    }
}
