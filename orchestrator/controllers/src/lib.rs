//! Controllers: what a user declares comes true and stays true.
//!
//! In: shared caches that follow the API server. Out: writes through the same API, each
//! controller with an identity of its own. Must not touch: sockets, the clock otherwise than
//! through base, any state but the caches.
//!
//! Each controller is a file with a pure `plan(world, now) -> Plan`; the [`driver`] gathers the
//! world's key, calls the controller, executes the plan and decides about another try.

pub mod caches;
pub mod driver;
pub mod kinds;
pub mod limits;
pub mod owner;
pub mod plan;
pub mod pods;

pub mod clusterrole;
pub mod deployment;
pub mod endpointslice;
pub mod garbagecollector;
pub mod job;
pub mod namespace;
pub mod nodelifecycle;
pub mod replicaset;
pub mod rootca;
pub mod serviceaccount;
pub mod ttlafterfinished;

#[cfg(test)]
mod testing;

pub use caches::Caches;
pub use driver::{Controllers, ControllersConfig};
pub use kinds::ServedKinds;
