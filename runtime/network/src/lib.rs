//! The virtual network: every Pod has an address of its own, in one process.
//!
//! In: which Pods exist ([`Switch::attach`]), the Service tables ([`Switch::set_tables`]), who
//! takes calls to the API ([`Switch::set_api_acceptor`]). Out: a [`runtime_spec::PodNetwork`] for each
//! Pod, connections dialled from the host, NodePort listeners. Must not touch: wasm, HTTP, any
//! API group, the kernel's network configuration.
//!
//! A connection between two Pods is two pipes in memory. Every connection into a Pod, whoever
//! makes it, passes [`Switch`]'s one function `enter`; every destination is chosen by one function,
//! `route`.

pub mod dns;
#[cfg(test)]
mod fixture;
mod ipam;
pub mod limits;
mod link;
mod listener;
mod nodeport;
mod pod;
mod resolve;
mod service;
mod switch;

pub use dns::{DnsConfig, HostLookupError, HostResolver, SystemResolver};
pub use nodeport::NodePortError;
pub use service::{Protocol, ServiceEntry, ServicePort, ServiceTables, Target};
pub use switch::{ApiAcceptor, NetworkError, Switch, SwitchConfig};
