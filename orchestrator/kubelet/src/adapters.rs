//! The machine as it is: the switch and the image store.

use crate::machine::{Images, PodNetworks};
use async_trait::async_trait;
use runtime_base::{ByteStream, error::chain};
use runtime_image::{Credential, ImageReference, ImageStore};
use runtime_network::{DnsConfig, NodePortError, ServiceTables, Switch};
use runtime_spec::{Image, NetError, PodNetwork, PodRef};
use std::net::SocketAddr;
use std::sync::Arc;

/// Pods on a [`Switch`].
pub struct SwitchNetworks(pub Arc<Switch>);

#[async_trait]
impl PodNetworks for SwitchNetworks {
    fn attach(&self, pod: &PodRef, hostname: &str, dns: DnsConfig) -> Result<Arc<dyn PodNetwork>, String> {
        self.0.attach(pod, hostname, dns).map_err(|error| chain(&error))
    }

    fn detach(&self, pod: &PodRef) {
        self.0.detach(&pod.uid);
    }

    fn release_unwanted(&self, wanted: &dyn Fn(&str) -> bool) {
        self.0.release_unwanted(wanted);
    }

    async fn dial(&self, remote: SocketAddr) -> Result<ByteStream, NetError> {
        self.0.dial(remote).await
    }

    async fn dial_pod(&self, pod: &PodRef, port: u16) -> Result<ByteStream, NetError> {
        self.0.dial_pod(&pod.uid, port).await
    }

    fn set_tables(&self, tables: &ServiceTables) {
        self.0.set_tables(tables);
    }

    fn node_port_errors(&self) -> Vec<NodePortError> {
        self.0.node_port_errors()
    }
}

/// Images of an [`ImageStore`].
pub struct StoredImages(pub ImageStore);

fn parse(reference: &str) -> Result<ImageReference, String> {
    ImageReference::parse(reference).map_err(|error| error.to_string())
}

#[async_trait]
impl Images for StoredImages {
    fn check(&self, reference: &str) -> Result<(), String> {
        parse(reference).map(|_| ())
    }

    async fn local(&self, reference: &str) -> Result<Option<Arc<Image>>, String> {
        self.0.get_local(&parse(reference)?).await.map_err(|error| chain(&error))
    }

    async fn pull(&self, reference: &str, docker_configs: &[Vec<u8>]) -> Result<Arc<Image>, String> {
        let mut credentials = Vec::new();
        for config in docker_configs {
            match Credential::from_docker_config(config) {
                Ok(found) => credentials.extend(found),
                Err(error) => return Err(format!("image pull secret: {}", chain(&error))),
            }
        }
        self.0.pull(&parse(reference)?, &credentials).await.map_err(|error| chain(&error))
    }
}
