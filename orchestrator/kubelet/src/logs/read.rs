//! The reading side of one run's log.

use super::file::{Progress, older_parts, part_path};
use super::line;
use crate::limits::LOG_CHUNK_BYTES;
use bytes::Bytes;
use k8s_openapi::jiff::Timestamp;
use std::io::{self, SeekFrom};
use std::path::PathBuf;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio::sync::{mpsc, watch};

/// What a reader wants of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogOptions {
    /// Go on until the run ends.
    pub follow: bool,
    /// Only the last lines.
    pub tail_lines: Option<u64>,
    /// Only lines from then on.
    pub since: Option<Timestamp>,
    /// Begin each line with its time.
    pub timestamps: bool,
    /// At most so many bytes.
    pub limit_bytes: Option<u64>,
}

/// Reads one run's log.
pub struct LogReader {
    dir: PathBuf,
    attempt: u32,
    progress: Option<watch::Receiver<Progress>>,
}

impl LogReader {
    pub(super) fn new(dir: PathBuf, attempt: u32, progress: Option<watch::Receiver<Progress>>) -> Self {
        LogReader { dir, attempt, progress }
    }

    /// Whether there is anything on disk.
    pub(super) fn exists(&self) -> bool {
        part_path(&self.dir, self.attempt, 0, 0).exists() || !older_parts(&self.dir, self.attempt).is_empty()
    }

    /// Sends what `options` ask for to `out`; ends when all is sent or nobody listens.
    pub async fn run(mut self, options: LogOptions, out: mpsc::Sender<Bytes>) -> io::Result<()> {
        let (mut part, mut offset) = self.start(&options).await?;
        let mut filter = Filter::new(&options);
        let mut buffer = Vec::new();
        'parts: loop {
            let Some(mut file) = self.open(part).await? else {
                // Removed by rotation before it was read.
                match self.next_part(part) {
                    Some(next) => {
                        (part, offset) = (next, 0);
                        continue;
                    }
                    None => return Ok(()),
                }
            };
            file.seek(SeekFrom::Start(offset)).await?;
            loop {
                // Looked at before the read: what was written until then is read below, so the end
                // of a part that was not the current one by now is its very end.
                let progress = self.progress.as_mut().map(|progress| *progress.borrow_and_update());
                let current = progress.map_or_else(|| self.current(), |progress| progress.part);
                let read = read_chunk(&mut file, &mut buffer).await?;
                let text = filter.take(&mut buffer);
                if !text.is_empty() && out.send(text.into()).await.is_err() {
                    return Ok(());
                }
                if filter.is_full() {
                    return Ok(());
                }
                if read > 0 {
                    continue;
                }
                if current > part
                    && let Some(next) = self.next_part(part)
                {
                    (part, offset) = (next, 0);
                    continue 'parts;
                }
                match progress {
                    Some(progress) if options.follow && !progress.closed => {
                        if !self.changed(&out).await {
                            return Ok(());
                        }
                    }
                    _ => return Ok(()),
                }
            }
        }
    }

    /// Waits for the writer; false when nobody listens any more.
    async fn changed(&mut self, out: &mpsc::Sender<Bytes>) -> bool {
        let Some(progress) = &mut self.progress else { return false };
        tokio::select! {
            // An error means that the writer is gone; what it wrote is read once more.
            changed = progress.changed() => {
                if changed.is_err() {
                    self.progress = None;
                }
                true
            }
            () = out.closed() => false,
        }
    }

    /// The part that is written now (or was last).
    fn current(&self) -> u64 {
        match &self.progress {
            Some(progress) => progress.borrow().part,
            None => older_parts(&self.dir, self.attempt).last().map_or(0, |last| last + 1),
        }
    }

    /// The first part after `part` that is still there.
    fn next_part(&self, part: u64) -> Option<u64> {
        let current = self.current();
        let older = older_parts(&self.dir, self.attempt);
        older.into_iter().chain([current]).find(|other| *other > part)
    }

    async fn open(&self, part: u64) -> io::Result<Option<File>> {
        loop {
            let current = self.current();
            match File::open(part_path(&self.dir, self.attempt, part, current)).await {
                // A rotation in between gave the name to the next part.
                Ok(_) if part == current && self.current() != current => {}
                Ok(file) => return Ok(Some(file)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }

    /// Where to begin: the oldest part, or the place with `tail_lines` lines after it.
    async fn start(&self, options: &LogOptions) -> io::Result<(u64, u64)> {
        let mut parts = older_parts(&self.dir, self.attempt);
        parts.push(self.current());
        let Some(mut wanted) = options.tail_lines else { return Ok((parts[0], 0)) };
        for part in parts.iter().rev() {
            let Some(mut file) = self.open(*part).await? else { continue };
            if let Some(offset) = tail(&mut file, &mut wanted).await? {
                return Ok((*part, offset));
            }
        }
        Ok((parts[0], 0))
    }
}

async fn read_chunk(file: &mut File, buffer: &mut Vec<u8>) -> io::Result<usize> {
    let before = buffer.len();
    buffer.resize(before + LOG_CHUNK_BYTES, 0);
    let read = file.read(&mut buffer[before..]).await;
    buffer.truncate(before + *read.as_ref().unwrap_or(&0));
    read
}

/// The offset after which `wanted` lines remain; `None` when the file has fewer, of which
/// `wanted` is then less.
async fn tail(file: &mut File, wanted: &mut u64) -> io::Result<Option<u64>> {
    let mut end = file.metadata().await?.len();
    let length = end;
    let mut chunk = Vec::new();
    while end > 0 {
        let start = end.saturating_sub(LOG_CHUNK_BYTES as u64);
        chunk.resize((end - start) as usize, 0);
        file.seek(SeekFrom::Start(start)).await?;
        file.read_exact(&mut chunk).await?;
        for (index, _) in chunk.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n') {
            let at = start + index as u64 + 1;
            if *wanted == 0 {
                return Ok(Some(at));
            }
            // The newline at the very end closes the last line; it does not begin one.
            if at < length {
                *wanted -= 1;
                if *wanted == 0 {
                    return Ok(Some(at));
                }
            }
        }
        end = start;
    }
    // The file's first line begins where the file does.
    if length > 0 {
        if *wanted == 0 {
            return Ok(Some(length));
        }
        *wanted -= 1;
        if *wanted == 0 {
            return Ok(Some(0));
        }
    }
    Ok(None)
}

struct Filter {
    since: Option<Vec<u8>>,
    timestamps: bool,
    left: Option<u64>,
    /// Whether the next line begins a line of the program.
    fresh: bool,
}

impl Filter {
    fn new(options: &LogOptions) -> Self {
        Filter {
            since: options.since.map(|since| line::stamp(since).into_bytes()),
            timestamps: options.timestamps,
            left: options.limit_bytes,
            fresh: true,
        }
    }

    fn is_full(&self) -> bool {
        self.left == Some(0)
    }

    /// The text of all whole lines of `buffer`, which keeps the rest.
    fn take(&mut self, buffer: &mut Vec<u8>) -> Vec<u8> {
        let mut out = Vec::new();
        let end = buffer.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        for raw in buffer[..end].split_inclusive(|byte| *byte == b'\n') {
            let Some(line) = line::parse(raw.strip_suffix(b"\n").unwrap_or(raw)) else { continue };
            if self.since.as_ref().is_some_and(|since| line.stamp < since.as_slice()) {
                continue;
            }
            if self.timestamps && self.fresh {
                out.extend_from_slice(line.stamp);
                out.push(b' ');
            }
            out.extend_from_slice(line.text);
            if line.whole {
                out.push(b'\n');
            }
            self.fresh = line.whole;
        }
        buffer.drain(..end);
        if let Some(left) = &mut self.left {
            out.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
            *left -= out.len() as u64;
        }
        out
    }
}
