//! A backend in a directory of its own.

use super::net::FakeNet;
use crate::{CompileMode, WasmBackend, WasmConfig};
use async_trait::async_trait;
use runtime_base::{Clock, Rng};
use runtime_spec::{
    Backend, Container, ContainerState, ExitStatus, HttpError, HttpOutbound, HttpRequest, HttpResponse, Image,
    ImageConfig, ImageKind, Limits, LogSink, LogStream, PodNetwork, PodRef, Sandbox, Workload,
};
use sha2::{Digest, Sha256};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;

/// How long a test waits for what must happen.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// A log in memory.
#[derive(Default)]
pub(crate) struct Log(Mutex<(String, String)>);

impl LogSink for Log {
    fn write(&self, stream: LogStream, bytes: &[u8]) {
        let mut log = self.0.lock().unwrap();
        let text = String::from_utf8_lossy(bytes);
        match stream {
            LogStream::Stdout => log.0 += &text,
            LogStream::Stderr => log.1 += &text,
        }
    }
}

impl Log {
    pub(crate) fn stdout(&self) -> String {
        self.0.lock().unwrap().0.clone()
    }

    pub(crate) fn stderr(&self) -> String {
        self.0.lock().unwrap().1.clone()
    }
}

struct NoOutbound;

#[async_trait]
impl HttpOutbound for NoOutbound {
    async fn send(&self, _: &Arc<dyn PodNetwork>, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        Err(HttpError::ConnectionRefused(request.uri().to_string()))
    }
}

pub(crate) struct Kit {
    pub(crate) dir: TempDir,
    pub(crate) backend: Arc<WasmBackend>,
    pub(crate) net: FakeNet,
    pub(crate) log: Arc<Log>,
}

pub(crate) fn config(dir: &TempDir) -> WasmConfig {
    WasmConfig {
        cache_dir: dir.path().join("compiled"),
        threads: 2,
        memory_bytes_max: None,
        clock: Clock::system(),
        rng: Rng::seeded(1),
        compile: CompileMode::InProcess,
    }
}

impl Kit {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let backend = WasmBackend::new(config(&dir)).unwrap();
        Kit { dir, backend, net: FakeNet::default(), log: Arc::default() }
    }

    pub(crate) fn image(&self, wasm: &[u8]) -> Arc<Image> {
        let digest = hex::encode(Sha256::digest(wasm));
        let path = self.dir.path().join(format!("{digest}.wasm"));
        std::fs::write(&path, wasm).unwrap();
        Arc::new(Image {
            reference: "registry.test/team/app:v1".into(),
            id: format!("sha256:{digest}"),
            digest: format!("sha256:{digest}"),
            kind: ImageKind::Wasm { path },
            config: ImageConfig::default(),
            size_bytes: wasm.len() as u64,
        })
    }

    pub(crate) fn workload(&self, wasm: &[u8]) -> Workload {
        Workload {
            name: "main".into(),
            attempt: 0,
            image: self.image(wasm),
            command: Vec::new(),
            args: None,
            env: Vec::new(),
            working_dir: None,
            mounts: Vec::new(),
            limits: Limits::default(),
            log: self.log.clone(),
            http_port: 80,
        }
    }

    /// The Pod with address 10.0.0.`last`.
    pub(crate) fn sandbox(&self, last: u8) -> Arc<Sandbox> {
        Arc::new(Sandbox {
            pod: PodRef { namespace: "default".into(), name: format!("pod-{last}"), uid: last.to_string() },
            hostname: format!("pod-{last}"),
            network: self.net.pod(last),
            outbound: Arc::new(NoOutbound),
            dir: self.dir.path().to_owned(),
        })
    }

    pub(crate) async fn start_in(&self, last: u8, workload: Workload) -> Arc<dyn Container> {
        let container = self.backend.create(&self.sandbox(last), workload).await.unwrap();
        container.start().await.unwrap();
        container
    }

    pub(crate) async fn start(&self, workload: Workload) -> Arc<dyn Container> {
        self.start_in(1, workload).await
    }

    /// Runs it to its end.
    pub(crate) async fn run(&self, workload: Workload) -> ExitStatus {
        let container = self.start(workload).await;
        exit(&*container).await
    }
}

/// How the container ended, once it has.
pub(crate) async fn exit(container: &dyn Container) -> ExitStatus {
    let mut state = container.state();
    let ended = state.wait_for(|state| matches!(state, ContainerState::Exited(_)));
    let state = runtime_base::clock::within(LIMIT, ended).await.expect("the container ends").unwrap().clone();
    match state {
        ContainerState::Exited(status) => status,
        other => panic!("{other:?}"),
    }
}

/// Returns once `holds`.
#[track_caller]
pub(crate) fn wait_for(what: &str, mut holds: impl FnMut() -> bool) -> impl Future<Output = ()> {
    let what = what.to_owned();
    let location = std::panic::Location::caller();
    async move {
        let waited = runtime_base::clock::within(LIMIT, async {
            while !holds() {
                runtime_base::clock::sleep(Duration::from_millis(2)).await;
            }
        });
        assert!(waited.await.is_some(), "{location}: never: {what}");
    }
}
