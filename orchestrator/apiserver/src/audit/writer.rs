//! Writes lines to a file that is rotated by size; a thread of its own, so that the disk stops no request.

use super::AuditError;
use crate::limits::{AUDIT_LINES_MAX, AUDIT_QUEUE_BYTES_MAX};
use runtime_base::Clock;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::time::{Duration, SystemTime};
use tracing::{error, warn};

/// The file, and when it is rotated.
#[derive(Clone, Debug)]
pub struct LogOptions {
    /// The file; `-` is standard output.
    pub path: PathBuf,
    /// Bytes after which it is put aside; 0 is never.
    pub size_max: u64,
    /// How long files that were put aside are kept; zero is for ever.
    pub age_max: Duration,
    /// How many are kept; 0 is all.
    pub backups_max: usize,
}

/// The near end of the queue.
pub(super) struct Writer {
    lines: SyncSender<String>,
    shared: Arc<Shared>,
}

/// What both ends of the queue know.
#[derive(Default)]
struct Shared {
    /// Bytes in the queue.
    waiting: AtomicUsize,
    /// Lines that are not in the log.
    lost: AtomicU64,
}

impl Writer {
    pub fn start(options: LogOptions, clock: Clock) -> Result<Self, AuditError> {
        let path = options.path.clone();
        let log = Log::open(options, clock).map_err(|error| AuditError::Open(path.clone(), error))?;
        let (lines, queue) = sync_channel(AUDIT_LINES_MAX);
        let shared = Arc::new(Shared::default());
        let (thread, far) = (std::thread::Builder::new().name("audit".into()), shared.clone());
        thread.spawn(move || run(log, &queue, &far)).map_err(|error| AuditError::Open(path, error))?;
        Ok(Writer { lines, shared })
    }

    /// Queues a line; never waits.
    pub fn write(&self, line: String) {
        let size = line.len();
        // An empty queue takes a line of any length.
        let before = self.shared.waiting.fetch_add(size, Ordering::Relaxed);
        let fits = before == 0 || before + size <= AUDIT_QUEUE_BYTES_MAX;
        if fits && self.lines.try_send(line).is_ok() {
            return;
        }
        self.shared.waiting.fetch_sub(size, Ordering::Relaxed);
        let lost = self.shared.lost.fetch_add(1, Ordering::Relaxed) + 1;
        if lost.is_power_of_two() {
            warn!(lost, "the audit log cannot keep up, events are lost");
        }
    }

    /// How many lines are not in the log.
    pub fn lost(&self) -> u64 {
        self.shared.lost.load(Ordering::Relaxed)
    }
}

fn run(mut log: Log, queue: &Receiver<String>, shared: &Shared) {
    loop {
        let line = match queue.try_recv() {
            Ok(line) => line,
            Err(TryRecvError::Empty) => {
                log.told(|log| log.out.flush());
                let Ok(line) = queue.recv() else { return };
                line
            }
            Err(TryRecvError::Disconnected) => {
                log.told(|log| log.out.flush());
                return;
            }
        };
        shared.waiting.fetch_sub(line.len(), Ordering::Relaxed);
        if !log.told(|log| log.append(&line)) {
            shared.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

struct Log {
    options: LogOptions,
    clock: Clock,
    out: Box<dyn Write + Send>,
    size: u64,
    failures: u64,
}

impl Log {
    fn open(options: LogOptions, clock: Clock) -> io::Result<Self> {
        let (out, size) = open(&options.path)?;
        Ok(Log { options, clock, out, size, failures: 0 })
    }

    /// Does it; whether that went well. Failures are told in the server's log.
    fn told(&mut self, action: impl FnOnce(&mut Self) -> io::Result<()>) -> bool {
        let Err(error) = action(self) else { return true };
        self.failures += 1;
        if self.failures.is_power_of_two() {
            error!(path = %self.options.path.display(), %error, failures = self.failures, "cannot write the audit log");
        }
        false
    }

    fn append(&mut self, line: &str) -> io::Result<()> {
        let size = line.len() as u64 + 1;
        let full = self.options.size_max > 0 && self.size > 0 && self.size + size > self.options.size_max;
        if full && self.options.path != Path::new("-") {
            // A log that cannot be put aside grows on.
            self.told(Self::rotate);
        }
        self.out.write_all(line.as_bytes())?;
        self.out.write_all(b"\n")?;
        self.size += size;
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        self.out.flush()?;
        let path = &self.options.path;
        let mut now = jiff::Timestamp::try_from(self.clock.now()).unwrap_or_default();
        let mut aside = self.aside(now);
        while aside.exists() {
            now += jiff::SignedDuration::from_millis(1);
            aside = self.aside(now);
        }
        std::fs::rename(path, aside)?;
        (self.out, self.size) = open(path)?;
        self.remove_old()
    }

    /// `audit-2026-11-23T14-00-00.000.log`
    fn aside(&self, now: jiff::Timestamp) -> PathBuf {
        let (stem, extension) = parts(&self.options.path);
        self.options.path.with_file_name(format!("{stem}-{}{extension}", now.strftime("%Y-%m-%dT%H-%M-%S.%3f")))
    }

    fn remove_old(&self) -> io::Result<()> {
        let (stem, extension) = parts(&self.options.path);
        let directory = self.options.path.parent().filter(|path| !path.as_os_str().is_empty());
        let mut old: Vec<(String, PathBuf)> = Vec::new();
        for entry in std::fs::read_dir(directory.unwrap_or(Path::new(".")))? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let middle = name.strip_prefix(&format!("{stem}-")).and_then(|rest| rest.strip_suffix(&extension));
            if middle.is_some_and(|time| time.len() == "2026-11-23T14-00-00.000".len()) {
                old.push((name, entry.path()));
            }
        }
        old.sort_by(|a, b| b.cmp(a));
        let (most, age) = (self.options.backups_max, self.options.age_max);
        let now: SystemTime = self.clock.now();
        for (index, (_, path)) in old.iter().enumerate() {
            let modified = std::fs::metadata(path)?.modified()?;
            let aged = !age.is_zero() && now.duration_since(modified).is_ok_and(|since| since > age);
            if aged || (most > 0 && index >= most) {
                std::fs::remove_file(path)?;
            }
        }
        Ok(())
    }
}

fn parts(path: &Path) -> (String, String) {
    let text = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
    let extension = text(path.extension());
    (text(path.file_stem()), if extension.is_empty() { extension } else { format!(".{extension}") })
}

fn open(path: &Path) -> io::Result<(Box<dyn Write + Send>, u64)> {
    if path == Path::new("-") {
        return Ok((Box::new(io::stdout()), 0));
    }
    let file: File = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    let size = file.metadata()?.len();
    Ok((Box::new(BufWriter::new(file)), size))
}

#[cfg(test)]
mod tests;
