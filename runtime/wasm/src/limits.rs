//! Named bounds; each says which failure it stops.

use std::time::Duration;

/// How often the epoch advances while a guest runs. A guest gives way to others, to its quota
/// and to a stop after at most this long.
pub const EPOCH_TICK: Duration = Duration::from_millis(10);

/// Ticks without a running guest before the ticker sleeps until one runs again; keeps a server
/// that answers now and then from waking the ticker for each answer.
pub const QUIET_TICKS: u32 = 10;

/// The period of a CPU quota, as in Linux (`cpu.cfs_period_us` of a container).
pub const QUOTA_PERIOD: Duration = Duration::from_millis(100);

/// Elements of all tables of one program; stops `table.grow` from filling memory.
pub const TABLE_ELEMENTS_MAX: usize = 1_000_000;

/// Core instances, memories and tables of one program each.
pub const STORE_ITEMS_MAX: usize = 10_000;

/// Host objects (streams, sockets, files, requests) that one program holds; stops a leak from
/// filling the host's memory.
pub const RESOURCES_MAX: usize = 65_536;

/// Component handles that one program holds.
pub const HANDLES_MAX: usize = 65_536;

/// Bytes that one call copies from the guest into the host.
pub const HOSTCALL_BYTES_MAX: usize = 64 << 20;

/// Random bytes of one call.
pub const RANDOM_BYTES_MAX: u64 = 16 << 20;

/// Bytes of all headers of one HTTP message.
pub const HEADER_BYTES_MAX: usize = 128 << 10;

/// Bytes that one write to standard output or a connection takes.
pub const WRITE_BYTES_MAX: usize = 64 << 10;

/// Requests of one container that run at once, each in an instance of its own; stops a burst
/// from making instances without end.
pub const HTTP_RUNNING_MAX: usize = 128;

/// Requests of one container that wait for one of those; more are refused.
pub const HTTP_WAITING_MAX: usize = 1024;

/// Requests that one instance answers before a new one takes its place; stops a slow leak of
/// the guest from growing without end.
pub const HTTP_REUSE_MAX: u32 = 1000;

/// How long an instance without requests is kept.
pub const HTTP_IDLE_MAX: Duration = Duration::from_secs(10);

/// How long a guest may go on once its response has ended or its caller has gone.
pub const HTTP_AFTER_RESPONSE_MAX: Duration = Duration::from_secs(30);

/// How long an outgoing request waits for its response when the guest does not say.
pub const HTTP_OUTGOING_MAX: Duration = Duration::from_secs(600);

/// Bytes of one `.wasm`; stops a mistaken image from occupying the compiler.
pub const WASM_BYTES_MAX: u64 = 256 << 20;

/// Compilations at once.
pub const COMPILES_MAX: usize = 2;

/// Address space of one compilation; stops a hostile program from taking the node's memory.
pub const COMPILE_MEMORY_MAX: u64 = 4 << 30;

/// CPU seconds of one compilation.
pub const COMPILE_CPU_SECONDS_MAX: u64 = 600;

/// Bytes of one compiled program.
pub const COMPILED_BYTES_MAX: u64 = 2 << 30;

/// Bytes kept of what a failed compilation said.
pub const COMPILE_MESSAGE_BYTES_MAX: usize = 4096;

/// Loaded programs that are kept although no container runs them; a restart then needs no disk.
pub const PROGRAMS_KEPT_MAX: usize = 32;

/// Threads for blocking file operations of all guests.
pub const FILE_THREADS_MAX: usize = 16;

/// Function names in a trap's message.
pub const TRAP_FRAMES_MAX: usize = 6;

/// Bytes of a host name in a lookup (RFC 1035, 2.3.4).
pub const NAME_BYTES_MAX: usize = 253;
