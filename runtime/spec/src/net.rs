//! A Pod's place in the virtual network, as its programs see it.

use crate::pipe::{PipeReader, PipeStream, PipeWriter};
use async_trait::async_trait;
use runtime_base::ByteStream;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::task::{Context, Poll};

/// Why the network refused; each has one errno and one `wasi:sockets` code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetError {
    /// EADDRINUSE.
    #[error("address {0} is in use")]
    AddressInUse(SocketAddr),
    /// EADDRNOTAVAIL: not an address of this Pod.
    #[error("address {0} is not of this Pod")]
    AddressNotBindable(SocketAddr),
    /// ECONNREFUSED.
    #[error("connection to {0} refused")]
    ConnectionRefused(SocketAddr),
    /// ENETUNREACH or EHOSTUNREACH.
    #[error("{0} is unreachable")]
    Unreachable(SocketAddr),
    /// ETIMEDOUT.
    #[error("connection to {0} timed out")]
    Timeout(SocketAddr),
    /// EACCES: a policy forbids it.
    #[error("access to {0} denied")]
    AccessDenied(SocketAddr),
    /// ENFILE: a limit of the Pod or of the node.
    #[error("too many sockets")]
    TooManySockets,
    /// NXDOMAIN or no address record.
    #[error("no address for name {0}")]
    NameUnresolvable(String),
    /// The resolver did not answer; trying again may help.
    #[error("resolver failure for name {0}")]
    ResolverFailure(String),
    /// The network has no such thing (yet).
    #[error("{0} is not supported by this network")]
    Unsupported(&'static str),
    /// The host's network failed.
    #[error("{0}")]
    Io(String),
}

/// An established connection.
pub struct Connection {
    /// This end's address.
    pub local: SocketAddr,
    /// The other end's address, as this end knows it (a Service's address stays one).
    pub peer: SocketAddr,
    /// What the other end sends.
    pub reader: PipeReader,
    /// What this end sends.
    pub writer: PipeWriter,
}

/// An established connection as one stream; it may be a kernel socket.
pub struct AcceptedStream {
    /// This end's address.
    pub local: SocketAddr,
    /// The other end's address.
    pub peer: SocketAddr,
    /// Both directions; dropping it ends the writing direction in order.
    pub stream: ByteStream,
}

impl From<Connection> for AcceptedStream {
    fn from(connection: Connection) -> Self {
        let stream = Box::new(PipeStream::new(connection.reader, connection.writer));
        AcceptedStream { local: connection.local, peer: connection.peer, stream }
    }
}

/// Takes connections at an address of a Pod; dropping it closes the port and refuses those who
/// wait.
pub trait TcpListener: Send + Sync {
    /// The bound address, with the port that was chosen when it was asked for as 0.
    fn local(&self) -> SocketAddr;

    /// The next connection; ready with an error only when the listener is closed for good.
    /// Only the last caller's waker is kept.
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<Result<Connection, NetError>>;

    /// As [`TcpListener::poll_accept`], for who wants a stream: a connection from outside then
    /// needs no copy in between.
    fn poll_accept_stream(&self, cx: &mut Context<'_>) -> Poll<Result<AcceptedStream, NetError>> {
        self.poll_accept(cx).map_ok(AcceptedStream::from)
    }

    /// How many connections may wait for `accept` from now on.
    fn set_backlog(&self, backlog: usize);
}

/// A Pod's place in the virtual network.
///
/// Containers of a Pod share one: localhost, ports and addresses are the Pod's.
#[async_trait]
pub trait PodNetwork: Send + Sync {
    /// The Pod's addresses, the primary one first.
    fn addresses(&self) -> Vec<IpAddr>;

    /// Binds and listens. The address is the Pod's own, a loopback or an unspecified one;
    /// port 0 picks a free port.
    fn listen(&self, local: SocketAddr, backlog: usize) -> Result<Box<dyn TcpListener>, NetError>;

    /// Connects to a Pod, a Service, a loopback listener of this Pod, or the outside.
    async fn connect(&self, local: Option<SocketAddr>, remote: SocketAddr) -> Result<Connection, NetError>;

    /// The addresses of `name` by the Pod's DNS rules (search domains, ndots).
    async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, NetError>;

    /// The path of a kernel network namespace with the Pod's addresses, made at the first call
    /// (so a Sandbox changes from switch alone to switch and kernel at any time of its life).
    async fn kernel_namespace(&self) -> Result<PathBuf, NetError> {
        Err(NetError::Unsupported("a kernel network namespace"))
    }
}
