//! Named bounds.

use runtime_base::Backoff;
use std::time::Duration;

/// Bytes of a request's path and query; longer ones are refused before they are parsed.
pub const URI_BYTES_MAX: usize = 32 * 1024;
/// Bytes of a request's header; stops a client from filling memory before it is known.
pub const HEADER_BYTES_MAX: usize = 64 * 1024;
/// Time for a TLS handshake; stops clients that connect and say nothing.
pub const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(10);
/// Time for a request's header; stops header trickling.
pub const HEADER_TIME_MAX: Duration = Duration::from_secs(10);
/// How long a connection may be without a request before it is closed (upstream's 90 s); stops
/// clients that open many and ask for nothing.
pub const IDLE_TIME_MAX: Duration = Duration::from_secs(90);
/// Connections at one time.
pub const CONNECTIONS_MAX: usize = 8192;
/// Streams of one HTTP/2 connection at one time.
pub const STREAMS_MAX: u32 = 250;
/// Streams of one HTTP/2 connection that its client reset before the server looked at them; beyond it
/// the connection ends (a flood of requests that are taken back at once).
pub const RESETS_PENDING_MAX: usize = 20;
/// Time between two pings of an HTTP/2 client, which find out that it is gone.
pub const PING_INTERVAL: Duration = Duration::from_secs(30);
/// Time for its answer.
pub const PING_TIME_MAX: Duration = Duration::from_secs(20);
/// Requests at one time, that all limited priority levels share (upstream's 400 and 200).
pub const SEATS_MAX: usize = 600;
/// Seats of one request at most: a list of a large collection (upstream's 10).
pub const WIDTH_MAX: usize = 10;
/// The same as a part of its level's seats, so that one list does not stop a level (upstream's 15 %).
pub const WIDTH_PERCENT_MAX: usize = 15;
/// Bytes that a list goes through for each seat (upstream's 100 kB).
pub const SEAT_BYTES: usize = 100_000;
/// How long a request waits for its turn before it is refused with 429 (upstream's quarter of the
/// request's time).
pub const TURN_TIME_MAX: Duration = Duration::from_secs(15);
/// Queues of one priority level, whatever its object says.
pub const QUEUES_MAX: usize = 1024;
/// How long a request without a stream may take (upstream's 60 s).
pub const REQUEST_TIME_MAX: Duration = Duration::from_secs(60);
/// How long after a failure the objects that every cluster has are tried again; stops a loop
/// while the store cannot write.
pub const KEEP_RETRY_DELAY: Duration = Duration::from_secs(1);
/// Objects of one list page, whatever the client asks for.
pub const PAGE_MAX: usize = 10_000;
/// Bytes of one stored object; the store and every watcher carry it whole (upstream's 1.5 MB).
pub const OBJECT_BYTES_MAX: usize = 1_500_000;
/// Changes of one resource that a cache remembers; a watch that lags further reads the store's history.
pub const RECENT_CHANGES_MAX: usize = 8192;
/// Bytes of objects that those changes hold.
pub const RECENT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Revisions of history read at start, so that clients resume their watches after a restart.
pub const STARTUP_HISTORY_MAX: u64 = 2000;
/// Changes that a watch takes from its cache at once.
pub const WATCH_BATCH_MAX: usize = 64;
/// Changes that a watch takes from the store's history at once, for a past that its cache has forgotten.
pub const WATCH_LOG_EVENTS_MAX: usize = 512;
/// Bytes of objects that it takes at once; bounds what a client that does not read holds.
pub const WATCH_LOG_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How long a read waits for the cache to reach a revision (upstream's 3 s).
pub const FRESH_TIME_MAX: Duration = Duration::from_secs(3);
/// Time between two bookmarks of a watch (upstream's 60 s).
pub const BOOKMARK_INTERVAL: Duration = Duration::from_secs(60);
/// The shortest default lifetime of a watch; a random time up to as much is added (upstream's 30 min).
pub const WATCH_TIME_MIN: Duration = Duration::from_secs(1800);
/// Tries of a change that loses against others before it is refused with a conflict.
pub const CONFLICT_RETRIES_MAX: usize = 16;
/// Tries to find a free name for `generateName` (upstream's 8).
pub const GENERATE_NAME_RETRIES_MAX: usize = 8;
/// Letters that `generateName` keeps before its random ones (upstream's 58).
pub const GENERATE_NAME_BASE_MAX: usize = 58;
/// How long the creation of a Pod waits for its namespace's default ServiceAccount.
pub const SERVICE_ACCOUNT_TIME_MAX: Duration = Duration::from_secs(2);
/// How long an open connection may take to end when the server stops.
pub const SHUTDOWN_TIME_MAX: Duration = Duration::from_secs(1);
/// How long an extension server may take to tell what it serves (upstream's 5 s).
pub const AVAILABILITY_TIME_MAX: Duration = Duration::from_secs(5);
/// How often extension servers are looked at when nothing changes.
pub const AVAILABILITY_INTERVAL: Duration = Duration::from_secs(30);
/// Extension servers that are looked at at once, so that slow ones do not hold up the others.
pub const AVAILABILITY_LOOKS_MAX: usize = 8;
/// How long an extension server may take to tell its OpenAPI.
pub const OPENAPI_TIME_MAX: Duration = Duration::from_secs(10);
/// Bytes of an OpenAPI document of an extension server; stops one that never ends.
pub const OPENAPI_BYTES_MAX: usize = 8 * 1024 * 1024;
/// How long a conversion webhook may take (upstream's 30 s).
pub const CONVERSION_TIME_MAX: Duration = Duration::from_secs(30);
/// How long a write of a CustomResourceDefinition waits until its objects are served.
pub const DEFINITION_TIME_MAX: Duration = Duration::from_secs(2);
/// How long after a look the objects of a deleted definition are looked at again.
pub const DEFINITION_RETRY_DELAY: Duration = Duration::from_secs(1);
/// How long a connection to a webhook or extension server may take, TLS included (upstream's 30 s).
pub const CALL_CONNECT_TIME_MAX: Duration = Duration::from_secs(30);
/// Endpoints of a Service that are tried for one connection.
pub const ENDPOINT_TRIES_MAX: usize = 3;
/// Bytes of a webhook's or extension server's answer; stops one that never ends.
pub const CALL_ANSWER_BYTES_MAX: usize = 3 * 1024 * 1024;
/// Characters of a failed call's answer that the client is told.
pub const CALL_ERROR_CHARS_MAX: usize = 512;
/// Delays before the store is followed again after it failed; stops a loop while it is away.
pub const FOLLOW_RETRY: Backoff = Backoff::doubling(Duration::from_millis(50), Duration::from_secs(2));
/// Characters of a client's own `Audit-ID` (upstream's 64); a longer one is replaced.
pub const AUDIT_ID_CHARS_MAX: usize = 64;
/// Lines of the audit log that wait to be written; what comes beyond is dropped, told and counted.
pub const AUDIT_LINES_MAX: usize = 10_000;
/// Bytes of those lines: with the objects of requests and answers in them few lines are much.
pub const AUDIT_QUEUE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Addresses that a client may claim to come from.
pub const AUDIT_SOURCES_MAX: usize = 16;
/// Bytes of a request's or an answer's body that the audit log holds.
pub const AUDIT_BODY_BYTES_MAX: usize = 3 * 1024 * 1024;
/// Values that are sealed anew at once after a rotation of encryption keys.
pub const RENEW_PAGE: usize = 500;
/// Bytes of an answer from which on it is compressed for clients that take gzip (upstream's 128 KiB).
pub const COMPRESS_BYTES_MIN: u64 = 128 * 1024;
/// Series that `/metrics` keeps; a client that asks for made-up resources adds none beyond.
pub const SERIES_MAX: usize = 2000;
/// Objects of a collection that are deleted at the same time, so that their writes share commits.
pub const DELETES_MAX: usize = 64;
/// Characters of one warning of a webhook or policy (upstream's 4096).
pub const WARNING_CHARS_MAX: usize = 4096;
/// Characters of an annotation of the audit log that a policy makes (upstream's 10 KiB).
pub const AUDIT_NOTE_CHARS_MAX: usize = 10 * 1024;
/// Annotations of one event of the audit log that webhooks and policies make; stops one that floods it.
pub const AUDIT_NOTES_MAX: usize = 256;
