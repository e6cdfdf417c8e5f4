//! Established connections: made of pipes, bridged to kernel sockets, broken when a Pod goes.

use crate::limits::SOCKET_READ_BYTES;
use crate::switch::Switch;
use bytes::BytesMut;
use futures::task::AtomicWaker;
use runtime_spec::Connection;
use runtime_spec::pipe::{PipeBreaker, PipeReader, PipeWriter, pipe};
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::OwnedSemaphorePermit;

/// Both ends of a new connection: `near` as its caller sees it (its address, and the one that
/// it asked for), `far` as its listener sees it.
pub(crate) fn join(near: (SocketAddr, SocketAddr), far: (SocketAddr, SocketAddr)) -> (Connection, Connection) {
    let ((near_writer, far_reader), (far_writer, near_reader)) = (pipe(), pipe());
    (
        Connection { local: near.0, peer: near.1, reader: near_reader, writer: near_writer },
        Connection { local: far.0, peer: far.1, reader: far_reader, writer: far_writer },
    )
}

/// Ends a kernel socket's use from outside.
#[derive(Debug, Default)]
pub(crate) struct Cut {
    done: AtomicBool,
    reader: AtomicWaker,
    writer: AtomicWaker,
}

impl Cut {
    fn now(&self) {
        self.done.store(true, Ordering::SeqCst);
        self.reader.wake();
        self.writer.wake();
    }

    fn check(&self, waker: &AtomicWaker, cx: &mut Context<'_>) -> io::Result<()> {
        waker.register(cx.waker());
        if self.done.load(Ordering::SeqCst) { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(()) }
    }
}

/// What a Pod keeps of a connection, to break it; it keeps nothing alive.
pub(crate) enum Link {
    Pipes([PipeBreaker; 2]),
    Socket(Weak<Cut>),
}

impl Link {
    pub(crate) fn pipes(near: &Connection, far: &Connection) -> Self {
        Link::Pipes([near.writer.breaker(), far.writer.breaker()])
    }

    fn is_gone(&self) -> bool {
        match self {
            Link::Pipes(both) => both.iter().all(PipeBreaker::is_gone),
            Link::Socket(cut) => cut.strong_count() == 0,
        }
    }

    fn cut(&self) {
        match self {
            Link::Pipes(both) => both.iter().for_each(PipeBreaker::reset),
            Link::Socket(cut) => cut.upgrade().iter().for_each(|cut| cut.now()),
        }
    }
}

/// The connections of a Pod, at most `max` alive.
pub(crate) struct Links {
    links: Vec<Link>,
    sweep_at: usize,
    max: usize,
}

impl Links {
    pub(crate) fn new(max: usize) -> Self {
        Links { links: Vec::new(), sweep_at: 64.min(max), max }
    }

    /// Remembers `link`; false when there are too many. Dead ones are swept out each time the
    /// list has doubled, so the cost for each is constant.
    pub(crate) fn add(&mut self, link: Link) -> bool {
        if self.links.len() >= self.sweep_at {
            self.links.retain(|link| !link.is_gone());
            if self.links.len() >= self.max {
                return false;
            }
            self.sweep_at = (self.links.len() * 2).clamp(64.min(self.max), self.max);
        }
        self.links.push(link);
        true
    }

    /// Takes all of them out.
    pub(crate) fn take(&mut self) -> Vec<Link> {
        std::mem::take(&mut self.links)
    }
}

/// Breaks connections; not to be called under a lock that a wake-up could need.
pub(crate) fn cut_all(links: Vec<Link>) {
    links.iter().for_each(Link::cut);
}

/// Who came through a NodePort.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) node_port: u16,
    /// Its real address.
    pub(crate) client: IpAddr,
    /// Its address as Pods see it.
    pub(crate) peer: SocketAddr,
    /// Who finds another Pod, if one ends before it takes the connection.
    pub(crate) home: Weak<Switch>,
}

/// A kernel socket on its way to, or in the hands of, a Pod's program.
pub(crate) struct Socket {
    stream: TcpStream,
    cut: Arc<Cut>,
    _permit: OwnedSemaphorePermit,
}

impl Socket {
    pub(crate) fn new(stream: TcpStream, permit: OwnedSemaphorePermit) -> Box<Self> {
        Box::new(Socket { stream, cut: Arc::default(), _permit: permit })
    }

    /// The handle for the Pod that gets it next; a Pod before that did not take it must not
    /// break it any more.
    pub(crate) fn link(&mut self) -> Link {
        self.cut = Arc::default();
        Link::Socket(Arc::downgrade(&self.cut))
    }

    /// Closes with a reset, so that the caller knows that nobody took it.
    pub(crate) fn refuse(self) {
        // A failure leaves an ordinary close.
        let _ = self.stream.set_zero_linger();
    }

    /// Copies between the socket and `inside` until both directions ended or one broke.
    pub(crate) async fn bridge(mut self: Box<Self>, inside: Connection) {
        let Connection { reader, writer, .. } = inside;
        let (read, write) = self.stream.split();
        let cut = poll_fn(|cx| match self.cut.check(&self.cut.reader, cx) {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(error),
        });
        let done = tokio::select! {
            done = futures::future::try_join(receive(read, writer), send(reader, write)) => done.map(|_| ()),
            error = cut => Err(error),
        };
        if done.is_err() {
            self.refuse();
        }
    }
}

async fn receive(from: ReadHalf<'_>, to: PipeWriter) -> io::Result<()> {
    let mut buffer = BytesMut::new();
    loop {
        poll_fn(|cx| to.poll_ready(cx)).await;
        if to.room().is_err() {
            return Ok(());
        }
        tokio::select! {
            biased;
            () = poll_fn(|cx| to.poll_closed(cx)) => return Ok(()),
            ready = from.readable() => ready?,
        }
        buffer.reserve(SOCKET_READ_BYTES);
        match from.try_read_buf(&mut buffer) {
            Ok(0) => {
                to.finish();
                return Ok(());
            }
            Ok(_) => {
                if to.write(buffer.split().freeze()).is_err() {
                    return Ok(());
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

async fn send(from: PipeReader, mut to: WriteHalf<'_>) -> io::Result<()> {
    loop {
        poll_fn(|cx| from.poll_ready(cx)).await;
        match from.try_read(usize::MAX)? {
            Some(bytes) => to.write_all(&bytes).await?,
            None => return to.shutdown().await,
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.cut.check(&self.cut.reader, cx)?;
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.cut.check(&self.cut.writer, cx)?;
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.cut.check(&self.cut.writer, cx)?;
        Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
