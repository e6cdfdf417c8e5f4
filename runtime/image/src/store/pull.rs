//! From a registry into the store.

use super::{Inner, NOT_WASM, Record, blocking, program_only, starts_as_wasm};
use crate::artifact::{DOCKER_INDEX, Descriptor, INDEX, Manifest, OciConfig, Platform, TITLE, WASM_CONFIG, digest};
use crate::credential::Credential;
use crate::error::{Cause, PullError, StoreError};
use crate::limits;
use crate::reference::ImageReference;
use crate::registry::{Failure, Session, Tries};
use bytes::Bytes;
use oci_distribution::{Reference, RegistryOperation};
use runtime_spec::image::{Image, ImageConfig};
use std::fs::File;
use std::sync::Arc;

/// Pieces of a blob between the network and the disk.
const PIECES_MAX: usize = 16;

/// A Wasm image's manifest, with the one layer that holds the program.
struct WasmManifest {
    bytes: Bytes,
    digest: String,
    config: Descriptor,
    layer: Descriptor,
}

impl Inner {
    pub(super) async fn pull(
        self: &Arc<Self>,
        reference: &ImageReference,
        credentials: &[Credential],
    ) -> Result<Arc<Image>, PullError> {
        match reference {
            ImageReference::File(path) => {
                let (inner, reference, path) = (self.clone(), reference.clone(), path.clone());
                blocking(move || inner.import(&reference, &path)).await
            }
            ImageReference::Registry(named) => self.pull_with(reference, named, credentials).await,
        }
    }

    /// Tries the credentials in turn until one is let in.
    async fn pull_with(
        self: &Arc<Self>,
        reference: &ImageReference,
        named: &Reference,
        credentials: &[Credential],
    ) -> Result<Arc<Image>, PullError> {
        let mut tried: Vec<Option<&Credential>> = credentials.iter().map(Some).collect();
        if tried.is_empty() {
            tried.push(None);
        }
        let mut refused =
            PullError::Unauthorized { reference: reference.to_string(), with_credentials: !credentials.is_empty() };
        for credential in tried {
            let failed = |failure| pull_error(reference, failure, credential.is_some());
            let opened = self.registries.session(named, credential, RegistryOperation::Pull).await.map_err(failed);
            let pulled = match opened {
                Ok(session) => self.pull_from(reference, &session, credential.is_some()).await,
                Err(error) => Err(error),
            };
            match pulled {
                Err(error @ PullError::Unauthorized { .. }) => refused = error,
                done => return done,
            }
        }
        Err(refused)
    }

    async fn pull_from(
        self: &Arc<Self>,
        reference: &ImageReference,
        session: &Session,
        with_credentials: bool,
    ) -> Result<Arc<Image>, PullError> {
        let failed = |failure| pull_error(reference, failure, with_credentials);
        let blobs = self.blobs.clone();
        let _hold = blocking(move || blobs.hold()).await?;

        let top = session.manifest(None).await.map_err(failed)?;
        let top_digest = digest(&top);
        let mut parsed = parse(reference, &top)?;
        let (mut bytes, mut manifest_digest) = (top, top_digest.clone());
        if let Some(entries) = &parsed.manifests {
            manifest_digest = choose(reference, entries)?;
            bytes = session.manifest(Some(&manifest_digest)).await.map_err(failed)?;
            parsed = parse(reference, &bytes)?;
        }
        let found =
            self.wasm_manifest(reference, session, parsed, bytes, manifest_digest).await.map_err(
                |error| match error {
                    Step::Failure(failure) => failed(failure),
                    Step::Pull(error) => error,
                },
            )?;
        let config = self.fetch(session, &found.config).await.map_err(failed)?;
        self.fetch(session, &found.layer).await.map_err(failed)?;
        self.finish(reference.clone(), top_digest, found, config).await
    }

    /// Finds the program among the layers, or says why there is none.
    async fn wasm_manifest(
        self: &Arc<Self>,
        reference: &ImageReference,
        session: &Session,
        parsed: Manifest,
        bytes: Bytes,
        digest: String,
    ) -> Result<WasmManifest, Step> {
        let config = parsed.config.unwrap_or_default();
        check(reference, &config, "configuration", limits::CONFIG_BYTES_MAX)?;
        let unsupported =
            |problem: String| Step::Pull(PullError::Unsupported { reference: reference.to_string(), problem });
        if config.media_type.starts_with("application/vnd.fermyon.spin.application") {
            return Err(unsupported("a Spin application, which this version does not run".into()));
        }
        let wasm: Vec<&Descriptor> = parsed.layers.iter().filter(|layer| layer.is_wasm()).collect();
        match wasm[..] {
            [layer] => {
                check(reference, layer, "Wasm file", self.config.wasm_bytes_max)?;
                Ok(WasmManifest { bytes, digest, layer: layer.clone(), config })
            }
            [] if is_container_config(&config) => {
                let bytes = self.fetch(session, &config).await?;
                let container: OciConfig = serde_json::from_slice(&bytes).unwrap_or_default();
                let platform = Platform { architecture: container.architecture, os: container.os };
                if is_wasm_platform(&platform) {
                    let problem = "a Wasm program packed as file system layers, which this version does not read; \
                                   push the .wasm itself (coracle image build, then coracle image push)";
                    return Err(unsupported(problem.into()));
                }
                Err(Step::Pull(PullError::LinuxImage { reference: reference.to_string() }))
            }
            [] => {
                let kinds: Vec<&str> = parsed.layers.iter().map(|layer| layer.media_type.as_str()).collect();
                Err(unsupported(format!(
                    "no Wasm image: its layers are of the types {kinds:?}, and one of application/wasm is wanted"
                )))
            }
            ref many => Err(unsupported(format!("{} Wasm layers, and one is wanted", many.len()))),
        }
    }

    /// Brings a blob into the store unless it is there. Returns its bytes when it is small.
    async fn fetch(self: &Arc<Self>, session: &Session, blob: &Descriptor) -> Result<Bytes, Failure> {
        let (mut tries, mut downloaded) = (Tries::default(), false);
        loop {
            let (inner, wanted) = (self.clone(), blob.clone());
            let read = move || {
                if wanted.size > limits::CONFIG_BYTES_MAX {
                    return Ok(inner.blobs.has(&wanted.digest)?.then(Bytes::new));
                }
                Ok(inner.blobs.read(&wanted.digest)?.map(Bytes::from))
            };
            if let Some(bytes) = blocking(read).await.map_err(Failure::Store)? {
                return Ok(bytes);
            }
            if downloaded {
                let problem = format!("{} does not stay readable on disk", blob.digest);
                return Err(Failure::Registry { source: Cause::new(problem), transient: false });
            }
            match self.download(session, blob).await {
                Ok(()) => downloaded = true,
                Err(failure) if tries.again(&failure).await => {}
                Err(failure) => return Err(failure),
            }
        }
    }

    /// Downloads a blob; a task of its own writes what arrives.
    async fn download(self: &Arc<Self>, session: &Session, blob: &Descriptor) -> Result<(), Failure> {
        let (pieces, mut arrived) = tokio::sync::mpsc::channel::<Bytes>(PIECES_MAX);
        let (blobs, expected) = (self.blobs.clone(), blob.digest.clone());
        let written = blocking(move || -> Result<(String, bool), StoreError> {
            let mut ingest = blobs.begin()?;
            while let Some(piece) = arrived.blocking_recv() {
                ingest.write(&piece)?;
            }
            ingest.commit(Some(&expected))
        });
        let (read, written) = tokio::join!(session.blob(&blob.digest, blob.size, pieces), written);
        let (actual, stored) = written.map_err(Failure::Store)?;
        read?;
        if stored { Ok(()) } else { Err(Failure::Digest { expected: blob.digest.clone(), actual }) }
    }

    /// Checks the program and enters the image.
    async fn finish(
        self: &Arc<Self>,
        reference: ImageReference,
        top_digest: String,
        found: WasmManifest,
        config: Bytes,
    ) -> Result<Arc<Image>, PullError> {
        let inner = self.clone();
        blocking(move || {
            let path = inner.blobs.path(&found.layer.digest);
            let is_wasm = File::open(&path).and_then(|file| starts_as_wasm(&file)).map_err(StoreError::io(&path))?;
            if !is_wasm {
                return Err(PullError::Unsupported { reference: reference.to_string(), problem: NOT_WASM.into() });
            }
            inner.blobs.put(&found.bytes)?;
            let record = Record {
                repository: reference.repository(),
                id: format!("{}@{top_digest}", reference.repository()),
                digest: Some(top_digest),
                size_bytes: found.layer.size + found.config.size + found.bytes.len() as u64,
                config: run_config(&reference, &found, &config),
                parts: vec![found.config.digest, found.digest],
                content: found.layer.digest,
            };
            Ok(inner.record(&reference, record)?)
        })
        .await
    }
}

/// One step of a pull fails in the registry's words or in ours.
enum Step {
    Failure(Failure),
    Pull(PullError),
}

impl From<Failure> for Step {
    fn from(failure: Failure) -> Self {
        Step::Failure(failure)
    }
}

impl From<PullError> for Step {
    fn from(error: PullError) -> Self {
        Step::Pull(error)
    }
}

fn parse(reference: &ImageReference, bytes: &[u8]) -> Result<Manifest, PullError> {
    let unsupported = |problem| PullError::Unsupported { reference: reference.to_string(), problem };
    let manifest: Manifest = serde_json::from_slice(bytes)
        .map_err(|error| unsupported(format!("the registry's manifest does not parse: {error}")))?;
    if manifest.schema_version != 2 {
        return Err(unsupported(format!("a manifest of schema version {}, not 2", manifest.schema_version)));
    }
    let says_index = matches!(manifest.media_type.as_deref(), Some(INDEX | DOCKER_INDEX));
    if says_index && manifest.manifests.is_none() {
        return Err(unsupported("an image index without manifests".into()));
    }
    Ok(manifest)
}

/// The entry of an index that is for Wasm.
fn choose(reference: &ImageReference, entries: &[Descriptor]) -> Result<String, PullError> {
    let platform = |entry: &Descriptor| entry.platform.clone().unwrap_or_default();
    if let Some(entry) = entries.iter().find(|entry| is_wasm_platform(&platform(entry))) {
        check(reference, entry, "manifest", limits::MANIFEST_BYTES_MAX as u64)?;
        return Ok(entry.digest.clone());
    }
    let reference = reference.to_string();
    if entries.iter().any(|entry| platform(entry).os == "linux") {
        return Err(PullError::LinuxImage { reference });
    }
    let found: Vec<String> =
        entries.iter().map(|entry| format!("{}/{}", platform(entry).os, platform(entry).architecture)).collect();
    let problem = format!("an image index without an entry for wasm; it has {}", found.join(", "));
    Err(PullError::Unsupported { reference, problem })
}

fn is_wasm_platform(platform: &Platform) -> bool {
    platform.os.starts_with("wasi") || platform.architecture.starts_with("wasm")
}

fn is_container_config(config: &Descriptor) -> bool {
    let kinds = ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];
    kinds.contains(&config.media_type.as_str())
}

/// Refuses what could not be stored: another kind of digest, or too many bytes.
fn check(reference: &ImageReference, part: &Descriptor, what: &'static str, limit: u64) -> Result<(), PullError> {
    let reference = reference.to_string();
    let hex = part.digest.strip_prefix("sha256:").unwrap_or_default();
    if hex.len() != 64 || !hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
        let problem = format!("{what} with digest {:?}; sha256 is wanted", part.digest);
        return Err(PullError::Unsupported { reference, problem });
    }
    if part.size > limit {
        return Err(PullError::TooLarge { reference, what, bytes: part.size, limit });
    }
    Ok(())
}

/// How the image runs: what its configuration says, else by the name of the file.
fn run_config(reference: &ImageReference, found: &WasmManifest, config: &[u8]) -> ImageConfig {
    let title = found.layer.annotations.as_ref().and_then(|all| all.get(TITLE)).filter(|title| !title.is_empty());
    let mut run = program_only(title.unwrap_or(&reference.program()));
    if found.config.media_type == WASM_CONFIG {
        return run;
    }
    let container: OciConfig = serde_json::from_slice(config).unwrap_or_default();
    let Some(said) = container.config else { return run };
    if let Some(entrypoint) = said.entrypoint.filter(|words| !words.is_empty()) {
        run.entrypoint = entrypoint;
    }
    run.cmd = said.cmd.unwrap_or_default();
    run.env = said.env.unwrap_or_default();
    run.working_dir = said.working_dir.filter(|dir| !dir.is_empty());
    run
}

fn pull_error(image: &ImageReference, failure: Failure, with_credentials: bool) -> PullError {
    let reference = image.to_string();
    match failure {
        Failure::NotFound => PullError::NotFound { reference },
        Failure::Unauthorized => PullError::Unauthorized { reference, with_credentials },
        Failure::Unreachable(source) => {
            PullError::Unreachable { registry: image.registry().unwrap_or_default().to_owned(), source }
        }
        Failure::Digest { expected, actual } => PullError::DigestMismatch { reference, expected, actual },
        Failure::TooLarge { bytes, limit } => PullError::TooLarge { reference, what: "answer", bytes, limit },
        Failure::Registry { source, .. } => PullError::Registry { reference, source },
        Failure::Store(error) => PullError::Store(error),
    }
}
