//! Requests by what they ask for and how they are answered.

use super::Text;
use crate::auth::Attributes;
use crate::limits::SERIES_MAX;
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Upper bounds of the latency buckets in milliseconds (upstream's).
const BUCKETS_MS: [u64; 23] = [
    5, 25, 50, 100, 200, 400, 600, 800, 1000, 1250, 1500, 2000, 3000, 4000, 5000, 6000, 8000, 10_000, 15_000, 20_000,
    30_000, 45_000, 60_000,
];

/// What requests are told apart by: group, version, resource, subresource, verb, scope.
type Labels = [String; 6];

fn labels(what: &Attributes) -> [&str; 6] {
    let Attributes { group, version, resource, subresource, verb, name, namespace, .. } = what;
    let scope = match (&**resource, &**name, &**namespace) {
        ("", _, _) => "",
        (_, name, _) if !name.is_empty() && !matches!(&**verb, "list" | "watch" | "deletecollection") => "resource",
        (_, _, "") => "cluster",
        _ => "namespace",
    };
    [group, version, resource, subresource, verb, scope]
}

/// The requests of one kind with one code.
#[derive(Debug)]
struct Series {
    labels: Labels,
    code: u16,
    count: u64,
    /// Not cumulated; the last one is for all above.
    buckets: [u64; BUCKETS_MS.len() + 1],
    sum_us: u64,
}

/// Counts of all requests.
#[derive(Debug, Default)]
pub(super) struct Requests {
    hasher: RandomState,
    /// By the hash of labels and code, so that to count costs no copies.
    series: Mutex<HashMap<u64, Series>>,
}

impl Requests {
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Series>> {
        self.series.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts an answer. Watches tell nothing by the time of their first byte.
    pub fn count(&self, what: &Attributes, code: u16, took: Duration) {
        let labels = labels(what);
        let hash = self.hasher.hash_one((labels, code));
        let mut all = self.lock();
        if all.len() >= SERIES_MAX && !all.contains_key(&hash) {
            return;
        }
        let series = all.entry(hash).or_insert_with(|| {
            let labels = labels.map(str::to_owned);
            Series { labels, code, count: 0, buckets: Default::default(), sum_us: 0 }
        });
        series.count += 1;
        if what.verb != "watch" {
            let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
            series.buckets[BUCKETS_MS.partition_point(|bound| bound * 1000 < us)] += 1;
            series.sum_us = series.sum_us.saturating_add(us);
        }
    }

    /// How many series there are.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Writes all of them down.
    pub fn write(&self, out: &mut Text) {
        let all = self.lock();
        let mut ordered: Vec<&Series> = all.values().collect();
        ordered.sort_by(|a, b| (&a.labels, a.code).cmp(&(&b.labels, b.code)));
        out.head("apiserver_request_total", "counter", "Requests, by verb, resource and code of the answer.");
        for series in &ordered {
            let labels = format!("{},code=\"{}\",dry_run=\"\"", text(&series.labels), series.code);
            out.line("apiserver_request_total", &labels, series.count);
        }
        let name = "apiserver_request_duration_seconds";
        out.head(name, "histogram", "Time to answer in seconds, by verb and resource.");
        let mut latencies: BTreeMap<&Labels, Vec<&Series>> = BTreeMap::new();
        for series in ordered.into_iter().filter(|series| series.labels[4] != "watch") {
            latencies.entry(&series.labels).or_default().push(series);
        }
        for (labels, of_codes) in latencies {
            let labels = format!("{},dry_run=\"\"", text(labels));
            let mut sum = 0;
            for index in 0..=BUCKETS_MS.len() {
                sum += of_codes.iter().map(|series| series.buckets[index]).sum::<u64>();
                let bound = BUCKETS_MS.get(index).map_or("+Inf".to_owned(), |ms| (*ms as f64 / 1000.0).to_string());
                out.line(&format!("{name}_bucket"), &format!("{labels},le=\"{bound}\""), sum);
            }
            let us: u64 = of_codes.iter().map(|series| series.sum_us).sum();
            out.line(&format!("{name}_sum"), &labels, us as f64 / 1e6);
            out.line(&format!("{name}_count"), &labels, sum);
        }
    }
}

fn text(labels: &Labels) -> String {
    let [group, version, resource, subresource, verb, scope] = labels.each_ref().map(|label| clean(label));
    let verb = method(&verb);
    format!(
        "verb=\"{verb}\",group=\"{group}\",version=\"{version}\",resource=\"{resource}\",\
         subresource=\"{subresource}\",scope=\"{scope}\",component=\"apiserver\""
    )
}

fn clean(label: &str) -> String {
    label.replace(['\\', '"', '\n'], "_")
}

/// A verb as upstream's metrics spell it.
fn method(verb: &str) -> String {
    match verb {
        "create" => "POST".to_owned(),
        "update" => "PUT".to_owned(),
        verb => verb.to_uppercase(),
    }
}
