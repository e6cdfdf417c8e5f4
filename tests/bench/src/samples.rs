//! Durations and what is said of them.

use std::fmt::{self, Display};
use std::time::Duration;

/// Measured durations of one thing.
#[derive(Clone, Debug, Default)]
pub struct Samples(Vec<Duration>);

impl From<Vec<Duration>> for Samples {
    fn from(mut samples: Vec<Duration>) -> Self {
        samples.sort_unstable();
        Samples(samples)
    }
}

impl Samples {
    /// Adds one.
    pub fn push(&mut self, sample: Duration) {
        let place = self.0.partition_point(|other| *other <= sample);
        self.0.insert(place, sample);
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The smallest sample that at least `percent` of all do not exceed (nearest rank).
    pub fn percentile(&self, percent: usize) -> Duration {
        let rank = (self.0.len() * percent).div_ceil(100).max(1);
        self.0.get(rank - 1).copied().unwrap_or_default()
    }

    /// The smallest.
    pub fn min(&self) -> Duration {
        self.0.first().copied().unwrap_or_default()
    }

    /// The largest.
    pub fn max(&self) -> Duration {
        self.0.last().copied().unwrap_or_default()
    }
}

/// Milliseconds with one decimal.
pub fn milliseconds(duration: Duration) -> String {
    format!("{:.1}", duration.as_secs_f64() * 1e3)
}

impl Display for Samples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [min, p50, p99, max] = [self.min(), self.percentile(50), self.percentile(99), self.max()].map(milliseconds);
        write!(f, "min {min:>7}  p50 {p50:>7}  p99 {p99:>7}  max {max:>7} ms  (n={})", self.count())
    }
}
