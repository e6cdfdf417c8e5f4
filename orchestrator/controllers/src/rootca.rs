//! ConfigMap `kube-root-ca.crt`: every namespace can verify the API server.

use crate::caches::{Caches, ROOT_CA};
use crate::driver::{Controller, ControllerError};
use crate::plan::{Now, Plan, Write};
use async_trait::async_trait;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{Client, ResourceExt};
use orchestrator_client::{Key, WorkQueue};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Publishes the certificate authority.
pub struct RootCaController {
    pem: String,
}

impl RootCaController {
    /// Publishes `pem`.
    pub fn new(pem: String) -> Self {
        RootCaController { pem }
    }
}

/// What a plan looks at.
#[derive(Clone, Debug)]
pub struct World {
    /// The namespace.
    pub namespace: Arc<Namespace>,
    /// Its ConfigMap, if there is one.
    pub published: Option<Arc<ConfigMap>>,
}

#[async_trait]
impl Controller for RootCaController {
    fn name(&self) -> &'static str {
        "root-ca-cert-publisher"
    }

    fn wire(&self, caches: &Caches, queue: &WorkQueue) {
        caches.namespaces.feed(queue, |namespace| vec![Key::of(namespace)]);
        caches
            .root_cas
            .feed(queue, |map| map.namespace().map(|namespace| Key::new("", &namespace)).into_iter().collect());
    }

    async fn plan(&self, caches: &Caches, _: &Client, key: &Key, _: Now) -> Result<Plan, ControllerError> {
        let Some(namespace) = caches.namespaces.get_key(key) else { return Ok(Plan::default()) };
        let published = caches.root_cas.get(&key.name, ROOT_CA);
        Ok(plan(&World { namespace, published }, &self.pem))
    }
}

/// Creates or mends the ConfigMap.
pub fn plan(world: &World, pem: &str) -> Plan {
    let mut plan = Plan::default();
    if world.namespace.metadata.deletion_timestamp.is_some() {
        return plan;
    }
    let data = BTreeMap::from([("ca.crt".to_owned(), pem.to_owned())]);
    match &world.published {
        None => {
            let about = "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints \
                         such as the internal service IP or kubernetes.default.svc.";
            let metadata = ObjectMeta {
                name: Some(ROOT_CA.into()),
                namespace: Some(world.namespace.name_any()),
                annotations: Some(BTreeMap::from([("kubernetes.io/description".to_owned(), about.to_owned())])),
                ..ObjectMeta::default()
            };
            plan.writes.push(Write::create(&ConfigMap { metadata, data: Some(data), ..ConfigMap::default() }));
        }
        Some(published) if published.data.as_ref() != Some(&data) => {
            let mended = ConfigMap { data: Some(data), binary_data: None, ..(**published).clone() };
            plan.writes.push(Write::replace(&mended));
        }
        Some(_) => {}
    }
    plan
}

#[cfg(test)]
mod tests;
