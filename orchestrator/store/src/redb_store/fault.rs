//! A storage in memory that fails on demand and survives being closed, as a disk does.

use super::file::{Opener, builder};
use redb::StorageBackend;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

/// A disk whose operations fail once a countdown has ended, until it is healed.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    bytes: Mutex<Vec<u8>>,
    /// Operations until the first failure; negative: none is to come.
    countdown: AtomicI64,
    broken: AtomicBool,
}

impl Default for Inner {
    fn default() -> Self {
        Inner { bytes: Mutex::default(), countdown: AtomicI64::new(-1), broken: AtomicBool::new(false) }
    }
}

impl Disk {
    /// Lets the `n`-th changing operation from now (0 is the next) and all after it fail.
    pub fn fail_at(&self, n: i64) {
        self.0.countdown.store(n, Ordering::SeqCst);
    }
    /// Lets everything work again.
    pub fn heal(&self) {
        self.0.countdown.store(-1, Ordering::SeqCst);
        self.0.broken.store(false, Ordering::SeqCst);
    }
    pub fn is_broken(&self) -> bool {
        self.0.broken.load(Ordering::SeqCst)
    }
    pub fn opener(&self) -> Opener {
        let disk = self.clone();
        Box::new(move || builder().create_with_backend(disk.clone()))
    }
    /// A disk with the same content.
    pub fn copy(&self) -> Disk {
        let copy = Disk::default();
        *copy.0.bytes.lock().unwrap() = self.0.bytes.lock().unwrap().clone();
        copy
    }
    pub fn len_now(&self) -> usize {
        self.0.bytes.lock().unwrap().len()
    }
    pub fn flip(&self, at: usize) {
        self.0.bytes.lock().unwrap()[at] ^= 0x55;
    }

    fn step(&self) -> io::Result<()> {
        if self.0.countdown.load(Ordering::SeqCst) >= 0 && self.0.countdown.fetch_sub(1, Ordering::SeqCst) == 0 {
            self.0.broken.store(true, Ordering::SeqCst);
        }
        if self.is_broken() { Err(io::Error::from(io::ErrorKind::StorageFull)) } else { Ok(()) }
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.len_now() as u64)
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let start = offset as usize;
        let bytes = self.0.bytes.lock().unwrap();
        out.copy_from_slice(bytes.get(start..start + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.step()?;
        self.0.bytes.lock().unwrap().resize(len as usize, 0);
        Ok(())
    }
    fn sync_data(&self) -> io::Result<()> {
        self.step()
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.step()?;
        let start = offset as usize;
        self.0.bytes.lock().unwrap()[start..start + data.len()].copy_from_slice(data);
        Ok(())
    }
}
