//! Compiled code: made once per program, kept on disk, never taken from anywhere else.
//!
//! Loading compiled code runs it as native code, so the cache directory is ours alone (0700) and
//! every file has a SHA-256 beside it: a file that is damaged, of another version, or without its
//! sum is compiled again.

mod artifact;
mod child;

use crate::backend::CompileMode;
use crate::limits::{COMPILE_MESSAGE_BYTES_MAX, COMPILED_BYTES_MAX, COMPILES_MAX, WASM_BYTES_MAX};
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::hash::{Hash, Hasher};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::process::Command;
use tokio::sync::{Semaphore, oneshot};
use wasmtime::{Engine, Module, component::Component};

pub(crate) use child::main as child_main;

/// Which of the two binary formats a program has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Component,
    Module,
}

/// Code that can be linked.
pub(crate) enum Code {
    Component(Component),
    Module(Module),
}

/// Why there is no code.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CompileError {
    /// The program itself cannot be compiled.
    #[error("{0}")]
    Program(String),
    /// The machine failed.
    #[error("{step}")]
    Io { step: String, source: io::Error },
}

fn io_error<'a>(action: &'a str, path: &'a Path) -> impl FnOnce(io::Error) -> CompileError + use<'a> {
    move |source| CompileError::Io { step: format!("{action} {}", path.display()), source }
}

impl Format {
    /// Looks at the first eight bytes: magic number and version.
    pub(crate) fn of(header: &[u8]) -> Result<Self, CompileError> {
        let problem = match header {
            [0, b'a', b's', b'm', 1, 0, 0, 0, ..] => return Ok(Format::Module),
            [0, b'a', b's', b'm', 0x0d, 0, 1, 0, ..] => return Ok(Format::Component),
            [0, b'a', b's', b'm', ..] => "it is WebAssembly of an unknown version",
            [0x7f, b'E', b'L', b'F', ..] => {
                "it is a Linux program, not WebAssembly; build it for wasm32-wasip2, or use a Linux image"
            }
            [b'(', ..] => "it is WebAssembly text; convert it with `wasm-tools parse`",
            _ => "it is not WebAssembly (it does not begin with \\0asm)",
        };
        Err(CompileError::Program(problem.into()))
    }
}

/// Compiles programs and keeps the result.
pub(crate) struct Compiler {
    engine: Engine,
    dir: PathBuf,
    mode: CompileMode,
    /// Names the engine's version and settings.
    compatibility: String,
    slots: Semaphore,
}

impl Compiler {
    /// Uses `dir`, which is made when missing; removes what other versions left there.
    pub(crate) fn new(engine: &Engine, dir: PathBuf, mode: CompileMode) -> io::Result<Self> {
        runtime_base::path::create_dir(&dir, 0o700)?;
        fs::set_permissions(&dir, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
        let mut hasher = ShaHasher(Sha256::new());
        engine.precompile_compatibility_hash().hash(&mut hasher);
        let compatibility = hex::encode(&hasher.0.finalize()[..8]);
        let compiler =
            Compiler { engine: engine.clone(), dir, mode, compatibility, slots: Semaphore::new(COMPILES_MAX) };
        compiler.remove_foreign()?;
        Ok(compiler)
    }

    fn remove_foreign(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.dir)? {
            let path = entry?.path();
            let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            if !stem.ends_with(&self.compatibility) {
                let _ = fs::remove_file(&path);
            }
        }
        Ok(())
    }

    /// Where the code of the content with this digest is kept.
    pub(crate) fn path(&self, digest: &str) -> PathBuf {
        let name = digest.strip_prefix("sha256:").unwrap_or(digest);
        let plain = name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        let name = if plain { name.to_owned() } else { hex::encode(Sha256::digest(digest)) };
        self.dir.join(format!("{name}-{}.cwasm", self.compatibility))
    }

    /// Removes the code of the content with this digest.
    pub(crate) fn forget(&self, digest: &str) {
        let path = self.path(digest);
        let _ = fs::remove_file(sum_path(&path));
        let _ = fs::remove_file(path);
    }

    /// The code of the program at `wasm`, compiled now unless it was before.
    pub(crate) async fn load(&self, wasm: &Path, digest: &str) -> Result<Code, CompileError> {
        let path = self.path(digest);
        let (source, target, engine) = (wasm.to_owned(), path.clone(), self.engine.clone());
        let (format, cached) = blocking(move || {
            let format = format_of(&source)?;
            Ok((format, verified(&target).then(|| artifact::load(&engine, &target, format).ok()).flatten()))
        })
        .await?;
        if let Some(code) = cached {
            return Ok(code);
        }
        self.compile(wasm, &path).await?;
        let engine = self.engine.clone();
        blocking(move || {
            artifact::load(&engine, &path, format)
                .map_err(|error| CompileError::Program(format!("its compiled code cannot be loaded: {error:#}")))
        })
        .await
    }

    async fn compile(&self, wasm: &Path, path: &Path) -> Result<(), CompileError> {
        let _slot = self.slots.acquire().await.expect("the semaphore is never closed");
        let output = path.with_extension("new");
        match &self.mode {
            CompileMode::Child { args } => compile_in_child(args, wasm, &output).await?,
            CompileMode::InProcess => compile_in_thread(&self.engine, wasm, &output).await?,
        }
        let path = path.to_owned();
        blocking(move || publish(&output, &path)).await
    }
}

/// Moves a fresh artifact to its place, then writes its sum.
fn publish(output: &Path, path: &Path) -> Result<(), CompileError> {
    let _ = fs::remove_file(sum_path(path));
    let sum = sum(output).map_err(io_error("read compiled code", output))?;
    fs::rename(output, path).map_err(io_error("move compiled code to", path))?;
    runtime_base::path::write_atomic(&sum_path(path), sum.as_bytes(), 0o600).map_err(io_error("write the sum of", path))
}

fn sum_path(path: &Path) -> PathBuf {
    path.with_extension("sha256")
}

fn sum(path: &Path) -> io::Result<String> {
    let mut hasher = Sha256::new();
    io::copy(&mut File::open(path)?.take(COMPILED_BYTES_MAX), &mut hasher)?;
    Ok(hex::encode(hasher.finalize()))
}

/// Whether the file at `path` is what was written there.
fn verified(path: &Path) -> bool {
    match (fs::read_to_string(sum_path(path)), sum(path)) {
        (Ok(expected), Ok(found)) if expected == found => true,
        (Err(_), Err(_)) => false,
        _ => {
            tracing::warn!(path = %path.display(), "compiled code is damaged, compiling again");
            false
        }
    }
}

fn format_of(wasm: &Path) -> Result<Format, CompileError> {
    let mut file = File::open(wasm).map_err(io_error("open", wasm))?;
    let length = file.metadata().map_err(io_error("examine", wasm))?.len();
    if length > WASM_BYTES_MAX {
        return Err(CompileError::Program(format!("it has {length} bytes, at most {WASM_BYTES_MAX} are allowed")));
    }
    let mut header = Vec::with_capacity(8);
    file.by_ref().take(8).read_to_end(&mut header).map_err(io_error("read", wasm))?;
    Format::of(&header)
}

/// Compiles `wasm` to machine code.
fn precompile(engine: &Engine, wasm: &[u8]) -> Result<Vec<u8>, CompileError> {
    let result = match Format::of(wasm)? {
        Format::Component => engine.precompile_component(wasm),
        Format::Module => engine.precompile_module(wasm),
    };
    result.map_err(|error| {
        let hint = if contains(wasm, b"@0.3.") {
            " (it uses WASI 0.3, which is not supported yet; build it for WASI 0.2)"
        } else {
            ""
        };
        CompileError::Program(format!("it cannot be compiled: {error:#}{hint}"))
    })
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

async fn compile_in_thread(engine: &Engine, wasm: &Path, output: &Path) -> Result<(), CompileError> {
    let (engine, wasm, output) = (engine.clone(), wasm.to_owned(), output.to_owned());
    let (done, result) = oneshot::channel();
    let work = move || {
        let compiled = fs::read(&wasm)
            .map_err(io_error("read", &wasm))
            .and_then(|bytes| precompile(&engine, &bytes))
            .and_then(|code| fs::write(&output, code).map_err(io_error("write", &output)));
        let _ = done.send(compiled);
    };
    std::thread::Builder::new()
        .name("wasm-compile".into())
        .spawn(work)
        .map_err(|source| CompileError::Io { step: "start a thread to compile".into(), source })?;
    result.await.unwrap_or_else(|_| Err(CompileError::Program("the compiler failed".into())))
}

/// Runs this binary again as a compiler with bounds on memory and CPU time.
async fn compile_in_child(args: &[String], wasm: &Path, output: &Path) -> Result<(), CompileError> {
    let child = Command::new("/proc/self/exe")
        .args(args)
        .arg(wasm)
        .arg(output)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|source| CompileError::Io { step: "run the compiler".into(), source })?;
    if child.status.success() {
        return Ok(());
    }
    let _ = fs::remove_file(output);
    let said = String::from_utf8_lossy(&child.stderr[..child.stderr.len().min(COMPILE_MESSAGE_BYTES_MAX)]);
    let said = said.trim();
    match child.status.code() {
        Some(child::EXIT_PROGRAM) => Err(CompileError::Program(said.to_owned())),
        Some(code) => Err(CompileError::Io {
            step: format!("compile {}", wasm.display()),
            source: io::Error::other(format!("the compiler ended with code {code}: {said}")),
        }),
        None => Err(CompileError::Program(format!(
            "it cannot be compiled within the limits of memory and CPU time ({})",
            child.status
        ))),
    }
}

/// Runs `work`, which reads and writes files, beside the async threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, CompileError> + Send + 'static,
) -> Result<T, CompileError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(CompileError::Io { step: "load code".into(), source: io::Error::other(error) }))
}

/// Hashes what implements [`Hash`] with SHA-256, the same in every process.
struct ShaHasher(Sha256);

impl Hasher for ShaHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let sum = self.0.clone().finalize();
        u64::from_le_bytes(sum[..8].try_into().expect("a SHA-256 sum has 32 bytes"))
    }
}

#[cfg(test)]
mod tests;
