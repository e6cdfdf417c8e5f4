//! Requests through a NodePort, beside `wasmtime serve`.

use crate::cluster::{Cluster, create_and_wait, http_pod};
use crate::machine;
use anyhow::{Context, bail};
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::api::{Api, PostParams};
use serde_json::json;
use std::env;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use tests_kit::process::Process;
use tests_kit::server::free_port;
use tests_kit::{http, programs, wait_for};

/// What both peers answer; also proves that the right one was asked.
const GREETING: &str = "measured";
/// The reuse of an instance that coracle has by default.
const REUSE: &str = "1000";

/// Options of `http`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Rounds; in each, every peer is measured once.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 10)]
    seconds: u32,
    /// Connections that wrk keeps busy, from one thread.
    #[arg(long, default_value_t = 16)]
    connections: u32,
}

/// Somebody who answers with [`GREETING`].
struct Peer {
    name: &'static str,
    address: SocketAddr,
    per_second: Vec<f64>,
}

/// Measures all peers, one at a time, in alternation.
pub async fn run(args: &Args) -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let cluster = Cluster::start(dir.path())?;
    let mut peers = vec![Peer::new("coracle, NodePort", node_port(&cluster).await?)];
    let mut processes = Vec::new();
    if let Some(wasmtime) = wasmtime() {
        let version = Command::new(&wasmtime).arg("--version").output().context("cannot run wasmtime")?;
        println!("beside  {}", String::from_utf8_lossy(&version.stdout).trim());
        let variants: [(&str, &[&str]); 2] = [
            ("wasmtime serve, as it comes", &[]),
            ("wasmtime serve, instances reused", &["--max-instance-reuse-count", REUSE]),
        ];
        for (name, more) in variants {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
            let mut command = Command::new(&wasmtime);
            command.args(["serve", "-Scli", "--addr", &address.to_string()]);
            command.args(more).arg("--env").arg(format!("GREETING={GREETING}")).arg(programs::guest("hello-http"));
            let log = dir.path().join(format!("peer-{}.log", processes.len()));
            processes.push(Process::start(name, command, &log));
            peers.push(Peer::new(name, address));
        }
    } else {
        println!("beside  nobody: wasmtime not found (WASMTIME_BIN)");
    }
    for peer in &peers {
        wait_for(peer.name, Duration::from_secs(20), || peer.answers());
    }
    for round in 1..=args.rounds {
        println!("round {round}, load {}", machine::load());
        for peer in &mut peers {
            peer.measure(args)?;
        }
    }
    for peer in &mut peers {
        peer.per_second.sort_by(f64::total_cmp);
        let median = peer.per_second.get(peer.per_second.len() / 2).copied().unwrap_or_default();
        println!("median of {:34} {median:>8.0} requests/s", peer.name);
    }
    drop(processes);
    cluster.stop()?;
    Ok(())
}

impl Peer {
    fn new(name: &'static str, address: SocketAddr) -> Peer {
        Peer { name, address, per_second: Vec::new() }
    }

    fn answers(&self) -> Result<(), String> {
        let (status, body) = http::get(self.address, "/")?;
        if status == 200 && body.contains(GREETING) { Ok(()) } else { Err(format!("{status} {body}")) }
    }

    fn measure(&mut self, args: &Args) -> anyhow::Result<()> {
        let mut command = Command::new("wrk");
        command.arg("-t1").arg(format!("-c{}", args.connections)).arg(format!("-d{}s", args.seconds));
        command.arg("--latency").arg(format!("http://{}/", self.address));
        let output = command.output().context("cannot run wrk (Debian package wrk)")?;
        let text = String::from_utf8_lossy(&output.stdout);
        let after = |start: &str| {
            let line = text.lines().map(str::trim).find_map(|line| line.strip_prefix(start));
            line.map(str::trim).with_context(|| format!("wrk did not print {start:?}:\n{text}"))
        };
        let per_second: f64 = after("Requests/sec:")?.parse()?;
        let (p50, p99) = (after("50%")?, after("99%")?);
        println!("  {:34} {per_second:>8.0} requests/s  p50 {p50:>8}  p99 {p99:>8}", self.name);
        let failed = ["Socket errors", "Non-2xx"].iter().find_map(|start| text.lines().find(|l| l.contains(start)));
        if let Some(line) = failed {
            bail!("{} failed requests: {}", self.name, line.trim());
        }
        self.per_second.push(per_second);
        Ok(())
    }
}

/// A Service with one Pod behind it, and where the host reaches it.
async fn node_port(cluster: &Cluster) -> anyhow::Result<SocketAddr> {
    let client = cluster.client().await?;
    create_and_wait(&Api::<Pod>::default_namespaced(client.clone()), &http_pod("web", GREETING)).await?;
    let service: Service = serde_json::from_value(json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": { "name": "web" },
        "spec": { "type": "NodePort", "selector": { "app": "web" }, "ports": [{ "port": 80, "targetPort": "http" }] },
    }))?;
    let services: Api<Service> = Api::default_namespaced(client);
    let made = services.create(&PostParams::default(), &service).await?;
    let port = made.spec.and_then(|spec| spec.ports?.first()?.node_port).context("the Service has no node port")?;
    Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, u16::try_from(port)?)))
}

/// The wasmtime to compare with: `WASMTIME_BIN`, the cache of tools, or the path.
fn wasmtime() -> Option<PathBuf> {
    if let Some(path) = env::var_os("WASMTIME_BIN") {
        return Some(path.into());
    }
    let home = PathBuf::from(env::var_os("HOME").unwrap_or_default());
    let cache = env::var_os("XDG_CACHE_HOME").map_or_else(|| home.join(".cache"), PathBuf::from);
    let path = env::var_os("PATH").unwrap_or_default();
    let mut places = std::iter::once(cache.join("coracle/tools/wasmtime/bin")).chain(env::split_paths(&path));
    places.find_map(|dir| Some(dir.join("wasmtime")).filter(|path| path.is_file()))
}
