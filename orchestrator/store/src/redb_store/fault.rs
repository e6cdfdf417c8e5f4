//! A storage in memory that fails on demand and survives being closed, as a disk does.

use super::file::{Opener, builder};
use redb::StorageBackend;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// A disk whose operations fail once a countdown has ended, until it is healed.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk(Arc<Inner>);

/// What a disk writes whole.
const SECTOR: usize = 512;

#[derive(Debug)]
enum Operation {
    Write(usize, Vec<u8>),
    SetLen(usize),
}

#[derive(Debug)]
struct Inner {
    bytes: Mutex<Vec<u8>>,
    /// What is there for sure.
    synced: Mutex<Vec<u8>>,
    /// What came since.
    unsynced: Mutex<Vec<Operation>>,
    /// Operations until the first failure; negative: none is to come.
    countdown: AtomicI64,
    broken: AtomicBool,
    syncs: AtomicU64,
}

impl Default for Inner {
    fn default() -> Self {
        let (bytes, synced, unsynced) = Default::default();
        Inner {
            bytes,
            synced,
            unsynced,
            countdown: AtomicI64::new(-1),
            broken: AtomicBool::new(false),
            syncs: AtomicU64::new(0),
        }
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
    /// How often it was synced so far.
    pub fn syncs(&self) -> u64 {
        self.0.syncs.load(Ordering::SeqCst)
    }
    pub fn is_broken(&self) -> bool {
        self.0.broken.load(Ordering::SeqCst)
    }
    pub fn opener(&self) -> Opener {
        let (disk, measured) = (self.clone(), self.clone());
        let open = move || builder().create_with_backend(disk.clone());
        Opener { open: Box::new(open), size: Box::new(move || measured.len_now() as u64) }
    }
    /// A disk as it is after the power failed: what was synced, and of what was not, each write or
    /// part of one by chance.
    pub fn after_power_failure(&self, mut chance: impl FnMut() -> u64) -> Disk {
        let mut bytes = self.0.synced.lock().unwrap().clone();
        for operation in &*self.0.unsynced.lock().unwrap() {
            match operation {
                Operation::Write(offset, data) => {
                    let whole = chance() % 3;
                    for (index, sector) in data.chunks(SECTOR).enumerate() {
                        let at = *offset + index * SECTOR;
                        // All, nothing, or some sectors.
                        let kept = whole == 0 || (whole == 1 && chance().is_multiple_of(2));
                        if kept && bytes.len() >= at + sector.len() {
                            bytes[at..at + sector.len()].copy_from_slice(sector);
                        }
                    }
                }
                Operation::SetLen(length) => bytes.resize(*length, 0),
            }
        }
        let disk = Disk::default();
        *disk.0.synced.lock().unwrap() = bytes.clone();
        *disk.0.bytes.lock().unwrap() = bytes;
        disk
    }
    /// A disk with the same content.
    pub fn copy(&self) -> Disk {
        let copy = Disk::default();
        *copy.0.bytes.lock().unwrap() = self.0.bytes.lock().unwrap().clone();
        *copy.0.synced.lock().unwrap() = self.0.bytes.lock().unwrap().clone();
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
        self.0.unsynced.lock().unwrap().push(Operation::SetLen(len as usize));
        Ok(())
    }
    fn sync_data(&self) -> io::Result<()> {
        self.step()?;
        self.0.syncs.fetch_add(1, Ordering::SeqCst);
        for operation in self.0.unsynced.lock().unwrap().drain(..) {
            let mut synced = self.0.synced.lock().unwrap();
            match operation {
                Operation::Write(at, data) => synced[at..at + data.len()].copy_from_slice(&data),
                Operation::SetLen(length) => synced.resize(length, 0),
            }
        }
        Ok(())
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.step()?;
        let start = offset as usize;
        self.0.bytes.lock().unwrap()[start..start + data.len()].copy_from_slice(data);
        self.0.unsynced.lock().unwrap().push(Operation::Write(start, data.to_vec()));
        Ok(())
    }
}
