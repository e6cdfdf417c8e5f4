//! Named bounds.

use std::time::Duration;

/// Connections that one server holds; further ones wait in the listener's backlog. Stops many
/// idle callers from filling memory.
pub const SERVER_CONNECTIONS_MAX: usize = 4096;

/// How long a connection may take to send a request's head, counted from the last response;
/// stops idle and slow callers from holding connections.
pub const REQUEST_HEAD_TIME_MAX: Duration = Duration::from_secs(75);

/// How long a stopping server leaves connections without a request open: one may be on its way.
/// Stops a rollout from failing calls, and is short enough for the end of the process.
pub const DRAIN_SETTLE_TIME: Duration = Duration::from_millis(200);

/// Header fields of one message; stops a peer from making us keep a long table.
pub const HEADERS_MAX: usize = 128;

/// Bytes of a message's head, and of what is read ahead of a body.
pub const HEAD_BYTES_MAX: usize = 64 * 1024;

/// How long connecting may take, name and TLS included.
pub const CONNECT_TIME_MAX: Duration = Duration::from_secs(30);

/// How long the first byte of a response may take; `wasi:http` knows no shorter default.
pub const FIRST_BYTE_TIME_MAX: Duration = Duration::from_secs(600);

/// How long an unused connection is kept; shorter than our own servers keep theirs.
pub const IDLE_TIME_MAX: Duration = Duration::from_secs(30);

/// Unused connections kept for one Pod and host; stops a burst from leaving many behind.
pub const IDLE_PER_HOST_MAX: usize = 16;

/// Unused connections kept in all.
pub const IDLE_MAX: usize = 1024;

/// How long a kept connection may take to be ready again after its last response was read.
pub const READY_TIME_MAX: Duration = Duration::from_millis(200);

/// Addresses of one name that are tried; stops a name with many dead ones from taking long.
pub const ADDRESSES_TRIED_MAX: usize = 4;
