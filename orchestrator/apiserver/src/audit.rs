//! The audit log: who asked for what, and what became of it, as `audit.k8s.io/v1` Events, a line
//! of JSON each.
//!
//! A [`Policy`] says how much of which request is written; without one nothing is, and a request
//! costs nothing. Lines go through a bounded queue to a thread that writes; what does not fit is
//! dropped, told in the log and counted in `apiserver_audit_error_total`, so that a slow disk does
//! not stop the API.

mod event;
mod notes;
mod policy;
mod writer;

#[cfg(test)]
mod tests;

pub use policy::{Level, Policy, PolicyError};
pub use writer::LogOptions;

pub(crate) use event::{Hold, Trail};
pub(crate) use notes::{note, noting};

use event::Stage;
use runtime_base::Clock;
use serde_json::Value;
use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use writer::Writer;

/// Where the audit log goes, and what it holds.
#[derive(Clone, Debug)]
pub struct AuditConfig {
    /// How much of which request is written.
    pub policy: Policy,
    /// The file, and when it is rotated.
    pub log: LogOptions,
}

/// Why there can be no audit log.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The file cannot be opened.
    #[error("cannot open the audit log {0}")]
    Open(PathBuf, #[source] std::io::Error),
}

/// Writes the audit log.
pub(crate) struct Audit {
    policy: Policy,
    clock: Clock,
    writer: Writer,
    /// Events, by level.
    events: [AtomicU64; 4],
}

impl Audit {
    pub fn start(config: AuditConfig, clock: Clock) -> Result<Arc<Self>, AuditError> {
        let writer = Writer::start(config.log, clock.clone())?;
        Ok(Arc::new(Audit { policy: config.policy, clock, writer, events: Default::default() }))
    }

    fn write(&self, event: &Value, level: Level) {
        self.events[level as usize].fetch_add(1, Ordering::Relaxed);
        self.writer.write(event.to_string());
    }

    /// Adds what `/metrics` tells of the log, under upstream's names. Writing to a String cannot fail.
    pub fn write_metrics(&self, out: &mut String) {
        let counts = self.events.each_ref().map(|count| count.load(Ordering::Relaxed));
        let mut family = |name: &str, help: &str, lines: &[(String, u64)]| {
            let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} counter");
            for (labels, count) in lines {
                let _ = writeln!(out, "{name}{labels} {count}");
            }
        };
        let events = [(String::new(), counts.iter().sum())];
        family("apiserver_audit_event_total", "Events of the audit log.", &events);
        let lost = [("{plugin=\"log\"}".to_owned(), self.writer.lost())];
        family("apiserver_audit_error_total", "Events that are not in the audit log: it could not keep up.", &lost);
        let levels = [Level::None, Level::Metadata, Level::Request, Level::RequestResponse];
        let by_level = levels.map(|level| (format!("{{level=\"{}\"}}", level.as_str()), counts[level as usize]));
        family("apiserver_audit_level_total", "Events of the audit log, by level.", &by_level[1..]);
    }

    /// `2026-11-23T14:00:00.000000Z`
    fn now(&self) -> String {
        let now = jiff::Timestamp::try_from(self.clock.now()).unwrap_or_default();
        format!("{now:.6}")
    }
}
