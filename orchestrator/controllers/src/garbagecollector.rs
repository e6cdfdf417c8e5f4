//! Garbage collector: what belongs to somebody goes with them.
//!
//! Source: Kubernetes, "Garbage Collection", "Owners and Dependents", "Use Cascading Deletion".
//!
//! It follows the metadata of every kind (Events excepted) and keeps who owns whom by uid.

mod graph;

use crate::kinds::ServedKinds;
use crate::limits::WORKERS;
use crate::plan::{Verb as How, Write};
use graph::{Decision, Doubt, Fate, Graph, Node};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, PartialObjectMeta};
use kube::{Client, ResourceExt};
use orchestrator_apimachinery::{Kind, Scope, kind::Verb, meta};
use orchestrator_client::informer::Filter;
use orchestrator_client::{Informer, WorkQueue};
use runtime_base::{Tasks, error};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;
use tracing::{debug, warn};

/// The name of its ServiceAccount.
pub const NAME: &str = "generic-garbage-collector";

struct Collector {
    graph: Arc<Mutex<Graph>>,
    queue: WorkQueue<String>,
    client: Client,
    kinds: ServedKinds,
    /// Whether everything is known of the kinds that were there at the start.
    synced: watch::Receiver<bool>,
}

fn followed(kind: &Kind) -> bool {
    let verbs = [Verb::List, Verb::Watch, Verb::Delete];
    verbs.iter().all(|verb| kind.verbs.contains(verb)) && kind.plural != "events"
}

/// A kind whose objects are followed.
struct Followed {
    informer: Informer<PartialObjectMeta<DynamicObject>>,
    /// Ends the informer.
    tasks: Tasks,
}

/// Follows the objects of all kinds that there are.
struct Follower {
    graph: Arc<Mutex<Graph>>,
    queue: WorkQueue<String>,
    shared: Client,
    kinds: ServedKinds,
    followed: HashMap<KindName, Followed>,
}

/// apiVersion and kind.
type KindName = (String, String);

/// Starts the collector; it ends with `tasks`.
pub fn start(kinds: ServedKinds, shared: &Client, client: Client, tasks: &Tasks) {
    let graph = Arc::new(Mutex::new(Graph::default()));
    let queue: WorkQueue<String> = WorkQueue::default();
    let (sender, synced) = watch::channel(false);
    let follower = Follower {
        graph: graph.clone(),
        queue: queue.clone(),
        shared: shared.clone(),
        kinds: kinds.clone(),
        followed: HashMap::new(),
    };
    tasks.spawn(NAME, follower.follow(tasks.clone(), sender));
    let collector = Arc::new(Collector { graph, queue, client, kinds, synced });
    for _ in 0..WORKERS {
        tasks.spawn(NAME, collector.clone().work());
    }
}

impl Follower {
    async fn follow(mut self, tasks: Tasks, synced: watch::Sender<bool>) {
        self.adapt(&tasks);
        for followed in self.followed.values() {
            followed.informer.synced().await;
        }
        synced.send_replace(true);
        loop {
            self.kinds.changed().await;
            self.adapt(&tasks);
        }
    }

    /// Follows the kinds that are new, and forgets those that are gone with their objects.
    fn adapt(&mut self, tasks: &Tasks) {
        let kinds = self.kinds.resources(followed);
        let names: Vec<KindName> = kinds.iter().map(|kind| (kind.api_version(), kind.kind.to_string())).collect();
        let gone: Vec<KindName> = self.followed.keys().filter(|name| !names.contains(name)).cloned().collect();
        for followed in gone.iter().filter_map(|name| self.followed.remove(name)) {
            followed.tasks.cancel();
            for object in followed.informer.list() {
                let woken = lock(&self.graph).remove(&object.uid().unwrap_or_default());
                woken.into_iter().for_each(|uid| self.queue.add(uid));
            }
        }
        for (kind, name) in kinds.iter().zip(names) {
            if !self.followed.contains_key(&name) {
                let tasks = tasks.child();
                let informer = self.informer(kind, &name, &tasks);
                self.followed.insert(name, Followed { informer, tasks });
            }
        }
    }

    fn informer(&self, kind: &Kind, name: &KindName, tasks: &Tasks) -> Informer<PartialObjectMeta<DynamicObject>> {
        let gvk = GroupVersionKind::gvk(&kind.group, &kind.version, &kind.kind);
        let api: Api<DynamicObject> =
            Api::all_with(self.shared.clone(), &ApiResource::from_gvk_with_plural(&gvk, &kind.plural));
        let informer = Informer::start_metadata(api, Filter::default(), tasks);
        let (graph, queue, kind_name) = (self.graph.clone(), self.queue.clone(), Arc::new(name.clone()));
        informer.on_change(move |old, new| {
            let mut graph = lock(&graph);
            let woken = match (old, new) {
                (old, Some(new)) => {
                    let replaced = old.and_then(|old| old.uid()).filter(|uid| Some(uid) != new.uid().as_ref());
                    let mut woken = replaced.map(|uid| graph.remove(&uid)).unwrap_or_default();
                    woken.extend(graph.put(Node::of(&kind_name, &new.metadata)));
                    woken
                }
                (Some(old), None) => graph.remove(&old.uid().unwrap_or_default()),
                (None, None) => Vec::new(),
            };
            drop(graph);
            woken.into_iter().for_each(|uid| queue.add(uid));
        });
        informer
    }
}

fn lock(graph: &Mutex<Graph>) -> MutexGuard<'_, Graph> {
    graph.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Collector {
    async fn work(self: Arc<Self>) {
        // A follower that is gone means that all ends.
        let _ = self.synced.clone().wait_for(|synced| *synced).await;
        loop {
            let uid = self.queue.next().await;
            match self.collect(&uid).await {
                Ok(()) => self.queue.done(&uid),
                Err(kube::Error::Api(status)) if status.code == 409 => {
                    self.queue.failed(&uid);
                }
                Err(failure) => {
                    let retry_in = self.queue.failed(&uid);
                    warn!(uid, error = error::chain(&failure), ?retry_in, "garbage collection failed");
                }
            }
        }
    }

    fn kind(&self, api_version: &str, kind: &str) -> Option<Arc<Kind>> {
        let (group, version) = meta::split_api_version(api_version);
        self.kinds.now().kind(group, version, kind).cloned()
    }

    fn url(&self, node: &Node) -> Option<String> {
        let kind = self.kind(&node.kind.0, &node.kind.1)?;
        Some(format!("{}/{}", kind.collection_path(&node.namespace), node.name))
    }

    async fn send(&self, verb: How, path: String, body: Value) -> kube::Result<()> {
        let write = Write { verb, resource: "", path, body, object: Default::default(), tell: None };
        match crate::driver::send(&self.client, &write).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Looks at one object and does what the graph decides.
    async fn collect(&self, uid: &str) -> kube::Result<()> {
        let decision = lock(&self.graph).decide(uid);
        let Some((node, decision)) = decision else { return Ok(()) };
        let Some(url) = self.url(&node) else { return Ok(()) };
        debug!(object = url, ?decision, "collect");
        match decision {
            Decision::Keep => Ok(()),
            Decision::ReleaseDependents(dependents) => {
                for dependent in dependents {
                    let owners =
                        dependent.owners.iter().filter(|owner| owner.uid != node.uid).cloned().collect::<Vec<_>>();
                    let Some(url) = self.url(&dependent) else { continue };
                    let body = owners_patch(&dependent, &owners);
                    self.send(How::Patch, url, body).await?;
                }
                self.drop_finalizer(&node, url, graph::ORPHAN).await
            }
            Decision::Release(finalizer) => self.drop_finalizer(&node, url, finalizer).await,
            Decision::CheckOwners(doubt) => self.check_owners(&node, url, &doubt).await,
        }
    }

    async fn drop_finalizer(&self, node: &Node, url: String, finalizer: &str) -> kube::Result<()> {
        let left: Vec<&String> = node.finalizers.iter().filter(|name| *name != finalizer).collect();
        let body = json!({"metadata": {"uid": node.uid, "resourceVersion": node.version, "finalizers": left}});
        self.send(How::Patch, url, body).await
    }

    /// Does what follows for an object some of whose owners may not hold it any more.
    async fn check_owners(&self, node: &Node, url: String, doubt: &Doubt) -> kube::Result<()> {
        let mut gone = Vec::new();
        for owner in node.owners.iter().filter(|owner| doubt.absent.contains(&owner.uid)) {
            if self.is_gone(node, owner).await? {
                gone.push(owner.uid.clone());
            }
        }
        match doubt.fate(node, &gone) {
            Fate::Keep => Ok(()),
            Fate::Disown(owners) => self.send(How::Patch, url, owners_patch(node, &owners)).await,
            Fate::Delete { policy, unblocked } => {
                if let Some(owners) = unblocked {
                    self.send(How::Patch, url.clone(), owners_patch(node, &owners)).await?;
                }
                let body = json!({
                    "apiVersion": "v1", "kind": "DeleteOptions",
                    "preconditions": {"uid": node.uid}, "propagationPolicy": policy,
                });
                self.send(How::Delete, url, body).await
            }
        }
    }

    /// Asks the server whether an owner that the graph does not know is really gone, since a
    /// cache may be behind.
    async fn is_gone(&self, node: &Node, owner: &OwnerReference) -> kube::Result<bool> {
        let Some(kind) = self.kind(&owner.api_version, &owner.kind) else {
            // An owner of a kind that is not served proves nothing.
            return Ok(false);
        };
        let namespace = match kind.scope {
            // A cluster-wide object cannot name the namespace of its owner: nothing can be proved.
            Scope::Namespaced if node.namespace.is_empty() => return Ok(false),
            Scope::Namespaced => node.namespace.as_str(),
            Scope::Cluster => "",
        };
        let url = format!("{}/{}", kind.collection_path(namespace), owner.name);
        let request = http::Request::get(&url).body(Vec::new()).map_err(kube::Error::HttpError)?;
        match self.client.request::<Value>(request).await {
            Ok(found) => Ok(found["metadata"]["uid"] != json!(owner.uid)),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(true),
            Err(error) => Err(error),
        }
    }
}

/// A patch that meets the object as it was read, or nobody.
fn owners_patch(node: &Node, owners: &[OwnerReference]) -> Value {
    json!({"metadata": {"uid": node.uid, "resourceVersion": node.version, "ownerReferences": owners}})
}

#[cfg(test)]
mod tests;
