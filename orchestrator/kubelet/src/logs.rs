//! Containers' output on disk, in CRI's format, and readers that follow it.
//!
//! A run's log is `ROOT/NAMESPACE_POD_UID/CONTAINER/N.log` with N the number of the run; older
//! parts of it are `N.log.R`, R counting up. Followers are told of each write: nothing polls.

pub mod file;
pub mod line;
pub mod read;

use crate::limits::LOG_RUNS_MAX;
use file::LogFile;
use runtime_base::Clock;
use runtime_base::path::create_dir;
use runtime_spec::PodRef;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::{fs, io};

/// One run of a container.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RunKey {
    /// The Pod's uid.
    pub uid: String,
    /// The container's name.
    pub container: String,
    /// The number of the run.
    pub attempt: u32,
}

/// The logs of all containers of a node.
pub struct Logs {
    root: PathBuf,
    clock: Clock,
    live: Mutex<HashMap<RunKey, Arc<LogFile>>>,
}

impl Logs {
    /// Logs below `root`.
    pub fn open(root: PathBuf, clock: Clock) -> io::Result<Self> {
        create_dir(&root, 0o700)?;
        Ok(Logs { root, clock, live: Mutex::default() })
    }

    fn pod_dir(&self, pod: &PodRef) -> PathBuf {
        self.root.join(format!("{}_{}_{}", pod.namespace, pod.name, pod.uid))
    }

    fn live(&self) -> std::sync::MutexGuard<'_, HashMap<RunKey, Arc<LogFile>>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins the log of a run; logs of runs long ago are removed.
    pub fn begin(&self, pod: &PodRef, container: &str, attempt: u32) -> io::Result<Arc<LogFile>> {
        let dir = self.pod_dir(pod).join(container);
        create_dir(&dir, 0o700)?;
        remove_runs_before(&dir, attempt.saturating_sub(LOG_RUNS_MAX - 1))?;
        let log = Arc::new(LogFile::open(dir, attempt, self.clock.clone())?);
        let key = RunKey { uid: pod.uid.clone(), container: container.to_owned(), attempt };
        self.live().insert(key, log.clone());
        Ok(log)
    }

    /// Ends the log of a run: followers see the rest and then the end.
    pub fn end(&self, pod: &PodRef, container: &str, attempt: u32) {
        let key = RunKey { uid: pod.uid.clone(), container: container.to_owned(), attempt };
        let ended = self.live().remove(&key);
        if let Some(log) = ended {
            log.close();
        }
    }

    /// A reader of a run's log; `None` when there is no such log.
    pub fn reader(&self, pod: &PodRef, container: &str, attempt: u32) -> Option<read::LogReader> {
        let key = RunKey { uid: pod.uid.clone(), container: container.to_owned(), attempt };
        let progress = self.live().get(&key).map(|log| log.progress());
        let dir = self.pod_dir(pod).join(container);
        let reader = read::LogReader::new(dir, attempt, progress);
        reader.exists().then_some(reader)
    }

    /// Removes the logs of a Pod.
    pub fn remove(&self, pod: &PodRef) {
        let ended: Vec<Arc<LogFile>> = {
            let mut live = self.live();
            let keys: Vec<RunKey> = live.keys().filter(|key| key.uid == pod.uid).cloned().collect();
            keys.iter().filter_map(|key| live.remove(key)).collect()
        };
        for log in ended {
            log.close();
        }
        let dir = self.pod_dir(pod);
        if let Err(error) = fs::remove_dir_all(&dir)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(pod = %pod, %error, "logs not removed");
        }
    }

    /// Removes the logs of Pods whose uid `keep` does not know.
    pub fn remove_orphans(&self, keep: impl Fn(&str) -> bool) {
        let Ok(entries) = fs::read_dir(&self.root) else { return };
        for entry in entries.filter_map(Result::ok) {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.rsplit('_').next().is_some_and(|uid| !keep(uid)) {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }
}

fn remove_runs_before(dir: &Path, first: u32) -> io::Result<()> {
    for entry in fs::read_dir(dir)?.filter_map(Result::ok) {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.split('.').next().and_then(|run| run.parse::<u32>().ok()).is_some_and(|run| run < first) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
