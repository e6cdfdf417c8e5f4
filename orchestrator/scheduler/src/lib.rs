//! Scheduler: finds a Node for each Pod.
//!
//! In: informers of Pods, Nodes and PriorityClasses. Out: bindings, conditions and Events. Must
//! not touch: the machine, sockets, the clock otherwise than through base.
//!
//! A Pod goes through the [`queue`], is tried against the [`snapshot`] by the [`plugins`], is
//! assumed to be on its Node, and is bound in the background. A binding that fails takes the
//! assumption back.

pub mod cycle;
pub mod limits;
pub mod plugins;
pub mod queue;
pub mod snapshot;

mod shell;
#[cfg(test)]
mod testing;

pub use shell::{Scheduler, SchedulerConfig};
