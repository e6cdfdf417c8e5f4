//! Named bounds.

use std::time::Duration;

/// Events that wait to be written; more are dropped with a count in the log. Stops a failing
/// server from filling a component's memory.
pub const EVENTS_WAITING_MAX: usize = 1024;
/// Distinct events whose counts are remembered for joining repeats.
pub const EVENTS_REMEMBERED_MAX: usize = 4096;
/// The longest pause between tries of an informer that cannot list or watch.
pub const RELIST_DELAY_MAX: Duration = Duration::from_secs(30);
/// Objects of one list page.
pub const LIST_PAGE: u32 = 500;
