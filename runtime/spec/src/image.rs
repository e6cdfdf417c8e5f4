//! An image that is on disk, ready to run.

use std::path::PathBuf;

/// What an image holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageKind {
    /// One WebAssembly file: a component (0.2 or later) or a core module (wasip1).
    Wasm {
        /// The file; immutable, named by its digest.
        path: PathBuf,
    },
    /// An unpacked Linux root file system.
    Linux {
        /// Its layers, lowest first.
        layers: Vec<PathBuf>,
    },
}

/// The part of an image's configuration that a run needs.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ImageConfig {
    /// The program and its first arguments.
    pub entrypoint: Vec<String>,
    /// Default further arguments.
    pub cmd: Vec<String>,
    /// Environment as `NAME=value`.
    pub env: Vec<String>,
    /// Where the program starts.
    pub working_dir: Option<String>,
}

/// An image that is on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// What the user wrote.
    pub reference: String,
    /// `repository@sha256:…` as status shows it (`imageID`); for files the digest alone.
    pub id: String,
    /// `sha256:…` of the content that runs; the key of compiled code.
    pub digest: String,
    /// What it holds.
    pub kind: ImageKind,
    /// How it runs.
    pub config: ImageConfig,
    /// Bytes on disk.
    pub size_bytes: u64,
}
