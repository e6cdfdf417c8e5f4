//! Paths that stay below a root, and files that are written whole or not at all.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path, PathBuf};
use std::{fs, io};

/// A relative path that was refused because it could leave its root.
#[derive(Debug, thiserror::Error)]
#[error("path {0:?} must be relative and must not contain '..'")]
pub struct Escape(pub PathBuf);

/// `root` joined with `relative`, refused when `relative` is absolute or holds `..`.
///
/// It looks at the text alone: a symbolic link below `root` is the caller's to refuse.
pub fn confined(root: &Path, relative: &Path) -> Result<PathBuf, Escape> {
    let plain = relative.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if plain { Ok(root.join(relative)) } else { Err(Escape(relative.to_owned())) }
}

/// Replaces the file at `path` by `bytes` with permission bits `mode`: after a crash it holds
/// the old content or the new one.
pub fn write_atomic(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let dir = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_os_string();
    name.push(".new");
    let temporary = dir.join(name);
    let _ = fs::remove_file(&temporary);
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    fs::File::open(dir)?.sync_all()
}

/// Makes `path` and its parents as directories with permission bits `mode`.
pub fn create_dir(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(mode).create(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_cannot_leave_their_root() {
        let root = Path::new("/r");
        assert_eq!(confined(root, Path::new("a/./b")).ok(), Some(PathBuf::from("/r/a/./b")));
        for bad in ["../a", "a/../../b", "/etc"] {
            assert!(confined(root, Path::new(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_file_is_replaced_with_its_mode() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        write_atomic(&path, b"one", 0o600).unwrap();
        write_atomic(&path, b"two", 0o600).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
