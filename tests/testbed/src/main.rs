//! An API server with one node whose containers are processes of the host, for real clients to
//! stream with: `tests-testbed` prints the path of a kubeconfig and serves until its input ends.

use anyhow::{Context, anyhow};
use async_trait::async_trait;
use http_body_util::BodyExt;
use orchestrator_apiserver::bootstrap::BootstrapConfig;
use orchestrator_apiserver::pki::{Pki, PkiNames};
use orchestrator_apiserver::vault::Keys;
use orchestrator_apiserver::{ApiServer, Identity, NodeDialer, ServerConfig, body};
use orchestrator_store::{RedbOptions, RedbStore};
use runtime_base::{ByteStream, Clock, Rng, Tasks};
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use std::sync::Arc;
use tests_node::{Ended, Node};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

const NODE: &str = "here";
const PODS: &str = "/api/v1/namespaces/default/pods";
/// Ends of containers that wait to be told.
const ENDS_QUEUED_MAX: usize = 16;

struct Here(Node);

#[async_trait]
impl NodeDialer for Here {
    async fn dial(&self, node: &str) -> std::io::Result<ByteStream> {
        match node {
            NODE => Ok(self.0.dial()),
            _ => Err(std::io::ErrorKind::NotFound.into()),
        }
    }
}

#[expect(clippy::print_stdout, reason = "the one line that the program prints")]
#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let (dir, clock, tasks) = (tempfile::tempdir()?, Clock::system(), Tasks::new());
    let store = RedbStore::open(&dir.path().join("store"), RedbOptions { clock: clock.clone() })?;
    let service_ip = Ipv4Addr::new(10, 96, 0, 1);
    let names = PkiNames::standard(NODE, &[service_ip.into(), Ipv4Addr::LOCALHOST.into()]);
    let pki = Pki::load_or_create(dir.path(), &names, clock.clone())?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let config = ServerConfig {
        clock,
        rng: Rng::from_os(),
        tasks: tasks.clone(),
        service_cidr: "10.96.0.0/12".parse().context("a range")?,
        node_ports: 30000..=32767,
        advertised: address.to_string(),
        encryption: Keys::load_or_create(&dir.path().join("encryption.keys"), &Rng::from_os())?,
        audit: None,
        oidc: None,
    };
    let (ends, ended) = mpsc::channel(ENDS_QUEUED_MAX);
    let here = Here(Node::new(tasks.clone(), Some(ends)));
    let server = ApiServer::start(config, store, &pki, Arc::new(here)).await?;
    let own = BootstrapConfig {
        service_ip: service_ip.into(),
        advertise_ip: Ipv4Addr::new(10, 244, 0, 1).into(),
        port: address.port(),
        ca: pki.ca_pem().to_owned(),
        front_proxy_ca: pki.front_proxy_ca_pem().to_owned(),
    };
    server.bootstrap(&own).await.map_err(|error| anyhow!("cannot write the cluster's own objects: {error}"))?;
    server.listen(listener, pki.server_config()?, &tasks);
    prepare(&server).await?;
    let node = server.clone();
    let stop = tasks.clone();
    tasks.spawn("node", async move {
        if let Err(error) = keep_pods(&node, ended, &stop).await {
            tell(&error);
        }
    });
    let kubeconfig = dir.path().join("kubeconfig");
    tokio::fs::write(&kubeconfig, pki.admin_kubeconfig(&format!("https://{address}"))?).await?;
    println!("{}", kubeconfig.display());
    // Whoever started this program ends it by closing its input.
    let _ = tokio::io::stdin().read_to_end(&mut Vec::new()).await;
    tasks.cancel();
    Ok(())
}

/// What went wrong on the node, which goes on.
#[expect(clippy::print_stdout, reason = "whoever reads the path may read this too")]
fn tell(error: &anyhow::Error) {
    println!("{error:#}");
}

fn operator() -> Identity {
    Identity::user("node", &["system:masters"])
}

async fn ask(server: &Arc<ApiServer>, method: &str, path: &str, body: &Value) -> anyhow::Result<Value> {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let type_ = if method == "PATCH" { "application/strategic-merge-patch+json" } else { "application/json" };
    let request = http::Request::builder().method(method).uri(path).header("content-type", type_);
    let answer = server.handle(operator(), request.body(body::full(body))?).await;
    let status = answer.status();
    let bytes = answer.into_body().collect().await.map_err(|error| anyhow!("{error}"))?.to_bytes();
    let value: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    if !status.is_success() {
        return Err(anyhow!("{method} {path}: {}", value["message"].as_str().unwrap_or("")));
    }
    Ok(value)
}

/// A node, and a Pod that runs on it.
async fn prepare(server: &Arc<ApiServer>) -> anyhow::Result<()> {
    let account = json!({"metadata": {"name": "default"}});
    ask(server, "POST", "/api/v1/namespaces/default/serviceaccounts", &account).await?;
    ask(server, "POST", "/api/v1/nodes", &json!({"metadata": {"name": NODE}})).await?;
    let containers = json!([{"name": "main", "image": "host"}]);
    let pod = |name: &str, containers: Value| json!({"metadata": {"name": name}, "spec": {"containers": containers}});
    run_pod(server, &ask(server, "POST", PODS, &pod("web", containers)).await?).await?;
    let several = json!([{"name": "main", "image": "host"}, {"name": "sealed", "image": "wasm"}]);
    run_pod(server, &ask(server, "POST", PODS, &pod("two", several)).await?).await
}

/// Runs every Pod that comes, and tells of containers that end.
async fn keep_pods(server: &Arc<ApiServer>, mut ended: mpsc::Receiver<Ended>, tasks: &Tasks) -> anyhow::Result<()> {
    while !tasks.is_stopping() {
        let request = http::Request::builder().uri(format!("{PODS}?watch=1")).body(body::full(""))?;
        let mut events = server.handle(operator(), request).await.into_body();
        let mut rest = Vec::new();
        loop {
            let frame = tokio::select! {
                frame = events.frame() => frame,
                Some(end) = ended.recv() => {
                    told(server, &end).await;
                    continue;
                }
            };
            let Some(frame) = frame else { break };
            let frame = frame.map_err(|error| anyhow!("{error}"))?;
            rest.extend_from_slice(frame.data_ref().map_or(&[], |data| data));
            while let Some(at) = rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = rest.drain(..=at).collect();
                let event: Value = serde_json::from_slice(&line)?;
                if matches!(event["type"].as_str(), Some("ADDED" | "MODIFIED"))
                    && let Err(error) = run_pod(server, &event["object"]).await
                {
                    tell(&error);
                }
            }
        }
    }
    Ok(())
}

/// Says that a container has ended, where nothing starts it again.
async fn told(server: &Arc<ApiServer>, end: &Ended) {
    let path = format!("/api/v1/namespaces/{}/pods/{}", end.namespace, end.pod);
    let Ok(pod) = ask(server, "GET", &path, &Value::Null).await else { return };
    if pod["spec"]["restartPolicy"] != "Never" {
        return;
    }
    let phase = if end.code == 0 { "Succeeded" } else { "Failed" };
    let status = json!({"status": {"phase": phase, "containerStatuses": [{
        "name": end.container, "image": "host", "imageID": "host", "ready": false, "restartCount": 0,
        "state": {"running": null, "terminated": {"exitCode": end.code, "reason": "Completed"}},
    }]}});
    if let Err(error) = ask(server, "PATCH", &format!("{path}/status"), &status).await {
        tell(&error);
    }
}

/// Takes a Pod, and says that all of its containers run.
async fn run_pod(server: &Arc<ApiServer>, pod: &Value) -> anyhow::Result<()> {
    let path = format!("{PODS}/{}", pod["metadata"]["name"].as_str().unwrap_or_default());
    if pod["metadata"]["deletionTimestamp"].is_string() {
        return ask(server, "DELETE", &path, &json!({"gracePeriodSeconds": 0})).await.map(drop);
    }
    if pod["spec"]["nodeName"].is_null() {
        let binding = json!({"target": {"kind": "Node", "name": NODE}});
        ask(server, "POST", &format!("{path}/binding"), &binding).await?;
    }
    let statuses = |list: &str| -> Vec<Value> {
        let containers = pod["spec"][list].as_array().into_iter().flatten();
        let status = |container: &Value| {
            json!({
                "name": container["name"], "image": container["image"], "imageID": "host", "ready": true,
                "restartCount": 0, "started": true,
                "state": {"running": {"startedAt": pod["metadata"]["creationTimestamp"]}},
            })
        };
        containers.map(status).collect()
    };
    let (main, ephemeral) = (statuses("containers"), statuses("ephemeralContainers"));
    let told = pod["status"]["ephemeralContainerStatuses"].as_array().map_or(0, Vec::len);
    let phase = pod["status"]["phase"].as_str().unwrap_or_default();
    if matches!(phase, "Succeeded" | "Failed") || (phase == "Running" && told == ephemeral.len()) {
        return Ok(());
    }
    let status = json!({"status": {
        "phase": "Running", "podIP": "127.0.0.1", "hostIP": "127.0.0.1",
        "conditions": [{"type": "Ready", "status": "True"}],
        "containerStatuses": main, "ephemeralContainerStatuses": ephemeral,
    }});
    ask(server, "PATCH", &format!("{path}/status"), &status).await.map(drop)
}
