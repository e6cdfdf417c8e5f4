//! Counts for `/metrics`, in Prometheus' text format, under the names that kube-apiserver gives them.

mod process;
#[cfg(test)]
mod tests;

use crate::auth::Attributes;
use crate::limits::SERIES_MAX;
use orchestrator_apimachinery::Kind;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Upper bounds of the latency buckets in milliseconds (upstream's).
const BUCKETS_MS: [u64; 23] = [
    5, 25, 50, 100, 200, 400, 600, 800, 1000, 1250, 1500, 2000, 3000, 4000, 5000, 6000, 8000, 10_000, 15_000, 20_000,
    30_000, 45_000, 60_000,
];

/// What requests are told apart by.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Labels {
    group: String,
    resource: String,
    scope: &'static str,
    subresource: String,
    verb: String,
    version: String,
}

impl Labels {
    fn new(what: &Attributes) -> Self {
        let scope = match (&*what.resource, &*what.name, &*what.namespace) {
            ("", _, _) => "",
            (_, name, _) if !name.is_empty() && !matches!(&*what.verb, "list" | "watch" | "deletecollection") => {
                "resource"
            }
            (_, _, "") => "cluster",
            _ => "namespace",
        };
        Labels {
            group: clean(&what.group),
            resource: clean(&what.resource),
            scope,
            subresource: clean(&what.subresource),
            verb: method(&what.verb),
            version: clean(&what.version),
        }
    }

    fn text(&self) -> String {
        let Labels { group, resource, scope, subresource, verb, version } = self;
        format!(
            "verb=\"{verb}\",group=\"{group}\",version=\"{version}\",resource=\"{resource}\",\
             subresource=\"{subresource}\",scope=\"{scope}\",component=\"apiserver\""
        )
    }
}

/// The latencies of one kind of requests.
#[derive(Debug, Default)]
struct Histogram {
    /// Not cumulated; the last one is for all above.
    buckets: [u64; BUCKETS_MS.len() + 1],
    sum_us: u64,
}

#[derive(Debug, Default)]
struct Requests {
    codes: BTreeMap<(Labels, u16), u64>,
    latencies: BTreeMap<Labels, Histogram>,
}

/// Watches of one resource.
#[derive(Debug, Default)]
struct Watches {
    open: AtomicI64,
    events: AtomicU64,
}

/// What the server counts.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    requests: Mutex<Requests>,
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
        let labels = Labels::new(what);
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (labels, code);
        if requests.codes.len() >= SERIES_MAX && !requests.codes.contains_key(&key) {
            return;
        }
        if what.verb != "watch" {
            let histogram = match requests.latencies.get_mut(&key.0) {
                Some(histogram) => histogram,
                None => requests.latencies.entry(key.0.clone()).or_default(),
            };
            let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
            histogram.buckets[BUCKETS_MS.partition_point(|bound| bound * 1000 < us)] += 1;
            histogram.sum_us = histogram.sum_us.saturating_add(us);
        }
        *requests.codes.entry(key).or_default() += 1;
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
        self.request_text(&mut out);
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

    fn request_text(&self, out: &mut Text) {
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        out.head("apiserver_request_total", "counter", "Requests, by verb, resource and code of the answer.");
        for ((labels, code), count) in &requests.codes {
            let labels = format!("{},code=\"{code}\",dry_run=\"\"", labels.text());
            out.line("apiserver_request_total", &labels, *count);
        }
        let name = "apiserver_request_duration_seconds";
        out.head(name, "histogram", "Time to answer in seconds, by verb and resource.");
        for (labels, histogram) in &requests.latencies {
            let labels = format!("{},dry_run=\"\"", labels.text());
            let mut sum = 0;
            for (index, count) in histogram.buckets.iter().enumerate() {
                sum += count;
                let bound = BUCKETS_MS.get(index).map_or("+Inf".to_owned(), |ms| (*ms as f64 / 1000.0).to_string());
                out.line(&format!("{name}_bucket"), &format!("{labels},le=\"{bound}\""), sum);
            }
            out.line(&format!("{name}_sum"), &labels, histogram.sum_us as f64 / 1e6);
            out.line(&format!("{name}_count"), &labels, sum);
        }
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

fn clean(label: &str) -> String {
    label.replace(['\\', '"', '\n'], "_")
}

/// A verb as upstream's metrics spell it.
fn method(verb: &str) -> String {
    match verb {
        "create" => "POST".to_owned(),
        "update" => "PUT".to_owned(),
        verb => clean(verb).to_uppercase(),
    }
}
