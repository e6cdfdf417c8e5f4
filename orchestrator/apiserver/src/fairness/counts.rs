//! Counts for `/metrics` of the requests of one FlowSchema, under upstream's names.

use super::level::Nominal;
use std::fmt::Write;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Upper bounds of the buckets of waiting times in milliseconds (upstream's).
const BUCKETS_MS: [u64; 13] = [0, 5, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 15_000, 30_000];

/// Why a request gets no seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// All seats are taken, and its level has no queues.
    Limit,
    /// Its queue is full.
    QueueFull,
    /// It waited too long.
    TimeOut,
    /// Its client went away.
    Cancelled,
}

const REFUSALS: [&str; 4] = ["concurrency-limit", "queue-full", "time-out", "cancelled"];

/// What became of the requests of one FlowSchema.
#[derive(Debug, Default)]
pub(super) struct Counts {
    dispatched: AtomicU64,
    rejected: [AtomicU64; REFUSALS.len()],
    waiting: AtomicI64,
    executing: AtomicI64,
    seats: AtomicI64,
    /// Of those that waited and ran, and that waited in vain: not cumulated, the last bucket is for all above.
    waits: [[AtomicU64; BUCKETS_MS.len() + 1]; 2],
    waited_us: [AtomicU64; 2],
}

impl Counts {
    /// A request got its seats, after so long.
    pub fn begin(&self, width: usize, waited: Duration) {
        self.dispatched.fetch_add(1, Relaxed);
        self.executing.fetch_add(1, Relaxed);
        self.seats.fetch_add(width as i64, Relaxed);
        self.waited(0, waited);
    }

    /// And has ended.
    pub fn end(&self, width: usize) {
        self.executing.fetch_sub(1, Relaxed);
        self.seats.fetch_sub(width as i64, Relaxed);
    }

    /// A request got none, after so long.
    pub fn refuse(&self, why: Refusal, waited: Duration) {
        self.rejected[why as usize].fetch_add(1, Relaxed);
        self.waited(1, waited);
    }

    fn waited(&self, outcome: usize, waited: Duration) {
        let us = u64::try_from(waited.as_micros()).unwrap_or(u64::MAX);
        self.waits[outcome][BUCKETS_MS.partition_point(|bound| bound * 1000 < us)].fetch_add(1, Relaxed);
        if us > 0 {
            self.waited_us[outcome].fetch_add(us, Relaxed);
        }
    }

    /// A request waits for its turn, until [`Waiting::over`]; when it is dropped before, its client went away.
    pub fn waiting(&self) -> Waiting<'_> {
        self.waiting.fetch_add(1, Relaxed);
        Waiting { counts: self, over: false }
    }
}

/// See [`Counts::waiting`].
pub(super) struct Waiting<'a> {
    counts: &'a Counts,
    over: bool,
}

impl Waiting<'_> {
    pub fn over(mut self) {
        self.over = true;
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.counts.waiting.fetch_sub(1, Relaxed);
        if !self.over {
            self.counts.rejected[Refusal::Cancelled as usize].fetch_add(1, Relaxed);
        }
    }
}

/// A name, its help, and how it is read.
type Gauge = (&'static str, &'static str, fn(&Counts) -> i64);

/// Writes the metrics of all FlowSchemas (by name and level) and levels. Writing to a String cannot fail.
pub(super) fn write(out: &mut String, schemas: &[(&str, &str, &Counts)], levels: &[Nominal]) {
    let labels =
        |(schema, level, _): &(&str, &str, &Counts)| format!("flow_schema=\"{schema}\",priority_level=\"{level}\"");
    let mut family = |name: &str, type_: &str, help: &str, lines: &mut dyn FnMut(&mut String, &str)| {
        let name = format!("apiserver_flowcontrol_{name}");
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {type_}");
        lines(out, &name);
    };
    let gauges: [Gauge; 3] = [
        ("current_inqueue_requests", "Requests that wait for their turn.", |counts| counts.waiting.load(Relaxed)),
        ("current_executing_requests", "Requests that run.", |counts| counts.executing.load(Relaxed)),
        ("current_executing_seats", "Seats of the requests that run.", |counts| counts.seats.load(Relaxed)),
    ];
    for (name, help, read) in gauges {
        family(name, "gauge", help, &mut |out, name| {
            for one in schemas {
                let _ = writeln!(out, "{name}{{{}}} {}", labels(one), read(one.2));
            }
        });
    }
    family("dispatched_requests_total", "counter", "Requests that got their turn.", &mut |out, name| {
        for one in schemas {
            let _ = writeln!(out, "{name}{{{}}} {}", labels(one), one.2.dispatched.load(Relaxed));
        }
    });
    family("rejected_requests_total", "counter", "Requests that got no turn, by reason.", &mut |out, name| {
        for one in schemas {
            let counts = REFUSALS.iter().zip(&one.2.rejected).map(|(reason, count)| (reason, count.load(Relaxed)));
            for (reason, count) in counts.filter(|(_, count)| *count > 0) {
                let _ = writeln!(out, "{name}{{{},reason=\"{reason}\"}} {count}", labels(one));
            }
        }
    });
    family("nominal_limit_seats", "gauge", "Seats that are a level's own.", &mut |out, name| {
        for level in levels {
            let _ = writeln!(out, "{name}{{priority_level=\"{}\"}} {}", level.name, level.seats);
        }
    });
    family("request_wait_duration_seconds", "histogram", "Time in queues.", &mut |out, name| {
        for one in schemas {
            for (index, execute) in ["true", "false"].into_iter().enumerate() {
                let labels = format!("{},execute=\"{execute}\"", labels(one));
                waits(out, name, &labels, &one.2.waits[index], &one.2.waited_us[index]);
            }
        }
    });
}

fn waits(out: &mut String, name: &str, labels: &str, buckets: &[AtomicU64], sum_us: &AtomicU64) {
    let mut sum = 0;
    let total: u64 = buckets.iter().map(|bucket| bucket.load(Relaxed)).sum();
    if total == 0 {
        return;
    }
    for (index, bucket) in buckets.iter().enumerate() {
        sum += bucket.load(Relaxed);
        let bound = BUCKETS_MS.get(index).map_or("+Inf".to_owned(), |ms| (*ms as f64 / 1000.0).to_string());
        let _ = writeln!(out, "{name}_bucket{{{labels},le=\"{bound}\"}} {sum}");
    }
    let _ = writeln!(out, "{name}_sum{{{labels}}} {}", sum_us.load(Relaxed) as f64 / 1e6);
    let _ = writeln!(out, "{name}_count{{{labels}}} {sum}");
}
