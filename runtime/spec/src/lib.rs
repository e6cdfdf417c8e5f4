//! Plain data and traits between the kubelet and the machine: sandbox, workload, status, streams.
//!
//! In: what the kubelet wants to run. Out: what became of it. Must not touch: any API group,
//! any backend, the kernel.
//!
//! A [`Sandbox`] is what the containers of a Pod share; it is made by network and volume before
//! any image is pulled and belongs to no [`Backend`]. A Backend turns a [`Workload`] into a
//! [`Container`] inside a Sandbox.

pub mod backend;
pub mod http;
pub mod image;
pub mod limits;
pub mod net;
pub mod pipe;
pub mod sandbox;
pub mod status;
pub mod stdio;
pub mod workload;

pub use backend::{Backend, BackendError, Container};
pub use http::{HttpBody, HttpEndpoint, HttpError, HttpOutbound, HttpRequest, HttpResponse};
pub use image::{Image, ImageConfig, ImageKind};
pub use net::{AcceptedStream, Connection, NetError, PodNetwork, TcpListener};
pub use sandbox::{PodRef, Sandbox};
pub use status::{ContainerState, ExitReason, ExitStatus, Stats};
pub use stdio::{LogSink, LogStream};
pub use workload::{Limits, Mount, Workload};
