//! A Wasm file as an OCI artifact, in the CNCF layout.
//!
//! Source: CNCF TAG Runtime, "Wasm OCI Artifact layout".

use crate::error::{Cause, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use std::path::Path;
use std::time::SystemTime;
use wasmparser::{Encoding, Parser, Payload};

#[cfg(test)]
mod tests;

/// Media type of an OCI image manifest.
pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// Media type of an OCI image index.
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// Docker's names of the two.
pub(crate) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub(crate) const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// Media type of the configuration of a Wasm artifact.
pub(crate) const WASM_CONFIG: &str = "application/vnd.wasm.config.v0+json";
/// Media type of a Wasm file.
pub(crate) const WASM_LAYER: &str = "application/wasm";
/// The annotation that names a layer's file.
pub(crate) const TITLE: &str = "org.opencontainers.image.title";

/// A manifest or index as far as it is read here.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Manifest {
    pub schema_version: u32,
    pub media_type: Option<String>,
    pub config: Option<Descriptor>,
    #[serde(default)]
    pub layers: Vec<Descriptor>,
    pub manifests: Option<Vec<Descriptor>>,
}

/// What a manifest points to.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Descriptor {
    pub media_type: String,
    pub digest: String,
    pub size: u64,
    pub platform: Option<Platform>,
    pub annotations: Option<std::collections::BTreeMap<String, String>>,
}

/// What an entry of an index is for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Platform {
    pub architecture: String,
    pub os: String,
}

/// The configuration of an ordinary image, as far as it is read here.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct OciConfig {
    pub os: String,
    pub architecture: String,
    pub config: Option<RunConfig>,
}

/// How an ordinary image runs. Its keys begin with capitals.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct RunConfig {
    pub entrypoint: Option<Vec<String>>,
    pub cmd: Option<Vec<String>>,
    pub env: Option<Vec<String>>,
    pub working_dir: Option<String>,
}

impl Descriptor {
    /// Whether the blob is a Wasm file itself, by any of the names in use: `application/wasm`, or
    /// a vendor's type that ends with `+wasm`.
    pub(crate) fn is_wasm(&self) -> bool {
        self.media_type == WASM_LAYER || self.media_type.ends_with("+wasm")
    }
}

/// A Wasm file that does not fit into an artifact.
#[derive(Clone, Debug, thiserror::Error)]
pub enum BuildError {
    /// No Wasm at all.
    #[error("not a WebAssembly file: it does not begin with \\0asm")]
    NotWasm,
    /// Wasm that does not parse.
    #[error("malformed WebAssembly")]
    Malformed(#[source] Cause),
    /// Too large.
    #[error("a WebAssembly file of {0} bytes is over the limit of {limit}", limit = crate::limits::WASM_BYTES_MAX)]
    TooLarge(u64),
}

/// Manifest, configuration and layer, ready to be stored or pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// The manifest's bytes.
    pub manifest: Vec<u8>,
    /// Its digest: the image's.
    pub manifest_digest: String,
    /// The configuration's bytes.
    pub config: Vec<u8>,
    /// Its digest.
    pub config_digest: String,
    /// The Wasm file.
    pub wasm: Vec<u8>,
    /// Its digest.
    pub wasm_digest: String,
    /// The file's name, which the program is called by.
    pub title: String,
}

/// The interfaces of a component, in its own order.
#[derive(Debug, Serialize)]
struct Interfaces {
    imports: Vec<String>,
    exports: Vec<String>,
}

/// Makes an artifact of the bytes of a `.wasm`, a component or a core module. `title` is the
/// file's name, `created` is written into the configuration.
pub fn build_artifact(wasm: &[u8], title: &str, created: SystemTime) -> Result<Artifact, BuildError> {
    if wasm.len() as u64 > crate::limits::WASM_BYTES_MAX {
        return Err(BuildError::TooLarge(wasm.len() as u64));
    }
    let component = interfaces(wasm)?;
    let wasm_digest = digest(wasm);
    let created = jiff::Timestamp::try_from(created).unwrap_or_default().to_string();
    let mut config = json!({
        "created": created,
        "architecture": "wasm",
        "os": if component.is_some() { "wasip2" } else { "wasip1" },
        "layerDigests": [wasm_digest],
    });
    if let Some(component) = component {
        config["component"] = json!(component);
    }
    let config = config.to_string().into_bytes();
    let config_digest = digest(&config);
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": { "mediaType": WASM_CONFIG, "digest": config_digest, "size": config.len() },
        "layers": [{
            "mediaType": WASM_LAYER,
            "digest": wasm_digest,
            "size": wasm.len(),
            "annotations": { TITLE: title },
        }],
    });
    let manifest = manifest.to_string().into_bytes();
    let manifest_digest = digest(&manifest);
    Ok(Artifact {
        manifest,
        manifest_digest,
        config,
        config_digest,
        wasm: wasm.to_vec(),
        wasm_digest,
        title: title.to_owned(),
    })
}

impl Artifact {
    /// Writes the artifact into the directory `dir` as an OCI image layout, which other tools
    /// read. `name` becomes the annotation by which they find it.
    pub fn write_layout(&self, dir: &Path, name: &str) -> Result<(), StoreError> {
        let blobs = dir.join("blobs/sha256");
        std::fs::create_dir_all(&blobs).map_err(StoreError::io(&blobs))?;
        for (digest, bytes) in self.blobs() {
            write(&blobs.join(hex_of(digest)), bytes)?;
        }
        let index = json!({
            "schemaVersion": 2,
            "mediaType": INDEX,
            "manifests": [{
                "mediaType": MANIFEST,
                "digest": self.manifest_digest,
                "size": self.manifest.len(),
                "annotations": { "org.opencontainers.image.ref.name": name },
            }],
        });
        write(&dir.join("index.json"), index.to_string().as_bytes())?;
        write(&dir.join("oci-layout"), br#"{"imageLayoutVersion":"1.0.0"}"#)
    }

    /// Digests and bytes of the three blobs, the manifest last.
    pub(crate) fn blobs(&self) -> [(&str, &[u8]); 3] {
        [(&self.wasm_digest, &self.wasm), (&self.config_digest, &self.config), (&self.manifest_digest, &self.manifest)]
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    runtime_base::path::write_atomic(path, bytes, 0o644).map_err(StoreError::io(path))
}

/// `sha256:…` of `bytes`.
pub(crate) fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

/// The hexadecimal part of a digest.
pub(crate) fn hex_of(digest: &str) -> &str {
    digest.strip_prefix("sha256:").unwrap_or(digest)
}

/// Whether `bytes` begin as a Wasm file does.
pub(crate) fn is_wasm(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\0asm")
}

/// What a component imports and exports; `None` for a core module.
fn interfaces(wasm: &[u8]) -> Result<Option<Interfaces>, BuildError> {
    if !is_wasm(wasm) {
        return Err(BuildError::NotWasm);
    }
    let malformed = |error: wasmparser::BinaryReaderError| BuildError::Malformed(Cause::new(error));
    let mut found = Interfaces { imports: Vec::new(), exports: Vec::new() };
    let (mut depth, mut component) = (0u32, false);
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.map_err(malformed)? {
            Payload::Version { encoding, .. } if depth == 0 => component = encoding == Encoding::Component,
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    found.imports.push(import.map_err(malformed)?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    found.exports.push(export.map_err(malformed)?.name.name.to_owned());
                }
            }
            _ => {}
        }
    }
    Ok(component.then_some(found))
}

/// Foreign bytes as a Wasm file and as a manifest.
pub(crate) fn fuzz(bytes: &[u8]) {
    let _ = interfaces(bytes);
    let _ = serde_json::from_slice::<Manifest>(bytes);
    let _ = serde_json::from_slice::<OciConfig>(bytes);
}
