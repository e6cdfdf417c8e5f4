//! The directories of Pods and of their volumes.

use crate::files::{self, FileSet, Step};
use runtime_base::path::{confined, create_dir};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};
use std::{fs, io};

/// Why a volume could not be made.
#[derive(Debug, thiserror::Error)]
pub enum VolumeError {
    /// A path that could leave its directory.
    #[error("path {path:?} must be relative and must not contain '..'")]
    Escape {
        /// As it was given.
        path: String,
    },
    /// A subPath that leads out of its volume by way of a symbolic link.
    #[error("subPath {path:?} leads out of its volume")]
    Outside {
        /// As it was given.
        path: String,
    },
    /// A subPath that names a file.
    #[error("subPath {path:?} is a file; only directories are supported yet")]
    NotDirectory {
        /// As it was given.
        path: String,
    },
    /// A file set above its bound.
    #[error("the files have {bytes} bytes, more than {max}")]
    TooLarge {
        /// What it has.
        bytes: usize,
        /// [`crate::limits::FILE_SET_BYTES_MAX`].
        max: usize,
    },
    /// What is at a host path is not of the type that was asked for.
    #[error("hostPath type check failed: {path} is not a {expected}")]
    HostPath {
        /// The path on the host.
        path: String,
        /// The type, as a user reads it.
        expected: &'static str,
    },
    /// The machine failed.
    #[error("{step}")]
    Io {
        /// What was being done, with the path in it.
        step: String,
        /// The system's error.
        source: io::Error,
    },
}

/// An error of `step` (a verb) at `path`.
pub(crate) fn at(step: &str, path: &Path) -> impl FnOnce(io::Error) -> VolumeError {
    let step = format!("{step} {}", path.display());
    move |source| VolumeError::Io { step, source }
}

/// What must be at a host path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostPathKind {
    /// Anything, unchecked (the empty type).
    Any,
    /// A directory, made with mode 0755 when nothing is there.
    DirectoryOrCreate,
    /// An existing directory.
    Directory,
    /// Another of Kubernetes' types; containers mount directories only.
    Other,
}

/// The directories of all Pods of a node.
#[derive(Clone, Debug)]
pub struct PodDirs {
    root: PathBuf,
}

impl PodDirs {
    /// The Pods below `root`, which is made with mode 0700.
    pub fn open(root: PathBuf) -> Result<Self, VolumeError> {
        create_dir(&root, 0o700).map_err(at("make", &root))?;
        Ok(PodDirs { root })
    }

    /// The directory of the Pod `uid`, made when it is not there.
    pub fn pod(&self, uid: &str) -> Result<VolumeDir, VolumeError> {
        let dir = self.path(uid)?;
        create_dir(&dir, 0o700).map_err(at("make", &dir))?;
        Ok(VolumeDir { dir })
    }

    /// Removes the directory of the Pod `uid` with all its volumes; host paths stay.
    pub fn remove(&self, uid: &str) -> Result<(), VolumeError> {
        let dir = self.path(uid)?;
        match files::remove_if_there(&dir) {
            Err(VolumeError::Io { source, .. }) if source.kind() == io::ErrorKind::PermissionDenied => {
                // A program may have taken its own write permission from a directory.
                unlock(&dir);
                files::remove_if_there(&dir)
            }
            result => result,
        }
    }

    /// The uids of all Pods that have a directory.
    pub fn list(&self) -> Result<Vec<String>, VolumeError> {
        let entries = fs::read_dir(&self.root).map_err(at("list", &self.root))?;
        let names = entries.filter_map(Result::ok).map(|entry| entry.file_name().to_string_lossy().into_owned());
        Ok(names.collect())
    }

    fn path(&self, uid: &str) -> Result<PathBuf, VolumeError> {
        Ok(self.root.join(one_name(uid)?))
    }
}

/// Gives the owner access to all directories below `dir`, as far as that works.
fn unlock(dir: &Path) {
    let _ = fs::set_permissions(dir, fs::Permissions::from_mode(0o700));
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries.filter_map(Result::ok) {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            unlock(&entry.path());
        }
    }
}

/// `name` if it is a single part of a path.
fn one_name(name: &str) -> Result<&str, VolumeError> {
    let mut parts = Path::new(name).components();
    match (parts.next(), parts.next()) {
        (Some(Component::Normal(part)), None) if part == name => Ok(name),
        _ => Err(VolumeError::Escape { path: name.to_owned() }),
    }
}

/// The directory of one Pod.
#[derive(Clone, Debug)]
pub struct VolumeDir {
    dir: PathBuf,
}

impl VolumeDir {
    /// The Pod's directory.
    pub fn path(&self) -> &Path {
        &self.dir
    }

    /// The directory of an emptyDir volume; what is in it stays until the Pod is removed.
    pub fn empty_dir(&self, name: &str) -> Result<PathBuf, VolumeError> {
        self.volume("empty-dir", name, 0o777)
    }

    /// The directory of a volume of `sort` (`configmap`, `secret`, `downward-api`, `projected`)
    /// that shows exactly `files`, and whether that changed it.
    pub fn files(&self, sort: &str, name: &str, files: &FileSet) -> Result<(PathBuf, bool), VolumeError> {
        let dir = self.volume(sort, name, 0o755)?;
        let changed = files::write(&dir, files, Step::Done)?;
        Ok((dir, changed))
    }

    fn volume(&self, sort: &str, name: &str, mode: u32) -> Result<PathBuf, VolumeError> {
        let parent = self.dir.join("volumes").join(format!("kubernetes.io~{}", one_name(sort)?));
        create_dir(&parent, 0o755).map_err(at("make", &parent))?;
        let dir = parent.join(one_name(name)?);
        match fs::create_dir(&dir) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => {
                made.map_err(at("make", &dir))?;
                fs::set_permissions(&dir, fs::Permissions::from_mode(mode)).map_err(at("set the mode of", &dir))?;
            }
        }
        Ok(dir)
    }
}

/// A directory `sub` of `volume`, made when it is not there; refused when it could lead out.
///
/// The check follows links as they are now; the Backend opens the directory right after it.
pub fn sub_path(volume: &Path, sub: &str) -> Result<PathBuf, VolumeError> {
    let escape = || VolumeError::Escape { path: sub.to_owned() };
    confined(volume, Path::new(sub)).map_err(|_| escape())?;
    let root = volume.canonicalize().map_err(at("resolve", volume))?;
    let mut path = root.clone();
    for part in Path::new(sub).components() {
        let Component::Normal(part) = part else { continue };
        let next = path.join(part);
        match fs::create_dir(&next) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            // A read-only volume has what it has.
            Err(_) if next.exists() => {}
            Err(error) => return Err(at("make", &next)(error)),
        }
        path = next.canonicalize().map_err(at("resolve", &next))?;
        if !path.starts_with(&root) {
            return Err(VolumeError::Outside { path: sub.to_owned() });
        }
        if !path.is_dir() {
            return Err(VolumeError::NotDirectory { path: sub.to_owned() });
        }
    }
    Ok(path)
}

/// The directory at `path` of the host, checked (and made) as `kind` says.
pub fn host_path(path: &str, kind: HostPathKind) -> Result<PathBuf, VolumeError> {
    let full = PathBuf::from(path);
    if !full.is_absolute() || full.components().any(|part| part == Component::ParentDir) {
        return Err(VolumeError::Escape { path: path.to_owned() });
    }
    let mismatch = |expected| VolumeError::HostPath { path: path.to_owned(), expected };
    if kind == HostPathKind::DirectoryOrCreate {
        create_dir(&full, 0o755).map_err(at("make", &full))?;
    }
    match fs::metadata(&full) {
        Ok(meta) if meta.is_dir() && kind != HostPathKind::Other => Ok(full),
        Ok(meta) if meta.file_type().is_socket() || kind == HostPathKind::Other => {
            Err(mismatch("directory, the only host path that is supported yet"))
        }
        Ok(_) => Err(mismatch("directory")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(mismatch("directory")),
        Err(error) => Err(at("look at", &full)(error)),
    }
}

#[cfg(test)]
mod tests;
