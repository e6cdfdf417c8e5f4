//! Listeners of a Pod: a bounded queue of connections that wait for `accept`.

use crate::link::{Caller, Socket, join};
use crate::pod::Pod;
use runtime_base::Tasks;
use runtime_spec::limits::LISTEN_BACKLOG_MAX;
use runtime_spec::{AcceptedStream, Connection, NetError, TcpListener};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use tokio::sync::Notify;

/// A connection that waits.
pub(crate) enum Incoming {
    Pipes(Connection),
    /// From a NodePort; bridged to pipes only if the listener wants pipes.
    Socket {
        socket: Box<Socket>,
        local: SocketAddr,
        caller: Caller,
    },
}

impl Incoming {
    /// Nobody will take it here: a caller of a Service may find another endpoint.
    fn send_away(self) {
        let Incoming::Socket { socket, caller, .. } = self else { return };
        match caller.home.upgrade().filter(|switch| !switch.tasks().is_stopping()) {
            Some(switch) => switch.take_node_port(socket, caller),
            None => socket.refuse(),
        }
    }
}

/// Why a connection was not queued; it is given back.
pub(crate) enum NotQueued {
    Full(Incoming),
    Closed(Incoming),
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Incoming>,
    backlog: usize,
    closed: bool,
    acceptor: Option<Waker>,
}

/// What is behind a bound port.
pub(crate) struct Queue {
    pub(crate) local: SocketAddr,
    state: Mutex<State>,
    room: Notify,
}

impl Queue {
    pub(crate) fn new(local: SocketAddr, backlog: usize) -> Self {
        let state = State { backlog: clamp(backlog), ..State::default() };
        Queue { local, state: Mutex::new(state), room: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a connection if there is room.
    pub(crate) fn try_push(&self, incoming: Incoming) -> Result<(), NotQueued> {
        let mut state = self.lock();
        if state.closed {
            return Err(NotQueued::Closed(incoming));
        }
        if state.waiting.len() >= state.backlog {
            return Err(NotQueued::Full(incoming));
        }
        state.waiting.push_back(incoming);
        let acceptor = state.acceptor.take();
        drop(state);
        if let Some(waker) = acceptor {
            waker.wake();
        }
        Ok(())
    }

    /// Queues a connection once there is room; gives it back when the listener closes.
    pub(crate) async fn push(&self, mut incoming: Incoming) -> Result<(), Incoming> {
        loop {
            let room = self.room.notified();
            match self.try_push(incoming) {
                Ok(()) => {
                    // Two places may have become free with one wake-up kept: pass it on.
                    self.room.notify_one();
                    return Ok(());
                }
                Err(NotQueued::Closed(back)) => return Err(back),
                Err(NotQueued::Full(back)) => incoming = back,
            }
            room.await;
        }
    }

    fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Result<Incoming, NetError>> {
        let mut state = self.lock();
        if let Some(incoming) = state.waiting.pop_front() {
            drop(state);
            self.room.notify_one();
            return Poll::Ready(Ok(incoming));
        }
        if state.closed {
            return Poll::Ready(Err(NetError::AddressNotBindable(self.local)));
        }
        state.acceptor = Some(cx.waker().clone());
        Poll::Pending
    }

    fn set_backlog(&self, backlog: usize) {
        self.lock().backlog = clamp(backlog);
        // Each of those who wait for room looks again.
        self.room.notify_waiters();
        self.room.notify_one();
    }

    /// Refuses those who wait (or sends them to another endpoint), and all who come. The queue's
    /// Pod must not have it any more.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let waiting = std::mem::take(&mut state.waiting);
        let acceptor = state.acceptor.take();
        drop(state);
        waiting.into_iter().for_each(Incoming::send_away);
        if let Some(waker) = acceptor {
            waker.wake();
        }
        self.room.notify_waiters();
        self.room.notify_one();
    }
}

fn clamp(backlog: usize) -> usize {
    backlog.clamp(1, LISTEN_BACKLOG_MAX)
}

/// A listener as its program holds it.
pub(crate) struct Listener {
    pub(crate) queue: Arc<Queue>,
    pub(crate) pod: Arc<Pod>,
    pub(crate) tasks: Tasks,
}

impl TcpListener for Listener {
    fn local(&self) -> SocketAddr {
        self.queue.local
    }

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<Result<Connection, NetError>> {
        self.queue.poll_next(cx).map_ok(|incoming| match incoming {
            Incoming::Pipes(connection) => connection,
            Incoming::Socket { socket, local, caller: Caller { peer, .. } } => {
                let (inside, outside) = join((local, peer), (peer, local));
                self.tasks.spawn("bridge", socket.bridge(outside));
                inside
            }
        })
    }

    fn poll_accept_stream(&self, cx: &mut Context<'_>) -> Poll<Result<AcceptedStream, NetError>> {
        self.queue.poll_next(cx).map_ok(|incoming| match incoming {
            Incoming::Pipes(connection) => connection.into(),
            Incoming::Socket { socket, local, caller } => AcceptedStream { local, peer: caller.peer, stream: socket },
        })
    }

    fn set_backlog(&self, backlog: usize) {
        self.queue.set_backlog(backlog);
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.pod.unbind(&self.queue);
        self.queue.close();
    }
}
