//! How entries and events are laid out in the file's tables.

use crate::{Entry, Event, Revision};
use bytes::Bytes;
use redb::TableDefinition;
use std::sync::Arc;

/// The layout that this module reads and writes.
pub(super) const FORMAT: u64 = 1;

/// `format`, `revision` (the newest), `compacted` (history up to it is gone).
pub(super) const META: TableDefinition<&str, u64> = TableDefinition::new("meta");
/// Key to create revision, modification revision (8 bytes each, little endian) and value.
pub(super) const ENTRIES: TableDefinition<&str, &[u8]> = TableDefinition::new("entries");
/// Revision and place in its transaction, to an event; see [`encode_event`].
pub(super) const LOG: TableDefinition<(u64, u32), &[u8]> = TableDefinition::new("log");
/// The last revision of each commit, to its time (seconds since 1970), its events and their bytes.
pub(super) const COMMITS: TableDefinition<u64, (u64, u64, u64)> = TableDefinition::new("commits");

const HAS_ENTRY: u8 = 1;
const HAS_PREVIOUS: u8 = 2;

pub(super) fn encode_entry(entry: &Entry) -> Vec<u8> {
    let mut row = Vec::with_capacity(16 + entry.value.len());
    row.extend_from_slice(&entry.create_revision.to_le_bytes());
    row.extend_from_slice(&entry.mod_revision.to_le_bytes());
    row.extend_from_slice(&entry.value);
    row
}

pub(super) fn decode_entry(key: &str, row: &[u8]) -> Option<Entry> {
    let mut rest = Reader(row);
    let (create_revision, mod_revision) = (rest.number()?, rest.number()?);
    Some(Entry { key: key.into(), value: Bytes::copy_from_slice(rest.0), create_revision, mod_revision })
}

/// Flags, then the key, the new entry and the previous one, each with its length; texts and
/// values as they are.
pub(super) fn encode_event(event: &Event) -> Vec<u8> {
    let size = |entry: &Option<Entry>| entry.as_ref().map_or(0, |entry| entry.value.len() + 20);
    let mut row = Vec::with_capacity(event.key.len() + 5 + size(&event.entry) + size(&event.previous));
    let flag = |entry: &Option<Entry>, flag: u8| if entry.is_some() { flag } else { 0 };
    row.push(flag(&event.entry, HAS_ENTRY) | flag(&event.previous, HAS_PREVIOUS));
    put_bytes(&mut row, event.key.as_bytes());
    for entry in [&event.entry, &event.previous].into_iter().flatten() {
        row.extend_from_slice(&entry.create_revision.to_le_bytes());
        row.extend_from_slice(&entry.mod_revision.to_le_bytes());
        put_bytes(&mut row, &entry.value);
    }
    row
}

pub(super) fn decode_event(revision: Revision, row: &[u8]) -> Option<Event> {
    let mut rest = Reader(row);
    let flags = rest.take(1)?[0];
    let key: Arc<str> = std::str::from_utf8(rest.bytes()?).ok()?.into();
    let mut entry = |flag: u8| -> Option<Option<Entry>> {
        if flags & flag == 0 {
            return Some(None);
        }
        let (create_revision, mod_revision) = (rest.number()?, rest.number()?);
        let value = Bytes::copy_from_slice(rest.bytes()?);
        Some(Some(Entry { key: key.clone(), value, create_revision, mod_revision }))
    };
    let (new, previous) = (entry(HAS_ENTRY)?, entry(HAS_PREVIOUS)?);
    rest.0.is_empty().then_some(Event { revision, key: key.clone(), entry: new, previous })
}

fn put_bytes(row: &mut Vec<u8>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).expect("values are bounded by the API server's body limit");
    row.extend_from_slice(&length.to_le_bytes());
    row.extend_from_slice(bytes);
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(length)?;
        self.0 = tail;
        Some(head)
    }
    fn number(&mut self) -> Option<u64> {
        self.take(8).and_then(|bytes| bytes.try_into().ok()).map(u64::from_le_bytes)
    }
    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.take(4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes)?;
        self.take(length as usize)
    }
}

/// Reads arbitrary bytes as rows; must not panic.
#[cfg(test)]
pub(super) fn fuzz(bytes: &[u8]) {
    let _ = decode_entry("k", bytes);
    let _ = decode_event(1, bytes);
}
