//! NodePorts: ports of the host that lead to Services.

use crate::limits::{ACCEPT_REST, CONNECT_TIME_MAX, NODE_PORT_BACKLOG};
use crate::link::{Caller, Socket};
use crate::listener::{Incoming, NotQueued};
use crate::service::{Index, Port};
use crate::switch::{Route, Switch};
use runtime_base::clock::{sleep, within};
use std::collections::{BTreeMap, HashMap};
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::Poll;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::AbortHandle;
use tracing::{debug, info, warn};

/// A NodePort that cannot be served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("NodePort {port} of Service {service}: {reason}")]
pub struct NodePortError {
    /// The port.
    pub port: u16,
    /// The Service and its port, `namespace/name:port`.
    pub service: String,
    /// What the system said.
    pub reason: String,
}

struct Open {
    /// Taken out to close the port at once, not when its task next runs.
    listener: Arc<Mutex<Option<TcpListener>>>,
    task: AbortHandle,
}

/// The NodePorts that are open, and those that should be.
#[derive(Default)]
pub(crate) struct NodePorts {
    open: HashMap<u16, Open>,
    errors: BTreeMap<u16, NodePortError>,
}

impl NodePorts {
    /// Opens and closes ports so that they are those of `index`; the others are not touched.
    pub(crate) fn follow(&mut self, switch: &Arc<Switch>, index: &Index) {
        self.open.retain(|port, open| {
            let wanted = index.node_port(*port).is_some();
            if !wanted {
                open.listener.lock().unwrap_or_else(PoisonError::into_inner).take();
                open.task.abort();
                info!(port, "closed NodePort");
            }
            wanted
        });
        let before = std::mem::take(&mut self.errors);
        for (port, entry) in index.node_ports() {
            if self.open.contains_key(&port) {
                continue;
            }
            let address = SocketAddr::new(switch.config.host_ip, port);
            match listen(address) {
                Ok(listener) => {
                    let listener = Arc::new(Mutex::new(Some(listener)));
                    let serve = serve(Arc::downgrade(switch), port, Closing(listener.clone()));
                    let task = switch.tasks().spawn("node-port", serve);
                    self.open.insert(port, Open { listener, task });
                    info!(port, service = %entry.key, "opened NodePort");
                }
                Err(error) => {
                    let failure = NodePortError { port, service: entry.key.to_string(), reason: error.to_string() };
                    // It is tried again and again, and said once.
                    if before.get(&port) != Some(&failure) {
                        warn!(port, service = %entry.key, %error, "cannot open NodePort");
                    }
                    self.errors.insert(port, failure);
                }
            }
        }
    }

    pub(crate) fn errors(&self) -> Vec<NodePortError> {
        self.errors.values().cloned().collect()
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // Connections of an earlier run that linger must not keep the port.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(NODE_PORT_BACKLOG)
}

/// Closes the port when its task ends, whoever ends it.
struct Closing(Arc<Mutex<Option<TcpListener>>>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

async fn serve(switch: Weak<Switch>, port: u16, listener: Closing) {
    loop {
        let accepted = poll_fn(|cx| match &*listener.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(listener) => listener.poll_accept(cx).map(Some),
            None => Poll::Ready(None),
        });
        match accepted.await {
            Some(Ok((stream, peer))) => {
                let Some(switch) = switch.upgrade() else { return };
                switch.accept_node_port(port, stream, peer);
            }
            Some(Err(error)) => {
                warn!(port, %error, "NodePort cannot accept");
                sleep(ACCEPT_REST).await;
            }
            None => return,
        }
    }
}

impl Switch {
    fn accept_node_port(self: &Arc<Self>, node_port: u16, stream: TcpStream, peer: SocketAddr) {
        // A failure costs speed only.
        let _ = stream.set_nodelay(true);
        let Ok(permit) = self.outside.clone().try_acquire_owned() else {
            debug!(node_port, "too many connections from outside");
            let _ = stream.set_zero_linger();
            return;
        };
        // A Pod must not take a caller on the host for its own localhost.
        let client = peer.ip().to_canonical();
        let peer = SocketAddr::new(if client.is_loopback() { self.gateway() } else { client }, peer.port());
        let caller = Caller { node_port, client, peer, home: Arc::downgrade(self) };
        self.take_node_port(Socket::new(stream, permit), caller);
    }

    /// Hands a connection to an endpoint: at once when one has room, else in a task. With
    /// nobody left it is reset, unless the tables changed meanwhile.
    pub(crate) fn take_node_port(self: &Arc<Self>, mut socket: Box<Socket>, caller: Caller) {
        let mut index = self.index.load_full();
        loop {
            let Some(port) = index.node_port(caller.node_port).cloned() else { return socket.refuse() };
            let targets = self.balancer.choose(&port, caller.client);
            match self.hand_over(socket, &caller, &port, targets) {
                Ok(()) => return,
                Err((back, rest)) if rest.is_empty() => socket = back,
                Err((socket, rest)) => {
                    let Ok(waiting) = self.node_port_waiting.clone().try_acquire_owned() else {
                        return socket.refuse();
                    };
                    let switch = self.clone();
                    self.tasks().spawn("node-port-connection", async move {
                        let _waiting = waiting;
                        let Err(socket) = switch.hand_over_slowly(socket, &caller, rest).await else { return };
                        if Arc::ptr_eq(&index, &switch.index.load()) {
                            socket.refuse();
                        } else {
                            switch.take_node_port(socket, caller);
                        }
                    });
                    return;
                }
            }
            let newer = self.index.load_full();
            if Arc::ptr_eq(&index, &newer) {
                return socket.refuse();
            }
            index = newer;
        }
    }

    /// Gives the socket to the first target that takes it without waiting, or gives it back with
    /// the targets that may take it later.
    fn hand_over(
        &self,
        mut socket: Box<Socket>,
        caller: &Caller,
        port: &Port,
        targets: Vec<SocketAddr>,
    ) -> Result<(), (Box<Socket>, Vec<SocketAddr>)> {
        for (at, target) in targets.iter().copied().enumerate() {
            let pod = match self.route(target) {
                Route::Pod(pod) => pod,
                Route::Outside => return Err((socket, targets[at..].to_vec())),
                Route::Api(api) => {
                    (api.accept)(socket, caller.peer);
                    return Ok(());
                }
                Route::Service(_) | Route::Refused | Route::Unreachable => continue,
            };
            let Some(queue) = pod.listener(target) else { continue };
            if pod.track(socket.link(), target).is_err() {
                continue;
            }
            match queue.try_push(Incoming::Socket { socket, local: target, caller: caller.clone() }) {
                Ok(()) => {
                    self.balancer.connected(port, caller.client, target);
                    return Ok(());
                }
                Err(NotQueued::Full(Incoming::Socket { socket, .. })) => return Err((socket, targets[at..].to_vec())),
                Err(NotQueued::Closed(Incoming::Socket { socket: back, .. })) => socket = back,
                // Only what went in comes back.
                Err(_) => return Ok(()),
            }
        }
        Err((socket, Vec::new()))
    }

    /// Gives the socket to the first target that takes it in time, or gives it back.
    async fn hand_over_slowly(
        &self,
        mut socket: Box<Socket>,
        caller: &Caller,
        targets: Vec<SocketAddr>,
    ) -> Result<(), Box<Socket>> {
        for target in targets {
            match self.route(target) {
                Route::Pod(pod) => {
                    let Some(queue) = pod.listener(target) else { continue };
                    if pod.track(socket.link(), target).is_err() {
                        continue;
                    }
                    let incoming = Incoming::Socket { socket, local: target, caller: caller.clone() };
                    match within(CONNECT_TIME_MAX, queue.push(incoming)).await {
                        Some(Err(Incoming::Socket { socket: back, .. })) => socket = back,
                        // Taken, or too late: what waited was dropped, which closes it.
                        _ => return Ok(()),
                    }
                }
                Route::Outside => match self.open_outside(target).await {
                    Ok(mut far) => {
                        // Either side may break it; there is nobody to tell.
                        let _ = tokio::io::copy_bidirectional(&mut socket, &mut far).await;
                        return Ok(());
                    }
                    Err(error) => debug!(%target, %error, "endpoint outside did not answer"),
                },
                _ => {}
            }
        }
        Err(socket)
    }
}

#[cfg(test)]
mod tests;
