//! The writing side of one run's log.

use super::line;
use crate::limits::{LOG_FILE_BYTES_MAX, LOG_FILES_MAX, LOG_LINE_BYTES_MAX};
use crate::pod::timestamp;
use runtime_base::Clock;
use runtime_spec::{LogSink, LogStream};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// How far a log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The number of the part that is written now.
    pub part: u64,
    /// Bytes in that part.
    pub length: u64,
    /// Whether nothing will be added.
    pub closed: bool,
}

/// The path of part `part` of a run's log, `current` being the part that is written now.
pub fn part_path(dir: &Path, attempt: u32, part: u64, current: u64) -> PathBuf {
    if part == current { dir.join(format!("{attempt}.log")) } else { dir.join(format!("{attempt}.log.{part}")) }
}

/// The numbers of the older parts on disk, in order.
pub fn older_parts(dir: &Path, attempt: u32) -> Vec<u64> {
    let prefix = format!("{attempt}.log.");
    let entries = std::fs::read_dir(dir).into_iter().flatten().filter_map(Result::ok);
    let mut parts: Vec<u64> =
        entries.filter_map(|entry| entry.file_name().to_str()?.strip_prefix(&prefix)?.parse().ok()).collect();
    parts.sort_unstable();
    parts
}

struct Writer {
    file: File,
    progress: Progress,
    /// Text of each stream that does not end at a line yet.
    pending: [Vec<u8>; 2],
    failed: bool,
}

/// The log of one run while it is written.
pub struct LogFile {
    dir: PathBuf,
    attempt: u32,
    clock: Clock,
    part_bytes_max: u64,
    writer: Mutex<Writer>,
    progress: watch::Sender<Progress>,
}

impl LogFile {
    /// Opens the log of run `attempt` in `dir` and goes on where it ends.
    pub fn open(dir: PathBuf, attempt: u32, clock: Clock) -> io::Result<Self> {
        Self::with_part_bytes_max(dir, attempt, clock, LOG_FILE_BYTES_MAX)
    }

    pub(crate) fn with_part_bytes_max(dir: PathBuf, attempt: u32, clock: Clock, max: u64) -> io::Result<Self> {
        let part = older_parts(&dir, attempt).last().map_or(0, |last| last + 1);
        let file = open_part(&part_path(&dir, attempt, part, part))?;
        let progress = Progress { part, length: file.metadata()?.len(), closed: false };
        let writer = Writer { file, progress, pending: [Vec::new(), Vec::new()], failed: false };
        let (sender, _) = watch::channel(progress);
        Ok(LogFile { dir, attempt, clock, part_bytes_max: max, writer: Mutex::new(writer), progress: sender })
    }

    /// How far it is written, now and later.
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// Writes what is pending and tells followers that this is the end.
    pub fn close(&self) {
        let mut writer = self.lock();
        if writer.progress.closed {
            return;
        }
        let mut out = Vec::new();
        let stamp = line::stamp(timestamp(self.clock.now()));
        for stream in [LogStream::Stdout, LogStream::Stderr] {
            let rest = std::mem::take(&mut writer.pending[index(stream)]);
            if !rest.is_empty() {
                line::write(&mut out, &stamp, stream, false, &rest);
            }
        }
        self.append(&mut writer, &out);
        writer.progress.closed = true;
        self.progress.send_replace(writer.progress);
    }

    fn lock(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn append(&self, writer: &mut Writer, out: &[u8]) {
        if out.is_empty() {
            return;
        }
        let written = writer.file.write_all(out);
        match written {
            Ok(()) => writer.progress.length += out.len() as u64,
            Err(error) if !writer.failed => {
                writer.failed = true;
                tracing::warn!(path = %self.dir.display(), %error, "output of a container is lost");
            }
            Err(_) => {}
        }
        if writer.progress.length >= self.part_bytes_max
            && let Err(error) = self.rotate(writer)
        {
            tracing::warn!(path = %self.dir.display(), %error, "log not rotated");
        }
        self.progress.send_replace(writer.progress);
    }

    fn rotate(&self, writer: &mut Writer) -> io::Result<()> {
        let part = writer.progress.part;
        let current = part_path(&self.dir, self.attempt, part, part);
        std::fs::rename(&current, part_path(&self.dir, self.attempt, part, part + 1))?;
        writer.file = open_part(&current)?;
        writer.progress = Progress { part: part + 1, length: 0, closed: false };
        let keep_from = (part + 2).saturating_sub(LOG_FILES_MAX as u64);
        for old in older_parts(&self.dir, self.attempt).into_iter().filter(|old| *old < keep_from) {
            std::fs::remove_file(part_path(&self.dir, self.attempt, old, part + 1))?;
        }
        Ok(())
    }
}

fn open_part(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

fn index(stream: LogStream) -> usize {
    match stream {
        LogStream::Stdout => 0,
        LogStream::Stderr => 1,
    }
}

impl LogSink for LogFile {
    fn write(&self, stream: LogStream, bytes: &[u8]) {
        let mut writer = self.lock();
        if writer.progress.closed || bytes.is_empty() {
            return;
        }
        let stamp = line::stamp(timestamp(self.clock.now()));
        let mut pending = std::mem::take(&mut writer.pending[index(stream)]);
        let mut out = Vec::with_capacity(bytes.len() + 64);
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, whole) = piece.strip_suffix(b"\n").map_or((piece, false), |text| (text, true));
            let mut text = text;
            while pending.len() + text.len() > LOG_LINE_BYTES_MAX {
                let (now, later) = text.split_at(LOG_LINE_BYTES_MAX - pending.len());
                pending.extend_from_slice(now);
                line::write(&mut out, &stamp, stream, false, &pending);
                pending.clear();
                text = later;
            }
            pending.extend_from_slice(text);
            if whole {
                line::write(&mut out, &stamp, stream, true, &pending);
                pending.clear();
            }
        }
        writer.pending[index(stream)] = pending;
        self.append(&mut writer, &out);
    }
}

impl Drop for LogFile {
    fn drop(&mut self) {
        self.close();
    }
}
