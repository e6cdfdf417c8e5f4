//! Files named by their digests.
//!
//! A blob comes into being whole: it is written beside, checked, synced and renamed. Everybody
//! who adds holds a shared lock, and only who holds it alone sweeps, so that no blob is swept
//! between its arrival and its entry in the index, in this process or another.

use crate::artifact::hex_of;
use crate::error::StoreError;
use sha2::{Digest as _, Sha256};
use std::collections::{HashMap, HashSet};
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Verified blobs that are remembered; more only cost another look.
const VERIFIED_MAX: usize = 4 * crate::limits::IMAGES_MAX;
/// How much of a file is read at once.
const READ_BYTES: usize = 1 << 20;

/// What tells whether a file is still the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    inode: u64,
    bytes: u64,
    changed: (i64, i64),
}

impl From<&Metadata> for Fingerprint {
    fn from(file: &Metadata) -> Self {
        Fingerprint { inode: file.ino(), bytes: file.len(), changed: (file.ctime(), file.ctime_nsec()) }
    }
}

/// The blobs of a store.
#[derive(Debug)]
pub(crate) struct Blobs {
    dir: PathBuf,
    ingest: PathBuf,
    lock: PathBuf,
    /// Blobs whose content was compared with their name, as they were then.
    verified: Mutex<HashMap<String, Fingerprint>>,
    counter: AtomicU64,
}

/// As long as it lives, no blob is swept.
#[derive(Debug)]
pub(crate) struct Hold(#[expect(dead_code, reason = "the lock ends when the file is closed")] File);

impl Blobs {
    pub(crate) fn open(root: &Path) -> Result<Self, StoreError> {
        let blobs = Blobs {
            dir: root.join("blobs/sha256"),
            ingest: root.join("ingest"),
            lock: root.join("blobs.lock"),
            verified: Mutex::default(),
            counter: AtomicU64::new(0),
        };
        for dir in [&blobs.dir, &blobs.ingest] {
            runtime_base::path::create_dir(dir, 0o700).map_err(StoreError::io(dir))?;
        }
        Ok(blobs)
    }

    /// Where the blob is, or will be.
    pub(crate) fn path(&self, digest: &str) -> PathBuf {
        self.dir.join(hex_of(digest))
    }

    fn lock_file(&self) -> Result<File, StoreError> {
        let opened = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&self.lock);
        opened.map_err(StoreError::io(&self.lock))
    }

    /// Waits for a sweep to end and keeps others away.
    pub(crate) fn hold(&self) -> Result<Hold, StoreError> {
        let file = self.lock_file()?;
        file.lock_shared().map_err(StoreError::io(&self.lock))?;
        Ok(Hold(file))
    }

    /// Deletes what `keep` does not name and half-written files, unless somebody is adding: then
    /// the next sweep does it. `keep` is asked once nobody can add; with `None` nothing is deleted.
    pub(crate) fn sweep(
        &self,
        keep: impl FnOnce() -> Result<Option<HashSet<String>>, StoreError>,
    ) -> Result<(), StoreError> {
        let file = self.lock_file()?;
        if file.try_lock().is_err() {
            return Ok(());
        }
        let Some(keep) = keep()? else { return Ok(()) };
        for path in entries(&self.ingest)? {
            remove(&path)?;
        }
        for path in entries(&self.dir)? {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if !keep.contains(&format!("sha256:{name}")) {
                remove(&path)?;
            }
        }
        self.verified.lock().unwrap_or_else(PoisonError::into_inner).retain(|digest, _| keep.contains(digest));
        Ok(())
    }

    /// Whether the blob is there with the content its name promises. A corrupted one is deleted.
    /// The content is read once per process, and again when the file has changed.
    pub(crate) fn has(&self, digest: &str) -> Result<bool, StoreError> {
        let path = self.path(digest);
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(StoreError::io(&path)(error)),
        };
        let fingerprint = Fingerprint::from(&file.metadata().map_err(StoreError::io(&path))?);
        if self.verified.lock().unwrap_or_else(PoisonError::into_inner).get(digest) == Some(&fingerprint) {
            return Ok(true);
        }
        let (seen, _) = hash(&mut file, |_| Ok(())).map_err(StoreError::io(&path))?;
        if seen != digest {
            tracing::warn!(blob = digest, "removed a corrupted blob");
            remove(&path)?;
            return Ok(false);
        }
        self.remember(digest, fingerprint);
        Ok(true)
    }

    fn remember(&self, digest: &str, fingerprint: Fingerprint) {
        let mut verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        if verified.len() >= VERIFIED_MAX {
            verified.clear();
        }
        verified.insert(digest.to_owned(), fingerprint);
    }

    /// All of a small blob; `None` when it is missing or corrupted.
    pub(crate) fn read(&self, digest: &str) -> Result<Option<Vec<u8>>, StoreError> {
        if !self.has(digest)? {
            return Ok(None);
        }
        let path = self.path(digest);
        std::fs::read(&path).map(Some).map_err(StoreError::io(path))
    }

    /// Stores `bytes` under their digest.
    pub(crate) fn put(self: &Arc<Self>, bytes: &[u8]) -> Result<String, StoreError> {
        let mut ingest = self.begin()?;
        ingest.write(bytes)?;
        let (digest, _) = ingest.commit(None)?;
        Ok(digest)
    }

    /// Starts a blob whose content comes piece by piece.
    pub(crate) fn begin(self: &Arc<Self>) -> Result<Ingest, StoreError> {
        let number = self.counter.fetch_add(1, Ordering::Relaxed);
        let path = self.ingest.join(format!("{}.{number}", std::process::id()));
        let opened = OpenOptions::new().write(true).create(true).truncate(true).mode(0o444).open(&path);
        let file = opened.map_err(StoreError::io(&path))?;
        Ok(Ingest { blobs: self.clone(), path, file, hasher: Sha256::new(), bytes: 0 })
    }
}

/// A blob that is being written; dropped, it leaves nothing behind.
pub(crate) struct Ingest {
    blobs: Arc<Blobs>,
    path: PathBuf,
    file: File,
    hasher: Sha256,
    bytes: u64,
}

impl Ingest {
    pub(crate) fn write(&mut self, piece: &[u8]) -> Result<(), StoreError> {
        self.hasher.update(piece);
        self.bytes += piece.len() as u64;
        self.file.write_all(piece).map_err(StoreError::io(&self.path))
    }

    /// Gives the blob its name, unless its digest is not the `expected` one: then nothing is
    /// stored. Returns the digest and whether it was stored.
    pub(crate) fn commit(mut self, expected: Option<&str>) -> Result<(String, bool), StoreError> {
        let digest = format!("sha256:{}", hex::encode(std::mem::take(&mut self.hasher).finalize()));
        if expected.is_some_and(|expected| expected != digest) {
            return Ok((digest, false));
        }
        let path = self.blobs.path(&digest);
        self.file.sync_all().map_err(StoreError::io(&self.path))?;
        std::fs::rename(&self.path, &path).map_err(StoreError::io(&path))?;
        let dir = &self.blobs.dir;
        File::open(dir).and_then(|dir| dir.sync_all()).map_err(StoreError::io(dir))?;
        let metadata = self.file.metadata().map_err(StoreError::io(&path))?;
        self.blobs.remember(&digest, Fingerprint::from(&metadata));
        Ok((digest, true))
    }
}

impl Drop for Ingest {
    fn drop(&mut self) {
        // Gone already when it was committed.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// The digest and length of what is left of `file`; each piece goes to `take` too.
pub(crate) fn hash(file: &mut File, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<(String, u64)> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0u8; READ_BYTES];
    let mut bytes = 0u64;
    loop {
        let count = match file.read(&mut buffer) {
            Ok(0) => return Ok((format!("sha256:{}", hex::encode(hasher.finalize())), bytes)),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hasher.update(&buffer[..count]);
        bytes += count as u64;
        take(&buffer[..count])?;
    }
}

fn entries(dir: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let list = std::fs::read_dir(dir).map_err(StoreError::io(dir))?;
    list.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<_>>().map_err(StoreError::io(dir))
}

fn remove(path: &Path) -> Result<(), StoreError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StoreError::io(path)(error)),
        _ => Ok(()),
    }
}
