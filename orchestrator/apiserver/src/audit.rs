//! The audit log: who asked for what, and what became of it, as `audit.k8s.io/v1` Events, a line
//! of JSON each.
//!
//! A [`Policy`] says how much of which request is written; without one nothing is, and a request
//! costs nothing. Lines go through a bounded queue to a thread that writes; what does not fit is
//! dropped and told in the log, so that a slow disk does not stop the API.

mod event;
mod policy;
mod writer;

#[cfg(test)]
mod tests;

pub use policy::{Level, Policy, PolicyError};
pub use writer::LogOptions;

pub(crate) use event::Trail;

use event::Stage;
use runtime_base::Clock;
use serde_json::Value;
use std::path::PathBuf;
use std::sync::Arc;
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
}

impl Audit {
    pub fn start(config: AuditConfig, clock: Clock) -> Result<Arc<Self>, AuditError> {
        let writer = Writer::start(config.log, clock.clone())?;
        Ok(Arc::new(Audit { policy: config.policy, clock, writer }))
    }

    fn write(&self, event: &Value) {
        self.writer.write(event.to_string());
    }

    /// `2026-11-23T14:00:00.000000Z`
    fn now(&self) -> String {
        let now = jiff::Timestamp::try_from(self.clock.now()).unwrap_or_default();
        format!("{now:.6}")
    }
}
