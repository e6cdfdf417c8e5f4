//! HTTP between programs and connections: a server for programs that are handlers, and the way
//! out for their requests.
//!
//! In: a listener and an [`runtime_spec::HttpEndpoint`]; requests of a Pod's programs. Out:
//! responses on the wire; [`Outbound`], which is a [`runtime_spec::HttpOutbound`]. Must not touch:
//! wasm, the switch's insides, any API group.

#[cfg(test)]
mod fixture;
pub mod limits;
mod outbound;
mod pool;
mod server;
mod tls;

pub use outbound::{Outbound, OutboundConfig};
pub use server::{HttpServer, ServeConfig};
pub use tls::{PrivateRoots, Roots};
