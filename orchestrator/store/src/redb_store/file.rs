//! Opening, reading and writing the redb file.

use super::rows::{self, COMMITS, ENTRIES, FORMAT, LOG, META};
use super::state::{Entries, Snapshot};
use crate::{Entry, Event, Revision, StoreError, limits};
use redb::{Database, DatabaseError, ReadableDatabase, ReadableTable, StorageError};
use runtime_base::error::chain;
use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What the database is kept on.
pub(super) struct Opener {
    /// Opens the database anew; called again after a failed commit.
    pub open: Box<dyn Fn() -> Result<Database, DatabaseError> + Send>,
    /// Bytes that it takes now.
    pub size: Box<dyn Fn() -> u64 + Send>,
}

/// The open database; readers and the writer share it.
pub(super) type File = Arc<Database>;

/// How much is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Retention {
    pub age_seconds: u64,
    pub events: u64,
    pub bytes: u64,
    /// Files up to this size are not made smaller.
    pub file_bytes: u64,
}

impl Default for Retention {
    fn default() -> Self {
        Retention {
            age_seconds: limits::HISTORY_AGE_MIN.as_secs(),
            events: limits::HISTORY_EVENTS_MAX,
            bytes: limits::HISTORY_BYTES_MAX,
            file_bytes: limits::SHRINK_BYTES_MIN,
        }
    }
}

/// What the history holds of one commit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Commit {
    pub last: Revision,
    pub seconds: u64,
    pub events: u64,
    pub bytes: u64,
}

/// The commits that the history holds, oldest first, with their sums.
#[derive(Debug, Default)]
pub(super) struct Commits {
    list: VecDeque<Commit>,
    events: u64,
    bytes: u64,
}

impl Commits {
    /// The size of all events.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    pub fn push(&mut self, commit: Commit) {
        self.events += commit.events;
        self.bytes += commit.bytes;
        self.list.push_back(commit);
    }

    /// Drops the oldest `count`.
    pub fn forget(&mut self, count: usize) {
        for commit in self.list.drain(..count) {
            self.events -= commit.events;
            self.bytes -= commit.bytes;
        }
    }

    /// The oldest commits up to `revision`.
    pub fn up_to(&self, revision: Revision) -> Vec<Commit> {
        self.list.iter().take_while(|commit| commit.last <= revision).copied().collect()
    }

    /// The oldest commits whose events need not be kept, a bounded number of them.
    pub fn outdated(&self, retention: &Retention, now_seconds: u64) -> Vec<Commit> {
        let (mut events, mut bytes, mut found) = (self.events, self.bytes, 0);
        let outdated = self.list.iter().take_while(|commit| {
            let over = events > retention.events || bytes > retention.bytes;
            let old = now_seconds.saturating_sub(commit.seconds) > retention.age_seconds;
            let take = (over || old) && found < limits::COMPACT_EVENTS_MAX;
            (events, bytes, found) = (events - commit.events, bytes - commit.bytes, found + commit.events);
            take
        });
        outdated.copied().collect()
    }
}

/// An open file and what it holds.
pub(super) struct Opened {
    pub file: File,
    pub snapshot: Snapshot,
    pub compacted: Revision,
    pub commits: Commits,
}

pub(super) fn file_opener(path: &Path) -> Opener {
    let path = PathBuf::from(path);
    let measured = path.clone();
    let open = move || {
        let small = std::fs::metadata(&path).map_or(true, |file| file.len() <= limits::INTEGRITY_CHECK_BYTES_MAX);
        let fresh = make_private(&path)?;
        // A new file has nothing to check.
        builder().set_check_integrity_on_open(small && !fresh).create(&path)
    };
    Opener { open: Box::new(open), size: Box::new(move || std::fs::metadata(&measured).map_or(0, |file| file.len())) }
}

/// Makes the file for its owner only, if there is none; whether it did.
fn make_private(path: &Path) -> std::io::Result<bool> {
    use std::os::unix::fs::OpenOptionsExt;
    match std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

pub(super) fn memory_opener() -> Opener {
    let open = || builder().create_with_backend(redb::backends::InMemoryBackend::new());
    Opener { open: Box::new(open), size: Box::new(|| 0) }
}

pub(super) fn builder() -> redb::Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(limits::PAGE_CACHE_BYTES);
    builder
}

/// Opens and reads everything. A damaged file may make redb panic: that too is an error here.
pub(super) fn open(opener: &Opener, name: &str) -> Result<Opened, StoreError> {
    let opened = std::panic::catch_unwind(AssertUnwindSafe(|| {
        let database = (opener.open)().map_err(|error| open_error(name, &error))?;
        load(database, name)
    }));
    opened.unwrap_or_else(|_| Err(damaged(name, "reading it failed")))
}

fn open_error(name: &str, error: &DatabaseError) -> StoreError {
    StoreError::Broken(match error {
        DatabaseError::DatabaseAlreadyOpen => {
            format!("{name} is used by another coracle server; stop it, or give this one another data directory")
        }
        DatabaseError::Storage(StorageError::Corrupted(text)) => return damaged(name, text),
        DatabaseError::Storage(StorageError::Io(error)) if error.kind() == std::io::ErrorKind::InvalidData => {
            return damaged(name, &error.to_string());
        }
        DatabaseError::Storage(StorageError::Io(error)) if is_full(error) => return full(name),
        DatabaseError::Storage(StorageError::Io(error)) => format!("cannot open {name}: {error}"),
        DatabaseError::UpgradeRequired(version) => {
            format!("{name} has the old file format {version}; open it with the release that made it")
        }
        other => format!("cannot open {name}: {}", chain(other)),
    })
}

fn is_full(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)
}

/// The error of a disk without room.
fn full(name: &str) -> StoreError {
    StoreError::Full(format!(
        "no space left on the disk of {name}: nothing was written; free some space there and writes go on by themselves"
    ))
}

/// The error of a commit or compaction that failed.
pub(super) fn write_error(name: &str, error: &redb::Error) -> StoreError {
    match error {
        redb::Error::Io(io) if is_full(io) => full(name),
        other => StoreError::Unavailable(chain(other)),
    }
}

/// The error of a file that cannot be trusted.
pub(super) fn damaged(name: &str, why: &str) -> StoreError {
    StoreError::Broken(format!(
        "{name} is damaged ({why}); nothing was changed: restore it from a backup, or move it away to start empty"
    ))
}

fn load(database: Database, name: &str) -> Result<Opened, StoreError> {
    let failed = |error: redb::Error| match error {
        redb::Error::Corrupted(text) => damaged(name, &text),
        error => StoreError::Broken(format!("cannot read {name}: {}", chain(&error))),
    };
    initialize(&database).map_err(failed)?;
    let read = database.begin_read().map_err(|error| failed(error.into()))?;
    let contents = (|| -> Result<_, redb::Error> {
        let meta = read.open_table(META)?;
        let number = |key: &str| meta.get(key).map(|row| row.map_or(0, |row| row.value()));
        let (format, revision, compacted) = (number("format")?, number("revision")?, number("compacted")?);
        let mut rows = Vec::new();
        if format == FORMAT {
            for row in read.open_table(ENTRIES)?.iter()? {
                let (key, value) = row?;
                rows.push(rows::decode_entry(key.value(), value.value()).ok_or_else(|| key.value().to_owned()));
            }
        }
        let mut commits = Commits::default();
        for row in read.open_table(COMMITS)?.iter()? {
            let (last, row) = row?;
            let (seconds, events, bytes) = row.value();
            commits.push(Commit { last: last.value(), seconds, events, bytes });
        }
        Ok((format, revision, compacted, rows, commits))
    })();
    let (format, revision, compacted, rows, commits) = contents.map_err(failed)?;
    if format != FORMAT {
        let text = format!("{name} has layout {format}, this release reads {FORMAT}; use the release that wrote it");
        return Err(StoreError::Broken(text));
    }
    let mut entries = Entries::new();
    for row in rows {
        let entry = row.map_err(|key| damaged(name, &format!("entry {key}")))?;
        if entry.mod_revision > revision {
            return Err(damaged(name, &format!("entry {} is newer than the counter", entry.key)));
        }
        entries.insert(entry.key.clone(), Arc::new(entry));
    }
    drop(read);
    Ok(Opened { file: Arc::new(database), snapshot: Snapshot { revision, entries }, compacted, commits })
}

/// Makes the tables of a new file.
fn initialize(database: &Database) -> Result<(), redb::Error> {
    if database.begin_read()?.list_tables()?.next().is_some() {
        return Ok(());
    }
    let mut write = database.begin_write()?;
    write.set_quick_repair(true);
    {
        let mut meta = write.open_table(META)?;
        meta.insert("format", FORMAT)?;
        // Revision 0 means "any" in the API, so history starts at 1.
        meta.insert("revision", 1)?;
        meta.insert("compacted", 1)?;
        write.open_table(ENTRIES)?;
        write.open_table(LOG)?;
        write.open_table(COMMITS)?;
    }
    write.commit()?;
    Ok(())
}

/// Changes for one durable commit.
pub(super) struct Change<'a> {
    /// The newest revision afterwards.
    pub revision: Revision,
    /// In commit order.
    pub events: &'a [Event],
    pub commit: Option<Commit>,
    /// Forget these commits' events (oldest first).
    pub forget: &'a [Commit],
    /// Then, forget everything up to here.
    pub compacted: Revision,
}

/// Makes a change durable.
pub(super) fn write(database: &Database, change: &Change<'_>) -> Result<(), redb::Error> {
    let mut write = database.begin_write()?;
    // Values are the tenants': two phases, so that no checksum they could forge decides (and
    // quick repair, so that a start after a crash reads no more than one after a stop).
    write.set_two_phase_commit(true);
    write.set_quick_repair(true);
    {
        let mut entries = write.open_table(ENTRIES)?;
        let mut log = write.open_table(LOG)?;
        let mut commits = write.open_table(COMMITS)?;
        let mut place = (0, 0);
        for event in change.events {
            place = if place.0 == event.revision { (event.revision, place.1 + 1) } else { (event.revision, 0) };
            match &event.entry {
                Some(entry) => drop(entries.insert(&*event.key, &rows::encode_entry(entry)[..])?),
                None => drop(entries.remove(&*event.key)?),
            }
            log.insert(place, &rows::encode_event(event)[..])?;
        }
        if let Some(commit) = change.commit {
            commits.insert(commit.last, (commit.seconds, commit.events, commit.bytes))?;
        }
        for commit in change.forget {
            commits.remove(commit.last)?;
        }
        loop {
            let oldest = log.first()?.map(|(key, _)| key.value());
            match oldest.filter(|key| key.0 <= change.compacted) {
                Some(key) => drop(log.remove(key)?),
                None => break,
            }
        }
        let mut meta = write.open_table(META)?;
        meta.insert("revision", change.revision)?;
        meta.insert("compacted", change.compacted)?;
    }
    write.commit()?;
    Ok(())
}

/// Events after `after` up to `until`, and whether these are all. With `limit`, not many more
/// than so many events or [`limits::HISTORY_READ_BYTES_MAX`], but whole revisions. Fails when some
/// of them are forgotten.
pub(super) fn read_log(
    database: &Database,
    name: &str,
    after: Revision,
    until: Revision,
    limit: Option<usize>,
) -> Result<(Vec<Event>, bool), StoreError> {
    let unavailable = |error: redb::Error| StoreError::Unavailable(format!("cannot read {name}: {}", chain(&error)));
    let read = database.begin_read().map_err(|error| unavailable(error.into()))?;
    let found = (|| -> Result<_, redb::Error> {
        let oldest = read.open_table(META)?.get("compacted")?.map_or(0, |row| row.value());
        if after < oldest {
            return Ok(Err(StoreError::Compacted { requested: after, oldest }));
        }
        let log = read.open_table(LOG)?;
        let (mut events, mut bytes) = (Vec::<Event>::new(), 0);
        for row in log.range((after + 1, 0)..=(until, u32::MAX))? {
            let (key, row) = row?;
            let revision = key.value().0;
            let enough = |limit| events.len() >= limit || bytes >= limits::HISTORY_READ_BYTES_MAX;
            if limit.is_some_and(enough) && events.last().is_some_and(|last| last.revision != revision) {
                return Ok(Ok((events, false)));
            }
            match rows::decode_event(revision, row.value()) {
                Some(event) => {
                    bytes += event_bytes(&event);
                    events.push(event);
                }
                None => return Ok(Err(damaged(name, &format!("event of revision {revision}")))),
            }
        }
        Ok(Ok((events, true)))
    })();
    found.map_err(unavailable)?
}

/// An entry's share of what the file holds.
pub(super) fn entry_bytes(entry: &Entry) -> u64 {
    (entry.key.len() + entry.value.len()) as u64
}

/// An event's share of the history's size.
pub(super) fn event_bytes(event: &Event) -> u64 {
    let size = |entry: &Option<Entry>| entry.as_ref().map_or(0, |entry| entry.value.len());
    (event.key.len() + size(&event.entry) + size(&event.previous)) as u64
}
