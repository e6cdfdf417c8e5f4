//! The Backend for WebAssembly: components (WASI 0.2 commands and HTTP handlers) and core
//! modules (wasip1) as containers.
//!
//! In: images on disk, workloads, a Pod's network. Out: running containers, their state, logs
//! and statistics. Must not touch: the kernel's network, any API group, other backends. The only
//! user of wasmtime.
//!
//! - `program` links what `compile` made; `guest` is what the host keeps for an instance.
//! - `container` runs commands and modules to their end, `http` runs a handler per request.
//! - `sockets` and `outbound` lead every byte of a guest's network into the Pod's own network.
//! - `limiter` (memory), `quota` (CPU time), `engine` (epoch) and `limits` keep a guest a guest.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod backend;
mod compile;
mod container;
mod engine;
mod exit;
mod guest;
mod http;
mod limiter;
mod limits;
mod outbound;
mod program;
mod quota;
mod sockets;
mod stdio;

pub use backend::{CompileMode, WasmBackend, WasmConfig, WasmError};

/// The main function of the compiler's process: what the binary does when it was run with the
/// arguments of [`CompileMode::Child`]. Reads the names of input and output file from the end of
/// the process's arguments, and lowers the process's own limits.
pub fn compile_child_main() -> std::process::ExitCode {
    compile::child_main(std::env::args_os())
}

#[cfg(test)]
mod tests;
