//! Every bound of this crate.

use runtime_base::Backoff;
use std::time::Duration;

/// Largest Wasm file: stops a registry from filling the disk.
pub const WASM_BYTES_MAX: u64 = 512 << 20;
/// Largest manifest or index: stops one from filling memory once parsed.
pub const MANIFEST_BYTES_MAX: usize = 4 << 20;
/// Largest configuration of an image: stops one from filling memory.
pub const CONFIG_BYTES_MAX: u64 = 4 << 20;
/// Images in one store: stops the index from growing for ever.
pub const IMAGES_MAX: usize = 10_000;
/// Longest wait for a connection to a registry: stops a silent address from holding a Pod.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest silence of a registry within an answer.
pub const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest time for an answer that is not a blob: stops one that trickles.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// Longest time for a blob: stops a download that trickles from holding a Pod for ever.
pub const BLOB_TIMEOUT: Duration = Duration::from_secs(1800);
/// Tries of one step with a registry that fails for a moment (5xx, broken connection, 429).
pub const TRIES_MAX: u32 = 4;
/// Waits between these tries.
pub const RETRY: Backoff = Backoff::doubling(Duration::from_millis(200), Duration::from_secs(5));
/// Clients kept for their connections and tokens, one for each registry and credential.
pub const CLIENTS_MAX: usize = 64;
/// Credentials that are tried for one image: stops a Secret of thousands from becoming an attack.
pub const CREDENTIALS_TRIED_MAX: usize = 8;
