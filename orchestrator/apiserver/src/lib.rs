//! Serves the Kubernetes API: tls → authn → authz → decode → admission → registry → store.
//!
//! In: HTTP requests from sockets, or from components of this process with an identity given by
//! the composition root. Out: responses, watch streams, upgraded connections to nodes. Must not
//! touch: runtime/ (but base), kinds outside the kinds table, the node otherwise than through
//! [`NodeDialer`].

mod accept;
mod admission;
mod aggregation;
pub mod audit;
pub mod auth;
pub mod body;
pub mod bootstrap;
mod crd;
mod fairness;
mod health;
pub mod identity;
pub mod limits;
mod listen;
mod metrics;
pub mod node;
mod outbound;
mod paths;
pub mod pki;
pub mod registry;
pub mod request;
mod resources;
mod respond;
mod reviews;
mod seed;
pub mod server;
pub mod stream;
mod subresources;
pub mod vault;

pub use body::{Body, Request, Response};
pub use identity::Identity;
pub use node::NodeDialer;
pub use server::{ApiServer, ServerConfig, StartError};
