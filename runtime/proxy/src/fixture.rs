//! Two Pods on a switch, and programs to serve, for the tests.

use crate::{HttpServer, Outbound, OutboundConfig, ServeConfig};
use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Full};
use runtime_base::{Clock, Rng, Tasks};
use runtime_network::{
    DnsConfig, ServiceEntry, ServicePort, ServiceTables, Switch, SwitchConfig, SystemResolver, Target,
};
use runtime_spec::{HttpBody, HttpEndpoint, HttpError, HttpOutbound, HttpRequest, HttpResponse, PodNetwork, PodRef};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use tempfile::TempDir;
use tokio::sync::Semaphore;

/// A program that is a handler.
pub(crate) enum Program {
    /// Answers with method and URI.
    Describe,
    /// Answers with the request's body.
    Echo,
    Fail(HttpError),
    /// Answers once it gets a permit.
    Gated(Arc<Semaphore>),
}

impl Program {
    pub(crate) fn gated() -> (Self, Arc<Semaphore>) {
        let gate = Arc::new(Semaphore::new(0));
        (Program::Gated(gate.clone()), gate)
    }
}

#[async_trait]
impl HttpEndpoint for Program {
    async fn handle(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let body = match self {
            Program::Describe => full(format!("{} {}", request.method(), request.uri())),
            Program::Echo => request.into_body(),
            Program::Fail(error) => return Err(error.clone()),
            Program::Gated(gate) => {
                gate.acquire().await.unwrap().forget();
                full("gated")
            }
        };
        Ok(HttpResponse::new(body))
    }
}

pub(crate) fn full(text: impl Into<Bytes>) -> HttpBody {
    Full::new(text.into()).map_err(|never| match never {}).boxed_unsync()
}

pub(crate) fn empty() -> HttpBody {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

pub(crate) fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

pub(crate) fn on(network: &Arc<dyn PodNetwork>, port: u16) -> SocketAddr {
    SocketAddr::new(network.addresses()[0], port)
}

pub(crate) struct Fixture {
    pub(crate) switch: Arc<Switch>,
    pub(crate) server: Arc<dyn PodNetwork>,
    pub(crate) client: Arc<dyn PodNetwork>,
    pub(crate) tasks: Tasks,
    pub(crate) host: IpAddr,
    _dir: TempDir,
}

/// The NodePort of `web`'s port 80.
pub(crate) const NODE_PORT: u16 = 30080;

/// Gives a Pod its place.
pub(crate) fn attach(switch: &Arc<Switch>, name: &str) -> Arc<dyn PodNetwork> {
    let pod = PodRef { namespace: "default".to_owned(), name: name.to_owned(), uid: format!("uid-{name}") };
    switch.attach(&pod, name, DnsConfig::cluster_first("default", "cluster.local")).unwrap()
}

/// The Service `web`, whose ports 80 and 443 lead to `server`.
pub(crate) fn web(server: &Arc<dyn PodNetwork>) -> ServiceTables {
    let port = |port, node_port| ServicePort {
        port,
        node_port,
        targets: vec![Target::ready(server.addresses()[0], port)],
        ..ServicePort::default()
    };
    let web = ServiceEntry {
        namespace: "default".to_owned(),
        name: "web".to_owned(),
        cluster_ips: vec!["10.96.0.5".parse().unwrap()],
        ports: vec![port(80, Some(NODE_PORT)), port(443, None)],
        ..ServiceEntry::default()
    };
    ServiceTables { services: vec![web] }
}

/// A server of `program` in the Pod of `network`.
pub(crate) fn serve_in(network: &Arc<dyn PodNetwork>, port: u16, program: Program, tasks: &Tasks) -> HttpServer {
    let listener = network.listen(SocketAddr::new("0.0.0.0".parse().unwrap(), port), 128).unwrap();
    HttpServer::serve(listener, Arc::new(program), tasks, ServeConfig::default())
}

impl Fixture {
    /// Pods `server` and `client`; the Service `web`, ports 80 and 443, leads to the first.
    pub(crate) fn new() -> Self {
        let (dir, tasks) = (tempfile::tempdir().unwrap(), Tasks::new());
        // A loopback address of its own, so that tests do not share NodePorts.
        static NEXT: AtomicU8 = AtomicU8::new(1);
        let id = std::process::id().to_be_bytes();
        let host = IpAddr::V4(Ipv4Addr::new(127, id[2], id[3], NEXT.fetch_add(1, Ordering::Relaxed)));
        let switch = Switch::open(SwitchConfig {
            node_cidr: "10.244.0.0/24".parse().unwrap(),
            service_cidr: "10.96.0.0/12".parse().unwrap(),
            cluster_domain: "cluster.local".to_owned(),
            state_file: dir.path().join("addresses.json"),
            host_ip: host,
            clock: Clock::system(),
            rng: Rng::seeded(7),
            tasks: tasks.clone(),
            resolver: Arc::new(SystemResolver),
        })
        .unwrap();
        let (server, client) = (attach(&switch, "server"), attach(&switch, "client"));
        switch.set_tables(&web(&server));
        Fixture { switch, server, client, tasks, host, _dir: dir }
    }

    pub(crate) fn serve(&self, port: u16, program: Program) -> HttpServer {
        serve_in(&self.server, port, program, &self.tasks)
    }

    pub(crate) fn outbound(&self, config: OutboundConfig) -> Outbound {
        Outbound::new(config, Clock::system(), self.tasks.clone())
    }

    /// Sends a request from `client` and returns status and body.
    pub(crate) async fn send(
        &self,
        outbound: &Outbound,
        method: &str,
        uri: &str,
        body: HttpBody,
    ) -> Result<(u16, String), HttpError> {
        let request = http::Request::builder().method(method).uri(uri).body(body).unwrap();
        let response = outbound.send(&self.client, request).await?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await?.to_bytes();
        Ok((status, String::from_utf8(body.to_vec()).unwrap()))
    }
}
