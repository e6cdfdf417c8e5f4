//! A server of the benchmark's own, started and timed from outside.

use anyhow::{Context, bail};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, PostParams};
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};
use tests_kit::programs;

/// How long anything may take before the benchmark gives up.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A running `coracle server`, killed when dropped.
pub struct Cluster {
    child: Child,
    // Open, so that the server may print.
    _stdout: BufReader<ChildStdout>,
    dir: PathBuf,
    /// When the process was started.
    pub begin: Instant,
    /// From then to the ready line.
    pub ready_after: Duration,
}

impl Cluster {
    /// Starts a server on a free port with its data and log in `dir`, and reads its ready line.
    pub fn start(dir: &Path) -> anyhow::Result<Cluster> {
        let log = File::create(dir.join("server.log")).context("cannot write the server's log")?;
        let mut command = Command::new(programs::coracle());
        command.arg("server").arg("--data-dir").arg(dir.join("data")).args(["--listen", "127.0.0.1:0"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let begin = Instant::now();
        let mut child = command.spawn().context("cannot start coracle")?;
        let mut stdout = BufReader::new(child.stdout.take().context("standard output is a pipe")?);
        let mut line = String::new();
        stdout.read_line(&mut line).context("cannot read the ready line")?;
        let ready_after = begin.elapsed();
        if !line.starts_with("coracle is ready") {
            let _ = child.kill();
            let status = child.wait()?;
            let log = std::fs::read_to_string(dir.join("server.log")).unwrap_or_default();
            bail!("no ready line but {line:?}, {status}:\n{log}");
        }
        Ok(Cluster { child, _stdout: stdout, dir: dir.to_owned(), begin, ready_after })
    }

    /// The process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The administrator's kubeconfig.
    pub fn kubeconfig(&self) -> PathBuf {
        self.dir.join("data/admin.kubeconfig")
    }

    /// An administrator's client over HTTPS.
    pub async fn client(&self) -> anyhow::Result<Client> {
        let kubeconfig = Kubeconfig::read_from(self.kubeconfig())?;
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
        Ok(Client::try_from(config)?)
    }

    /// Ends it by SIGTERM and says how long that took.
    pub fn stop(mut self) -> anyhow::Result<Duration> {
        let begin = Instant::now();
        Command::new("kill").arg("-TERM").arg(self.id().to_string()).status().context("cannot run kill")?;
        let status = self.child.wait()?;
        if !status.success() {
            bail!("the server ended with {status}");
        }
        Ok(begin.elapsed())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A Pod that does nothing, for as long as it is let.
pub fn idle_pod(name: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": name },
        "spec": {
            "terminationGracePeriodSeconds": 1,
            "containers": [{ "name": "idle", "image": programs::guest_image("stress"), "args": ["idle"] }],
        },
    })
}

/// A Pod that answers HTTP, ready when its probe says so.
pub fn http_pod(name: &str, greeting: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": name, "labels": { "app": name } },
        "spec": {
            "terminationGracePeriodSeconds": 1,
            "containers": [{
                "name": "web",
                "image": programs::guest_image("hello-http"),
                "env": [{ "name": "GREETING", "value": greeting }],
                "ports": [{ "name": "http", "containerPort": 8080 }],
                "readinessProbe": { "httpGet": { "path": "/healthz", "port": "http" }, "periodSeconds": 1 },
            }],
        },
    })
}

/// Whether a condition of the Pod is True.
pub fn has_condition(pod: &Pod, name: &str) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|condition| condition.type_ == name && condition.status == "True")
}

fn is_refused(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 403)
}

/// Creates a Pod and waits until it is Ready. A new cluster refuses Pods for a moment, until it
/// has made the default ServiceAccount.
pub async fn create_and_wait(pods: &Api<Pod>, manifest: &Value) -> anyhow::Result<Pod> {
    let pod: Pod = serde_json::from_value(manifest.clone())?;
    let (begin, name) = (Instant::now(), pod.name_any());
    let mut last = String::new();
    let mut created = false;
    while begin.elapsed() < PATIENCE {
        if created {
            let seen = pods.get(&name).await?;
            if has_condition(&seen, "Ready") {
                return Ok(seen);
            }
            last = serde_json::to_string(&seen.status)?;
        } else {
            match pods.create(&PostParams::default(), &pod).await {
                Ok(_) => created = true,
                Err(error) if is_refused(&error) => last = error.to_string(),
                Err(error) => return Err(error.into()),
            }
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    bail!("Pod {name} is not Ready after {PATIENCE:?}: {last}");
}
