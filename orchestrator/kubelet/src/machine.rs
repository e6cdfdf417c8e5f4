//! What the kubelet needs of the machine besides Backends.

use async_trait::async_trait;
use runtime_base::ByteStream;
use runtime_network::{DnsConfig, NodePortError, ServiceTables};
use runtime_spec::{Image, NetError, PodNetwork, PodRef};
use std::net::SocketAddr;
use std::sync::Arc;

/// The network of the node's Pods.
#[async_trait]
pub trait PodNetworks: Send + Sync {
    /// Gives a Pod its place, the same one when it had one; the error is what a user reads.
    fn attach(&self, pod: &PodRef, hostname: &str, dns: DnsConfig) -> Result<Arc<dyn PodNetwork>, String>;

    /// Ends a Pod's place and frees its address.
    fn detach(&self, pod: &PodRef);

    /// Frees the addresses of Pods that an earlier process knew and whose uid is not `wanted`.
    fn release_unwanted(&self, wanted: &dyn Fn(&str) -> bool);

    /// Connects from the host to a Pod's address (probes, lifecycle hooks).
    async fn dial(&self, remote: SocketAddr) -> Result<ByteStream, NetError>;

    /// Connects from the host to whoever listens on `port` in a Pod, on localhost too (port-forward).
    async fn dial_pod(&self, pod: &PodRef, port: u16) -> Result<ByteStream, NetError>;

    /// Replaces the Service tables; NodePorts that could not be opened are tried again.
    fn set_tables(&self, tables: &ServiceTables);

    /// The NodePorts that cannot be served.
    fn node_port_errors(&self) -> Vec<NodePortError> {
        Vec::new()
    }
}

/// Images on the node's disk and where they come from.
#[async_trait]
pub trait Images: Send + Sync {
    /// Refuses what is no image name (`InvalidImageName`), with the text a user reads.
    fn check(&self, reference: &str) -> Result<(), String>;

    /// The image as it is on disk.
    async fn local(&self, reference: &str) -> Result<Option<Arc<Image>>, String>;

    /// Brings it up to date; `docker_configs` are the contents of image pull Secrets.
    async fn pull(&self, reference: &str, docker_configs: &[Vec<u8>]) -> Result<Arc<Image>, String>;
}
