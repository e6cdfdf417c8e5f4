//! One run of a container: from made to running to ended.

use crate::backend::Shared;
use crate::exit::End;
use crate::guest::{component_store, make_root, module_store};
use crate::http::{Endpoint, HttpProgram};
use crate::limiter::MemoryAccount;
use crate::program::Program;
use crate::quota::{CpuAccount, Metered};
use async_trait::async_trait;
use futures::FutureExt;
use runtime_base::error::chain;
use runtime_spec::{
    BackendError, Container, ContainerState, ExitStatus, HttpEndpoint, Limits, Sandbox, Stats, Workload,
};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};
use tokio::sync::{oneshot, watch};
use wasmtime::Store;
use wasmtime_wasi::p2::bindings::CommandPre;

/// What ends a container from outside; each may only follow a weaker one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stop {
    No,
    Terminate,
    Kill,
}

/// A run, shared by the container's handle and by what executes it.
pub(crate) struct Run {
    pub(crate) id: String,
    pub(crate) shared: Arc<Shared>,
    pub(crate) sandbox: Arc<Sandbox>,
    pub(crate) workload: Workload,
    pub(crate) cpu: Arc<CpuAccount>,
    pub(crate) memory: Arc<MemoryAccount>,
    program: Arc<Program>,
    started: AtomicBool,
    state: watch::Sender<ContainerState>,
    stop: watch::Sender<Stop>,
}

impl Run {
    pub(crate) fn new(
        id: String,
        shared: Arc<Shared>,
        sandbox: Arc<Sandbox>,
        workload: Workload,
        program: Arc<Program>,
    ) -> Arc<Self> {
        let limits = workload.limits;
        Arc::new(Run {
            id,
            cpu: Arc::new(CpuAccount::new(limits.cpu_millis_max, shared.clock.monotonic())),
            memory: MemoryAccount::new(limits.memory_bytes_max, Some(shared.memory.clone())),
            shared,
            sandbox,
            workload,
            program,
            started: AtomicBool::new(false),
            state: watch::Sender::new(ContainerState::Created),
            stop: watch::Sender::new(Stop::No),
        })
    }

    /// `future` with its CPU time charged to this container.
    pub(crate) fn metered<F: Future>(&self, future: F) -> Metered<F> {
        Metered::new(self.cpu.clone(), self.shared.ticker.clone(), self.shared.clock.clone(), future)
    }

    pub(crate) fn is_running(&self) -> bool {
        matches!(*self.state.borrow(), ContainerState::Running { .. })
    }

    fn has_ended(&self) -> bool {
        matches!(*self.state.borrow(), ContainerState::Exited(_))
    }

    async fn ended(&self) {
        let mut state = self.state.subscribe();
        // The sender is ours: waiting cannot fail.
        let _ = state.wait_for(|state| matches!(state, ContainerState::Exited(_))).await;
    }

    /// Ends it now; waits for nothing.
    fn end(&self, killed: bool) {
        let stop = if killed { Stop::Kill } else { Stop::Terminate };
        self.stop.send_if_modified(|now| stop > *now && std::mem::replace(now, stop) != stop);
        if !self.started.swap(true, Ordering::SeqCst) {
            self.exit(self.shared.clock.now(), End::stopped(killed));
        }
    }

    async fn stopping(&self) -> Stop {
        let mut stop = self.stop.subscribe();
        stop.wait_for(|stop| *stop != Stop::No).await.map_or(Stop::Kill, |stop| *stop)
    }

    fn exit(&self, started_at: SystemTime, end: End) {
        let finished_at = self.shared.clock.now();
        tracing::debug!(pod = %self.sandbox.pod, container = self.workload.name, code = end.code, "container ended");
        self.state.send_replace(ContainerState::Exited(ExitStatus {
            code: end.code,
            reason: end.reason,
            message: end.message,
            started_at,
            finished_at,
        }));
    }

    /// Executes it to its end; says on `running` when it runs, or why it cannot.
    async fn execute(
        self: Arc<Self>,
        http: Option<Arc<HttpProgram>>,
        running: oneshot::Sender<Result<(), BackendError>>,
        mut last: LastWord,
    ) {
        let guest = match self.prepare() {
            Ok(guest) => guest,
            Err(error) => {
                last.end = End::not_started(chain(&error));
                drop(last);
                let _ = running.send(Err(error));
                return;
            }
        };
        self.state.send_replace(ContainerState::Running { started_at: last.started_at });
        let _ = running.send(Ok(()));
        last.end = {
            let guest = AssertUnwindSafe(self.metered(guest.run())).catch_unwind();
            tokio::select! {
                biased;
                stop = self.stopping() => End::stopped(stop == Stop::Kill),
                end = guest => end.unwrap_or_else(|_| End::host_failed()),
            }
            // The guest's memory, streams and listeners end here, before anybody hears of it.
        };
        if let Some(http) = http {
            http.close().await;
        }
    }

    fn prepare(&self) -> Result<Prepared, BackendError> {
        let engine = &self.shared.engine;
        make_root(&self.sandbox, &self.workload)?;
        Ok(match &*self.program {
            Program::Command(pre) => {
                let store = component_store(engine, &self.sandbox, &self.workload, &self.memory)?;
                Prepared::Command(Box::new(store), pre.clone())
            }
            Program::Module(pre) => {
                let store = module_store(engine, &self.sandbox, &self.workload, &self.memory)?;
                Prepared::Module(Box::new(store), pre.clone())
            }
            Program::Http(_) => {
                // Shows a missing mount now and not at the first request.
                component_store(engine, &self.sandbox, &self.workload, &self.memory)?;
                Prepared::Http
            }
        })
    }
}

/// Says how a run ended, whatever ends it; without anything else it was killed with its backend.
struct LastWord {
    run: Arc<Run>,
    started_at: SystemTime,
    end: End,
}

impl LastWord {
    fn new(run: &Arc<Run>) -> Self {
        LastWord { run: run.clone(), started_at: run.shared.clock.now(), end: End::stopped(true) }
    }
}

impl Drop for LastWord {
    fn drop(&mut self) {
        self.run.exit(self.started_at, self.end.clone());
    }
}

/// A guest with its store, about to run.
enum Prepared {
    Command(Box<Store<crate::guest::Guest>>, CommandPre<crate::guest::Guest>),
    Module(Box<Store<crate::guest::ModuleGuest>>, wasmtime::InstancePre<crate::guest::ModuleGuest>),
    Http,
}

impl Prepared {
    async fn run(self) -> End {
        match self {
            Prepared::Command(mut store, pre) => {
                let result = async {
                    let command = pre.instantiate_async(&mut *store).await?;
                    command.wasi_cli_run().call_run(&mut *store).await
                };
                match result.await {
                    Ok(Ok(())) => End::exited(0),
                    Ok(Err(())) => End::exited(1),
                    Err(error) => End::of_error(&error),
                }
            }
            Prepared::Module(mut store, pre) => {
                let result = async {
                    let instance = pre.instantiate_async(&mut *store).await?;
                    let start = instance.get_typed_func::<(), ()>(&mut *store, "_start")?;
                    start.call_async(&mut *store, ()).await
                };
                result.await.map_or_else(|error| End::of_error(&error), |()| End::exited(0))
            }
            // A handler runs when it is asked; the container stays until it is stopped.
            Prepared::Http => std::future::pending().await,
        }
    }
}

/// The handle of a run; dropping it ends the run at once.
///
/// WASI 0.2 has no signals: a program cannot be asked to end. So [`Container::stop`] ends a
/// command at once, with code 143 (137 when the grace is 0), whatever the grace is; what a
/// program wants to do before its end belongs into a preStop hook. An HTTP handler takes no new
/// requests from then on, and those under way get the grace to finish.
///
/// A program starts in its working directory only as far as WASI can say so: components may ask
/// `wasi:cli/environment` for the initial directory (wasi-libc does), core modules of wasip1
/// always start in `/`.
pub(crate) struct WasmContainer {
    run: Arc<Run>,
    http: Option<Arc<HttpProgram>>,
}

impl WasmContainer {
    pub(crate) fn new(run: Arc<Run>) -> Self {
        let http = match &*run.program {
            Program::Http(pre) => Some(HttpProgram::new(run.clone(), pre.clone())),
            Program::Command(_) | Program::Module(_) => None,
        };
        WasmContainer { run, http }
    }

    /// A handle that does not keep the run alive.
    pub(crate) fn stopper(&self) -> Stopper {
        Stopper { run: Arc::downgrade(&self.run), http: self.http.as_ref().map(Arc::downgrade) }
    }
}

/// Stops a run if it is still there.
pub(crate) struct Stopper {
    run: std::sync::Weak<Run>,
    http: Option<std::sync::Weak<HttpProgram>>,
}

impl Stopper {
    pub(crate) fn is_gone(&self) -> bool {
        self.run.upgrade().is_none_or(|run| run.has_ended())
    }

    pub(crate) async fn stop(&self, grace: Duration) {
        if let Some(run) = self.run.upgrade() {
            stop(&run, self.http.as_ref().and_then(std::sync::Weak::upgrade).as_deref(), grace).await;
        }
    }
}

async fn stop(run: &Run, http: Option<&HttpProgram>, grace: Duration) {
    if let Some(http) = http
        && run.is_running()
    {
        tokio::select! {
            () = http.drain(grace) => {}
            () = run.ended() => {}
        }
    }
    run.end(grace.is_zero());
    run.ended().await;
}

#[async_trait]
impl Container for WasmContainer {
    fn id(&self) -> &str {
        &self.run.id
    }

    async fn start(&self) -> Result<(), BackendError> {
        let run = &self.run;
        let failed =
            |reason: &str| BackendError::Container { container: run.workload.name.clone(), reason: reason.into() };
        if run.started.swap(true, Ordering::SeqCst) {
            return Err(failed("it was started already"));
        }
        let (running, result) = oneshot::channel();
        let execution = run.clone().execute(self.http.clone(), running, LastWord::new(run));
        run.shared.spawn("wasm-container", execution);
        result.await.unwrap_or_else(|_| Err(failed("the runtime is stopping")))
    }

    fn state(&self) -> watch::Receiver<ContainerState> {
        self.run.state.subscribe()
    }

    async fn stop(&self, grace: Duration) -> Result<(), BackendError> {
        stop(&self.run, self.http.as_deref(), grace).await;
        Ok(())
    }

    fn http(&self) -> Option<Arc<dyn HttpEndpoint>> {
        self.http.clone().map(|http| Arc::new(Endpoint(http)) as Arc<dyn HttpEndpoint>)
    }

    async fn update(&self, limits: Limits) -> Result<(), BackendError> {
        self.run.cpu.set_quota(limits.cpu_millis_max, self.run.shared.clock.monotonic());
        self.run.memory.set_limit(limits.memory_bytes_max);
        Ok(())
    }

    async fn stats(&self) -> Result<Stats, BackendError> {
        Ok(Stats { cpu_ns: self.run.cpu.used_ns(), memory_bytes: self.run.memory.used() })
    }
}

impl Drop for WasmContainer {
    fn drop(&mut self) {
        self.run.end(true);
    }
}

#[cfg(test)]
mod tests;
