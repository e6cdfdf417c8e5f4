//! The wasmtime engine and its epoch.

use crate::limits::{EPOCH_TICK, QUIET_TICKS};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle, Thread};
use wasmtime::{Config, Engine, OptLevel, WasmBacktraceDetails};

/// The version of wasmtime, as the Node reports it; a test compares it with Cargo.lock.
pub(crate) const WASMTIME_VERSION: &str = "48.0.8";

/// The engine that compiles and runs everything.
///
/// Memory is allocated on demand, not from a pool. Measured with a real Rust guest (store,
/// instance, run, drop): 106 us on demand, 78 us from a pool; an instance that is used again
/// answers in 1 us either way, so reuse (see `http`) matters and the pool does not. On demand,
/// ended programs give their memory back at once, no slot count has to be guessed, and any size
/// of memory runs.
///
/// Code compiled under this configuration stays valid for an engine with a pool.
pub(crate) fn engine() -> wasmtime::Result<Engine> {
    let mut config = Config::new();
    config.epoch_interruption(true);
    config.cranelift_opt_level(OptLevel::Speed);
    // WASI 0.2 needs no concurrency inside a store; without it an instance is smaller.
    config.concurrency_support(false);
    config.native_unwind_info(false);
    config.wasm_backtrace_details(WasmBacktraceDetails::Disable);
    Engine::new(&config)
}

/// Advances the epoch while guests run; sleeps, at no cost, while none does.
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Thread,
    handle: Option<JoinHandle<()>>,
}

struct Shared {
    engine: Engine,
    running: AtomicUsize,
    parked: AtomicBool,
    stopping: AtomicBool,
}

impl Ticker {
    pub(crate) fn start(engine: &Engine) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            engine: engine.clone(),
            running: AtomicUsize::new(0),
            parked: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
        });
        let ticking = shared.clone();
        let handle = thread::Builder::new().name("wasm-epoch".into()).spawn(move || ticking.run())?;
        Ok(Ticker { shared, thread: handle.thread().clone(), handle: Some(handle) })
    }

    /// Keeps the epoch advancing until the result is dropped.
    pub(crate) fn enter(&self) -> Running<'_> {
        self.shared.running.fetch_add(1, Ordering::SeqCst);
        if self.shared.parked.load(Ordering::SeqCst) {
            self.thread.unpark();
        }
        Running(&self.shared)
    }

    /// Whether the ticker sleeps.
    #[cfg(test)]
    pub(crate) fn is_parked(&self) -> bool {
        self.shared.parked.load(Ordering::SeqCst)
    }
}

/// A guest is on a thread now.
pub(crate) struct Running<'a>(&'a Shared);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Shared {
    fn run(&self) {
        let mut quiet = 0;
        while !self.stopping.load(Ordering::SeqCst) {
            quiet = if self.running.load(Ordering::SeqCst) == 0 { quiet + 1 } else { 0 };
            if quiet >= QUIET_TICKS {
                // `enter` counts before it looks at `parked`, we look after we set it: one of
                // the two sees the other.
                self.parked.store(true, Ordering::SeqCst);
                while self.running.load(Ordering::SeqCst) == 0 && !self.stopping.load(Ordering::SeqCst) {
                    thread::park();
                }
                self.parked.store(false, Ordering::SeqCst);
                quiet = 0;
            }
            thread::sleep(EPOCH_TICK);
            self.engine.increment_epoch();
        }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        self.thread.unpark();
        if let Some(handle) = self.handle.take() {
            let _ = handle.join();
        }
    }
}

#[cfg(test)]
mod tests;
