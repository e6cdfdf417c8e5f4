//! Whether a client has begun to speak, and which HTTP.

use runtime_base::ByteStream;
use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How every HTTP/2 connection begins.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A connection that notes when its first bytes tell the version of HTTP. What comes after has
/// limits of time of its own.
pub(super) struct Opening {
    stream: ByteStream,
    /// Bytes that were all as in the preface.
    alike: usize,
    told: Arc<AtomicBool>,
}

impl Opening {
    /// The connection, and what becomes true.
    pub fn new(stream: ByteStream) -> (Self, Arc<AtomicBool>) {
        let told = Arc::new(AtomicBool::new(false));
        (Opening { stream, alike: 0, told: told.clone() }, told)
    }

    fn look(&mut self, bytes: &[u8]) {
        let expected = &PREFACE[self.alike..];
        let compared = bytes.len().min(expected.len());
        self.alike += compared;
        if bytes[..compared] != expected[..compared] || self.alike == PREFACE.len() {
            self.alike = PREFACE.len();
            self.told.store(true, Ordering::Relaxed);
        }
    }
}

impl AsyncRead for Opening {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        if self.alike < PREFACE.len() {
            self.look(&buffer.filled()[before..]);
        }
        polled
    }
}

impl AsyncWrite for Opening {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
