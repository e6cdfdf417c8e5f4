//! Counts for `/metrics`, in Prometheus' text format, under the names that kube-apiserver gives them.

mod process;
mod requests;
#[cfg(test)]
mod tests;

use crate::auth::Attributes;
use orchestrator_apimachinery::Kind;
use requests::Requests;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Watches of one resource.
#[derive(Debug, Default)]
struct Watches {
    open: AtomicI64,
    events: AtomicU64,
}

/// What the server counts.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    requests: Requests,
    /// By group, version, kind and resource.
    watches: Mutex<BTreeMap<[String; 4], Arc<Watches>>>,
}

/// What is read off elsewhere when somebody asks.
pub(crate) struct Gauges {
    /// Requests under way that only read, and that change something.
    pub in_flight: [usize; 2],
    /// Objects by group and resource.
    pub objects: Vec<(String, String, usize)>,
    /// The store's last revision, and the one that the watch caches have reached.
    pub revisions: [u64; 2],
    /// Seconds since 1970 when the server started.
    pub started: u64,
}

impl Metrics {
    /// Counts an answer. Watches tell nothing by the time of their first byte.
    pub fn count(&self, what: &Attributes, code: u16, took: Duration) {
        self.requests.count(what, code, took);
    }

    /// Counts a watch as open until the answer is dropped.
    pub fn watch(&self, kind: &Kind) -> OpenWatch {
        let key = [kind.group.to_string(), kind.version.to_string(), kind.kind.to_string(), kind.plural.to_string()];
        let mut watches = self.watches.lock().unwrap_or_else(PoisonError::into_inner);
        let of_kind = watches.entry(key).or_default().clone();
        of_kind.open.fetch_add(1, Ordering::Relaxed);
        OpenWatch(of_kind)
    }

    /// The text of `/metrics`.
    pub fn text(&self, gauges: &Gauges) -> String {
        let mut out = Text::default();
        self.requests.write(&mut out);
        out.head("apiserver_current_inflight_requests", "gauge", "Requests under way, by kind.");
        for (kind, count) in ["readOnly", "mutating"].iter().zip(gauges.in_flight) {
            out.line("apiserver_current_inflight_requests", &format!("request_kind=\"{kind}\""), count);
        }
        self.watch_text(&mut out);
        for (name, help) in [
            ("apiserver_storage_objects", "Objects in the store, by resource."),
            ("apiserver_resource_objects", "Objects in the store, by group and resource."),
        ] {
            out.head(name, "gauge", help);
            for (group, resource, count) in &gauges.objects {
                let labels = match (name, group.as_str()) {
                    ("apiserver_resource_objects", group) => format!("group=\"{group}\",resource=\"{resource}\""),
                    (_, "") => format!("resource=\"{resource}\""),
                    (_, group) => format!("resource=\"{resource}.{group}\""),
                };
                out.line(name, &labels, *count);
            }
        }
        for (name, value) in ["coracle_store_revision", "coracle_watch_cache_revision"].iter().zip(gauges.revisions) {
            out.head(name, "gauge", "A revision.");
            out.line(name, "", value);
        }
        out.head("kubernetes_build_info", "gauge", "The version of Kubernetes that is served; always 1.");
        let (major, minor, git) = crate::paths::VERSION;
        let labels = format!("major=\"{major}\",minor=\"{minor}\",git_version=\"{git}\"");
        out.line("kubernetes_build_info", &labels, 1);
        process::write(&mut out, gauges.started);
        out.0
    }

    fn watch_text(&self, out: &mut Text) {
        let watches = self.watches.lock().unwrap_or_else(PoisonError::into_inner);
        out.head("apiserver_longrunning_requests", "gauge", "Watches under way.");
        for ([group, version, _, resource], of_kind) in watches.iter() {
            let labels = format!(
                "verb=\"WATCH\",group=\"{group}\",version=\"{version}\",resource=\"{resource}\",component=\"apiserver\""
            );
            out.line("apiserver_longrunning_requests", &labels, of_kind.open.load(Ordering::Relaxed));
        }
        out.head("apiserver_watch_events_total", "counter", "Events sent to watches.");
        for ([group, version, kind, _], of_kind) in watches.iter() {
            let labels = format!("group=\"{group}\",version=\"{version}\",kind=\"{kind}\"");
            out.line("apiserver_watch_events_total", &labels, of_kind.events.load(Ordering::Relaxed));
        }
    }
}

/// A watch that is open as long as this lives.
#[derive(Debug)]
pub(crate) struct OpenWatch(Arc<Watches>);

impl OpenWatch {
    /// Counts events that are sent, one a line.
    pub fn events(&self, lines: &[u8]) {
        let count = lines.iter().filter(|byte| **byte == b'\n').count();
        self.0.events.fetch_add(count as u64, Ordering::Relaxed);
    }
}

impl Drop for OpenWatch {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The text under construction. Writing to a String cannot fail.
#[derive(Default)]
struct Text(String);

impl Text {
    fn head(&mut self, name: &str, type_: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {type_}");
    }

    fn line(&mut self, name: &str, labels: &str, value: impl std::fmt::Display) {
        let _ = match labels {
            "" => writeln!(self.0, "{name} {value}"),
            labels => writeln!(self.0, "{name}{{{labels}}} {value}"),
        };
    }
}
