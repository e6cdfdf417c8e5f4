//! ConfigMaps and Secrets that Pods of the node name.
//!
//! Each one that some Pod names is watched by itself (a node may not list all of them), as long as
//! a Pod names it. A change wakes the Pods that name it.

use crate::env;
use crate::pod;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret};
use kube::api::Api;
use orchestrator_client::informer::{Filter, Informer};
use runtime_base::Tasks;
use serde::de::DeserializeOwned;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt::Debug;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Which kind a Pod names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Referent {
    /// A ConfigMap.
    ConfigMap,
    /// A Secret.
    Secret,
}

/// All ConfigMaps and Secrets that the Pod names, of its own namespace.
pub fn named_by(pod: &Pod) -> BTreeSet<(Referent, String)> {
    let mut found = BTreeSet::new();
    let Some(spec) = &pod.spec else { return found };
    for (container, _) in pod::containers(pod) {
        for source in container.env_from.iter().flatten() {
            found.extend(source.config_map_ref.as_ref().map(|from| (Referent::ConfigMap, from.name.clone())));
            found.extend(source.secret_ref.as_ref().map(|from| (Referent::Secret, from.name.clone())));
        }
        for from in container.env.iter().flatten().filter_map(|variable| variable.value_from.as_ref()) {
            found.extend(from.config_map_key_ref.as_ref().map(|key| (Referent::ConfigMap, key.name.clone())));
            found.extend(from.secret_key_ref.as_ref().map(|key| (Referent::Secret, key.name.clone())));
        }
    }
    for volume in spec.volumes.iter().flatten() {
        found.extend(volume.config_map.as_ref().map(|map| (Referent::ConfigMap, map.name.clone())));
        found.extend(volume.secret.as_ref().and_then(|secret| Some((Referent::Secret, secret.secret_name.clone()?))));
        let sources = volume.projected.as_ref().and_then(|projected| projected.sources.as_deref());
        for source in sources.unwrap_or_default() {
            found.extend(source.config_map.as_ref().map(|map| (Referent::ConfigMap, map.name.clone())));
            found.extend(source.secret.as_ref().map(|secret| (Referent::Secret, secret.name.clone())));
        }
    }
    for secret in spec.image_pull_secrets.iter().flatten() {
        found.insert((Referent::Secret, secret.name.clone()));
    }
    found
}

/// What was found of the objects that one Pod names.
#[derive(Clone, Debug, Default)]
pub struct Found {
    maps: HashMap<String, Arc<ConfigMap>>,
    secrets: HashMap<String, Arc<Secret>>,
}

impl env::References for Found {
    fn config_map(&self, name: &str) -> Option<Arc<ConfigMap>> {
        self.maps.get(name).cloned()
    }
    fn secret(&self, name: &str) -> Option<Arc<Secret>> {
        self.secrets.get(name).cloned()
    }
}

impl Found {
    /// Objects that are known already.
    pub fn of(maps: impl IntoIterator<Item = ConfigMap>, secrets: impl IntoIterator<Item = Secret>) -> Self {
        let name = |name: &Option<String>| name.clone().unwrap_or_default();
        Found {
            maps: maps.into_iter().map(|map| (name(&map.metadata.name), Arc::new(map))).collect(),
            secrets: secrets.into_iter().map(|secret| (name(&secret.metadata.name), Arc::new(secret))).collect(),
        }
    }
}

/// Tells Pods, by their uids, that something they name has changed.
pub type Waker = Arc<dyn Fn(&HashSet<String>) + Send + Sync>;

#[derive(Clone)]
enum Cache {
    Map(Informer<ConfigMap>),
    Secret(Informer<Secret>),
}

struct Entry {
    cache: Cache,
    tasks: Tasks,
    users: Arc<Mutex<HashSet<String>>>,
    /// Whether a Pod asked for it in vain.
    missed: Arc<AtomicBool>,
}

type RefKey = (Referent, String, String);

/// The objects that the node's Pods name.
pub struct References {
    client: kube::Client,
    tasks: Tasks,
    waker: Waker,
    entries: Mutex<HashMap<RefKey, Entry>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl References {
    /// Nothing named yet.
    pub fn new(client: kube::Client, tasks: Tasks, waker: Waker) -> Self {
        References { client, tasks, waker, entries: Mutex::default() }
    }

    /// The objects that `pod` names, from now on watched for it; what does not exist is absent.
    /// The error is what a user reads.
    pub async fn gather(&self, pod: &Pod) -> Result<Found, String> {
        let me = pod::pod_ref(pod);
        let mut found = Found::default();
        for (referent, name) in named_by(pod) {
            let (cache, missed) = self.hold((referent, me.namespace.clone(), name.clone()), &me.uid);
            match cache {
                Cache::Map(informer) => {
                    if let Some(map) = self.look(&informer, &me.namespace, &name, &missed).await? {
                        found.maps.insert(name, map);
                    }
                }
                Cache::Secret(informer) => {
                    if let Some(secret) = self.look(&informer, &me.namespace, &name, &missed).await? {
                        found.secrets.insert(name, secret);
                    }
                }
            }
        }
        Ok(found)
    }

    /// The Pod names nothing any more.
    pub fn release(&self, uid: &str) {
        lock(&self.entries).retain(|_, entry| {
            let mut users = lock(&entry.users);
            users.remove(uid);
            if users.is_empty() {
                entry.tasks.cancel();
            }
            !users.is_empty()
        });
    }

    fn hold(&self, key: RefKey, uid: &str) -> (Cache, Arc<AtomicBool>) {
        let mut entries = lock(&self.entries);
        let entry = entries.entry(key).or_insert_with_key(|(referent, namespace, name)| {
            let tasks = self.tasks.child();
            let users: Arc<Mutex<HashSet<String>>> = Arc::default();
            let missed = Arc::new(AtomicBool::new(false));
            let cache = match referent {
                Referent::ConfigMap => {
                    let informer = self.informer::<ConfigMap>(namespace, name, &tasks);
                    wake_on_change(&informer, &self.waker, &users, &missed, |a, b| {
                        a.data == b.data && a.binary_data == b.binary_data
                    });
                    Cache::Map(informer)
                }
                Referent::Secret => {
                    let informer = self.informer::<Secret>(namespace, name, &tasks);
                    wake_on_change(&informer, &self.waker, &users, &missed, |a, b| a.data == b.data);
                    Cache::Secret(informer)
                }
            };
            Entry { cache, tasks, users, missed }
        });
        lock(&entry.users).insert(uid.to_owned());
        (entry.cache.clone(), entry.missed.clone())
    }

    fn informer<K>(&self, namespace: &str, name: &str, tasks: &Tasks) -> Informer<K>
    where
        K: kube::Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + DeserializeOwned
            + Debug
            + Send
            + Sync
            + 'static,
    {
        let filter = Filter { fields: Some(format!("metadata.name={name}")), ..Filter::default() };
        Informer::start(Api::namespaced(self.client.clone(), namespace), filter, tasks)
    }

    /// From the cache; from the server while the cache is not there yet or has nothing.
    async fn look<K>(
        &self,
        informer: &Informer<K>,
        namespace: &str,
        name: &str,
        missed: &AtomicBool,
    ) -> Result<Option<Arc<K>>, String>
    where
        K: kube::Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + DeserializeOwned
            + Debug
            + Send
            + Sync
            + 'static,
    {
        if let Some(known) = informer.get(namespace, name).filter(|_| informer.is_synced()) {
            return Ok(Some(known));
        }
        missed.store(true, Ordering::Relaxed);
        let api: Api<K> = Api::namespaced(self.client.clone(), namespace);
        let found = api.get_opt(name).await.map_err(|error| format!("failed to fetch {name}: {error}"))?;
        if found.is_some() {
            missed.store(false, Ordering::Relaxed);
        }
        Ok(found.map(Arc::new))
    }
}

fn wake_on_change<K>(
    informer: &Informer<K>,
    waker: &Waker,
    users: &Arc<Mutex<HashSet<String>>>,
    missed: &Arc<AtomicBool>,
    same: impl Fn(&K, &K) -> bool + Send + Sync + 'static,
) where
    K: kube::Resource + Clone + Send + Sync + 'static,
{
    let (waker, users, missed) = (waker.clone(), users.clone(), missed.clone());
    informer.on_change(move |old, new| {
        let wake = match (old, new) {
            (Some(old), Some(new)) => !same(old, new),
            (None, Some(_)) => missed.swap(false, Ordering::Relaxed),
            (_, None) => false,
        };
        if wake {
            let users = lock(&users).clone();
            waker(&users);
        }
    });
}

#[cfg(test)]
mod tests;
