//! The compiler as a process of its own.

use super::{CompileError, precompile};
use crate::limits::{COMPILE_CPU_SECONDS_MAX, COMPILE_MEMORY_MAX, COMPILED_BYTES_MAX};
use runtime_base::error::chain;
use rustix::process::{Resource, Rlimit, Signal, nice, set_parent_process_death_signal, setrlimit};
use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Exit code for "the program cannot be compiled"; the reason is on standard error.
pub(super) const EXIT_PROGRAM: i32 = 65;
const EXIT_MACHINE: u8 = 74;

/// Compiles the file named by the last argument but one into the file named by the last.
pub(crate) fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut args: Vec<PathBuf> = args.into_iter().map(PathBuf::from).collect();
    let (Some(output), Some(input)) = (args.pop(), args.pop()) else {
        return fail(EXIT_MACHINE, "usage: … INPUT OUTPUT");
    };
    let compiled = confine()
        .map_err(|error| CompileError::Io { step: "limit the compiler".into(), source: error.into() })
        .and_then(|()| compile(&input, &output));
    match compiled {
        Ok(()) => ExitCode::SUCCESS,
        Err(CompileError::Program(reason)) => fail(EXIT_PROGRAM as u8, &reason),
        Err(error) => fail(EXIT_MACHINE, &chain(&error)),
    }
}

fn fail(code: u8, reason: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "{reason}");
    ExitCode::from(code)
}

/// Bounds memory, CPU time and output, gives way to everything else, and ends with the parent.
fn confine() -> rustix::io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let bounds = [
        (Resource::As, COMPILE_MEMORY_MAX),
        (Resource::Cpu, COMPILE_CPU_SECONDS_MAX),
        (Resource::Fsize, COMPILED_BYTES_MAX),
        (Resource::Core, 0),
    ];
    for (resource, bound) in bounds {
        setrlimit(resource, Rlimit { current: Some(bound), maximum: Some(bound) })?;
    }
    nice(10)?;
    Ok(())
}

fn compile(input: &Path, output: &Path) -> Result<(), CompileError> {
    let io = |step: &str, path: &Path| {
        let step = format!("{step} {}", path.display());
        move |source| CompileError::Io { step, source }
    };
    let engine = crate::engine::engine()
        .map_err(|error| CompileError::Io { step: "make an engine".into(), source: std::io::Error::other(error) })?;
    let wasm = fs::read(input).map_err(io("read", input))?;
    let code = precompile(&engine, &wasm)?;
    let _ = fs::remove_file(output);
    fs::write(output, code).map_err(io("write", output))
}
