//! Where a container's output goes.

/// Which output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl LogStream {
    /// `stdout` or `stderr`.
    pub fn as_str(self) -> &'static str {
        match self {
            LogStream::Stdout => "stdout",
            LogStream::Stderr => "stderr",
        }
    }
}

/// Takes a container's output; called on the guest's thread, in order.
pub trait LogSink: Send + Sync {
    /// Appends `bytes`, which need not end at a line. Must not block on readers of the log.
    fn write(&self, stream: LogStream, bytes: &[u8]);
}
