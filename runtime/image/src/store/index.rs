//! Which name means which content: one JSON file, replaced whole.

use crate::error::StoreError;
use crate::store::blobs::Fingerprint;
use runtime_spec::image::ImageConfig;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The format of the file.
const VERSION: u32 = 1;

/// One image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// `registry/repository`; empty for a file.
    pub repository: String,
    /// What a status shows.
    pub id: String,
    /// Digest that the name stood for: of the index or manifest. None for a file.
    pub digest: Option<String>,
    /// Blobs beside the content, the manifest last: what a push sends.
    pub parts: Vec<String>,
    /// Digest of the Wasm file.
    pub content: String,
    /// Bytes of all blobs.
    pub size_bytes: u64,
    /// How it runs.
    pub config: ImageConfig,
}

/// Canonical names and what they mean.
pub(crate) type Records = BTreeMap<String, Record>;

#[derive(Serialize, Deserialize)]
struct Document {
    version: u32,
    images: Records,
}

/// The index file, read again whenever another process has replaced it.
#[derive(Debug)]
pub(crate) struct Index {
    path: PathBuf,
    lock: PathBuf,
    images_max: usize,
    read: Mutex<(Option<Fingerprint>, Arc<Records>)>,
}

impl Index {
    pub(crate) fn open(root: &Path, images_max: usize) -> Self {
        let read = Mutex::new((None, Arc::default()));
        Index { path: root.join("index.json"), lock: root.join("index.lock"), images_max, read }
    }

    /// The records as they are now.
    pub(crate) fn records(&self) -> Result<Arc<Records>, StoreError> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let metadata = match std::fs::metadata(&self.path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                *read = (None, Arc::default());
                return Ok(read.1.clone());
            }
            Err(error) => return Err(StoreError::io(&self.path)(error)),
        };
        let fingerprint = Fingerprint::from(&metadata);
        if read.0 != Some(fingerprint) {
            let records = self.load()?;
            *read = (Some(fingerprint), Arc::new(records));
        }
        Ok(read.1.clone())
    }

    /// Reads the file. One that does not parse is put aside: images can be pulled again.
    fn load(&self) -> Result<Records, StoreError> {
        let bytes = std::fs::read(&self.path).map_err(StoreError::io(&self.path))?;
        match serde_json::from_slice::<Document>(&bytes) {
            Ok(document) if document.version == VERSION => return Ok(document.images),
            Ok(document) => tracing::warn!(version = document.version, "image index of another version put aside"),
            Err(error) => tracing::warn!(%error, "unreadable image index put aside"),
        }
        let aside = self.aside();
        std::fs::rename(&self.path, &aside).map_err(StoreError::io(&aside))?;
        Ok(Records::new())
    }

    fn aside(&self) -> PathBuf {
        self.path.with_extension("json.unreadable")
    }

    /// Lets `change` alter the records; the file is replaced before this returns.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Records) -> T) -> Result<T, StoreError> {
        let _alone = self.lock_file()?;
        let mut records = Records::clone(&*self.records()?);
        let before = records.len();
        let result = change(&mut records);
        if records.len() > before && records.len() > self.images_max {
            return Err(StoreError::Full(self.images_max));
        }
        let document = Document { version: VERSION, images: records };
        let bytes = serde_json::to_vec_pretty(&document).expect("records are plain data");
        runtime_base::path::write_atomic(&self.path, &bytes, 0o600).map_err(StoreError::io(&self.path))?;
        Ok(result)
    }

    fn lock_file(&self) -> Result<File, StoreError> {
        let opened = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&self.lock);
        let file = opened.map_err(StoreError::io(&self.lock))?;
        file.lock().map_err(StoreError::io(&self.lock))?;
        Ok(file)
    }

    /// Every blob that some record needs; `None` while an index that was put aside may need
    /// others: whoever mends or removes that file decides.
    pub(crate) fn blobs(&self) -> Result<Option<HashSet<String>>, StoreError> {
        let records = self.records()?;
        if self.aside().exists() {
            return Ok(None);
        }
        Ok(Some(records.values().flat_map(|record| record.parts.iter().chain([&record.content])).cloned().collect()))
    }
}
