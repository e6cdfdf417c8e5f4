use crate::tests::kit::{Kit, config, exit, wait_for};
use crate::tests::wat::{command, module, parse, returns, waits};
use crate::{WasmBackend, WasmError};
use runtime_spec::{Backend, BackendError, ExitReason, Image, ImageKind};
use std::sync::Arc;
use std::time::Duration;

#[tokio::test]
async fn programs_that_cannot_run_say_why() {
    let kit = Kit::new();
    let text = |text: &str| parse(text);
    let cases = [
        (b"#!/bin/sh".to_vec(), "it is not WebAssembly"),
        (text("(component)"), "it exports nothing"),
        (text("(module)"), "without _start"),
        (text(r#"(module (import "env" "sbrk" (func)) (func (export "_start")))"#), "env::sbrk"),
        (
            text(
                r#"(component (core module $m (func (export "f"))) (core instance $i (instantiate $m))
                (func $f (canon lift (core func $i "f"))) (export "greet" (func $f)))"#,
            ),
            "it exports greet, but neither wasi:cli/run@0.2",
        ),
        (
            text(
                r#"(component (import "acme:queue/send@1.0.0" (instance (export "send" (func))))
                (core module $m (func (export "f") (result i32) i32.const 0)) (core instance $i (instantiate $m))
                (func $f (result (result)) (canon lift (core func $i "f")))
                (instance $run (export "run" (func $f))) (export "wasi:cli/run@0.2.0" (instance $run)))"#,
            ),
            "acme:queue/send@1.0.0",
        ),
    ];
    for (wasm, expected) in cases {
        let image = kit.image(&wasm);
        let Err(BackendError::Image { reference, reason }) = kit.backend.prepare(&image).await else {
            panic!("{expected}")
        };
        assert_eq!(reference, image.reference);
        assert!(reason.contains(expected), "{reason:?} does not contain {expected:?}");
        assert!(!reason.contains('\n') || reason.lines().count() < 8, "{reason}");
    }
}

#[tokio::test]
async fn an_image_is_compiled_once_however_many_ask() {
    let kit = Kit::new();
    let image = kit.image(&returns(0));
    let asked = (0..50).map(|_| kit.backend.prepare(&image));
    assert!(futures::future::join_all(asked).await.iter().all(Result::is_ok));
    // The file is not read again: neither compiled code nor the program is there any more.
    kit.backend.programs.compiler.forget(&image.digest);
    let ImageKind::Wasm { path } = &image.kind else { unreachable!() };
    std::fs::remove_file(path).unwrap();
    kit.backend.prepare(&image).await.unwrap();
    kit.backend.forget(&image.digest);
    assert!(matches!(kit.backend.prepare(&image).await, Err(BackendError::Io { .. })));
}

#[tokio::test]
async fn shutting_down_ends_all_containers() {
    let kit = Kit::new();
    let waiting = kit.start_in(1, kit.workload(&waits())).await;
    let other = kit.start_in(2, kit.workload(&waits())).await;
    wait_for("both listen", || kit.net.is_listening(1, 9) && kit.net.is_listening(2, 9)).await;
    kit.backend.shutdown(Duration::from_secs(1)).await;
    assert_eq!((exit(&*waiting).await.code, exit(&*other).await.code), (143, 143));
    let refused = kit.backend.create(&kit.sandbox(1), kit.workload(&returns(0))).await;
    assert!(refused.is_err());
}

#[tokio::test]
async fn the_node_has_a_limit_for_all() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(&dir);
    config.memory_bytes_max = Some(3 << 20);
    let kit = Kit { backend: WasmBackend::new(config).unwrap(), ..Kit::new() };
    let first = kit.start_in(1, kit.workload(&waits())).await;
    wait_for("listening", || kit.net.is_listening(1, 9)).await;
    let grows = module("(loop $l (drop (memory.grow (i32.const 16))) (br $l))");
    let status = kit.run(kit.workload(&grows)).await;
    assert_eq!(status.reason, ExitReason::OomKilled);
    assert!(status.message.contains("the node's limit"), "{}", status.message);
    first.stop(Duration::ZERO).await.unwrap();
}

#[tokio::test]
async fn it_says_what_it_is_and_takes() {
    let kit = Kit::new();
    assert!(kit.backend.version().starts_with("wasmtime://"));
    assert_eq!(kit.backend.handlers()[0], "wasm");
    let wasm = kit.image(&returns(0));
    let linux = Image { kind: ImageKind::Linux { layers: Vec::new() }, ..(*wasm).clone() };
    assert!(kit.backend.accepts(&wasm) && !kit.backend.accepts(&linux));
    assert!(matches!(kit.backend.prepare(&Arc::new(linux)).await, Err(BackendError::Image { .. })));
}

#[test]
fn a_cache_directory_that_cannot_be_used_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(&dir);
    config.cache_dir = dir.path().join("file");
    std::fs::write(&config.cache_dir, "").unwrap();
    let Err(error @ WasmError::Cache { .. }) = WasmBackend::new(config) else { panic!("it is a file") };
    assert!(error.to_string().contains("/file"), "{error}");
}

#[test]
fn a_backend_may_be_dropped_anywhere() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let kit = Kit::new();
        let main = "(func (export \"run\") (result i32) (loop $l (br $l)) (i32.const 0))";
        let container = kit.start(kit.workload(&command(main))).await;
        drop(kit);
        // It ends with its backend, and says so.
        assert_eq!(exit(&*container).await.code, 137);
        container.stop(Duration::from_secs(30)).await.unwrap();
    });
}
