//! Making a store's file anew from a backup.

use super::file;
use super::rows::{self, COMMITS, ENTRIES, FORMAT, LOG, META};
use crate::backup::Backup;
use crate::{Revision, StoreError, limits};
use redb::Database;
use runtime_base::error::chain;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Puts a file with the backup's entries in place of the one at `path`, which is kept beside it
/// with `.before-restore` behind its name. Answers the new revision, above all that are known.
pub(super) fn restore(path: &Path, backup: &Backup) -> Result<Revision, StoreError> {
    let name = path.display().to_string();
    let failed = |step: &str, error: io::Error| StoreError::Broken(format!("cannot {step} {name}: {error}"));
    let known = known_revision(path, &name)?;
    let revision = known.max(backup.revision) + limits::RESTORE_REVISIONS;
    let fresh = beside(path, ".restoring");
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed("replace the rest of", error)),
        _ => {}
    }
    let opener = file::file_opener(&fresh);
    let database = (opener.open)().map_err(|error| StoreError::Broken(chain(&error)))?;
    fill(&database, backup, revision).map_err(|error| file::write_error(&name, &error))?;
    drop(database);
    // What was written is what is read.
    let opened = file::open(&opener, &fresh.display().to_string())?;
    let same = opened.snapshot.revision == revision && opened.snapshot.entries.len() == backup.entries.len();
    drop(opened);
    if !same {
        return Err(StoreError::Broken(format!("{} does not hold what was written to it", fresh.display())));
    }
    match fs::rename(path, beside(path, ".before-restore")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed("keep the old", error)),
        _ => {}
    }
    fs::rename(&fresh, path).map_err(|error| failed("put in place", error))?;
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(|error| failed("put in place", error))?;
    Ok(revision)
}

/// The newest revision of the file that is there; 0 when there is none, or none that can be read.
fn known_revision(path: &Path, name: &str) -> Result<Revision, StoreError> {
    if !path.exists() {
        return Ok(0);
    }
    match file::open(&file::file_opener(path), name) {
        Ok(opened) => Ok(opened.snapshot.revision),
        Err(error) if error.to_string().contains("is used by another coracle server") => Err(error),
        Err(_) => Ok(0),
    }
}

fn fill(database: &Database, backup: &Backup, revision: Revision) -> Result<(), redb::Error> {
    let mut write = database.begin_write()?;
    write.set_two_phase_commit(true);
    write.set_quick_repair(true);
    {
        let mut meta = write.open_table(META)?;
        meta.insert("format", FORMAT)?;
        meta.insert("revision", revision)?;
        meta.insert("compacted", revision)?;
        let mut entries = write.open_table(ENTRIES)?;
        for entry in &backup.entries {
            entries.insert(&*entry.key, &rows::encode_entry(entry)[..])?;
        }
        write.open_table(LOG)?;
        write.open_table(COMMITS)?;
    }
    write.commit()?;
    Ok(())
}
