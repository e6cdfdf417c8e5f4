//! `coracle store`: backups of what a cluster stores, while its server runs, and their return
//! while it is stopped.
//!
//! The server keeps its file for itself. So it writes backups itself, to whoever connects to the
//! socket `backup.sock` in its data directory, which only its own user (and root) can open.

use crate::args::{StoreArgs, StoreCommand};
use crate::wire::lock::DataDirLock;
use crate::{paths, server};
use anyhow::{Context, bail};
use orchestrator_store::backup::{self, Backup};
use orchestrator_store::{RedbOptions, RedbStore, Store};
use runtime_base::clock::{self, within};
use runtime_base::{Clock, Tasks};
use rustix::fs::{Mode, OFlags, open};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UnixListener;
use tokio::sync::Semaphore;
use tracing::{info, warn};

/// Backups written at one time; each holds a list of the whole store.
const BACKUPS_MAX: usize = 2;
/// How long one backup may take; ends those of readers that do not read.
const BACKUP_TIME_MAX: Duration = Duration::from_secs(600);
/// The pause after a connection could not be accepted; stops a loop while files run out.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(100);

/// The store's own file.
pub fn file(data_dir: &Path) -> PathBuf {
    data_dir.join("store.redb")
}

/// The socket's directory, held open: its path through /proc is short enough for a socket's
/// address (108 bytes), wherever the data directory is.
struct SocketDir(OwnedFd);

impl SocketDir {
    fn open(data_dir: &Path) -> io::Result<Self> {
        Ok(SocketDir(open(data_dir, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?))
    }

    fn socket(&self) -> PathBuf {
        format!("/proc/self/fd/{}/backup.sock", self.0.as_raw_fd()).into()
    }
}

/// Writes a backup to whoever connects to the socket, until `tasks` stop. The caller holds the
/// data directory's lock: a socket that is there is a dead server's.
pub fn serve_backups(data_dir: &Path, store: Arc<dyn Store>, tasks: &Tasks) -> anyhow::Result<()> {
    let failed = || format!("cannot make the socket {}", data_dir.join("backup.sock").display());
    let dir = SocketDir::open(data_dir).with_context(failed)?;
    let _ = fs::remove_file(dir.socket());
    let listener = UnixListener::bind(dir.socket()).with_context(failed)?;
    fs::set_permissions(dir.socket(), fs::Permissions::from_mode(0o600)).with_context(failed)?;
    let (inner, turns) = (tasks.clone(), Arc::new(Semaphore::new(BACKUPS_MAX)));
    tasks.spawn("backups", async move {
        while let Ok(turn) = turns.clone().acquire_owned().await {
            let Ok((mut client, _)) = listener.accept().await else {
                clock::sleep(ACCEPT_RETRY_DELAY).await;
                continue;
            };
            let store = store.clone();
            inner.spawn("backup", async move {
                match within(BACKUP_TIME_MAX, backup::write(&*store, &mut client)).await {
                    Some(Ok((revision, entries))) => info!(revision, entries, "wrote a backup"),
                    Some(Err(error)) => warn!(error = runtime_base::error::chain(&error), "a backup ended early"),
                    None => warn!("a backup was not read in time"),
                }
                drop(turn);
            });
        }
    });
    Ok(())
}

/// Backs up or restores.
#[expect(clippy::print_stdout, reason = "what the command prints")]
pub fn main(args: StoreArgs) -> anyhow::Result<ExitCode> {
    let data_dir = paths::data_dir(args.data_dir)?;
    match args.command {
        StoreCommand::Backup { file } => {
            let backup = back_up(&data_dir, &file)?;
            let (entries, revision) = (backup.entries.len(), backup.revision);
            println!("backed up {entries} objects as of revision {revision} to {}", file.display());
        }
        StoreCommand::Restore { file } => {
            let backup = read(&file)?;
            paths::prepare(&data_dir)?;
            // Held until the end: no server starts meanwhile.
            let _lock = lock(&data_dir)?;
            let store = self::file(&data_dir);
            let replaced = store.is_file();
            let revision = RedbStore::restore(&store, &backup)?;
            println!("restored {} objects at revision {revision}", backup.entries.len());
            if replaced {
                println!("what was stored before is kept in {}.before-restore", store.display());
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn lock(data_dir: &Path) -> anyhow::Result<DataDirLock> {
    if !data_dir.is_dir() {
        bail!("there is no data directory {}, choose another with --data-dir", data_dir.display());
    }
    DataDirLock::take(data_dir)
}

fn read(path: &Path) -> anyhow::Result<Backup> {
    let name = || path.display().to_string();
    let file = File::open(path).with_context(name)?;
    backup::read(BufReader::new(file)).with_context(name)
}

/// Writes a new file, whole and checked or not at all.
fn back_up(data_dir: &Path, path: &Path) -> anyhow::Result<Backup> {
    if path.exists() {
        bail!("{} exists: give the backup another name, or remove that file", path.display());
    }
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".unfinished");
    let unfinished = PathBuf::from(unfinished);
    let result = (|| {
        let mut options = OpenOptions::new();
        let opened = options.write(true).create(true).truncate(true).mode(0o600).open(&unfinished);
        let mut out = opened.with_context(|| format!("cannot write {}", unfinished.display()))?;
        copy_store(data_dir, &mut out).with_context(|| format!("cannot back up {}", data_dir.display()))?;
        out.sync_all().with_context(|| format!("cannot write {}", unfinished.display()))?;
        let backup = read(&unfinished)?;
        let put = fs::rename(&unfinished, path).and_then(|()| File::open(dir)?.sync_all());
        put.with_context(|| format!("cannot write {}", path.display()))?;
        Ok(backup)
    })();
    if result.is_err() {
        let _ = fs::remove_file(&unfinished);
    }
    result
}

/// Asks the running server, or reads the file of a stopped one.
fn copy_store(data_dir: &Path, out: &mut File) -> anyhow::Result<()> {
    let dir = SocketDir::open(data_dir).context("there is no such data directory, choose another with --data-dir")?;
    match UnixStream::connect(dir.socket()) {
        Ok(mut server) => {
            server.set_read_timeout(Some(BACKUP_TIME_MAX)).context("the server's socket")?;
            let mut bytes = vec![0; 64 * 1024];
            loop {
                let read = server.read(&mut bytes).context("the server does not answer")?;
                if read == 0 {
                    return Ok(());
                }
                io::Write::write_all(out, &bytes[..read])?;
            }
        }
        Err(_) => {
            let _lock = lock(data_dir)?;
            let file = file(data_dir);
            if !file.is_file() {
                bail!("no server runs and there is no {}", file.display());
            }
            let out = out.try_clone()?;
            server::runtime()?.block_on(async {
                let store = RedbStore::open(&file, RedbOptions { clock: Clock::system() })?;
                let written = backup::write(&*store, &mut tokio::fs::File::from_std(out)).await;
                store.close().await;
                written.map(drop).map_err(Into::into)
            })
        }
    }
}
