//! Named bounds.

use runtime_base::Backoff;
use std::time::Duration;

/// Between ends of a container that ends again and again; stops a crash loop from filling the
/// node. Upstream's numbers.
pub const CRASH_BACKOFF: Backoff = Backoff::doubling(Duration::from_secs(10), Duration::from_secs(300));
/// A run this long ends a crash loop.
pub const CRASH_RESET: Duration = Duration::from_secs(600);
/// Between tries of a step that failed (pull, mount, start); stops a missing image from
/// hammering its registry.
pub const FAILURE_BACKOFF: Backoff = Backoff::doubling(Duration::from_secs(10), Duration::from_secs(300));
/// How long a failed pull shows as `ErrImagePull` before it shows as `ImagePullBackOff`.
pub const PULL_ERROR_SHOWN: Duration = Duration::from_secs(3);

/// Until a NodePort that another program holds is tried again.
pub const NODE_PORT_RETRY: Duration = Duration::from_secs(10);

/// Images that are pulled at once; stops a rollout from opening hundreds of connections.
pub const PULLS_MAX: usize = 5;
/// Containers that are made and started at once; stops a full node from starting all its
/// programs in the same moment.
pub const STARTS_MAX: usize = 64;
/// Reports that wait for one Pod's worker; a full box slows the reporter down.
pub const REPORTS_WAITING_MAX: usize = 64;

/// Bytes of a container's log file before the next one is begun.
pub const LOG_FILE_BYTES_MAX: u64 = 10 * 1024 * 1024;
/// Files of one run's log; older ones are removed. Stops a log flood from filling the disk.
pub const LOG_FILES_MAX: usize = 5;
/// Runs of a container whose logs are kept.
pub const LOG_RUNS_MAX: u32 = 2;
/// Bytes of one line of the log; longer ones are cut into partial lines, as CRI does.
pub const LOG_LINE_BYTES_MAX: usize = 16 * 1024;
/// Bytes read from a log at once.
pub const LOG_CHUNK_BYTES: usize = 64 * 1024;

/// Bytes of a probe's answer that are read; stops an endless answer.
pub const PROBE_BODY_BYTES_MAX: usize = 10 * 1024;
/// How long a lifecycle hook's HTTP request may take at most.
pub const HOOK_TIMEOUT: Duration = Duration::from_secs(300);

/// Between renewals of the node's Lease.
pub const LEASE_PERIOD: Duration = Duration::from_secs(10);
/// How long a Lease holds without renewal.
pub const LEASE_SECONDS: i32 = 40;
/// Between reports of a Node whose status did not change.
pub const NODE_STATUS_PERIOD: Duration = Duration::from_secs(300);
/// Between tries to register the Node or to renew its Lease.
pub const NODE_RETRY: Backoff = Backoff::doubling(Duration::from_millis(100), Duration::from_secs(7));
/// Between tries to write a Pod's status.
pub const STATUS_RETRY: Backoff = Backoff::doubling(Duration::from_millis(100), Duration::from_secs(10));

/// How long guests have when the process ends.
pub const SHUTDOWN_GRACE: Duration = Duration::from_secs(1);
/// How long the kubelet's own tasks have after that.
pub const SHUTDOWN_TASKS: Duration = Duration::from_millis(500);

/// Share of a token's life after which a new one is asked for.
pub const TOKEN_REFRESH_SHARE: f64 = 0.8;
/// The longest time between token refreshes.
pub const TOKEN_REFRESH_MAX: Duration = Duration::from_secs(24 * 3600);
/// Bytes of an environment variable after expansion; stops `$(A)$(A)` chains.
pub const ENV_BYTES_MAX: usize = 1024 * 1024;
/// Requests that one connection of the kubelet API serves.
pub const API_HEADERS_MAX: usize = 64;
/// How long a Pod's first status waits for more to say than that it is being made.
pub const STATUS_SETTLE: Duration = Duration::from_millis(50);
/// After a volume could not be written again, until the next try.
pub const REFRESH_RETRY: Duration = Duration::from_secs(60);
