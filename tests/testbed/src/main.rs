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
use runtime_base::{ByteStream, Clock, Rng, Tasks, clock};
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

const NODE: &str = "here";
const PODS: &str = "/api/v1/namespaces/default/pods";
/// How often the node looks for new Pods and containers.
const LOOK: Duration = Duration::from_millis(100);

struct Here(Tasks);

#[async_trait]
impl NodeDialer for Here {
    async fn dial(&self, node: &str) -> std::io::Result<ByteStream> {
        match node {
            NODE => Ok(tests_node::dial(&self.0)),
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
    let server = ApiServer::start(config, store, &pki, Arc::new(Here(tasks.clone()))).await?;
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
    tasks.spawn("node", async move {
        loop {
            if let Err(error) = run_pods(&node).await {
                println!("{error:#}");
            }
            clock::sleep(LOOK).await;
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

async fn ask(server: &Arc<ApiServer>, method: &str, path: &str, body: &Value) -> anyhow::Result<Value> {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let type_ = if method == "PATCH" { "application/strategic-merge-patch+json" } else { "application/json" };
    let request = http::Request::builder().method(method).uri(path).header("content-type", type_);
    let answer = server.handle(Identity::user("node", &["system:masters"]), request.body(body::full(body))?).await;
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
    ask(server, "POST", PODS, &pod("web", containers)).await?;
    let several = json!([{"name": "main", "image": "host"}, {"name": "sealed", "image": "wasm"}]);
    ask(server, "POST", PODS, &pod("two", several)).await?;
    run_pods(server).await
}

/// Takes every Pod, and says that all of its containers run.
async fn run_pods(server: &Arc<ApiServer>) -> anyhow::Result<()> {
    let pods = ask(server, "GET", PODS, &Value::Null).await?;
    for pod in pods["items"].as_array().into_iter().flatten() {
        let path = format!("{PODS}/{}", pod["metadata"]["name"].as_str().unwrap_or_default());
        if pod["metadata"]["deletionTimestamp"].is_string() {
            ask(server, "DELETE", &path, &json!({"gracePeriodSeconds": 0})).await?;
            continue;
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
        if pod["status"]["phase"] == "Running" && told == ephemeral.len() {
            continue;
        }
        let status = json!({"status": {
            "phase": "Running", "podIP": "127.0.0.1", "hostIP": "127.0.0.1",
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": main, "ephemeralContainerStatuses": ephemeral,
        }});
        ask(server, "PATCH", &format!("{path}/status"), &status).await?;
    }
    Ok(())
}
