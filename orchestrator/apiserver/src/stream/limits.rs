//! Named bounds of streams.

use std::time::Duration;

/// How long a node may take to be reached, and to answer a request's head.
pub const CONNECT_TIME_MAX: Duration = Duration::from_secs(30);
/// How much of a node's error text is passed on.
pub const ERROR_BYTES_MAX: usize = 4 * 1024;
/// Bytes moved at once between a client and a port.
pub const CHUNK_BYTES: usize = 32 * 1024;
/// Bytes between a WebSocket and the SPDY session in it.
pub const TUNNEL_BYTES: usize = 64 * 1024;
/// Chunks that wait for a slow port or a slow client; then the other side waits.
pub const CHUNKS_QUEUED_MAX: usize = 16;
/// Longest WebSocket message: a client must not make the server hold more than this for one.
pub const MESSAGE_BYTES_MAX: usize = 1024 * 1024;
/// Longest SPDY data frame (kubectl sends 32 KiB).
pub const DATA_BYTES_MAX: usize = 1024 * 1024;
/// Longest SPDY control frame.
pub const CONTROL_BYTES_MAX: usize = 16 * 1024;
/// Longest header block when inflated: a small frame must not become a large one.
pub const HEADER_BYTES_MAX: usize = 16 * 1024;
/// Most headers of a stream.
pub const HEADERS_MAX: usize = 64;
/// Most connections of one session at a time; more are refused one by one.
pub const CONNECTIONS_MAX: usize = 1000;
/// Most ports of one WebSocket with channels: a channel's number is one byte.
pub const PORTS_MAX: usize = 120;
/// How long the last frames may take to leave when a session ends.
pub const FLUSH_TIME_MAX: Duration = Duration::from_secs(1);
