//! Priority and fairness (`flowcontrol.apiserver.k8s.io/v1`): a FlowSchema says which priority
//! level a request is of and which flow within it; a level has seats, and lets the flows that
//! wait for one take turns.
//!
//! Watches hold a seat until they have begun; streams to nodes need none.

mod level;
mod schema;

pub(crate) mod defaults;

#[cfg(test)]
mod tests;

pub(crate) use level::Seat;

use crate::auth::Attributes;
use crate::identity::Identity;
use crate::limits;
use crate::registry::ObjectReader;
use arc_swap::ArcSwap;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use level::Levels;
use orchestrator_apimachinery::meta;
use schema::FlowSchema;
use serde_json::Value;
use std::sync::{Arc, Mutex, PoisonError};
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
    changes: [watch::Receiver<u64>; 2],
    snapshot: ArcSwap<Snapshot>,
    compiling: Mutex<()>,
    levels: Arc<Levels>,
}

struct Snapshot {
    versions: [u64; 2],
    /// By matching precedence, then by name; the last one matches everything.
    schemas: Vec<FlowSchema>,
}

/// What became of a request that asked for a seat.
pub(crate) struct Turn {
    /// Held while the request runs; `None` when it was refused.
    pub seat: Option<Seat>,
    schema: Option<HeaderValue>,
    level: Option<HeaderValue>,
}

impl Turn {
    /// Tells the client which schema and level it met, as upstream.
    pub fn mark(&self, headers: &mut HeaderMap) {
        for (name, value) in [(SCHEMA_UID, &self.schema), (LEVEL_UID, &self.level)] {
            if let Some(value) = value {
                headers.insert(name, value.clone());
            }
        }
    }
}

impl Fairness {
    pub fn new(objects: Arc<dyn ObjectReader>) -> Arc<Self> {
        Self::with_seats(objects, limits::SEATS_MAX)
    }

    fn with_seats(objects: Arc<dyn ObjectReader>, seats: usize) -> Arc<Self> {
        let changes = ["flowschemas", "prioritylevelconfigurations"].map(|plural| objects.changes(GROUP, plural));
        let versions = changes.each_ref().map(|receiver| *receiver.borrow());
        let levels = Levels::new(seats);
        let snapshot = ArcSwap::from_pointee(compile(&*objects, versions, &levels));
        Arc::new(Fairness { objects, changes, snapshot, compiling: Mutex::new(()), levels })
    }

    fn snapshot(&self) -> Arc<Snapshot> {
        let seen = || self.changes.each_ref().map(|receiver| *receiver.borrow());
        let current = self.snapshot.load_full();
        if current.versions == seen() {
            return current;
        }
        let _one = self.compiling.lock().unwrap_or_else(PoisonError::into_inner);
        let versions = seen();
        if self.snapshot.load().versions != versions {
            self.snapshot.store(Arc::new(compile(&*self.objects, versions, &self.levels)));
        }
        self.snapshot.load_full()
    }

    /// Waits for a seat.
    pub async fn turn(&self, who: &Identity, what: &Attributes) -> Turn {
        let snapshot = self.snapshot();
        let Some(schema) = snapshot.schemas.iter().find(|schema| schema.matches(who, what)) else {
            // The catch-all schema matches everybody who is authenticated or is not.
            return Turn { seat: None, schema: None, level: None };
        };
        let flow = schema.flow(who, what);
        let (seat, level) = self.levels.seat(&schema.level, flow).await;
        Turn { seat, schema: schema.uid.clone(), level }
    }
}

fn compile(objects: &dyn ObjectReader, versions: [u64; 2], levels: &Arc<Levels>) -> Snapshot {
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
    schemas.retain(|schema| levels.has(&schema.level));
    schemas.sort_by(|a, b| (a.precedence, &a.name).cmp(&(b.precedence, &b.name)));
    Snapshot { versions, schemas }
}
