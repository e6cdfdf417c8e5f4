//! Why an image could not be had, stored or sent.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// An error of another crate, shared so that several callers may hold it.
#[derive(Clone)]
pub struct Cause(Arc<dyn Error + Send + Sync>);

impl Cause {
    /// Wraps `error`.
    pub fn new(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Cause(Arc::from(error.into()))
    }
}

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Error for Cause {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

/// The store on disk failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// A file of the store can't be read or written.
    #[error("image store: {path:?}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: Cause,
    },
    /// The store holds as many images as it may.
    #[error("image store: it holds {0} images already; remove some")]
    Full(usize),
}

impl StoreError {
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> StoreError {
        let path = path.into();
        move |error| StoreError::Io { path, source: Cause::new(error) }
    }
}

/// Why an image could not be pulled: what follows `Failed to pull image "…":` in a Pod's status.
/// Print it with [`runtime_base::error::chain`].
#[derive(Clone, Debug, thiserror::Error)]
pub enum PullError {
    /// The registry has no such repository, tag or digest.
    #[error("{reference}: not found")]
    NotFound {
        /// The image.
        reference: String,
    },
    /// The registry wants a password, or another one.
    #[error(
        "{reference}: pull access denied: {}",
        if *.with_credentials { "the registry refused the credentials of imagePullSecrets" }
        else { "no imagePullSecrets for this registry, and it does not let everybody in" }
    )]
    Unauthorized {
        /// The image.
        reference: String,
        /// Whether any credential fitted the registry.
        with_credentials: bool,
    },
    /// No answer.
    #[error("{registry}: registry unreachable")]
    Unreachable {
        /// `host[:port]`.
        registry: String,
        /// What the network said.
        #[source]
        source: Cause,
    },
    /// The registry answered with an error of its own.
    #[error("{reference}: registry failed")]
    Registry {
        /// The image.
        reference: String,
        /// What it said.
        #[source]
        source: Cause,
    },
    /// Manifest, layer or digest of a kind that is not read.
    #[error("{reference}: {problem}")]
    Unsupported {
        /// The image.
        reference: String,
        /// What was found, and what is wanted.
        problem: String,
    },
    /// A Linux container image.
    #[error("{reference} is a Linux image; this version runs Wasm images only")]
    LinuxImage {
        /// The image.
        reference: String,
    },
    /// The content is not what its digest promised.
    #[error("{reference}: content does not match its digest: expected {expected}, got {actual}")]
    DigestMismatch {
        /// The image.
        reference: String,
        /// What the manifest says.
        expected: String,
        /// What came.
        actual: String,
    },
    /// A manifest or layer over its limit.
    #[error("{reference}: {what} of {bytes} bytes is over the limit of {limit}")]
    TooLarge {
        /// The image.
        reference: String,
        /// Which part.
        what: &'static str,
        /// Its size.
        bytes: u64,
        /// The most it may have.
        limit: u64,
    },
    /// A `file://` image that can't be read.
    #[error("{path:?}: can't read the file")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: Cause,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why an image could not be sent to a registry.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PushError {
    /// It was not built, or its blobs are gone.
    #[error("{0}: not in the local image store; build it first")]
    NotBuilt(String),
    /// A `file://` name.
    #[error("{0}: not a name of a registry")]
    NotARegistry(String),
    /// The registry wants a password, or another one.
    #[error("{0}: push access denied: the registry wants (other) credentials")]
    Unauthorized(String),
    /// No answer.
    #[error("{registry}: registry unreachable")]
    Unreachable {
        /// `host[:port]`.
        registry: String,
        /// What the network said.
        #[source]
        source: Cause,
    },
    /// The registry answered with an error of its own.
    #[error("{reference}: registry failed")]
    Registry {
        /// The image.
        reference: String,
        /// What it said.
        #[source]
        source: Cause,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
