//! A copy of all current values in one stream, checked as a whole: what `coracle store backup`
//! writes and `coracle store restore` reads.
//!
//! The stream is a line that names it, the revision, then each entry in key order, an end mark, the
//! number of entries, and the SHA-256 of all bytes before. Numbers are little endian. History is
//! not part of it: a restored store has forgotten it.

use crate::{Entry, Revision, Store, StoreError, limits};
use bytes::{BufMut, BytesMut};
use sha2::{Digest, Sha256};
use std::io::Read;
use tokio::io::{AsyncWrite, AsyncWriteExt};

const NAME: &[u8] = b"coracle store backup 1\n";
const DIGEST: usize = 32;
/// Bytes written at once.
const CHUNK: usize = 64 * 1024;

/// Everything a store held at one revision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backup {
    /// The revision.
    pub revision: Revision,
    /// In key order.
    pub entries: Vec<Entry>,
}

/// Why a backup could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The store did not give its entries.
    #[error("cannot read the store")]
    Store(#[source] StoreError),
    /// Bytes could not be moved.
    #[error("cannot write the backup")]
    Write(#[source] std::io::Error),
    /// Bytes could not be read.
    #[error("cannot read the backup")]
    Read(#[source] std::io::Error),
    /// It is something else.
    #[error("this is no backup of a coracle store")]
    Foreign,
    /// It ends too early.
    #[error("the backup is incomplete: it was cut off, make another one")]
    Short,
    /// Its bytes are not those that were written.
    #[error("the backup is damaged ({0}): nothing was changed, use another one")]
    Damaged(&'static str),
}

/// Writes all that `store` holds as of now to `out`, and says which revision that is and how many
/// entries. The store goes on serving.
pub async fn write(
    store: &dyn Store,
    out: &mut (dyn AsyncWrite + Send + Unpin),
) -> Result<(Revision, u64), BackupError> {
    // One list: a later page of an old revision could be forgotten by then. Values are shared.
    let page = store.list("", None, 0, None).await.map_err(BackupError::Store)?;
    let (mut digest, count) = (Sha256::new(), page.entries.len() as u64);
    let mut bytes = BytesMut::from(NAME);
    bytes.put_u64_le(page.revision);
    for entry in &page.entries {
        put_entry(&mut bytes, entry);
        if bytes.len() >= CHUNK {
            digest.update(&bytes);
            out.write_all(&bytes).await.map_err(BackupError::Write)?;
            bytes.clear();
        }
    }
    bytes.put_u32_le(0);
    bytes.put_u64_le(count);
    digest.update(&bytes);
    out.write_all(&bytes).await.map_err(BackupError::Write)?;
    out.write_all(&digest.finalize()).await.map_err(BackupError::Write)?;
    out.flush().await.map_err(BackupError::Write)?;
    Ok((page.revision, count))
}

fn put_entry(bytes: &mut BytesMut, entry: &Entry) {
    let length = |part: &[u8]| u32::try_from(part.len()).expect("values are bounded by the API server's body limit");
    bytes.put_u32_le(length(entry.key.as_bytes()));
    bytes.put_slice(entry.key.as_bytes());
    bytes.put_u64_le(entry.create_revision);
    bytes.put_u64_le(entry.mod_revision);
    bytes.put_u32_le(length(&entry.value));
    bytes.put_slice(&entry.value);
}

/// Reads with a running digest.
struct Checked<R> {
    input: R,
    digest: Sha256,
}

impl<R: Read> Checked<R> {
    fn bytes(&mut self, length: usize) -> Result<Vec<u8>, BackupError> {
        // Grows as bytes come, not as a damaged length says.
        let mut bytes = Vec::new();
        let read = (&mut self.input).take(length as u64).read_to_end(&mut bytes).map_err(BackupError::Read)?;
        if read < length {
            return Err(BackupError::Short);
        }
        self.digest.update(&bytes);
        Ok(bytes)
    }
    fn array<const N: usize>(&mut self) -> Result<[u8; N], BackupError> {
        Ok(self.bytes(N)?.try_into().expect("as many bytes as were asked for"))
    }
    fn number(&mut self) -> Result<u64, BackupError> {
        self.array().map(u64::from_le_bytes)
    }
    fn length(&mut self, most: u32) -> Result<usize, BackupError> {
        let length = self.array().map(u32::from_le_bytes)?;
        if length > most { Err(BackupError::Damaged("a length is absurd")) } else { Ok(length as usize) }
    }
}

/// Reads a whole backup and checks it.
pub fn read(input: impl Read) -> Result<Backup, BackupError> {
    let mut input = Checked { input, digest: Sha256::new() };
    match input.bytes(NAME.len()) {
        Ok(name) if name == NAME => {}
        Ok(_) | Err(BackupError::Short) => return Err(BackupError::Foreign),
        Err(error) => return Err(error),
    }
    let mut backup = Backup { revision: input.number()?, entries: Vec::new() };
    loop {
        let length = input.length(limits::BACKUP_KEY_BYTES_MAX)?;
        if length == 0 {
            break;
        }
        let key = input.bytes(length)?;
        let key = String::from_utf8(key).map_err(|_| BackupError::Damaged("a key is no text"))?;
        let (create_revision, mod_revision) = (input.number()?, input.number()?);
        let length = input.length(limits::BACKUP_VALUE_BYTES_MAX)?;
        let value = input.bytes(length)?.into();
        backup.entries.push(Entry { key: key.into(), value, create_revision, mod_revision });
    }
    if input.number()? != backup.entries.len() as u64 {
        return Err(BackupError::Damaged("the number of entries is another"));
    }
    let expected: [u8; DIGEST] = input.digest.clone().finalize().into();
    if input.array::<DIGEST>()? != expected {
        return Err(BackupError::Damaged("its checksum is another"));
    }
    if input.bytes(1).is_ok() {
        return Err(BackupError::Damaged("bytes follow its end"));
    }
    let sorted = backup.entries.is_sorted_by(|a, b| a.key < b.key);
    if !sorted || backup.entries.iter().any(|entry| entry.mod_revision > backup.revision) {
        return Err(BackupError::Damaged("its entries contradict each other"));
    }
    Ok(backup)
}

/// Reads arbitrary bytes as a backup; must not panic.
#[cfg(test)]
pub(crate) fn fuzz(bytes: &[u8]) {
    let _ = read(bytes);
}

#[cfg(test)]
mod tests;
