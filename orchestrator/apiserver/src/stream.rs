//! Streams between clients and nodes: logs, commands in containers, forwarded ports.
//!
//! A client comes with a plain GET (logs), with a WebSocket (channels, or SPDY/3.1 tunnelled in
//! it, as kubectl does) or with an upgrade to SPDY/3.1. The node is always spoken to in HTTP/1.1
//! through the [`NodeDialer`](crate::NodeDialer).

mod channels;
mod dictionary;
mod exec;
mod forward;
mod kubelet;
mod limits;
mod log;
mod ports;
mod proxy;
mod pump;
pub(crate) mod query;
mod relay;
mod remote;
mod session;
mod spdy;
mod upgrade;
mod websocket;

#[cfg(test)]
pub(crate) mod tests;

pub use exec::{RemoteCommand, remote_command};
pub use forward::port_forward;
pub(crate) use forward::port_numbers;
pub(crate) use kubelet::Target as PodTarget;
pub use log::log;
pub(crate) use proxy::{Behind, Name, proxy, strip as strip_hop};
pub use spdy::fuzz;
pub(crate) use upgrade::{is_asked as is_upgrade, splice};

use crate::node::NodeDialer;
use runtime_base::Tasks;
use std::sync::Arc;

/// What a stream needs of the server.
#[derive(Clone, Copy)]
pub struct StreamContext<'a> {
    /// The way to the nodes.
    pub dialer: &'a Arc<dyn NodeDialer>,
    /// Where connections live on after the request was answered.
    pub tasks: &'a Tasks,
}
