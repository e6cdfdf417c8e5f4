//! Waiting for a condition instead of sleeping.

use std::time::{Duration, Instant};

/// Asks `look` until it gives a value; fails after `limit` with `what` and the last thing seen.
///
/// # Panics
/// When the time is over.
#[track_caller]
#[expect(clippy::disallowed_methods, reason = "tests run on the machine's clock")]
pub fn wait_for<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Result<T, String>) -> T {
    let start = Instant::now();
    let mut pause = Duration::from_millis(10);
    loop {
        match look() {
            Ok(value) => return value,
            Err(seen) if start.elapsed() > limit => panic!("{what}: not within {limit:?}; last seen: {seen}"),
            Err(_) => std::thread::sleep(pause),
        }
        pause = (pause * 2).min(Duration::from_millis(200));
    }
}
