//! Named bounds.

use std::time::Duration;

/// How long a connect may wait: for room in a listener's backlog, or for a host outside; stops
/// a peer that never answers from holding callers without end.
pub const CONNECT_TIME_MAX: Duration = Duration::from_secs(30);

/// Live connections of one Pod, both directions counted; stops one Pod from filling memory.
pub const POD_CONNECTIONS_MAX: usize = 32 * 1024;

/// Listeners of one Pod; stops a guest that listens in a loop.
pub const POD_LISTENERS_MAX: usize = 1024;

/// Connections between Pods and kernel sockets on one node; stops Pods from taking all file
/// descriptors of the process.
pub const OUTSIDE_CONNECTIONS_MAX: usize = 8 * 1024;

/// NodePort connections that wait for a busy endpoint or run to another host; stops a flood at
/// a slow Service from taking all file descriptors.
pub const NODE_PORT_WAITING_MAX: usize = 4096;

/// Connections that the kernel holds for one NodePort before we accept.
pub const NODE_PORT_BACKLOG: u32 = 1024;

/// How long a NodePort rests after `accept` failed; stops a spin when descriptors run out.
pub const ACCEPT_REST: Duration = Duration::from_millis(100);

/// Endpoints tried for one connection to a Service; stops a call from walking through all the
/// dead endpoints of a large one.
pub const SERVICE_TRIES_MAX: usize = 4;

/// Remembered clients of Services with session affinity; stops many client addresses from
/// filling memory (a client beyond it gets a random endpoint).
pub const AFFINITY_CLIENTS_MAX: usize = 64 * 1024;

/// Bytes taken from a kernel socket at once.
pub const SOCKET_READ_BYTES: usize = 32 * 1024;

/// Names asked of the host's resolver at once; each takes a thread.
pub const HOST_LOOKUPS_MAX: usize = 32;

/// How long one question to the host's resolver may take.
pub const HOST_LOOKUP_TIME_MAX: Duration = Duration::from_secs(10);

/// Bytes of a name (RFC 1035).
pub const NAME_BYTES_MAX: usize = 253;

/// Search domains of a Pod (Kubernetes' own bound); further ones are ignored.
pub const SEARCHES_MAX: usize = 32;

/// Aliases (ExternalName) followed for one name; stops Services that name each other.
pub const ALIASES_MAX: usize = 8;

/// Addresses in one answer; stops a headless Service with thousands of endpoints from making
/// each lookup copy them all (a random part is given).
pub const ANSWER_ADDRESSES_MAX: usize = 1024;

/// The shortest time between two writes of the address file; stops a burst of new Pods from
/// writing it once each.
pub const STATE_WRITE_REST: Duration = Duration::from_millis(100);

/// First port that is chosen for who asks for port 0 or connects (Linux' default range).
pub const EPHEMERAL_FIRST: u16 = 32768;

/// Last port of that range.
pub const EPHEMERAL_LAST: u16 = 60999;
