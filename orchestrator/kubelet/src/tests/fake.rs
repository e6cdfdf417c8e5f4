//! A Backend whose programs do what the test says, and images that are whatever they are called.

use crate::machine::Images;
use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use runtime_base::Clock;
use runtime_spec::{
    Backend, BackendError, Container, ContainerState, ExitReason, ExitStatus, HttpEndpoint, HttpError, HttpRequest,
    HttpResponse, Image, ImageConfig, ImageKind, LogStream, Sandbox, Workload,
};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use tokio::sync::watch;

/// Runs containers that do nothing by themselves; those whose name begins with `http` answer.
pub(super) struct FakeBackend {
    clock: Clock,
    made: Mutex<Vec<Arc<FakeContainer>>>,
    /// What HTTP containers answer.
    pub(super) answer: Arc<AtomicU16>,
}

pub(super) struct FakeContainer {
    id: String,
    pub(super) workload: Workload,
    clock: Clock,
    state: watch::Sender<ContainerState>,
    answer: Arc<AtomicU16>,
    /// The grace of each stop.
    pub(super) stops: Mutex<Vec<Duration>>,
}

impl FakeBackend {
    pub(super) fn new(clock: Clock) -> Arc<Self> {
        Arc::new(FakeBackend { clock, made: Mutex::default(), answer: Arc::new(AtomicU16::new(200)) })
    }

    /// The runs of the container `name`, the first one first.
    pub(super) fn runs(&self, name: &str) -> Vec<Arc<FakeContainer>> {
        self.made.lock().unwrap().iter().filter(|one| one.workload.name == name).cloned().collect()
    }
}

#[async_trait]
impl Backend for FakeBackend {
    fn version(&self) -> String {
        "fake://1".into()
    }

    fn handlers(&self) -> &[&'static str] {
        &["fake"]
    }

    fn accepts(&self, image: &Image) -> bool {
        !image.reference.starts_with("linux")
    }

    async fn prepare(&self, image: &Arc<Image>) -> Result<(), BackendError> {
        match image.reference.strip_prefix("broken") {
            Some(_) => {
                Err(BackendError::Image { reference: image.reference.clone(), reason: "it is not a program".into() })
            }
            None => Ok(()),
        }
    }

    async fn create(&self, _: &Arc<Sandbox>, workload: Workload) -> Result<Arc<dyn Container>, BackendError> {
        let mut made = self.made.lock().unwrap();
        let (state, _) = watch::channel(ContainerState::Created);
        let (clock, answer) = (self.clock.clone(), self.answer.clone());
        let container = FakeContainer {
            id: format!("run-{}", made.len()),
            workload,
            clock,
            state,
            answer,
            stops: Mutex::default(),
        };
        made.push(Arc::new(container));
        Ok(made.last().unwrap().clone())
    }
}

impl FakeContainer {
    pub(super) fn exit(&self, code: i32, reason: ExitReason) {
        let started_at = match &*self.state.borrow() {
            ContainerState::Running { started_at } => *started_at,
            ContainerState::Created => self.clock.now(),
            ContainerState::Exited(_) => return,
        };
        let finished_at: SystemTime = self.clock.now();
        let message = String::new();
        let exit = ExitStatus { code, reason, message, started_at, finished_at };
        self.state.send_replace(ContainerState::Exited(exit));
    }

    pub(super) fn print(&self, text: &str) {
        self.workload.log.write(LogStream::Stdout, text.as_bytes());
    }

    pub(super) fn is_running(&self) -> bool {
        matches!(*self.state.borrow(), ContainerState::Running { .. })
    }
}

#[async_trait]
impl Container for FakeContainer {
    fn id(&self) -> &str {
        &self.id
    }

    async fn start(&self) -> Result<(), BackendError> {
        self.state.send_replace(ContainerState::Running { started_at: self.clock.now() });
        Ok(())
    }

    fn state(&self) -> watch::Receiver<ContainerState> {
        self.state.subscribe()
    }

    async fn stop(&self, grace: Duration) -> Result<(), BackendError> {
        self.stops.lock().unwrap().push(grace);
        self.exit(143, ExitReason::Error);
        Ok(())
    }

    fn http(&self) -> Option<Arc<dyn HttpEndpoint>> {
        self.workload.name.starts_with("http").then(|| Arc::new(Fixed(self.answer.clone())) as Arc<dyn HttpEndpoint>)
    }
}

struct Fixed(Arc<AtomicU16>);

#[async_trait]
impl HttpEndpoint for Fixed {
    async fn handle(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let text = format!("you asked for {}", request.uri().path());
        let body = Full::new(Bytes::from(text)).map_err(|never| match never {}).boxed_unsync();
        let mut response = HttpResponse::new(body);
        *response.status_mut() = http::StatusCode::from_u16(self.0.load(Ordering::Relaxed)).unwrap();
        Ok(response)
    }
}

/// Images of any name; those in `missing` cannot be pulled, nothing is there before it is pulled.
#[derive(Default)]
pub(super) struct FakeImages {
    pub(super) missing: Mutex<BTreeSet<String>>,
    pulled: Mutex<BTreeSet<String>>,
    pub(super) configs: Mutex<Vec<Vec<u8>>>,
}

fn image(reference: &str) -> Arc<Image> {
    Arc::new(Image {
        reference: reference.to_owned(),
        id: format!("{reference}@sha256:0"),
        digest: "sha256:0".into(),
        kind: ImageKind::Wasm { path: "/nowhere".into() },
        config: ImageConfig { env: vec!["FROM=image".into(), "BOTH=image".into()], ..ImageConfig::default() },
        size_bytes: 1,
    })
}

#[async_trait]
impl Images for FakeImages {
    fn check(&self, reference: &str) -> Result<(), String> {
        if reference.contains(' ') { Err(format!("couldn't parse image name \"{reference}\"")) } else { Ok(()) }
    }

    async fn local(&self, reference: &str) -> Result<Option<Arc<Image>>, String> {
        Ok(self.pulled.lock().unwrap().contains(reference).then(|| image(reference)))
    }

    async fn pull(&self, reference: &str, docker_configs: &[Vec<u8>]) -> Result<Arc<Image>, String> {
        self.configs.lock().unwrap().extend_from_slice(docker_configs);
        if self.missing.lock().unwrap().contains(reference) {
            return Err(format!("{reference}: not found"));
        }
        self.pulled.lock().unwrap().insert(reference.to_owned());
        Ok(image(reference))
    }
}
