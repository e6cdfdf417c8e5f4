//! Loading compiled code, the one place where bytes become native code.
#![allow(unsafe_code)]

use super::{Code, Format};
use std::path::Path;
use wasmtime::component::Component;
use wasmtime::{Engine, Module};

/// Maps the file at `path`, which the caller has verified; fails when it was compiled by another
/// version or for another configuration.
pub(super) fn load(engine: &Engine, path: &Path, format: Format) -> wasmtime::Result<Code> {
    // SAFETY: the file was written by this program into a directory that only its user may
    // enter, its SHA-256 was checked, and it is replaced by rename only, never changed in place.
    unsafe {
        match format {
            Format::Component => Component::deserialize_file(engine, path).map(Code::Component),
            Format::Module => Module::deserialize_file(engine, path).map(Code::Module),
        }
    }
}
