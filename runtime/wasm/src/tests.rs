//! What the tests of all modules share: guests in text form, a network in memory, a backend.

pub(crate) mod kit;
pub(crate) mod net;
pub(crate) mod wat;

#[test]
fn the_reported_version_is_the_one_that_is_built() {
    let lock = include_str!("../../../Cargo.lock");
    let wasmtime = format!("name = \"wasmtime\"\nversion = \"{}\"\n", crate::engine::WASMTIME_VERSION);
    assert!(lock.contains(&wasmtime), "engine::WASMTIME_VERSION is not in Cargo.lock");
}
