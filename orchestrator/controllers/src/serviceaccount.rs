//! ServiceAccount: every namespace has one named `default`.

use crate::caches::Caches;
use crate::driver::{Controller, ControllerError};
use crate::plan::{Now, Plan, Write};
use async_trait::async_trait;
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{Client, ResourceExt};
use orchestrator_client::{Key, WorkQueue};
use std::sync::Arc;

/// Keeps the ServiceAccount `default`.
pub struct ServiceAccountController;

/// What a plan looks at.
#[derive(Clone, Debug)]
pub struct World {
    /// The namespace.
    pub namespace: Arc<Namespace>,
    /// Its ServiceAccount `default`, if there is one.
    pub default: Option<Arc<ServiceAccount>>,
}

#[async_trait]
impl Controller for ServiceAccountController {
    fn name(&self) -> &'static str {
        "service-account-controller"
    }

    fn wire(&self, caches: &Caches, queue: &WorkQueue) {
        caches.namespaces.feed(queue, |namespace| vec![Key::of(namespace)]);
        caches.service_accounts.feed(queue, |account| {
            let default = account.name_any() == "default";
            account.namespace().filter(|_| default).map(|namespace| Key::new("", &namespace)).into_iter().collect()
        });
    }

    async fn plan(&self, caches: &Caches, _: &Client, key: &Key, _: Now) -> Result<Plan, ControllerError> {
        let Some(namespace) = caches.namespaces.get_key(key) else { return Ok(Plan::default()) };
        let default = caches.service_accounts.get(&key.name, "default");
        Ok(plan(&World { namespace, default }))
    }
}

/// What is missing.
pub fn plan(world: &World) -> Plan {
    let mut plan = Plan::default();
    if world.default.is_none() && world.namespace.metadata.deletion_timestamp.is_none() {
        let metadata = ObjectMeta {
            name: Some("default".into()),
            namespace: Some(world.namespace.name_any()),
            ..ObjectMeta::default()
        };
        plan.writes.push(Write::create(&ServiceAccount { metadata, ..ServiceAccount::default() }));
    }
    plan
}

#[cfg(test)]
mod tests;
