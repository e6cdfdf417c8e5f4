//! Named bounds.

use std::time::Duration;

/// The longest back-off of a Pod that cannot be scheduled (upstream's).
pub const POD_BACKOFF_MAX: Duration = Duration::from_secs(10);
/// The first back-off (upstream's).
pub const POD_BACKOFF_INITIAL: Duration = Duration::from_secs(1);
/// How long a Pod stays unschedulable before it is tried again though nothing changed
/// (upstream's podMaxInUnschedulablePodsDuration).
pub const UNSCHEDULABLE_MAX: Duration = Duration::from_secs(300);
/// Bindings in flight; bounds requests that one burst makes.
pub const BINDINGS_IN_FLIGHT_MAX: usize = 64;
/// What scores count for a container that asks for no cpu, in thousandths of a core (upstream's).
pub const CPU_MILLIS_GUESS: i64 = 100;
/// What scores count for a container that asks for no memory (upstream's).
pub const MEMORY_BYTES_GUESS: i64 = 200 * 1024 * 1024;
