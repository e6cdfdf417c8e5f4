//! Exponential back-off.

use std::time::Duration;

/// Delays that grow from `initial` by `factor` to at most `max`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    /// The first delay.
    pub initial: Duration,
    /// The longest delay.
    pub max: Duration,
    /// Growth from one delay to the next.
    pub factor: f64,
}

impl Backoff {
    /// Doubling delays.
    pub const fn doubling(initial: Duration, max: Duration) -> Self {
        Backoff { initial, max, factor: 2.0 }
    }

    /// The delay before try number `failures + 1`; zero failures wait `initial`.
    pub fn delay(&self, failures: u32) -> Duration {
        let grown = self.initial.as_secs_f64() * self.factor.powi(failures.min(64) as i32);
        if grown >= self.max.as_secs_f64() { self.max } else { Duration::from_secs_f64(grown) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_limit() {
        let backoff = Backoff::doubling(Duration::from_secs(10), Duration::from_secs(300));
        let seen: Vec<u64> = (0..7).map(|n| backoff.delay(n).as_secs()).collect();
        assert_eq!(seen, [10, 20, 40, 80, 160, 300, 300]);
        assert_eq!(backoff.delay(u32::MAX), Duration::from_secs(300));
    }
}
