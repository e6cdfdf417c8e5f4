//! Namespace: a deleted one is emptied, then goes.
//!
//! Source: Kubernetes, "Namespaces"; KEP-0 finalization by `spec.finalizers`.

use crate::caches::Caches;
use crate::driver::{Controller, ControllerError};
use crate::limits::NAMESPACE_RECHECK;
use crate::plan::{Now, Plan, Verb as How, Write};
use async_trait::async_trait;
use k8s_openapi::api::core::v1::{Namespace, NamespaceCondition};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{Client, ResourceExt};
use orchestrator_apimachinery::{Catalog, Kind, Scope, kind::Verb};
use orchestrator_client::{Key, WorkQueue};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Empties namespaces.
pub struct NamespaceController {
    catalog: Arc<Catalog>,
}

impl NamespaceController {
    /// Empties namespaces of the kinds of `catalog`.
    pub fn new(catalog: Arc<Catalog>) -> Self {
        NamespaceController { catalog }
    }

    fn kinds(&self) -> impl Iterator<Item = &Arc<Kind>> {
        let has = |kind: &Kind| kind.verbs.contains(&Verb::DeleteCollection) && kind.verbs.contains(&Verb::List);
        self.catalog.all().iter().filter(move |kind| kind.scope == Scope::Namespaced && has(kind))
    }
}

/// What a plan looks at.
#[derive(Clone, Debug)]
pub struct World {
    /// The namespace.
    pub namespace: Arc<Namespace>,
    /// What is left in it: resource to number of objects.
    pub remaining: BTreeMap<String, usize>,
    /// Finalizers of what is left, with how many objects each holds.
    pub finalizers: BTreeMap<String, usize>,
}

#[async_trait]
impl Controller for NamespaceController {
    fn name(&self) -> &'static str {
        "namespace-controller"
    }

    fn wire(&self, caches: &Caches, queue: &WorkQueue) {
        caches.namespaces.feed(queue, |namespace| vec![Key::of(namespace)]);
        // Pods end in their own time; the last one to go lets its namespace go.
        let namespaces = caches.namespaces.clone();
        caches.pods.feed(queue, move |pod| {
            let namespace = pod.namespace().and_then(|name| namespaces.get("", &name));
            namespace
                .filter(|namespace| is_deleting(namespace))
                .map(|namespace| Key::of(&*namespace))
                .into_iter()
                .collect()
        });
    }

    async fn plan(&self, caches: &Caches, client: &Client, key: &Key, now: Now) -> Result<Plan, ControllerError> {
        let Some(namespace) = caches.namespaces.get_key(key) else { return Ok(Plan::default()) };
        if !is_deleting(&namespace) || !has_finalizer(&namespace) {
            return Ok(Plan::default());
        }
        let mut world = World { namespace, remaining: BTreeMap::new(), finalizers: BTreeMap::new() };
        for kind in self.kinds() {
            delete_all(client, kind, &key.name).await?;
        }
        for kind in self.kinds() {
            let left = list(client, kind, &key.name).await?;
            let items = left["items"].as_array().map(Vec::as_slice).unwrap_or_default();
            if !items.is_empty() {
                world.remaining.insert(kind.group_resource(), items.len());
            }
            for item in items {
                for finalizer in orchestrator_apimachinery::meta::finalizers(item) {
                    *world.finalizers.entry(finalizer.to_owned()).or_insert(0) += 1;
                }
            }
        }
        Ok(plan(&world, now))
    }
}

fn is_deleting(namespace: &Namespace) -> bool {
    namespace.metadata.deletion_timestamp.is_some()
}

fn has_finalizer(namespace: &Namespace) -> bool {
    let finalizers = namespace.spec.as_ref().and_then(|spec| spec.finalizers.as_deref());
    finalizers.unwrap_or_default().iter().any(|finalizer| finalizer == "kubernetes")
}

/// Lets the namespace go when nothing is left, and says what is left otherwise.
pub fn plan(world: &World, now: Now) -> Plan {
    let mut plan = Plan::default();
    let namespace = &*world.namespace;
    if world.remaining.is_empty() {
        let mut changed = namespace.clone();
        if let Some(finalizers) = changed.spec.as_mut().and_then(|spec| spec.finalizers.as_mut()) {
            finalizers.retain(|finalizer| finalizer != "kubernetes");
        }
        let mut write = Write::replace(&changed);
        write.path.push_str("/finalize");
        plan.writes.push(write);
        return plan;
    }
    let mut changed = namespace.clone();
    let status = changed.status.get_or_insert_default();
    let conditions = status.conditions.get_or_insert_default();
    let held: Vec<String> =
        world.remaining.iter().map(|(what, n)| format!("{what} has {n} resource instances")).collect();
    let content = format!("Some resources are remaining: {}", held.join(", "));
    set(conditions, "NamespaceContentRemaining", "SomeResourcesRemain", content, now);
    if !world.finalizers.is_empty() {
        let held: Vec<String> =
            world.finalizers.iter().map(|(f, n)| format!("{f} in {n} resource instances")).collect();
        let text = format!("Some content in the namespace has finalizers remaining: {}", held.join(", "));
        set(conditions, "NamespaceFinalizersRemaining", "SomeFinalizersRemain", text, now);
    }
    if changed != *namespace {
        plan.writes.push(Write::replace_status(&changed));
    }
    plan.again_after(NAMESPACE_RECHECK);
    plan
}

fn set(conditions: &mut Vec<NamespaceCondition>, type_: &str, reason: &str, message: String, now: Now) {
    let same = |c: &NamespaceCondition| c.type_ == type_ && c.message.as_deref() == Some(&message);
    if conditions.iter().any(same) {
        return;
    }
    conditions.retain(|condition| condition.type_ != type_);
    conditions.push(NamespaceCondition {
        type_: type_.into(),
        status: "True".into(),
        reason: Some(reason.into()),
        message: Some(message),
        last_transition_time: Some(Time(now)),
    });
}

fn path(kind: &Kind, namespace: &str) -> String {
    let root = if kind.group.is_empty() { "/api".to_owned() } else { format!("/apis/{}", kind.group) };
    format!("{root}/{}/namespaces/{namespace}/{}", kind.version, kind.plural)
}

async fn delete_all(client: &Client, kind: &Kind, namespace: &str) -> Result<(), ControllerError> {
    let write = Write {
        verb: How::Delete,
        resource: "",
        path: path(kind, namespace),
        body: json!({"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}),
        object: Default::default(),
        tell: None,
    };
    match crate::driver::send(client, &write).await {
        Ok(_) => Ok(()),
        Err(source) => Err(ControllerError::Request { verb: write.verb, path: write.path, source: Box::new(source) }),
    }
}

async fn list(client: &Client, kind: &Kind, namespace: &str) -> Result<Value, ControllerError> {
    let what = path(kind, namespace);
    let request = http::Request::get(&what).body(Vec::new()).map_err(kube::Error::HttpError);
    let answer = match request {
        Ok(request) => client.request::<Value>(request).await,
        Err(error) => Err(error),
    };
    answer.map_err(|source| ControllerError::Read { what, source: Box::new(source) })
}

#[cfg(test)]
mod tests;
