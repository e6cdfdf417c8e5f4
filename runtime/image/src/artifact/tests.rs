use super::*;
use expect_test::{Expect, expect};
use std::time::{Duration, UNIX_EPOCH};

#[track_caller]
fn check(wat: &str, expected: Expect) {
    let wasm = wat::parse_str(wat).unwrap();
    let artifact = build_artifact(&wasm, "x.wasm", UNIX_EPOCH + Duration::from_secs(1_700_000_000)).unwrap();
    let config: serde_json::Value = serde_json::from_slice(&artifact.config).unwrap();
    assert_eq!(config["layerDigests"], json!([artifact.wasm_digest]));
    expected.assert_eq(&format!("{} {} {}", config["created"], config["os"], config["component"]));
}

#[test]
fn a_component_lists_its_interfaces_and_a_module_does_not() {
    check("(module)", expect![[r#""2023-11-14T22:13:20Z" "wasip1" null"#]]);
    check(
        r#"(component
            (import "wasi:cli/environment@0.2.0" (instance $i))
            (component (import "inner" (func)))
            (core module (import "a" "b" (func)))
            (export "my:pkg/run@1.0.0" (instance $i)))"#,
        expect![[
            r#""2023-11-14T22:13:20Z" "wasip2" {"exports":["my:pkg/run@1.0.0"],"imports":["wasi:cli/environment@0.2.0"]}"#
        ]],
    );
}

#[test]
fn what_is_no_wasm_is_not_built() {
    let build = |bytes: &[u8]| build_artifact(bytes, "x", UNIX_EPOCH);
    assert!(matches!(build(b"#!/bin/sh"), Err(BuildError::NotWasm)));
    assert!(matches!(build(b""), Err(BuildError::NotWasm)));
    assert!(matches!(build(b"\0asm\x01\0\0\0\xff\xff\xff"), Err(BuildError::Malformed(_))));
}

#[test]
fn the_manifest_points_to_its_parts() {
    let wasm = wat::parse_str("(module)").unwrap();
    let artifact = build_artifact(&wasm, "x.wasm", UNIX_EPOCH).unwrap();
    let manifest: Manifest = serde_json::from_slice(&artifact.manifest).unwrap();
    let config = manifest.config.unwrap();
    assert_eq!((config.media_type.as_str(), config.digest), (WASM_CONFIG, digest(&artifact.config)));
    assert_eq!((manifest.layers[0].is_wasm(), &manifest.layers[0].digest), (true, &digest(&wasm)));
}

#[test]
fn a_layout_holds_the_blobs_and_an_index() {
    let artifact = build_artifact(&wat::parse_str("(module)").unwrap(), "x.wasm", UNIX_EPOCH).unwrap();
    let dir = tempfile::tempdir().unwrap();
    artifact.write_layout(dir.path(), "x:1").unwrap();
    for (digest_, bytes) in artifact.blobs() {
        assert_eq!(std::fs::read(dir.path().join("blobs/sha256").join(hex_of(digest_))).unwrap(), bytes);
    }
    let index: Manifest = serde_json::from_slice(&std::fs::read(dir.path().join("index.json")).unwrap()).unwrap();
    assert_eq!(index.manifests.unwrap()[0].digest, artifact.manifest_digest);
}

#[test]
fn parsers_survive_what_is_cut_short() {
    let wasm = wat::parse_str(r#"(component (import "a:b/c" (instance)) (core module))"#).unwrap();
    let artifact = build_artifact(&wasm, "x.wasm", UNIX_EPOCH).unwrap();
    for (_, bytes) in artifact.blobs() {
        for end in 0..bytes.len() {
            crate::fuzz(&bytes[..end]);
        }
    }
}
