//! The images of one machine.

use crate::artifact::Artifact;
use crate::credential::Credential;
use crate::error::{Cause, PullError, PushError, StoreError};
use crate::limits;
use crate::reference::ImageReference;
use crate::registry::{Failure, Registries, install_tls};
use bytes::Bytes;
use futures::FutureExt;
use futures::future::{BoxFuture, Shared, WeakShared};
use oci_distribution::RegistryOperation;
use runtime_spec::image::{Image, ImageConfig, ImageKind};
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Seek};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

mod blobs;
mod index;
mod pull;
#[cfg(test)]
mod tests;

use blobs::Blobs;
use index::{Index, Record};

/// Where images are kept and how they are fetched.
#[derive(Clone, Debug)]
pub struct ImageStoreConfig {
    /// The store's directory; made when missing. Several processes may share it.
    pub root: PathBuf,
    /// Registries that speak plain HTTP, as `host[:port]`. Those of this machine always may.
    pub insecure_registries: Vec<String>,
    /// Largest Wasm file.
    pub wasm_bytes_max: u64,
    /// Most images.
    pub images_max: usize,
}

impl ImageStoreConfig {
    /// A store in `root` with the usual limits.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        ImageStoreConfig {
            root: root.into(),
            insecure_registries: Vec::new(),
            wasm_bytes_max: limits::WASM_BYTES_MAX,
            images_max: limits::IMAGES_MAX,
        }
    }
}

type Pulled = Result<Arc<Image>, PullError>;
type Pull = Shared<BoxFuture<'static, Pulled>>;

/// What makes two pulls the same: the name, and who asks.
type PullKey = (ImageReference, Vec<Credential>);

/// Images on disk. Cheap to clone.
#[derive(Clone)]
pub struct ImageStore(Arc<Inner>);

struct Inner {
    config: ImageStoreConfig,
    index: Index,
    blobs: Arc<Blobs>,
    registries: Registries,
    /// Pulls that somebody waits for.
    pulls: Mutex<HashMap<PullKey, WeakShared<BoxFuture<'static, Pulled>>>>,
}

impl ImageStore {
    /// Opens the store and sweeps what no image needs. Blocks for a moment.
    pub fn open(config: ImageStoreConfig) -> Result<Self, StoreError> {
        install_tls();
        let blobs = Arc::new(Blobs::open(&config.root)?);
        let index = Index::open(&config.root, config.images_max);
        blobs.sweep(|| index.blobs())?;
        let registries = Registries::new(config.insecure_registries.clone());
        Ok(ImageStore(Arc::new(Inner { config, index, blobs, registries, pulls: Mutex::default() })))
    }

    /// Brings the image up to date: asks the registry what the name means now and fetches what is
    /// missing; reads the file of a `file://` name. Callers who want the same image with the same
    /// credentials at the same time share one download.
    ///
    /// Those of `credentials` that are for the registry are tried in turn, the most particular
    /// first; with none the registry is asked anonymously.
    pub async fn pull(&self, reference: &ImageReference, credentials: &[Credential]) -> Pulled {
        let fitting: Vec<Credential> = crate::credential::fitting(credentials, reference)
            .into_iter()
            .take(limits::CREDENTIALS_TRIED_MAX)
            .cloned()
            .collect();
        let key = (reference.clone(), fitting);
        let pull = self.joined(key.clone());
        let pulled = pull.clone().await;
        let mut pulls = self.pulls();
        // Another pull may stand there by now.
        if pulls.get(&key).and_then(WeakShared::upgrade).is_some_and(|one| one.ptr_eq(&pull)) {
            pulls.remove(&key);
        }
        pulled
    }

    /// The pull under way for `key`, or a new one.
    fn joined(&self, key: PullKey) -> Pull {
        let mut pulls = self.pulls();
        if let Some(pull) = pulls.get(&key).and_then(WeakShared::upgrade) {
            return pull;
        }
        // Pulls that everybody gave up leave their entry behind.
        pulls.retain(|_, one| one.upgrade().is_some());
        let (inner, (reference, credentials)) = (self.0.clone(), key.clone());
        let pull = async move { inner.pull(&reference, &credentials).await }.boxed().shared();
        if let Some(weak) = pull.downgrade() {
            pulls.insert(key, weak);
        }
        pull
    }

    fn pulls(&self) -> std::sync::MutexGuard<'_, HashMap<PullKey, WeakShared<BoxFuture<'static, Pulled>>>> {
        self.0.pulls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The image as it is on disk, without asking any registry; `None` when it has to be pulled
    /// (also when its content turns out to be corrupted). A `file://` image is read again, so
    /// that a changed file is a new image.
    pub async fn get_local(&self, reference: &ImageReference) -> Result<Option<Arc<Image>>, StoreError> {
        let (inner, reference) = (self.0.clone(), reference.clone());
        blocking(move || match &reference {
            ImageReference::File(path) => match inner.import(&reference, path) {
                Ok(image) => Ok(Some(image)),
                Err(PullError::Store(error)) => Err(error),
                // The pull that follows says what is wrong with the file.
                Err(_) => Ok(None),
            },
            ImageReference::Registry(_) => inner.local(&reference),
        })
        .await
    }

    /// All images, in order of their names. Their content is not checked.
    pub async fn list(&self) -> Result<Vec<Arc<Image>>, StoreError> {
        let inner = self.0.clone();
        blocking(move || {
            let records = inner.index.records()?;
            Ok(records.iter().map(|(name, record)| inner.image(name, record)).collect())
        })
        .await
    }

    /// Forgets the image and deletes what no other one needs; false when it was not there.
    pub async fn remove(&self, reference: &ImageReference) -> Result<bool, StoreError> {
        let (inner, name) = (self.0.clone(), reference.to_string());
        blocking(move || {
            let removed = inner.index.change(|records| records.remove(&name).is_some())?;
            inner.blobs.sweep(|| inner.index.blobs())?;
            Ok(removed)
        })
        .await
    }

    /// Stores an artifact that was built here under `reference`, as if it had been pulled.
    pub async fn store(&self, reference: &ImageReference, artifact: Artifact) -> Result<Arc<Image>, StoreError> {
        let (inner, reference) = (self.0.clone(), reference.clone());
        blocking(move || {
            let _hold = inner.blobs.hold()?;
            for (_, bytes) in artifact.blobs() {
                inner.blobs.put(bytes)?;
            }
            let record = Record {
                repository: reference.repository(),
                id: format!("{}@{}", reference.repository(), artifact.manifest_digest),
                digest: Some(artifact.manifest_digest.clone()),
                size_bytes: artifact.blobs().iter().map(|(_, bytes)| bytes.len() as u64).sum(),
                parts: vec![artifact.config_digest, artifact.manifest_digest],
                content: artifact.wasm_digest,
                config: program_only(&artifact.title),
            };
            inner.record(&reference, record)
        })
        .await
    }

    /// Sends a stored image to its registry and returns the manifest's digest.
    pub async fn push(&self, reference: &ImageReference, credentials: &[Credential]) -> Result<String, PushError> {
        let name = reference.to_string();
        let ImageReference::Registry(target) = reference else { return Err(PushError::NotARegistry(name)) };
        let (inner, wanted) = (self.0.clone(), name.clone());
        let found = blocking(move || inner.parts(&wanted)).await?;
        let Some(blobs) = found else { return Err(PushError::NotBuilt(name)) };
        let fitting = crate::credential::fitting(credentials, reference);
        let failed = |failure| push_error(reference, failure);
        let session = self.0.registries.session(target, fitting.first().copied(), RegistryOperation::Push);
        let session = session.await.map_err(failed)?;
        let ((digest, manifest), others) = blobs.split_last().expect("an image has a manifest");
        for (digest, bytes) in others {
            session.push_blob(digest, bytes.clone()).await.map_err(failed)?;
        }
        session.push_manifest(manifest.clone()).await.map_err(failed)?;
        Ok(digest.clone())
    }
}

impl Inner {
    /// The image of `record`, whose canonical name is `name`.
    fn image(&self, name: &str, record: &Record) -> Arc<Image> {
        Arc::new(Image {
            reference: name.to_owned(),
            id: record.id.clone(),
            digest: record.content.clone(),
            kind: ImageKind::Wasm { path: self.blobs.path(&record.content) },
            config: record.config.clone(),
            size_bytes: record.size_bytes,
        })
    }

    /// Enters `record` under the name of `reference`. The caller holds the blobs.
    fn record(&self, reference: &ImageReference, record: Record) -> Result<Arc<Image>, StoreError> {
        let name = reference.to_string();
        // Most pulls find what was there before; they write nothing.
        if self.index.records()?.get(&name) != Some(&record) {
            self.index.change(|records| records.insert(name.clone(), record.clone()))?;
        }
        Ok(self.image(&name, &record))
    }

    /// The record that `reference` means: its own, or one of the same repository and digest.
    fn find(&self, reference: &ImageReference) -> Result<Option<Record>, StoreError> {
        let records = self.index.records()?;
        if let Some(record) = records.get(&reference.to_string()) {
            return Ok(Some(record.clone()));
        }
        let ImageReference::Registry(named) = reference else { return Ok(None) };
        let (Some(digest), repository) = (named.digest(), reference.repository()) else { return Ok(None) };
        let same = |record: &&Record| record.repository == repository && record.digest.as_deref() == Some(digest);
        Ok(records.values().find(same).cloned())
    }

    fn local(&self, reference: &ImageReference) -> Result<Option<Arc<Image>>, StoreError> {
        match self.find(reference)? {
            Some(record) if self.blobs.has(&record.content)? => Ok(Some(self.image(&reference.to_string(), &record))),
            _ => Ok(None),
        }
    }

    /// Digests and bytes of what a push of the image called `name` sends, the manifest last.
    fn parts(&self, name: &str) -> Result<Option<Vec<(String, Bytes)>>, StoreError> {
        let records = self.index.records()?;
        let Some(record) = records.get(name).filter(|record| !record.parts.is_empty()) else { return Ok(None) };
        let mut parts = Vec::new();
        for digest in [&record.content].into_iter().chain(&record.parts) {
            let Some(bytes) = self.blobs.read(digest)? else { return Ok(None) };
            parts.push((digest.clone(), bytes.into()));
        }
        Ok(Some(parts))
    }

    /// Makes the Wasm file at `path` a blob. It is copied: whoever builds into it next must not
    /// change what runs.
    fn import(&self, reference: &ImageReference, path: &Path) -> Result<Arc<Image>, PullError> {
        let unreadable = |error: io::Error| PullError::File { path: path.to_owned(), source: Cause::new(error) };
        let mut file = File::open(path).map_err(unreadable)?;
        let metadata = file.metadata().map_err(unreadable)?;
        if !metadata.is_file() {
            return Err(unreadable(io::Error::other("not a file")));
        }
        let (bytes, limit) = (metadata.len(), self.config.wasm_bytes_max);
        if bytes > limit {
            return Err(PullError::TooLarge { reference: reference.to_string(), what: "Wasm file", bytes, limit });
        }
        if !starts_as_wasm(&file).map_err(unreadable)? {
            return Err(PullError::Unsupported { reference: reference.to_string(), problem: NOT_WASM.into() });
        }
        let _hold = self.blobs.hold()?;
        let (mut digest, mut size_bytes) = blobs::hash(&mut file, |_| Ok(())).map_err(unreadable)?;
        if !self.blobs.has(&digest)? {
            file.rewind().map_err(unreadable)?;
            let mut ingest = self.blobs.begin()?;
            let mut stored = Ok(());
            let copied = blobs::hash(&mut file, |piece| {
                stored = ingest.write(piece);
                if stored.is_ok() { Ok(()) } else { Err(io::ErrorKind::StorageFull.into()) }
            });
            stored?;
            // Somebody may be writing the file: what was copied is what counts.
            size_bytes = copied.map_err(unreadable)?.1;
            digest = ingest.commit(None)?.0;
        }
        let record = Record {
            repository: String::new(),
            id: digest.clone(),
            digest: None,
            parts: Vec::new(),
            content: digest,
            size_bytes,
            config: program_only(&reference.program()),
        };
        Ok(self.record(reference, record)?)
    }
}

/// What is said of content that is no Wasm.
const NOT_WASM: &str = "not a WebAssembly file: it does not begin with \\0asm";

fn starts_as_wasm(file: &File) -> io::Result<bool> {
    let mut start = [0u8; 4];
    let count = file.read_at(&mut start, 0)?;
    Ok(crate::artifact::is_wasm(&start[..count]))
}

/// A Wasm file has no configuration of its own: it is called by its name, without arguments.
fn program_only(name: &str) -> ImageConfig {
    ImageConfig { entrypoint: vec![name.to_owned()], ..ImageConfig::default() }
}

/// Runs `work` where it may block.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is going away, and whoever waits with it.
            Err(_) => std::future::pending().await,
        },
    }
}

fn push_error(reference: &ImageReference, failure: Failure) -> PushError {
    let name = reference.to_string();
    match failure {
        Failure::Unauthorized => PushError::Unauthorized(name),
        Failure::Unreachable(source) => {
            PushError::Unreachable { registry: reference.registry().unwrap_or_default().to_owned(), source }
        }
        Failure::Registry { source, .. } => PushError::Registry { reference: name, source },
        Failure::Store(error) => PushError::Store(error),
        Failure::NotFound => PushError::Registry {
            reference: name,
            source: Cause::new("the registry does not know the repository or a blob that the manifest names"),
        },
        Failure::Digest { expected, actual } => PushError::Registry {
            reference: name,
            source: Cause::new(format!("digest mismatch: expected {expected}, got {actual}")),
        },
        Failure::TooLarge { bytes, limit } => PushError::Registry {
            reference: name,
            source: Cause::new(format!("an answer of {bytes} bytes is over the limit of {limit}")),
        },
    }
}
