//! Byte streams whose transport does not matter.

use tokio::io::{AsyncRead, AsyncWrite};

/// What a [`ByteStream`] can do.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin + ?Sized> Duplex for T {}

/// A connection: a kernel socket, a queue in memory, a tunnel.
pub type ByteStream = Box<dyn Duplex>;
