//! Namespace: a deleted one is emptied, then goes.
//!
//! Source: Kubernetes, "Namespaces"; KEP-0 finalization by `spec.finalizers`.

use crate::caches::Caches;
use crate::driver::{Controller, ControllerError};
use crate::kinds::ServedKinds;
use crate::limits::{NAMESPACE_RECHECK_MAX, NAMESPACE_RECHECK_MIN};
use crate::plan::{Now, Plan, Verb as How, Write, since};
use async_trait::async_trait;
use k8s_openapi::api::core::v1::{Namespace, NamespaceCondition};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{Client, ResourceExt};
use orchestrator_apimachinery::{Kind, Scope, kind::Verb};
use orchestrator_client::{Key, WorkQueue};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Empties namespaces.
pub struct NamespaceController {
    kinds: ServedKinds,
}

impl NamespaceController {
    /// Empties namespaces of these kinds.
    pub fn new(kinds: ServedKinds) -> Self {
        NamespaceController { kinds }
    }

    fn kinds(&self) -> Vec<Arc<Kind>> {
        let has = |kind: &Kind| kind.verbs.contains(&Verb::DeleteCollection) && kind.verbs.contains(&Verb::List);
        self.kinds.resources(|kind| kind.scope == Scope::Namespaced && has(kind))
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
        // One kind that fails is no reason to leave the others where they are.
        let mut failed = Ok(());
        for kind in self.kinds() {
            failed = failed.and(delete_all(client, &kind, &key.name).await);
        }
        failed?;
        for kind in self.kinds() {
            let left = list(client, &kind, &key.name).await?;
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
    if !is_deleting(namespace) || !has_finalizer(namespace) {
        return plan;
    }
    let mut changed = namespace.clone();
    if world.remaining.is_empty() {
        if let Some(finalizers) = changed.spec.as_mut().and_then(|spec| spec.finalizers.as_mut()) {
            finalizers.retain(|finalizer| finalizer != "kubernetes");
        }
        let mut write = Write::replace(&changed);
        write.path.push_str("/finalize");
        plan.writes.push(write);
        return plan;
    }
    let conditions = changed.status.get_or_insert_default().conditions.get_or_insert_default();
    set(conditions, content(&world.remaining), now);
    let finalizers = held(&world.finalizers);
    // Finalizers that were never there need no word.
    if finalizers.status == "True" || conditions.iter().any(|c| c.type_ == finalizers.type_) {
        set(conditions, finalizers, now);
    }
    if changed != *namespace {
        plan.writes.push(Write::replace_status(&changed));
    }
    let deleted = namespace.metadata.deletion_timestamp.as_ref().map_or(now, |time| time.0);
    plan.again_after((since(deleted, now) / 4).clamp(NAMESPACE_RECHECK_MIN, NAMESPACE_RECHECK_MAX));
    plan
}

fn condition(type_: &str, status: &str, reason: &str, message: String) -> NamespaceCondition {
    NamespaceCondition {
        type_: type_.into(),
        status: status.into(),
        reason: Some(reason.into()),
        message: Some(message),
        last_transition_time: None,
    }
}

/// What is left, as `pods. has 1 resource instances`: resource, dot, group.
fn content(remaining: &BTreeMap<String, usize>) -> NamespaceCondition {
    let dotted = |what: &String| if what.contains('.') { what.clone() } else { format!("{what}.") };
    let all: Vec<String> =
        remaining.iter().map(|(what, n)| format!("{} has {n} resource instances", dotted(what))).collect();
    let message = format!("Some resources are remaining: {}", all.join(", "));
    condition("NamespaceContentRemaining", "True", "SomeResourcesRemain", message)
}

fn held(finalizers: &BTreeMap<String, usize>) -> NamespaceCondition {
    let type_ = "NamespaceFinalizersRemaining";
    if finalizers.is_empty() {
        let message = "All content-preserving finalizers finished".to_owned();
        return condition(type_, "False", "ContentHasNoFinalizers", message);
    }
    let all: Vec<String> = finalizers.iter().map(|(f, n)| format!("{f} in {n} resource instances")).collect();
    let message = format!("Some content in the namespace has finalizers remaining: {}", all.join(", "));
    condition(type_, "True", "SomeFinalizersRemain", message)
}

/// Puts a condition in; its time changes only with its status.
fn set(conditions: &mut Vec<NamespaceCondition>, mut new: NamespaceCondition, now: Now) {
    // The API keeps whole seconds.
    let now = Time(Now::from_second(now.as_second()).unwrap_or(now));
    match conditions.iter_mut().find(|condition| condition.type_ == new.type_) {
        Some(old) => {
            let same = old.status == new.status;
            new.last_transition_time = old.last_transition_time.clone().filter(|_| same).or(Some(now));
            *old = new;
        }
        None => conditions.push(NamespaceCondition { last_transition_time: Some(now), ..new }),
    }
}

async fn delete_all(client: &Client, kind: &Kind, namespace: &str) -> Result<(), ControllerError> {
    let write = Write {
        verb: How::Delete,
        resource: "",
        path: kind.collection_path(namespace),
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
    let what = kind.collection_path(namespace);
    let request = http::Request::get(&what).body(Vec::new()).map_err(kube::Error::HttpError);
    let answer = match request {
        Ok(request) => client.request::<Value>(request).await,
        Err(error) => Err(error),
    };
    answer.map_err(|source| ControllerError::Read { what, source: Box::new(source) })
}

#[cfg(test)]
mod tests;
