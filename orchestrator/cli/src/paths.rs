//! Where things are kept.

use anyhow::{Context, bail};
use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The data directory: the one given, or the user's state directory.
pub fn data_dir(given: Option<PathBuf>) -> anyhow::Result<PathBuf> {
    if let Some(dir) = given {
        return std::path::absolute(&dir).with_context(|| format!("data directory {}", dir.display()));
    }
    if let Some(state) = std::env::var_os("XDG_STATE_HOME").filter(|state| Path::new(state).is_absolute()) {
        return Ok(Path::new(&state).join("coracle"));
    }
    match std::env::var_os("HOME").filter(|home| !home.is_empty()) {
        Some(home) => Ok(Path::new(&home).join(".local/state/coracle")),
        None => bail!("no data directory: HOME is not set, give one with --data-dir"),
    }
}

/// Makes the data directory for this user alone, and checks that it can be written.
pub fn prepare(dir: &Path) -> anyhow::Result<()> {
    let make = fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
    make.with_context(|| format!("cannot make the data directory {}, choose another with --data-dir", dir.display()))?;
    let _ = fs::set_permissions(dir, fs::Permissions::from_mode(0o700));
    let probe = dir.join(".write-test");
    fs::write(&probe, b"").and_then(|()| fs::remove_file(&probe)).with_context(|| {
        format!("cannot write to the data directory {}, choose another with --data-dir", dir.display())
    })
}
