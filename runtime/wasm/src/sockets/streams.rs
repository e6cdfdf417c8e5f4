//! The two directions of a connection as WASI streams.
//!
//! A socket and its streams share each direction: dropping a stream alone does not end it,
//! `shutdown` does, and so does dropping all of them.

use crate::limits::WRITE_BYTES_MAX;
use bytes::Bytes;
use runtime_spec::pipe::{PipeReader, PipeWriter};
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use wasmtime_wasi::p2::{InputStream, OutputStream, Pollable, StreamError, StreamResult};

/// What is read; `None` after its end or a shutdown.
#[derive(Clone)]
pub(super) struct Reader(Arc<Mutex<Option<PipeReader>>>);

impl Reader {
    pub(super) fn new(pipe: PipeReader) -> Self {
        Reader(Arc::new(Mutex::new(Some(pipe))))
    }

    fn lock(&self) -> MutexGuard<'_, Option<PipeReader>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn shutdown(&self) {
        *self.lock() = None;
    }

    fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<()> {
        match &*self.lock() {
            Some(pipe) => pipe.poll_ready(cx),
            None => Poll::Ready(()),
        }
    }
}

#[async_trait::async_trait]
impl Pollable for Reader {
    async fn ready(&mut self) {
        poll_fn(|cx| self.poll_ready(cx)).await;
    }
}

impl InputStream for Reader {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        let mut state = self.lock();
        let Some(pipe) = &*state else { return Err(StreamError::Closed) };
        if size == 0 {
            return Ok(Bytes::new());
        }
        match pipe.try_read(size) {
            Ok(Some(bytes)) => Ok(bytes),
            Ok(None) => {
                // The pipe stays: dropping it would reset the other end's writer.
                Err(StreamError::Closed)
            }
            Err(reset) => {
                *state = None;
                Err(StreamError::LastOperationFailed(std::io::Error::from(reset).into()))
            }
        }
    }
}

/// Ends its direction in order when dropped.
struct Finishing(PipeWriter);

impl Drop for Finishing {
    fn drop(&mut self) {
        self.0.finish();
    }
}

/// What is written; `None` after a shutdown.
#[derive(Clone)]
pub(super) struct Writer(Arc<Mutex<Option<Finishing>>>);

impl Writer {
    pub(super) fn new(pipe: PipeWriter) -> Self {
        Writer(Arc::new(Mutex::new(Some(Finishing(pipe)))))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Finishing>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn shutdown(&self) {
        *self.lock() = None;
    }

    fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<()> {
        match &*self.lock() {
            Some(pipe) => pipe.0.poll_ready(cx),
            None => Poll::Ready(()),
        }
    }

    fn with<T>(&self, act: impl FnOnce(&PipeWriter) -> Result<T, runtime_spec::pipe::Reset>) -> StreamResult<T> {
        match &*self.lock() {
            Some(pipe) => act(&pipe.0).map_err(|_| StreamError::Closed),
            None => Err(StreamError::Closed),
        }
    }
}

#[async_trait::async_trait]
impl Pollable for Writer {
    async fn ready(&mut self) {
        poll_fn(|cx| self.poll_ready(cx)).await;
    }
}

impl OutputStream for Writer {
    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(self.with(PipeWriter::room)?.min(WRITE_BYTES_MAX))
    }

    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if bytes.len() > WRITE_BYTES_MAX {
            return Err(StreamError::trap("write of more bytes than check-write permitted"));
        }
        self.with(|pipe| pipe.write(bytes))
    }

    fn flush(&mut self) -> StreamResult<()> {
        // What was written is in the reader's queue already.
        self.with(|_| Ok(()))
    }
}
