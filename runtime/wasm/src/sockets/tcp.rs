//! `wasi:sockets/tcp` as a state machine over [`PodNetwork`].

use super::address::{checked, to_wit};
use super::api::network::{IpAddressFamily, IpSocketAddress};
use super::api::tcp::{Host, HostTcpSocket, ShutdownType};
use super::streams::{Reader, Writer};
use super::{ErrorCode, NetView, Network, SocketResult, api, table};
use futures::FutureExt;
use futures::future::BoxFuture;
use runtime_spec::limits::{LISTEN_BACKLOG, LISTEN_BACKLOG_MAX};
use runtime_spec::pipe::{PipeReader, PipeWriter};
use runtime_spec::{Connection, NetError, TcpListener};
use std::future::poll_fn;
use std::net::SocketAddr;
use std::task::{Context, Poll, Waker};
use wasmtime::component::Resource;
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, DynPollable, Pollable, subscribe};

type Accepted = Result<Connection, NetError>;
type Streams = (Resource<DynInputStream>, Resource<DynOutputStream>);
type AcceptedSocket = (Resource<TcpSocket>, Resource<DynInputStream>, Resource<DynOutputStream>);

/// A socket.
pub struct TcpSocket {
    family: IpAddressFamily,
    backlog: usize,
    options: Options,
    state: State,
}

/// What a guest sets and may read again; nothing in the virtual network depends on it.
#[derive(Clone, Copy)]
struct Options {
    keep_alive: bool,
    keep_alive_idle_ns: u64,
    keep_alive_interval_ns: u64,
    keep_alive_count: u32,
    hop_limit: u8,
    receive_buffer: u64,
    send_buffer: u64,
}

/// Linux's defaults.
const OPTIONS: Options = Options {
    keep_alive: false,
    keep_alive_idle_ns: 7_200_000_000_000,
    keep_alive_interval_ns: 75_000_000_000,
    keep_alive_count: 9,
    hop_limit: 64,
    receive_buffer: runtime_spec::limits::PIPE_BYTES_MAX as u64,
    send_buffer: runtime_spec::limits::PIPE_BYTES_MAX as u64,
};

enum State {
    Unbound,
    /// `start-bind` was called.
    Binding(Box<dyn TcpListener>),
    Bound(Box<dyn TcpListener>),
    /// `start-listen` was called.
    StartedListening(Box<dyn TcpListener>),
    Listening {
        listener: Box<dyn TcpListener>,
        /// A connection that was met while waiting for one.
        met: Option<Accepted>,
    },
    Connecting(BoxFuture<'static, Accepted>),
    /// Connected or failed, until `finish-connect` asks.
    Decided(Box<Accepted>),
    Connected {
        local: SocketAddr,
        peer: SocketAddr,
        reader: Reader,
        writer: Writer,
    },
    /// A connect failed; nothing else can be done with this socket.
    Closed,
}

impl TcpSocket {
    fn new(family: IpAddressFamily) -> Self {
        TcpSocket { family, backlog: LISTEN_BACKLOG, options: OPTIONS, state: State::Unbound }
    }

    fn is_busy(&self) -> bool {
        matches!(self.state, State::Binding(_) | State::StartedListening(_) | State::Connecting(_) | State::Decided(_))
    }

    /// Takes the state, leaving a closed socket.
    fn take(&mut self) -> State {
        std::mem::replace(&mut self.state, State::Closed)
    }

    /// `inner` becomes a connected socket with its two streams.
    fn connect(&mut self, connection: Connection) -> (Reader, Writer) {
        let Connection { local, peer, reader, writer } = connection;
        let (reader, writer) = directions(reader, writer);
        self.state = State::Connected { local, peer, reader: reader.clone(), writer: writer.clone() };
        (reader, writer)
    }
}

fn directions(reader: PipeReader, writer: PipeWriter) -> (Reader, Writer) {
    (Reader::new(reader), Writer::new(writer))
}

#[async_trait::async_trait]
impl Pollable for TcpSocket {
    async fn ready(&mut self) {
        match &mut self.state {
            State::Connecting(connecting) => {
                let decided = connecting.await;
                self.state = State::Decided(Box::new(decided));
            }
            State::Listening { listener, met } if met.is_none() => {
                *met = Some(poll_fn(|cx| listener.poll_accept(cx)).await);
            }
            _ => {}
        }
    }
}

impl NetView<'_> {
    fn tcp(&mut self, socket: &Resource<TcpSocket>) -> SocketResult<&mut TcpSocket> {
        table(self.table.get_mut(socket))
    }

    fn push_streams(&mut self, socket: &Resource<TcpSocket>, pair: (Reader, Writer)) -> SocketResult<Streams> {
        let input: DynInputStream = Box::new(pair.0);
        let output: DynOutputStream = Box::new(pair.1);
        Ok((table(self.table.push_child(input, socket))?, table(self.table.push_child(output, socket))?))
    }

    fn options(&mut self, socket: &Resource<TcpSocket>) -> SocketResult<&mut Options> {
        Ok(&mut self.tcp(socket)?.options)
    }
}

/// `value` unless it is 0, which WASI refuses for this option.
fn positive<T: Default + PartialEq>(value: T) -> SocketResult<T> {
    if value == T::default() { Err(ErrorCode::InvalidArgument.into()) } else { Ok(value) }
}

impl api::tcp_create_socket::Host for NetView<'_> {
    fn create_tcp_socket(&mut self, family: IpAddressFamily) -> SocketResult<Resource<TcpSocket>> {
        table(self.table.push(TcpSocket::new(family)))
    }
}

impl Host for NetView<'_> {}

impl HostTcpSocket for NetView<'_> {
    fn start_bind(
        &mut self,
        socket: Resource<TcpSocket>,
        _: Resource<Network>,
        address: IpSocketAddress,
    ) -> SocketResult<()> {
        let network = self.network.clone();
        let socket = self.tcp(&socket)?;
        if socket.is_busy() {
            return Err(ErrorCode::ConcurrencyConflict.into());
        }
        if !matches!(socket.state, State::Unbound) {
            return Err(ErrorCode::InvalidState.into());
        }
        let address = checked(address, socket.family)?;
        // Nobody is to wait before the guest listens.
        let listener = network.listen(address, 0).map_err(ErrorCode::from)?;
        socket.state = State::Binding(listener);
        Ok(())
    }

    fn finish_bind(&mut self, socket: Resource<TcpSocket>) -> SocketResult<()> {
        let socket = self.tcp(&socket)?;
        match socket.take() {
            State::Binding(listener) => {
                socket.state = State::Bound(listener);
                Ok(())
            }
            other => {
                socket.state = other;
                Err(ErrorCode::NotInProgress.into())
            }
        }
    }

    fn start_connect(
        &mut self,
        socket: Resource<TcpSocket>,
        _: Resource<Network>,
        address: IpSocketAddress,
    ) -> SocketResult<()> {
        let network = self.network.clone();
        let socket = self.tcp(&socket)?;
        if socket.is_busy() {
            return Err(ErrorCode::ConcurrencyConflict.into());
        }
        if !matches!(socket.state, State::Unbound | State::Bound(_)) {
            return Err(ErrorCode::InvalidState.into());
        }
        let remote = checked(address, socket.family)?;
        if remote.ip().is_unspecified() || remote.port() == 0 {
            return Err(ErrorCode::InvalidArgument.into());
        }
        // Dropping the listener frees the port for the connection.
        let local = match socket.take() {
            State::Bound(listener) => Some(listener.local()),
            _ => None,
        };
        let mut connecting: BoxFuture<'static, Accepted> =
            Box::pin(async move { network.connect(local, remote).await });
        // Begins now, not when the guest first waits.
        socket.state = match connecting.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(decided) => State::Decided(Box::new(decided)),
            Poll::Pending => State::Connecting(connecting),
        };
        Ok(())
    }

    fn finish_connect(&mut self, this: Resource<TcpSocket>) -> SocketResult<Streams> {
        let socket = self.tcp(&this)?;
        let decided = match socket.take() {
            State::Decided(decided) => *decided,
            State::Connecting(mut connecting) => match connecting.as_mut().now_or_never() {
                Some(decided) => decided,
                None => {
                    socket.state = State::Connecting(connecting);
                    return Err(ErrorCode::WouldBlock.into());
                }
            },
            other => {
                socket.state = other;
                return Err(ErrorCode::NotInProgress.into());
            }
        };
        let pair = socket.connect(decided.map_err(ErrorCode::from)?);
        self.push_streams(&this, pair)
    }

    fn start_listen(&mut self, socket: Resource<TcpSocket>) -> SocketResult<()> {
        let socket = self.tcp(&socket)?;
        if socket.is_busy() {
            return Err(ErrorCode::ConcurrencyConflict.into());
        }
        match socket.take() {
            State::Bound(listener) => {
                listener.set_backlog(socket.backlog);
                socket.state = State::StartedListening(listener);
                Ok(())
            }
            other => {
                socket.state = other;
                Err(ErrorCode::InvalidState.into())
            }
        }
    }

    fn finish_listen(&mut self, socket: Resource<TcpSocket>) -> SocketResult<()> {
        let socket = self.tcp(&socket)?;
        match socket.take() {
            State::StartedListening(listener) => {
                socket.state = State::Listening { listener, met: None };
                Ok(())
            }
            other => {
                socket.state = other;
                Err(ErrorCode::NotInProgress.into())
            }
        }
    }

    fn accept(&mut self, this: Resource<TcpSocket>) -> SocketResult<AcceptedSocket> {
        let socket = self.tcp(&this)?;
        let State::Listening { listener, met } = &mut socket.state else {
            return Err(ErrorCode::InvalidState.into());
        };
        let accepted = match met.take() {
            Some(accepted) => accepted,
            None => match listener.poll_accept(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(accepted) => accepted,
                Poll::Pending => return Err(ErrorCode::WouldBlock.into()),
            },
        };
        let connection = accepted.map_err(ErrorCode::from)?;
        let mut socket = TcpSocket { options: socket.options, ..TcpSocket::new(socket.family) };
        let pair = socket.connect(connection);
        let socket = table(self.table.push(socket))?;
        let (input, output) = self.push_streams(&socket, pair)?;
        Ok((socket, input, output))
    }

    fn local_address(&mut self, socket: Resource<TcpSocket>) -> SocketResult<IpSocketAddress> {
        match &self.tcp(&socket)?.state {
            State::Bound(listener) | State::StartedListening(listener) | State::Listening { listener, .. } => {
                Ok(to_wit(listener.local()))
            }
            State::Connected { local, .. } => Ok(to_wit(*local)),
            _ => Err(ErrorCode::InvalidState.into()),
        }
    }

    fn remote_address(&mut self, socket: Resource<TcpSocket>) -> SocketResult<IpSocketAddress> {
        match &self.tcp(&socket)?.state {
            State::Connected { peer, .. } => Ok(to_wit(*peer)),
            _ => Err(ErrorCode::InvalidState.into()),
        }
    }

    fn is_listening(&mut self, socket: Resource<TcpSocket>) -> wasmtime::Result<bool> {
        Ok(matches!(self.table.get(&socket)?.state, State::Listening { .. }))
    }

    fn address_family(&mut self, socket: Resource<TcpSocket>) -> wasmtime::Result<IpAddressFamily> {
        Ok(self.table.get(&socket)?.family)
    }

    fn set_listen_backlog_size(&mut self, socket: Resource<TcpSocket>, value: u64) -> SocketResult<()> {
        let value = usize::try_from(positive(value)?).unwrap_or(usize::MAX).min(LISTEN_BACKLOG_MAX);
        let socket = self.tcp(&socket)?;
        match &socket.state {
            State::Unbound | State::Binding(_) | State::Bound(_) => {}
            State::StartedListening(listener) | State::Listening { listener, .. } => listener.set_backlog(value),
            _ => return Err(ErrorCode::InvalidState.into()),
        }
        socket.backlog = value;
        Ok(())
    }

    fn keep_alive_enabled(&mut self, socket: Resource<TcpSocket>) -> SocketResult<bool> {
        Ok(self.options(&socket)?.keep_alive)
    }

    fn set_keep_alive_enabled(&mut self, socket: Resource<TcpSocket>, value: bool) -> SocketResult<()> {
        self.options(&socket)?.keep_alive = value;
        Ok(())
    }

    fn keep_alive_idle_time(&mut self, socket: Resource<TcpSocket>) -> SocketResult<u64> {
        Ok(self.options(&socket)?.keep_alive_idle_ns)
    }

    fn set_keep_alive_idle_time(&mut self, socket: Resource<TcpSocket>, value: u64) -> SocketResult<()> {
        self.options(&socket)?.keep_alive_idle_ns = positive(value)?;
        Ok(())
    }

    fn keep_alive_interval(&mut self, socket: Resource<TcpSocket>) -> SocketResult<u64> {
        Ok(self.options(&socket)?.keep_alive_interval_ns)
    }

    fn set_keep_alive_interval(&mut self, socket: Resource<TcpSocket>, value: u64) -> SocketResult<()> {
        self.options(&socket)?.keep_alive_interval_ns = positive(value)?;
        Ok(())
    }

    fn keep_alive_count(&mut self, socket: Resource<TcpSocket>) -> SocketResult<u32> {
        Ok(self.options(&socket)?.keep_alive_count)
    }

    fn set_keep_alive_count(&mut self, socket: Resource<TcpSocket>, value: u32) -> SocketResult<()> {
        self.options(&socket)?.keep_alive_count = positive(value)?;
        Ok(())
    }

    fn hop_limit(&mut self, socket: Resource<TcpSocket>) -> SocketResult<u8> {
        Ok(self.options(&socket)?.hop_limit)
    }

    fn set_hop_limit(&mut self, socket: Resource<TcpSocket>, value: u8) -> SocketResult<()> {
        self.options(&socket)?.hop_limit = positive(value)?;
        Ok(())
    }

    fn receive_buffer_size(&mut self, socket: Resource<TcpSocket>) -> SocketResult<u64> {
        Ok(self.options(&socket)?.receive_buffer)
    }

    fn set_receive_buffer_size(&mut self, socket: Resource<TcpSocket>, value: u64) -> SocketResult<()> {
        self.options(&socket)?.receive_buffer = positive(value)?;
        Ok(())
    }

    fn send_buffer_size(&mut self, socket: Resource<TcpSocket>) -> SocketResult<u64> {
        Ok(self.options(&socket)?.send_buffer)
    }

    fn set_send_buffer_size(&mut self, socket: Resource<TcpSocket>, value: u64) -> SocketResult<()> {
        self.options(&socket)?.send_buffer = positive(value)?;
        Ok(())
    }

    fn subscribe(&mut self, socket: Resource<TcpSocket>) -> wasmtime::Result<Resource<DynPollable>> {
        subscribe(self.table, socket)
    }

    fn shutdown(&mut self, socket: Resource<TcpSocket>, kind: ShutdownType) -> SocketResult<()> {
        let State::Connected { reader, writer, .. } = &self.tcp(&socket)?.state else {
            return Err(ErrorCode::InvalidState.into());
        };
        if matches!(kind, ShutdownType::Receive | ShutdownType::Both) {
            reader.shutdown();
        }
        if matches!(kind, ShutdownType::Send | ShutdownType::Both) {
            writer.shutdown();
        }
        Ok(())
    }

    fn drop(&mut self, socket: Resource<TcpSocket>) -> wasmtime::Result<()> {
        self.table.delete(socket)?;
        Ok(())
    }
}
