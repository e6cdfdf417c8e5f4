//! The node's agent: runs the Pods that are bound to its node and reports what becomes of them.
//!
//! In: Pods, Services, ConfigMaps and Secrets from the API server; requests for logs and
//! port-forward. Out: containers under a Backend, Pod and Node status, Leases, Events, service
//! tables for the network. Must not touch: the store, any backend's inside, the kernel.
//!
//! Each Pod has one worker. It gathers a [`plan::World`], asks [`plan::plan`] what to do next,
//! begins that, and takes the reports in ([`record::PodRecord::apply`]); [`status::status`] says
//! what the API is told.

pub mod adapters;
pub mod env;
mod hooks;
mod kubelet;
pub mod limits;
pub mod logs;
pub mod machine;
pub mod node;
mod operations;
pub mod plan;
pub mod pod;
pub mod probe;
pub mod record;
pub mod references;
mod server;
pub mod services;
mod start;
pub mod status;
pub mod volumes;
mod worker;

pub use kubelet::{Kubelet, KubeletConfig, KubeletError, Machine};
pub use machine::{Images, PodNetworks};
pub use node::Capacity;

#[cfg(test)]
mod tests;
