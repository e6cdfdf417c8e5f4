//! A SPDY/3.1 session with a client, whatever its streams carry.

use super::limits::CHUNK_BYTES;
use super::spdy::{self, Decoder, Frame, Reset};
use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

/// A stream that a client opens.
pub(super) struct Opening<'a> {
    pub stream: u32,
    headers: &'a [(String, String)],
    /// Whether the client says nothing more on it.
    pub fin: bool,
}

impl Opening<'_> {
    /// A header's value, "" when it is not there; names are in lower case.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }
}

/// What the streams of a session carry.
pub(super) trait Streams: Send {
    /// Accepts or refuses a stream; false when the client is gone.
    fn open(&mut self, line: &mut Line, opening: Opening<'_>) -> impl Future<Output = bool> + Send;
    /// Bytes on a stream, its last ones with `fin`.
    fn data(&mut self, stream: u32, bytes: Bytes, fin: bool) -> impl Future<Output = ()> + Send;
    /// The client ends a stream at once.
    fn reset(&mut self, stream: u32) -> impl Future<Output = ()> + Send;
}

/// The way to the client.
pub(super) struct Line {
    queue: mpsc::Sender<Bytes>,
    /// The last stream that the client opened.
    last: u32,
    /// Whether a header block was sent: the next one continues its compression.
    replied: bool,
}

impl Line {
    /// Over the queue of frames that [`send`] empties.
    pub fn new(queue: mpsc::Sender<Bytes>) -> Self {
        Line { queue, last: 0, replied: false }
    }

    /// The queue of frames to the client.
    pub fn queue(&self) -> &mpsc::Sender<Bytes> {
        &self.queue
    }

    /// False once the client is gone.
    async fn say(&self, frame: Bytes) -> bool {
        self.queue.send(frame).await.is_ok()
    }

    /// Accepts a stream; false once the client is gone.
    pub async fn accept(&mut self, stream: u32) -> bool {
        let first = !std::mem::replace(&mut self.replied, true);
        self.say(spdy::reply(stream, first)).await
    }

    /// Refuses a stream; false once the client is gone.
    pub async fn refuse(&mut self, stream: u32, why: Reset) -> bool {
        self.say(spdy::reset(stream, why)).await
    }

    /// Reads what the client says until it ends or errs.
    pub async fn run(mut self, mut streams: impl Streams, mut read: impl AsyncRead + Unpin + Send) {
        let (mut decoder, mut buffer) = (Decoder::new(), vec![0; CHUNK_BYTES]);
        while let Ok(count @ 1..) = read.read(&mut buffer).await {
            decoder.feed(&buffer[..count]);
            loop {
                let more = match decoder.next() {
                    Ok(Some(frame)) => self.take(&mut streams, frame).await,
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

    /// False when the session is over.
    async fn take(&mut self, streams: &mut impl Streams, frame: Frame) -> bool {
        match frame {
            Frame::Open { stream, .. } if stream.is_multiple_of(2) || stream <= self.last => {
                self.say(spdy::go_away(self.last)).await;
                return false;
            }
            Frame::Open { stream, headers, fin } => {
                self.last = stream;
                return streams.open(self, Opening { stream, headers: &headers, fin }).await;
            }
            Frame::Data { stream, bytes, fin } => streams.data(stream, bytes, fin).await,
            Frame::Reset { stream } => streams.reset(stream).await,
            // Even numbers are answers to pings of ours, of which there are none.
            Frame::Ping { id } if id % 2 == 1 => return self.say(spdy::pong(id)).await,
            Frame::Ping { .. } | Frame::GoAway | Frame::Other => {}
        }
        true
    }
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
