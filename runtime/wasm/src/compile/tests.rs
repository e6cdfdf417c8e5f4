use super::{CompileError, Compiler, Format, sum_path};
use crate::CompileMode;
use crate::tests::wat::{module, returns};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// What the compiler's process calls when a test runs this binary again: a test of its own that
/// does nothing otherwise.
#[test]
fn compiler_process() {
    if std::env::args().any(|arg| arg == "as-compiler") {
        let code = crate::compile_child_main();
        std::process::exit(if code == std::process::ExitCode::SUCCESS { 0 } else { 65 });
    }
}

fn as_child() -> CompileMode {
    let args = ["compile::tests::compiler_process", "as-compiler", "--exact", "--nocapture", "--"];
    CompileMode::Child { args: args.map(String::from).to_vec() }
}

fn compiler(dir: &TempDir, mode: CompileMode) -> Compiler {
    Compiler::new(&crate::engine::engine().unwrap(), dir.path().join("cache"), mode).unwrap()
}

fn written(dir: &TempDir, bytes: &[u8]) -> PathBuf {
    let path = dir.path().join("program.wasm");
    fs::write(&path, bytes).unwrap();
    path
}

#[tokio::test]
async fn a_process_of_its_own_compiles() {
    let dir = tempfile::tempdir().unwrap();
    let compiler = compiler(&dir, as_child());
    for (digest, wasm) in [("sha256:one", returns(0)), ("sha256:two", module(""))] {
        compiler.load(&written(&dir, &wasm), digest).await.unwrap();
        assert!(compiler.path(digest).exists());
    }
    let broken = written(&dir, b"\0asm\x01\0\0\0\x01\xff");
    let Err(CompileError::Program(reason)) = compiler.load(&broken, "sha256:three").await else {
        panic!("it is not a program")
    };
    assert!(reason.contains("it cannot be compiled"), "{reason}");
    assert!(!compiler.path("sha256:three").with_extension("new").exists());
}

#[tokio::test]
async fn compiled_code_is_used_again_and_private() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let wasm = written(&dir, &returns(0));
    compiler(&dir, CompileMode::InProcess).load(&wasm, "sha256:one").await.unwrap();
    // This one could not compile: its process ends at once.
    let other = compiler(&dir, CompileMode::Child { args: vec!["--list".into()] });
    other.load(&wasm, "sha256:one").await.unwrap();
    assert!(other.load(&wasm, "sha256:two").await.is_err());
    let mode = fs::metadata(dir.path().join("cache")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    other.forget("sha256:one");
    assert!(other.load(&wasm, "sha256:one").await.is_err());
}

#[tokio::test]
async fn damaged_code_is_compiled_again() {
    let dir = tempfile::tempdir().unwrap();
    let wasm = written(&dir, &returns(0));
    let compiler = compiler(&dir, CompileMode::InProcess);
    compiler.load(&wasm, "sha256:one").await.unwrap();
    let path = compiler.path("sha256:one");
    let good = fs::read(&path).unwrap();
    let damages: [fn(&Path, &[u8]); 3] = [
        |path, good| {
            let mut bad = good.to_vec();
            bad[good.len() / 2] ^= 1;
            replace(path, &bad);
        },
        |path, good| replace(path, &good[..100]),
        |path, _| fs::remove_file(sum_path(path)).unwrap(),
    ];
    for damage in damages {
        damage(&path, &good);
        compiler.load(&wasm, "sha256:one").await.unwrap();
        assert_eq!(fs::read(&path).unwrap(), good);
        assert!(super::verified(&path));
    }
}

/// By rename: the file may be in use.
fn replace(path: &Path, bytes: &[u8]) {
    let new = path.with_extension("damaged");
    fs::write(&new, bytes).unwrap();
    fs::rename(new, path).unwrap();
}

#[test]
fn what_other_versions_left_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path().join("cache");
    fs::create_dir(&cache).unwrap();
    fs::write(cache.join("abc-0123456789abcdef.cwasm"), "old").unwrap();
    compiler(&dir, CompileMode::InProcess);
    assert_eq!(fs::read_dir(&cache).unwrap().count(), 0);
}

#[test]
fn formats_are_told_apart() {
    #[track_caller]
    fn check(header: &[u8], expected: Result<Format, &str>) {
        match (Format::of(header), expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected),
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
            (found, expected) => panic!("{found:?} is not {expected:?}"),
        }
    }
    check(b"\0asm\x01\0\0\0", Ok(Format::Module));
    check(b"\0asm\x0d\0\x01\0", Ok(Format::Component));
    check(b"\0asm\x02\0\0\0", Err("unknown version"));
    check(b"\x7fELF\x02\x01\x01\0", Err("Linux program"));
    check(b"(module)", Err("wasm-tools parse"));
    check(b"#!/bin/sh", Err("not WebAssembly"));
    check(b"", Err("not WebAssembly"));
}
