//! How a guest ended, in a container's words.

use crate::limiter::OutOfMemory;
use crate::limits::TRAP_FRAMES_MAX;
use runtime_spec::ExitReason;
use std::fmt::Write;
use wasmtime::{Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

/// Exit code, reason and message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) code: i32,
    pub(crate) reason: ExitReason,
    pub(crate) message: String,
}

impl End {
    /// It ended by itself with `code`, of which the low byte counts as on Linux.
    pub(crate) fn exited(code: i32) -> Self {
        let code = code & 0xff;
        let reason = if code == 0 { ExitReason::Completed } else { ExitReason::Error };
        End { code, reason, message: String::new() }
    }

    /// It was ended: 128 plus 15 (asked) or 9 (killed).
    pub(crate) fn stopped(killed: bool) -> Self {
        End { code: if killed { 137 } else { 143 }, reason: ExitReason::Error, message: String::new() }
    }

    /// It could not be started.
    pub(crate) fn not_started(message: String) -> Self {
        End { code: 128, reason: ExitReason::StartError, message }
    }

    /// The host failed while it ran.
    pub(crate) fn host_failed() -> Self {
        End { code: 134, reason: ExitReason::Error, message: "the runtime failed while running it".into() }
    }

    /// By what wasmtime returned instead of a result.
    pub(crate) fn of_error(error: &wasmtime::Error) -> Self {
        if let Some(exit) = error.downcast_ref::<I32Exit>() {
            return End::exited(exit.0);
        }
        if let Some(out) = error.downcast_ref::<OutOfMemory>() {
            return End { code: 137, reason: ExitReason::OomKilled, message: out.to_string() };
        }
        End { code: 134, reason: ExitReason::Error, message: trap_message(error) }
    }
}

/// The cause and the names of the innermost functions.
fn trap_message(error: &wasmtime::Error) -> String {
    let mut message = match error.downcast_ref::<Trap>() {
        Some(trap) => format!("wasm trap: {trap}").replace("wasm trap: wasm trap:", "wasm trap:"),
        None => error.root_cause().to_string(),
    };
    let frames = error.downcast_ref::<WasmBacktrace>().map_or(&[][..], WasmBacktrace::frames);
    // A program without a name section has nothing to say here.
    for name in frames.iter().filter_map(|frame| frame.func_name()).take(TRAP_FRAMES_MAX) {
        let _ = write!(message, "\n  at {name}");
    }
    message
}

#[cfg(test)]
mod tests;
