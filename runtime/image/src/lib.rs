//! Images: from a registry or a file into a store on disk, and from a `.wasm` to a registry.
//!
//! In: what a Pod names as its image, and credentials. Out: [`runtime_spec::Image`], verified and
//! on disk, named by its digest. Must not touch: Kubernetes objects, wasmtime, containers.
//!
//! An image is a Wasm file today: an artifact in the CNCF layout (TAG Runtime, "Wasm OCI
//! Artifact layout"), one of the older layouts with a single Wasm layer, or a `file://` path.

mod artifact;
mod credential;
mod error;
pub mod limits;
mod reference;
mod registry;
mod store;

pub use artifact::{Artifact, BuildError, build_artifact};
pub use credential::{Credential, CredentialError};
pub use error::{Cause, PullError, PushError, StoreError};
pub use reference::{ImageReference, InvalidImageName};
pub use registry::install_tls;
pub use store::{ImageStore, ImageStoreConfig};

/// Foreign bytes for every parser of this crate; a fuzzer's way in.
pub fn fuzz(bytes: &[u8]) {
    reference::fuzz(bytes);
    artifact::fuzz(bytes);
    let _ = Credential::from_docker_config(bytes);
}
