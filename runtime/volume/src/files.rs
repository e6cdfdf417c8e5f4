//! A directory of files that changes all at once.
//!
//! Readers see `NAME -> ..data/NAME` and `..data -> ..vN`; an update writes a whole `..vN+1` and
//! swaps the one link `..data` by rename. A reader that holds `..data` open keeps the old set.
//! Nothing is synced to disk: after a power loss the kubelet writes the set again anyway.

use crate::dir::{VolumeError, at};
use crate::limits::{FILE_SET_BYTES_MAX, PATH_BYTES_MAX};
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};
use std::{fs, io};

/// The link that names the current set.
const DATA: &str = "..data";
/// The next value of [`DATA`] before its rename.
const DATA_NEXT: &str = "..data_next";
/// What directories of sets begin with.
const VERSION: &str = "..v";

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEntry {
    /// Its content.
    pub bytes: Vec<u8>,
    /// Its permission bits.
    pub mode: u32,
}

/// Files by their relative path (`a/b.txt`).
pub type FileSet = BTreeMap<String, FileEntry>;

/// Where a write may end early, as a crash would.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Written,
    Linked,
    Swapped,
    Shown,
    Done,
}

/// Makes `dir` show exactly `files`; false when it did already. After a crash at any moment the
/// directory shows the old set or the new one, and the next write tidies what was left.
pub(crate) fn write(dir: &Path, files: &FileSet, until: Step) -> Result<bool, VolumeError> {
    check(files)?;
    let current = fs::read_link(dir.join(DATA)).ok();
    if let Some(current) = &current
        && shows(&dir.join(current), files)
    {
        show_names(dir, files)?;
        tidy(dir, Some(current))?;
        return Ok(false);
    }
    let version = PathBuf::from(format!("{VERSION}{:06}", next_version(dir)?));
    write_set(&dir.join(&version), files)?;
    if until == Step::Written {
        return Ok(true);
    }
    let next = dir.join(DATA_NEXT);
    remove_if_there(&next)?;
    symlink(&version, &next).map_err(at("link", &next))?;
    if until == Step::Linked {
        return Ok(true);
    }
    fs::rename(&next, dir.join(DATA)).map_err(at("swap", &next))?;
    if until == Step::Swapped {
        return Ok(true);
    }
    show_names(dir, files)?;
    if until == Step::Shown {
        return Ok(true);
    }
    tidy(dir, Some(&version))?;
    Ok(true)
}

/// Refuses paths that could leave the directory or clash with its own links.
fn check(files: &FileSet) -> Result<(), VolumeError> {
    let mut total = 0;
    for (path, file) in files {
        total += file.bytes.len();
        let plain = !path.is_empty()
            && path.len() <= PATH_BYTES_MAX
            && !path.starts_with("..")
            && !path.contains('\0')
            && Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
        if !plain {
            return Err(VolumeError::Escape { path: path.clone() });
        }
    }
    if total > FILE_SET_BYTES_MAX {
        return Err(VolumeError::TooLarge { bytes: total, max: FILE_SET_BYTES_MAX });
    }
    Ok(())
}

/// Whether `set` holds `files` and nothing else.
fn shows(set: &Path, files: &FileSet) -> bool {
    let mut found = BTreeSet::new();
    if collect(set, Path::new(""), &mut found).is_err() {
        return false;
    }
    found.len() == files.len()
        && files.iter().all(|(path, file)| {
            let full = set.join(path);
            found.contains(Path::new(path))
                && fs::read(&full).is_ok_and(|bytes| bytes == file.bytes)
                && fs::metadata(&full).is_ok_and(|meta| meta.permissions().mode() & 0o7777 == file.mode & 0o7777)
        })
}

fn collect(root: &Path, below: &Path, found: &mut BTreeSet<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(root.join(below))? {
        let entry = entry?;
        let path = below.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            collect(root, &path, found)?;
        } else {
            found.insert(path);
        }
    }
    Ok(())
}

fn next_version(dir: &Path) -> Result<u64, VolumeError> {
    let mut last = 0;
    for name in names(dir)? {
        if let Some(number) = name.strip_prefix(VERSION).and_then(|number| number.parse().ok()) {
            last = last.max(number);
        }
    }
    Ok(last + 1)
}

fn write_set(set: &Path, files: &FileSet) -> Result<(), VolumeError> {
    fs::create_dir(set).map_err(at("make", set))?;
    fs::set_permissions(set, fs::Permissions::from_mode(0o755)).map_err(at("set the mode of", set))?;
    for (path, file) in files {
        let full = set.join(path);
        if let Some(parent) = full.parent().filter(|parent| *parent != set) {
            runtime_base::path::create_dir(parent, 0o755).map_err(at("make", parent))?;
        }
        let mut handle =
            fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&full).map_err(at("make", &full))?;
        io::Write::write_all(&mut handle, &file.bytes).map_err(at("write", &full))?;
        // After the write and past the umask: the mode may forbid writing.
        handle.set_permissions(fs::Permissions::from_mode(file.mode & 0o7777)).map_err(at("set the mode of", &full))?;
    }
    Ok(())
}

/// Makes the links that readers open, and removes those of files that are gone.
fn show_names(dir: &Path, files: &FileSet) -> Result<(), VolumeError> {
    let wanted: BTreeSet<&str> = files.keys().filter_map(|path| path.split('/').next()).collect();
    for name in &wanted {
        let link = dir.join(name);
        let target = Path::new(DATA).join(name);
        if fs::read_link(&link).is_ok_and(|found| found == target) {
            continue;
        }
        remove_if_there(&link)?;
        symlink(&target, &link).map_err(at("link", &link))?;
    }
    for name in names(dir)? {
        if !name.starts_with("..") && !wanted.contains(name.as_str()) {
            remove_if_there(&dir.join(&name))?;
        }
    }
    Ok(())
}

/// Removes sets and links that an earlier write left.
fn tidy(dir: &Path, keep: Option<&Path>) -> Result<(), VolumeError> {
    for name in names(dir)? {
        let stale_set = name.starts_with(VERSION) && keep != Some(Path::new(&name));
        if stale_set || name == DATA_NEXT {
            remove_if_there(&dir.join(&name))?;
        }
    }
    Ok(())
}

fn names(dir: &Path) -> Result<Vec<String>, VolumeError> {
    let entries = fs::read_dir(dir).map_err(at("list", dir))?;
    entries.map(|entry| Ok(entry.map_err(at("list", dir))?.file_name().to_string_lossy().into_owned())).collect()
}

/// Removes a file, a link (not what it points to) or a directory.
pub(crate) fn remove_if_there(path: &Path) -> Result<(), VolumeError> {
    let removed = match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at("remove", path)(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
