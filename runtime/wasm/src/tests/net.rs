//! Pods in one address space, in memory.

use async_trait::async_trait;
use runtime_spec::pipe::pipe;
use runtime_spec::{Connection, NetError, PodNetwork, TcpListener};
use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

#[derive(Default)]
struct Port {
    backlog: usize,
    waiting: VecDeque<Connection>,
    waker: Option<Waker>,
}

type Ports = Arc<Mutex<HashMap<SocketAddr, Port>>>;

/// All Pods.
#[derive(Clone, Default)]
pub(crate) struct FakeNet {
    ports: Ports,
    names: Arc<Mutex<HashMap<String, IpAddr>>>,
}

impl FakeNet {
    /// The place of the Pod with address 10.0.0.`last`.
    pub(crate) fn pod(&self, last: u8) -> Arc<dyn PodNetwork> {
        Arc::new(FakePod { net: self.clone(), address: IpAddr::from([10, 0, 0, last]) })
    }

    pub(crate) fn name(&self, name: &str, last: u8) {
        self.names.lock().unwrap().insert(name.into(), IpAddr::from([10, 0, 0, last]));
    }

    pub(crate) fn is_listening(&self, last: u8, port: u16) -> bool {
        let address = SocketAddr::from(([10, 0, 0, last], port));
        self.ports.lock().unwrap().get(&address).is_some_and(|port| port.backlog > 0)
    }
}

struct FakePod {
    net: FakeNet,
    address: IpAddr,
}

struct FakeListener {
    ports: Ports,
    address: SocketAddr,
}

impl TcpListener for FakeListener {
    fn local(&self) -> SocketAddr {
        self.address
    }

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<Result<Connection, NetError>> {
        let mut ports = self.ports.lock().unwrap();
        let port = ports.get_mut(&self.address).unwrap();
        match port.waiting.pop_front() {
            Some(connection) => Poll::Ready(Ok(connection)),
            None => {
                port.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    fn set_backlog(&self, backlog: usize) {
        self.ports.lock().unwrap().get_mut(&self.address).unwrap().backlog = backlog;
    }
}

impl Drop for FakeListener {
    fn drop(&mut self) {
        self.ports.lock().unwrap().remove(&self.address);
    }
}

#[async_trait]
impl PodNetwork for FakePod {
    fn addresses(&self) -> Vec<IpAddr> {
        vec![self.address]
    }

    fn listen(&self, local: SocketAddr, backlog: usize) -> Result<Box<dyn TcpListener>, NetError> {
        let mut ports = self.net.ports.lock().unwrap();
        let port = if local.port() == 0 { 40_000 + ports.len() as u16 } else { local.port() };
        let address = SocketAddr::new(self.address, port);
        if ports.contains_key(&address) {
            return Err(NetError::AddressInUse(address));
        }
        ports.insert(address, Port { backlog, ..Port::default() });
        Ok(Box::new(FakeListener { ports: self.net.ports.clone(), address }))
    }

    async fn connect(&self, local: Option<SocketAddr>, remote: SocketAddr) -> Result<Connection, NetError> {
        // Not ready at the first poll, as a real network may be.
        tokio::task::yield_now().await;
        let local = local.unwrap_or(SocketAddr::new(self.address, 50_000));
        let mut ports = self.net.ports.lock().unwrap();
        let refused = NetError::ConnectionRefused(remote);
        let port = ports.get_mut(&remote).ok_or(refused.clone())?;
        if port.waiting.len() >= port.backlog {
            return Err(refused);
        }
        let ((a_writer, b_reader), (b_writer, a_reader)) = (pipe(), pipe());
        port.waiting.push_back(Connection { local: remote, peer: local, reader: b_reader, writer: b_writer });
        if let Some(waker) = port.waker.take() {
            waker.wake();
        }
        Ok(Connection { local, peer: remote, reader: a_reader, writer: a_writer })
    }

    async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, NetError> {
        tokio::task::yield_now().await;
        let found = self.net.names.lock().unwrap().get(name).copied();
        found.map(|address| vec![address]).ok_or_else(|| NetError::NameUnresolvable(name.into()))
    }
}
