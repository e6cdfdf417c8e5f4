//! Named bounds.

use std::time::Duration;

/// Transactions that wait for the writer; more are refused as overloaded instead of filling memory.
pub const QUEUE_MAX: usize = 4096;
/// Transactions of one durable commit; bounds how long the first of them waits for the last.
pub const BATCH_MAX: usize = 256;
/// Commits that a watcher may lag behind; a slower one is ended instead of filling memory.
pub const WATCH_QUEUE_MAX: usize = 1024;
/// Watchers at one time; the API server needs a handful, so more is a leak.
pub const WATCHERS_MAX: usize = 4096;
/// History younger than this is kept (unless one of the next two bounds is reached), so that a
/// client that was away for some minutes resumes its watch.
pub const HISTORY_AGE_MIN: Duration = Duration::from_secs(5 * 60);
/// Events kept in the history; bounds the file under a storm of small writes.
pub const HISTORY_EVENTS_MAX: u64 = 50_000;
/// Bytes of keys and values kept in the history; bounds the file under a storm of large writes.
pub const HISTORY_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Events forgotten by one commit; bounds what compaction adds to a write's latency.
pub const COMPACT_EVENTS_MAX: u64 = 1024;
/// Events read from the history at once for a watcher that starts in the past; bounds its memory.
pub const HISTORY_READ_MAX: usize = 512;
/// The shortest time between two attempts to reopen a store whose commit failed; stops a full or
/// broken disk from being hammered by every write.
pub const REOPEN_DELAY: Duration = Duration::from_secs(1);
/// Files up to this size are checked page by page when opened; larger ones would make a start slow.
pub const INTEGRITY_CHECK_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Memory for pages of the file. Small: all current values are in memory already.
pub const PAGE_CACHE_BYTES: usize = 8 * 1024 * 1024;
