//! One direction of a connection: a bounded queue of byte buffers in memory.
//!
//! Writers hand over owned buffers, readers take them: nothing is copied in between. Reads may
//! split or join what was written, as TCP may; callers must not rely on boundaries.

use crate::limits::PIPE_BYTES_MAX;
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

#[derive(Default)]
struct State {
    queue: VecDeque<Bytes>,
    length: usize,
    /// The writer ended in order: readers see the rest, then the end.
    finished: bool,
    /// One side went away: writers fail; readers see a reset unless `finished`.
    broken: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

#[derive(Default)]
struct Shared(Mutex<State>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake_both(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        change(&mut state);
        let wakers = (state.reader.take(), state.writer.take());
        drop(state);
        if let Some(waker) = wakers.0 {
            waker.wake();
        }
        if let Some(waker) = wakers.1 {
            waker.wake();
        }
    }
}

/// The other side went away without ending its direction (ECONNRESET, EPIPE).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("connection reset")]
pub struct Reset;

impl From<Reset> for io::Error {
    fn from(_: Reset) -> Self {
        io::ErrorKind::ConnectionReset.into()
    }
}

/// The end that reads. Dropping it makes writes fail.
pub struct PipeReader(Arc<Shared>);

/// The end that writes. [`PipeWriter::finish`] ends it in order; dropping it without that
/// resets the reader once it has read what was sent before.
pub struct PipeWriter(Arc<Shared>);

/// A pipe that holds up to [`PIPE_BYTES_MAX`] bytes (and one buffer more).
pub fn pipe() -> (PipeWriter, PipeReader) {
    let shared = Arc::new(Shared::default());
    (PipeWriter(shared.clone()), PipeReader(shared))
}

impl PipeReader {
    /// Ready once [`PipeReader::try_read`] has something to say.
    pub fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.0.lock();
        if state.length > 0 || state.finished || state.broken {
            return Poll::Ready(());
        }
        state.reader = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Up to `max` bytes: `Ok(None)` at the end, `Ok(Some(empty))` when nothing is there yet.
    pub fn try_read(&self, max: usize) -> Result<Option<Bytes>, Reset> {
        let mut state = self.0.lock();
        let Some(front) = state.queue.front_mut() else {
            return match (state.finished, state.broken) {
                (true, _) => Ok(None),
                (false, true) => Err(Reset),
                (false, false) => Ok(Some(Bytes::new())),
            };
        };
        let bytes = if front.len() <= max { std::mem::take(front) } else { front.split_to(max) };
        if front.is_empty() {
            state.queue.pop_front();
        }
        state.length -= bytes.len();
        let writer = if state.length < PIPE_BYTES_MAX { state.writer.take() } else { None };
        drop(state);
        if let Some(waker) = writer {
            waker.wake();
        }
        Ok(Some(bytes))
    }
}

impl PipeWriter {
    /// Ready once [`PipeWriter::room`] is not 0 or writing fails.
    pub fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.0.lock();
        if state.length < PIPE_BYTES_MAX || state.broken {
            return Poll::Ready(());
        }
        state.writer = Some(cx.waker().clone());
        Poll::Pending
    }

    /// How many bytes may be written now; 0 is "wait".
    pub fn room(&self) -> Result<usize, Reset> {
        let state = self.0.lock();
        if state.broken { Err(Reset) } else { Ok(PIPE_BYTES_MAX.saturating_sub(state.length)) }
    }

    /// Appends `bytes` whole; the caller asked [`PipeWriter::room`] first.
    pub fn write(&self, bytes: Bytes) -> Result<(), Reset> {
        let mut state = self.0.lock();
        if state.broken || state.finished {
            return Err(Reset);
        }
        if bytes.is_empty() {
            return Ok(());
        }
        state.length += bytes.len();
        state.queue.push_back(bytes);
        let reader = state.reader.take();
        drop(state);
        if let Some(waker) = reader {
            waker.wake();
        }
        Ok(())
    }

    /// Ends this direction in order (FIN).
    pub fn finish(&self) {
        self.0.wake_both(|state| state.finished = true);
    }

    /// Ready once the reader went away. It shares its waker with [`PipeWriter::poll_ready`]:
    /// call both from one task.
    pub fn poll_closed(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.0.lock();
        if state.broken {
            return Poll::Ready(());
        }
        state.writer = Some(cx.waker().clone());
        Poll::Pending
    }

    /// A handle that breaks this direction from outside.
    pub fn breaker(&self) -> PipeBreaker {
        PipeBreaker(Arc::downgrade(&self.0))
    }
}

/// Breaks one direction of a connection without owning either end; it does not keep it alive.
pub struct PipeBreaker(Weak<Shared>);

impl PipeBreaker {
    /// Writers fail from now on; readers see a reset after what was sent before.
    pub fn reset(&self) {
        if let Some(shared) = self.0.upgrade() {
            shared.wake_both(|state| state.broken = true);
        }
    }

    /// Whether both ends are gone.
    pub fn is_gone(&self) -> bool {
        self.0.strong_count() == 0
    }
}

impl Drop for PipeReader {
    fn drop(&mut self) {
        self.0.wake_both(|state| {
            state.broken = true;
            state.queue.clear();
            state.length = 0;
        });
    }
}

impl Drop for PipeWriter {
    fn drop(&mut self) {
        self.0.wake_both(|state| state.broken = true);
    }
}

/// Both directions of a connection as one tokio stream; dropping it ends the writing direction
/// in order.
pub struct PipeStream {
    reader: PipeReader,
    writer: PipeWriter,
}

impl PipeStream {
    /// Joins two directions.
    pub fn new(reader: PipeReader, writer: PipeWriter) -> Self {
        PipeStream { reader, writer }
    }

    /// Two connected streams.
    pub fn pair() -> (Self, Self) {
        let ((a_writer, b_reader), (b_writer, a_reader)) = (pipe(), pipe());
        (Self::new(a_reader, a_writer), Self::new(b_reader, b_writer))
    }
}

impl Drop for PipeStream {
    fn drop(&mut self) {
        self.writer.finish();
    }
}

impl AsyncRead for PipeStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        ready!(self.reader.poll_ready(cx));
        if let Some(bytes) = self.reader.try_read(buf.remaining())? {
            buf.put_slice(&bytes);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for PipeStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.writer.poll_ready(cx));
        let length = bytes.len().min(self.writer.room()?);
        let mut owned = BytesMut::with_capacity(length);
        owned.extend_from_slice(&bytes[..length]);
        self.writer.write(owned.freeze())?;
        Poll::Ready(Ok(length))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer.finish();
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests;
