//! Priority and fairness (`flowcontrol.apiserver.k8s.io/v1`): a FlowSchema says which priority
//! level a request is of and which flow within it; a level has seats, and lets the flows that
//! wait for one take turns. A long list needs several.
//!
//! Watches hold a seat until they have begun; streams to nodes need none.

mod counts;
mod level;
mod schema;
mod width;

pub(crate) mod defaults;

#[cfg(test)]
mod tests;

pub(crate) use width::width;

use crate::auth::Attributes;
use crate::identity::Identity;
use crate::limits;
use crate::registry::ObjectReader;
use arc_swap::ArcSwap;
use counts::Counts;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use level::{LevelId, Levels, Seat};
use orchestrator_apimachinery::meta;
use runtime_base::Clock;
use schema::FlowSchema;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

const GROUP: &str = "flowcontrol.apiserver.k8s.io";
const SCHEMA_UID: HeaderName = HeaderName::from_static("x-kubernetes-pf-flowschema-uid");
const LEVEL_UID: HeaderName = HeaderName::from_static("x-kubernetes-pf-prioritylevel-uid");

/// Whether a request is a stream to a node, which upstream does not count.
pub(crate) fn is_long_running(what: &Attributes) -> bool {
    matches!(&*what.subresource, "attach" | "exec" | "log" | "portforward" | "proxy") && !what.resource.is_empty()
}

/// Lets requests in by turns.
pub(crate) struct Fairness {
    objects: Arc<dyn ObjectReader>,
    clock: Clock,
    changes: [watch::Receiver<u64>; 2],
    snapshot: ArcSwap<Snapshot>,
    /// Held while a snapshot is compiled; what was counted, by schema and level.
    compiling: Mutex<BTreeMap<(String, String), Arc<Counts>>>,
    levels: Arc<Levels>,
}

struct Snapshot {
    versions: [u64; 2],
    /// By matching precedence, then by name; the last one matches everything.
    schemas: Vec<Compiled>,
}

struct Compiled {
    schema: FlowSchema,
    level: LevelId,
    level_uid: Option<HeaderValue>,
    /// The most seats of one request.
    width_max: usize,
    counts: Arc<Counts>,
}

/// What became of a request that asked for seats; they are given back when it is dropped.
pub(crate) struct Turn {
    seat: Option<Seat>,
    width: usize,
    snapshot: Arc<Snapshot>,
    /// The place of its schema.
    met: Option<usize>,
}

impl Turn {
    /// Whether the request may run.
    pub fn has_seat(&self) -> bool {
        self.seat.is_some()
    }

    fn met(&self) -> Option<&Compiled> {
        self.snapshot.schemas.get(self.met?)
    }

    /// Tells the client which schema and level it met, as upstream.
    pub fn mark(&self, headers: &mut HeaderMap) {
        let Some(met) = self.met() else { return };
        for (name, value) in [(SCHEMA_UID, &met.schema.uid), (LEVEL_UID, &met.level_uid)] {
            if let Some(value) = value {
                headers.insert(name, value.clone());
            }
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let (true, Some(met)) = (self.seat.is_some(), self.met()) {
            met.counts.end(self.width);
        }
    }
}

impl Fairness {
    pub fn new(objects: Arc<dyn ObjectReader>, clock: Clock) -> Arc<Self> {
        Self::with_seats(objects, clock, limits::SEATS_MAX)
    }

    fn with_seats(objects: Arc<dyn ObjectReader>, clock: Clock, seats: usize) -> Arc<Self> {
        let changes = ["flowschemas", "prioritylevelconfigurations"].map(|plural| objects.changes(GROUP, plural));
        let versions = changes.each_ref().map(|receiver| *receiver.borrow());
        let (levels, mut counts) = (Levels::new(seats), BTreeMap::new());
        let snapshot = ArcSwap::from_pointee(compile(&*objects, versions, &levels, &mut counts));
        Arc::new(Fairness { objects, clock, changes, snapshot, compiling: Mutex::new(counts), levels })
    }

    fn snapshot(&self) -> Arc<Snapshot> {
        let seen = || self.changes.each_ref().map(|receiver| *receiver.borrow());
        let current = self.snapshot.load_full();
        if current.versions == seen() {
            return current;
        }
        let mut counts = self.compiling.lock().unwrap_or_else(PoisonError::into_inner);
        let versions = seen();
        if self.snapshot.load().versions != versions {
            self.snapshot.store(Arc::new(compile(&*self.objects, versions, &self.levels, &mut counts)));
        }
        self.snapshot.load_full()
    }

    /// Waits for the seats of a request that needs `width` of them.
    pub async fn turn(&self, who: &Identity, what: &Attributes, width: usize) -> Turn {
        let snapshot = self.snapshot();
        let met = snapshot.schemas.iter().position(|compiled| compiled.schema.matches(who, what));
        // The catch-all schema matches everybody who is authenticated or is not.
        let Some(index) = met else { return Turn { seat: None, width: 0, snapshot, met } };
        let compiled = &snapshot.schemas[index];
        let (width, counts) = (width.min(compiled.width_max), &*compiled.counts);
        let seat = match self.levels.at_once(compiled.level, width) {
            Some(seat) => {
                counts.begin(width, Duration::ZERO);
                Some(seat)
            }
            None => {
                let (began, flow) = (self.clock.monotonic(), compiled.schema.flow(who, what));
                let found = self.levels.seat(compiled.level, flow, width, counts).await;
                let waited = self.clock.monotonic().duration_since(began);
                match &found {
                    Ok(_) => counts.begin(width, waited),
                    Err(why) => counts.refuse(*why, waited),
                }
                found.ok()
            }
        };
        Turn { seat, width, snapshot, met }
    }

    /// Adds what `/metrics` tells of turns.
    pub fn write_metrics(&self, out: &mut String) {
        let snapshot = self.snapshot();
        let schemas = snapshot.schemas.iter().map(|one| (&*one.schema.name, &*one.schema.level, &*one.counts));
        let schemas: Vec<_> = schemas.collect();
        counts::write(out, &schemas, &self.levels.nominal());
    }
}

fn compile(
    objects: &dyn ObjectReader,
    versions: [u64; 2],
    levels: &Arc<Levels>,
    counts: &mut BTreeMap<(String, String), Arc<Counts>>,
) -> Snapshot {
    let read = |plural: &str, kind: &str| -> Vec<Value> {
        let found = objects.list(GROUP, plural, None);
        let mut found: Vec<Value> = found.iter().filter_map(|bytes| serde_json::from_slice(bytes).ok()).collect();
        // The two mandatory ones hold even while nobody has written them; all do before the first is.
        let none = found.is_empty();
        for wanted in defaults::objects().into_iter().filter(|object| object["kind"] == kind) {
            let mandatory = matches!(meta::name(&wanted), "exempt" | "catch-all");
            if (none || mandatory) && !found.iter().any(|object| meta::name(object) == meta::name(&wanted)) {
                found.push(wanted);
            }
        }
        found
    };
    levels.configure(&read("prioritylevelconfigurations", "PriorityLevelConfiguration"));
    let mut schemas: Vec<FlowSchema> = read("flowschemas", "FlowSchema").iter().filter_map(FlowSchema::of).collect();
    schemas.sort_by(|a, b| (a.precedence, &a.name).cmp(&(b.precedence, &b.name)));
    let compile = |schema: FlowSchema| {
        let (level, level_uid, width_max) = levels.find(&schema.level)?;
        let key = (schema.name.clone(), schema.level.clone());
        let counts = counts.get(&key).cloned().unwrap_or_default();
        Some((key, Compiled { schema, level, level_uid, width_max, counts }))
    };
    let compiled: Vec<_> = schemas.into_iter().filter_map(compile).collect();
    // Schemas that are gone are told no more.
    *counts = compiled.iter().map(|(key, one)| (key.clone(), one.counts.clone())).collect();
    Snapshot { versions, schemas: compiled.into_iter().map(|(_, one)| one).collect() }
}
