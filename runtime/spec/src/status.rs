//! What became of a container.

use std::time::SystemTime;

/// Why a container ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitReason {
    /// It returned with code 0.
    Completed,
    /// It returned with another code, trapped, or was stopped.
    Error,
    /// It asked for more memory than its limit.
    OomKilled,
    /// It could not be started at all (`StartError`, code 128).
    StartError,
}

/// How a container ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExitStatus {
    /// The exit code, 0 to 255; a signal or a trap counts as 128 plus its number
    /// (137 killed or out of memory, 143 terminated, 134 trap).
    pub code: i32,
    /// Why.
    pub reason: ExitReason,
    /// A trap's message or another explanation; may be empty.
    pub message: String,
    /// When it started.
    pub started_at: SystemTime,
    /// When it ended.
    pub finished_at: SystemTime,
}

/// Where a container is in its life; it only moves forward.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContainerState {
    /// Made, not started.
    Created,
    /// Running since then.
    Running {
        /// When it started.
        started_at: SystemTime,
    },
    /// Ended.
    Exited(ExitStatus),
}

/// What a container uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// CPU time since its start, in nanoseconds.
    pub cpu_ns: u64,
    /// Memory in use now, in bytes.
    pub memory_bytes: u64,
}
