//! A switch with Pods, for the tests.

use crate::{
    DnsConfig, HostLookupError, HostResolver, NetworkError, ServiceEntry, ServicePort, ServiceTables, Switch,
    SwitchConfig, Target,
};
use async_trait::async_trait;
use runtime_base::{Clock, Rng, Tasks};
use runtime_spec::pipe::PipeStream;
use runtime_spec::{Connection, NetError, PodNetwork, PodRef, TcpListener};
use std::future::poll_fn;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Knows a few names and remembers what it was asked.
#[derive(Default)]
pub(crate) struct Names(pub(crate) Mutex<Vec<String>>);

pub(crate) const OUTSIDE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));

#[async_trait]
impl HostResolver for Names {
    async fn lookup(&self, name: &str) -> Result<Vec<IpAddr>, HostLookupError> {
        self.0.lock().unwrap().push(name.to_owned());
        match name.trim_end_matches('.') {
            "example.com" | "web.corp.example" => Ok(vec![OUTSIDE]),
            "broken.example" => Err(HostLookupError::Failed("no server".to_owned())),
            "slow.example" => std::future::pending().await,
            _ => Err(HostLookupError::NotFound),
        }
    }
}

pub(crate) struct Fixture {
    pub(crate) switch: Arc<Switch>,
    pub(crate) names: Arc<Names>,
    pub(crate) tasks: Tasks,
    pub(crate) host: IpAddr,
    pub(crate) dir: Arc<TempDir>,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        Self::at(Arc::new(tempfile::tempdir().unwrap()), "10.244.0.0/24").unwrap()
    }

    /// A switch whose state is in `dir`. Its NodePorts listen on a loopback address of their
    /// own, so that tests do not share ports.
    pub(crate) fn at(dir: Arc<TempDir>, cidr: &str) -> Result<Self, NetworkError> {
        let (names, tasks) = (Arc::new(Names::default()), Tasks::new());
        static NEXT: AtomicU8 = AtomicU8::new(1);
        let id = std::process::id().to_be_bytes();
        let host = IpAddr::V4(Ipv4Addr::new(127, id[2], id[3], NEXT.fetch_add(1, Ordering::Relaxed)));
        let switch = Switch::open(SwitchConfig {
            node_cidr: cidr.parse().unwrap(),
            service_cidr: "10.96.0.0/12".parse().unwrap(),
            cluster_domain: "cluster.local".to_owned(),
            state_file: dir.path().join("addresses.json"),
            host_ip: host,
            clock: Clock::system(),
            rng: Rng::seeded(7),
            tasks: tasks.clone(),
            resolver: names.clone(),
        })?;
        Ok(Fixture { switch, names, tasks, host, dir })
    }

    pub(crate) fn pod(&self, name: &str) -> Arc<dyn PodNetwork> {
        self.switch.attach(&pod(name), name, DnsConfig::cluster_first("default", "cluster.local")).unwrap()
    }
}

pub(crate) fn pod(name: &str) -> PodRef {
    PodRef { namespace: "default".to_owned(), name: name.to_owned(), uid: format!("uid-{name}") }
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(crate) fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// The address of `network`'s Pod with `port`.
pub(crate) fn on(network: &Arc<dyn PodNetwork>, port: u16) -> SocketAddr {
    SocketAddr::new(network.addresses()[0], port)
}

/// A Service with one port 80 that leads to `targets`.
pub(crate) fn service(name: &str, ip: &str, targets: Vec<Target>) -> ServiceEntry {
    ServiceEntry {
        namespace: "default".to_owned(),
        name: name.to_owned(),
        cluster_ips: vec![ip.parse().unwrap()],
        ports: vec![ServicePort { port: 80, targets, ..ServicePort::default() }],
        ..ServiceEntry::default()
    }
}

pub(crate) fn tables(services: Vec<ServiceEntry>) -> ServiceTables {
    ServiceTables { services }
}

pub(crate) fn target(address: SocketAddr) -> Target {
    Target::ready(address.ip(), address.port())
}

pub(crate) fn stream(connection: Connection) -> PipeStream {
    PipeStream::new(connection.reader, connection.writer)
}

pub(crate) async fn accept(listener: &dyn TcpListener) -> Result<Connection, NetError> {
    poll_fn(|cx| listener.poll_accept(cx)).await
}

/// Answers every connection with `word` and what it was sent, through pipes.
pub(crate) fn echo(tasks: &Tasks, listener: Box<dyn TcpListener>, word: &'static str) {
    let inner = tasks.clone();
    tasks.spawn("echo", async move {
        while let Ok(connection) = accept(&*listener).await {
            let mut stream = stream(connection);
            inner.spawn("echo-connection", async move {
                let mut text = Vec::new();
                if stream.read_to_end(&mut text).await.is_ok() {
                    let _ = stream.write_all(word.as_bytes()).await;
                    let _ = stream.write_all(&text).await;
                    let _ = stream.shutdown().await;
                }
            });
        }
    });
}

/// Sends `text`, ends, and reads all that comes back.
pub(crate) async fn ask(mut stream: impl AsyncRead + AsyncWrite + Unpin, text: &[u8]) -> std::io::Result<String> {
    stream.write_all(text).await?;
    stream.shutdown().await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}
