//! Named bounds.

/// Bytes that one direction of a connection holds before the writer waits; stops a fast writer
/// from filling memory.
pub const PIPE_BYTES_MAX: usize = 256 * 1024;

/// Connections that wait for `accept` when a listener does not say; stops a listener that never
/// accepts from holding connections without end.
pub const LISTEN_BACKLOG: usize = 128;

/// Most connections that may wait for `accept`, whatever the guest asks for.
pub const LISTEN_BACKLOG_MAX: usize = 4096;
