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
/// Bytes of keys and values read at once, for the same reason.
pub const HISTORY_READ_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// The shortest time between two attempts to reopen a store whose commit failed; stops a full or
/// broken disk from being hammered by every write.
pub const REOPEN_DELAY: Duration = Duration::from_secs(1);
/// Files up to this size are checked page by page when opened; larger ones would make a start slow.
pub const INTEGRITY_CHECK_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Memory for pages of the file. Small: all current values are in memory already.
pub const PAGE_CACHE_BYTES: usize = 8 * 1024 * 1024;
/// Files up to this size are not made smaller: there is little to win.
pub const SHRINK_BYTES_MIN: u64 = 16 * 1024 * 1024;
/// How many times what it holds a file may take before it is made smaller.
pub const SHRINK_FACTOR: u64 = 4;
/// The shortest time between two times that the file is made smaller; writes wait meanwhile.
pub const SHRINK_INTERVAL: Duration = Duration::from_secs(60);
/// How far a restore raises the revision above all that is known, so that no revision that a
/// client may have seen is given out twice.
pub const RESTORE_REVISIONS: u64 = 1_000_000_000;
/// Bytes of a key in a backup; stops a damaged length from filling memory.
pub const BACKUP_KEY_BYTES_MAX: u32 = 64 * 1024;
/// Bytes of a value in a backup, for the same reason; far above what the API server stores.
pub const BACKUP_VALUE_BYTES_MAX: u32 = 64 * 1024 * 1024;
/// How long an etcd call may take; stops requests from piling up behind an etcd without quorum.
pub const ETCD_CALL_TIME_MAX: Duration = Duration::from_secs(10);
/// How long connecting to one etcd endpoint may take, before the next is tried.
pub const ETCD_CONNECT_TIME_MAX: Duration = Duration::from_secs(3);
/// Silence on an etcd connection before it is asked for a sign of life (etcd allows 5 s).
pub const ETCD_KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
/// How long that sign may take; ends watches of a machine that is gone.
pub const ETCD_KEEPALIVE_TIME_MAX: Duration = Duration::from_secs(10);
/// Keys of one answer of etcd; longer lists come in several, so that no answer is too large.
pub const ETCD_PAGE_MAX: i64 = 1000;
/// Bytes of one message of etcd; stops a broken peer from filling memory.
pub const ETCD_MESSAGE_BYTES_MAX: usize = 512 * 1024 * 1024;
