//! What runs containers.

use crate::http::HttpEndpoint;
use crate::image::Image;
use crate::sandbox::Sandbox;
use crate::status::{ContainerState, Stats};
use crate::workload::{Limits, Workload};
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Why a Backend could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// The image cannot run here, and trying again will not help (`InvalidImage` and the like).
    #[error("image {reference}: {reason}")]
    Image {
        /// The image.
        reference: String,
        /// What is wrong with it and what would mend it.
        reason: String,
    },
    /// The workload asks for what cannot be made (`CreateContainerError`, `RunContainerError`).
    #[error("container {container}: {reason}")]
    Container {
        /// The container's name.
        container: String,
        /// What is wrong and what would mend it.
        reason: String,
    },
    /// This Backend has no such operation.
    #[error("{0} is not supported by this runtime")]
    Unsupported(&'static str),
    /// The machine failed.
    #[error("{step}")]
    Io {
        /// What was being done, with the path in it.
        step: String,
        /// The system's error.
        source: std::io::Error,
    },
}

/// Runs containers of one sort; the kubelet picks the first that [`Backend::accepts`] the image.
///
/// One trait serves programs in the process and programs of the kernel: nothing here speaks of
/// threads, processes or instances.
#[async_trait]
pub trait Backend: Send + Sync {
    /// The runtime's name and version as the Node reports them, such as `wasmtime://48.0.8`.
    fn version(&self) -> String;

    /// RuntimeClass handlers that this Backend serves, the first being its own name.
    fn handlers(&self) -> &[&'static str];

    /// Whether it can run an image of this kind.
    fn accepts(&self, image: &Image) -> bool;

    /// Makes `image` quick to start (compiles it, say). Called once it is pulled; may take long,
    /// and may be called again for the same image at no cost.
    async fn prepare(&self, image: &Arc<Image>) -> Result<(), BackendError>;

    /// Makes a container, not yet running. Asks the Sandbox for a kernel network namespace
    /// if it needs one.
    async fn create(&self, sandbox: &Arc<Sandbox>, workload: Workload) -> Result<Arc<dyn Container>, BackendError>;
}

/// One run of a container. Dropping the last handle ends it at once.
#[async_trait]
pub trait Container: Send + Sync {
    /// An identifier of this run, unique on the node, without the runtime's prefix.
    fn id(&self) -> &str;

    /// Starts it; returns when it runs (or has ended already).
    async fn start(&self) -> Result<(), BackendError>;

    /// Its state now and every later one.
    fn state(&self) -> watch::Receiver<ContainerState>;

    /// Asks it to end, kills it after `grace`, and returns once it has ended. A second call
    /// may only shorten the grace.
    async fn stop(&self, grace: Duration) -> Result<(), BackendError>;

    /// What answers HTTP for it, when the program is a handler and not a server.
    fn http(&self) -> Option<Arc<dyn HttpEndpoint>> {
        None
    }

    /// Changes its bounds while it runs.
    async fn update(&self, limits: Limits) -> Result<(), BackendError> {
        let _ = limits;
        Err(BackendError::Unsupported("resizing"))
    }

    /// What it uses now.
    async fn stats(&self) -> Result<Stats, BackendError> {
        Err(BackendError::Unsupported("statistics"))
    }
}
