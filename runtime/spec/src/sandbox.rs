//! What the containers of a Pod share.

use crate::http::HttpOutbound;
use crate::net::PodNetwork;
use std::path::PathBuf;
use std::sync::Arc;

/// Which Pod something belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct PodRef {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid, which no other Pod ever has.
    pub uid: String,
}

impl std::fmt::Display for PodRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// The shared surroundings of a Pod's containers.
///
/// The network starts in the switch alone. A Backend that needs a kernel network namespace asks
/// [`PodNetwork::kernel_namespace`], at start or later: the namespace is then added under the
/// same addresses, and what was bound or connected before stays so.
#[derive(Clone)]
pub struct Sandbox {
    /// The Pod.
    pub pod: PodRef,
    /// The Pod's host name, as its containers see it.
    pub hostname: String,
    /// The Pod's place in the virtual network.
    pub network: Arc<dyn PodNetwork>,
    /// How the Pod's wasi:http requests leave.
    pub outbound: Arc<dyn HttpOutbound>,
    /// A directory of the Pod's own, removed with it; absolute.
    pub dir: PathBuf,
}
