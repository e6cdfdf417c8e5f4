//! Counts for `/metrics`, in Prometheus' text format.

use crate::auth::Attributes;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};

/// Series that are kept; a client that asks for made-up resources adds none beyond.
const SERIES_MAX: usize = 2000;

/// Requests by verb, resource and code.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    requests: Mutex<BTreeMap<(String, String, u16), u64>>,
}

impl Metrics {
    pub fn count(&self, what: &Attributes, code: u16) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (method(&what.verb), what.resource.clone(), code);
        if requests.len() < SERIES_MAX || requests.contains_key(&key) {
            *requests.entry(key).or_default() += 1;
        }
    }

    pub fn text(&self, revision: u64, progress: u64) -> String {
        let mut text = String::from("# TYPE apiserver_request_total counter\n");
        let label = |text: &str| text.replace(['\\', '"', '\n'], "_");
        for ((verb, resource, code), count) in self.requests.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let (verb, resource) = (label(verb), label(resource));
            let labels = format!("verb=\"{verb}\",resource=\"{resource}\",code=\"{code}\"");
            // Writing to a String cannot fail.
            let _ = writeln!(text, "apiserver_request_total{{{labels}}} {count}");
        }
        let _ = writeln!(text, "# TYPE coracle_store_revision gauge\ncoracle_store_revision {revision}");
        let _ = writeln!(text, "# TYPE coracle_watch_cache_revision gauge\ncoracle_watch_cache_revision {progress}");
        text
    }
}

/// A verb as upstream's metrics spell it.
fn method(verb: &str) -> String {
    match verb {
        "create" => "POST".to_owned(),
        "update" => "PUT".to_owned(),
        verb => verb.to_uppercase(),
    }
}
