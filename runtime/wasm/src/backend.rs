//! The Backend: programs in, containers out.

use crate::compile::{CompileError, Compiler};
use crate::container::{Run, Stopper, WasmContainer};
use crate::engine::{Ticker, WASMTIME_VERSION, engine};
use crate::limiter::MemoryAccount;
use crate::limits::{FILE_THREADS_MAX, PROGRAMS_KEPT_MAX};
use crate::program::{Linkers, Program};
use async_trait::async_trait;
use runtime_base::{Clock, Rng, Tasks};
use runtime_spec::{Backend, BackendError, Container, Image, ImageKind, Sandbox, Workload};
use std::collections::{HashMap, VecDeque};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::runtime::{Handle, Runtime};
use wasmtime::Engine;

/// How programs are compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CompileMode {
    /// In this binary, run again with `args`, whose main function then calls
    /// [`crate::compile_child_main`]; bounded in memory and CPU time.
    Child {
        /// The arguments that lead there; input and output file are appended.
        args: Vec<String>,
    },
    /// On a thread of this process, without bounds; for tests.
    InProcess,
}

/// What a [`WasmBackend`] needs.
#[derive(Clone, Debug)]
pub struct WasmConfig {
    /// Where compiled code is kept; made when missing, for this user alone.
    pub cache_dir: PathBuf,
    /// Threads that run guests; at least 1.
    pub threads: usize,
    /// Bytes of memory that all containers may use together; `None` is unbounded.
    pub memory_bytes_max: Option<u64>,
    /// The source of time.
    pub clock: Clock,
    /// The source of container identifiers.
    pub rng: Rng,
    /// How programs are compiled.
    pub compile: CompileMode,
}

/// Why the backend could not be made.
#[derive(Debug, thiserror::Error)]
pub enum WasmError {
    /// The engine does not work on this machine.
    #[error("make the WebAssembly engine: {0}")]
    Engine(String),
    /// A thread could not be started.
    #[error("start the threads of the guests")]
    Threads(#[source] io::Error),
    /// The cache directory cannot be used.
    #[error("use the directory {path} for compiled code")]
    Cache {
        /// The directory.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

/// What all containers share.
pub(crate) struct Shared {
    pub(crate) engine: Engine,
    pub(crate) ticker: Arc<Ticker>,
    pub(crate) clock: Clock,
    pub(crate) memory: Arc<MemoryAccount>,
    handle: Handle,
    tasks: Tasks,
}

impl Shared {
    /// Starts `future` on the guests' threads; it ends with the backend.
    pub(crate) fn spawn(&self, name: &'static str, future: impl Future<Output = ()> + Send + 'static) {
        self.spawn_in(&self.tasks, name, future);
    }

    /// Starts `future` on the guests' threads; it ends with `tasks`.
    pub(crate) fn spawn_in(
        &self,
        tasks: &Tasks,
        name: &'static str,
        future: impl Future<Output = ()> + Send + 'static,
    ) {
        let _context = self.handle.enter();
        tasks.spawn(name, future);
    }

    /// `future`'s output, computed on the guests' threads; `None` when they are stopping.
    async fn compute<T: Send + 'static>(
        &self,
        name: &'static str,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let (done, result) = tokio::sync::oneshot::channel();
        self.spawn(name, async move {
            let _ = done.send(future.await);
        });
        result.await.ok()
    }
}

/// One program's place: whoever needs it first loads it, the others wait for that.
type Slot = Arc<tokio::sync::Mutex<Weak<Program>>>;

struct Programs {
    compiler: Compiler,
    linkers: Linkers,
    slots: Mutex<HashMap<String, Slot>>,
    /// Those used last, kept although no container may run them.
    kept: Mutex<VecDeque<Arc<Program>>>,
}

/// Runs WebAssembly components and core modules as containers.
///
/// Guests run on threads of their own, never on the caller's.
pub struct WasmBackend {
    shared: Arc<Shared>,
    programs: Arc<Programs>,
    rng: Rng,
    containers: Mutex<Vec<Stopper>>,
    closed: AtomicBool,
    runtime: Mutex<Option<Runtime>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl WasmBackend {
    /// Makes the engine and starts the guests' threads. Fails when the cache directory cannot be
    /// used or the machine cannot run compiled code.
    pub fn new(config: WasmConfig) -> Result<Arc<Self>, WasmError> {
        let failed = |error: wasmtime::Error| WasmError::Engine(format!("{error:#}"));
        let engine = engine().map_err(failed)?;
        let linkers = Linkers::new(&engine).map_err(failed)?;
        let compiler = Compiler::new(&engine, config.cache_dir.clone(), config.compile)
            .map_err(|source| WasmError::Cache { path: config.cache_dir, source })?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(config.threads.max(1))
            .max_blocking_threads(FILE_THREADS_MAX)
            .thread_keep_alive(Duration::from_secs(5))
            .thread_name("wasm-guest")
            .enable_all()
            .build()
            .map_err(WasmError::Threads)?;
        let shared = Arc::new(Shared {
            ticker: Arc::new(Ticker::start(&engine).map_err(WasmError::Threads)?),
            engine,
            clock: config.clock,
            memory: MemoryAccount::new(config.memory_bytes_max, None),
            handle: runtime.handle().clone(),
            tasks: Tasks::new(),
        });
        let programs = Programs { compiler, linkers, slots: Mutex::default(), kept: Mutex::default() };
        Ok(Arc::new(WasmBackend {
            shared,
            programs: Arc::new(programs),
            rng: config.rng,
            containers: Mutex::default(),
            closed: AtomicBool::new(false),
            runtime: Mutex::new(Some(runtime)),
        }))
    }

    /// Bytes of memory that all guests use now.
    pub fn memory_bytes(&self) -> u64 {
        self.shared.memory.used()
    }

    /// Removes the compiled code of the content with this digest (`sha256:…`), for an image that
    /// was removed. Containers that run it go on.
    pub fn forget(&self, digest: &str) {
        lock(&self.programs.slots).remove(digest);
        self.programs.compiler.forget(digest);
    }

    /// Ends every container as [`Container::stop`] does, all with the same grace, and makes no
    /// more. Returns once they have ended.
    pub async fn shutdown(&self, grace: Duration) {
        self.closed.store(true, Ordering::SeqCst);
        let containers = std::mem::take(&mut *lock(&self.containers));
        futures::future::join_all(containers.iter().map(|container| container.stop(grace))).await;
        self.shared.tasks.stop(Duration::from_secs(1)).await;
    }

    async fn program(&self, image: &Arc<Image>) -> Result<Arc<Program>, BackendError> {
        let (programs, image) = (self.programs.clone(), image.clone());
        let loaded = self.shared.compute("wasm-load", async move { programs.get(&image).await }).await;
        loaded.unwrap_or(Err(BackendError::Unsupported("starting containers while it stops")))
    }

    fn remember(&self, container: &WasmContainer) {
        let mut containers = lock(&self.containers);
        if containers.len() == containers.capacity() {
            containers.retain(|container| !container.is_gone());
        }
        containers.push(container.stopper());
    }
}

impl Programs {
    fn slot(&self, digest: &str) -> Slot {
        let mut slots = lock(&self.slots);
        if let Some(slot) = slots.get(digest) {
            return slot.clone();
        }
        // Forget those that nobody uses or loads.
        slots.retain(|_, slot| {
            Arc::strong_count(slot) > 1 || slot.try_lock().is_ok_and(|program| program.strong_count() > 0)
        });
        slots.entry(digest.to_owned()).or_default().clone()
    }

    async fn get(&self, image: &Image) -> Result<Arc<Program>, BackendError> {
        let unfit = |reason: String| BackendError::Image { reference: image.reference.clone(), reason };
        let ImageKind::Wasm { path } = &image.kind else {
            return Err(unfit("it is a Linux image, not WebAssembly".into()));
        };
        let slot = self.slot(&image.digest);
        let mut loaded = slot.lock().await;
        if let Some(program) = loaded.upgrade() {
            return Ok(program);
        }
        let code = self.compiler.load(path, &image.digest).await.map_err(|error| match error {
            CompileError::Program(reason) => unfit(reason),
            CompileError::Io { step, source } => BackendError::Io { step, source },
        })?;
        let program = Arc::new(self.linkers.link(&code).map_err(unfit)?);
        *loaded = Arc::downgrade(&program);
        let mut kept = lock(&self.kept);
        kept.push_back(program.clone());
        if kept.len() > PROGRAMS_KEPT_MAX {
            kept.pop_front();
        }
        Ok(program)
    }
}

#[async_trait]
impl Backend for WasmBackend {
    fn version(&self) -> String {
        format!("wasmtime://{WASMTIME_VERSION}")
    }

    fn handlers(&self) -> &[&'static str] {
        &["wasm", "wasmtime"]
    }

    fn accepts(&self, image: &Image) -> bool {
        matches!(image.kind, ImageKind::Wasm { .. })
    }

    async fn prepare(&self, image: &Arc<Image>) -> Result<(), BackendError> {
        self.program(image).await.map(|_| ())
    }

    async fn create(&self, sandbox: &Arc<Sandbox>, workload: Workload) -> Result<Arc<dyn Container>, BackendError> {
        let program = self.program(&workload.image).await?;
        let mut id = [0; 32];
        self.rng.fill(&mut id);
        let run = Run::new(hex::encode(id), self.shared.clone(), sandbox.clone(), workload, program);
        let container = WasmContainer::new(run);
        self.remember(&container);
        if self.closed.load(Ordering::SeqCst) {
            return Err(BackendError::Unsupported("starting containers while it stops"));
        }
        Ok(Arc::new(container))
    }
}

impl Drop for WasmBackend {
    fn drop(&mut self) {
        self.shared.tasks.cancel();
        if let Some(runtime) = lock(&self.runtime).take() {
            // Never waits: this may run on a thread of another runtime.
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests;
