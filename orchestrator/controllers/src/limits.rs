//! Named bounds.

use std::time::Duration;

/// Keys that one controller works on at a time; bounds requests in flight.
pub const WORKERS: usize = 4;
/// Pods that one plan creates or deletes; stops one huge object from starving others
/// (upstream's burst).
pub const BURST_PODS_MAX: usize = 500;
/// Writes of one plan that are in flight together.
pub const WRITES_IN_FLIGHT_MAX: usize = 16;
/// How long a worker waits for the caches to show what it wrote.
pub const CATCH_UP_MAX: Duration = Duration::from_secs(5);
/// Endpoints of one EndpointSlice (upstream's default).
pub const ENDPOINTS_PER_SLICE_MAX: usize = 100;
/// The first pause before a terminating namespace with content left is looked at again; it grows
/// with the namespace's age.
pub const NAMESPACE_RECHECK_MIN: Duration = Duration::from_millis(500);
/// The longest such pause; stops a finalizer that nobody removes from costing lists all the time.
pub const NAMESPACE_RECHECK_MAX: Duration = Duration::from_secs(10);
