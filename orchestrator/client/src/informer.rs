//! A watched collection in memory: decoded once, indexed, shared.

use crate::key::Key;
use crate::limits::{LIST_PAGE, RELIST_DELAY_MAX};
use crate::queue::WorkQueue;
use futures::future::BoxFuture;
use futures::stream::{BoxStream, StreamExt};
use kube::Resource;
use kube::api::{Api, ListParams, WatchEvent, WatchParams};
use kube::core::{ObjectList, PartialObjectMeta};
use runtime_base::{Backoff, Tasks, clock};
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Debug;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::watch;
use tracing::{debug, warn};

/// Which objects an informer keeps.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// A label selector.
    pub labels: Option<String>,
    /// A field selector.
    pub fields: Option<String>,
}

type IndexFn<K> = Arc<dyn Fn(&K) -> Vec<String> + Send + Sync>;
type Listener<K> = Arc<dyn Fn(Option<&Arc<K>>, Option<&Arc<K>>) + Send + Sync>;

struct Index<K> {
    keys_of: IndexFn<K>,
    entries: HashMap<String, BTreeSet<Key>>,
}

struct State<K> {
    objects: BTreeMap<Key, Arc<K>>,
    indexes: HashMap<&'static str, Index<K>>,
    listeners: Vec<Listener<K>>,
}

/// A shared, indexed cache of one kind that follows a watch; clones share it.
///
/// Objects come without `managedFields`. It lists once, watches from there, and lists again only when the server has forgotten the
/// revision. Readers see whole objects; the order of changes is the server's.
pub struct Informer<K> {
    state: Arc<RwLock<State<K>>>,
    synced: watch::Receiver<bool>,
    /// The newest resourceVersion that the cache shows.
    seen: Arc<watch::Sender<u64>>,
}

impl<K> Clone for Informer<K> {
    fn clone(&self) -> Self {
        Informer { state: self.state.clone(), synced: self.synced.clone(), seen: self.seen.clone() }
    }
}

/// What an informer asks a server for.
trait Source<K: Clone>: Send + Sync {
    fn list(&self, page: Option<String>) -> BoxFuture<'_, kube::Result<ObjectList<K>>>;
    fn watch(&self, version: String) -> BoxFuture<'_, kube::Result<BoxStream<'static, kube::Result<WatchEvent<K>>>>>;
    /// Takes away what nobody reads. Who owns which fields is often more than all the rest, and the
    /// server keeps it when a write does not name it.
    fn lighten(&self, object: &mut K);
}

struct Whole<K> {
    api: Api<K>,
    filter: Filter,
}

struct Metadata<K> {
    api: Api<K>,
    filter: Filter,
}

fn list_params(filter: &Filter, page: Option<String>) -> ListParams {
    ListParams {
        label_selector: filter.labels.clone(),
        field_selector: filter.fields.clone(),
        limit: Some(LIST_PAGE),
        continue_token: page,
        ..ListParams::default()
    }
}

fn watch_params(filter: &Filter) -> WatchParams {
    WatchParams {
        label_selector: filter.labels.clone(),
        field_selector: filter.fields.clone(),
        bookmarks: true,
        ..WatchParams::default()
    }
}

impl<K> Source<K> for Whole<K>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    fn list(&self, page: Option<String>) -> BoxFuture<'_, kube::Result<ObjectList<K>>> {
        Box::pin(async move { self.api.list(&list_params(&self.filter, page)).await })
    }
    fn watch(&self, version: String) -> BoxFuture<'_, kube::Result<BoxStream<'static, kube::Result<WatchEvent<K>>>>> {
        Box::pin(async move { Ok(self.api.watch(&watch_params(&self.filter), &version).await?.boxed()) })
    }
    fn lighten(&self, object: &mut K) {
        object.meta_mut().managed_fields = None;
    }
}

impl<K> Source<PartialObjectMeta<K>> for Metadata<K>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    fn list(&self, page: Option<String>) -> BoxFuture<'_, kube::Result<ObjectList<PartialObjectMeta<K>>>> {
        Box::pin(async move { self.api.list_metadata(&list_params(&self.filter, page)).await })
    }
    fn watch(
        &self,
        version: String,
    ) -> BoxFuture<'_, kube::Result<BoxStream<'static, kube::Result<WatchEvent<PartialObjectMeta<K>>>>>> {
        Box::pin(async move { Ok(self.api.watch_metadata(&watch_params(&self.filter), &version).await?.boxed()) })
    }
    fn lighten(&self, object: &mut PartialObjectMeta<K>) {
        object.types = None;
        let metadata = &mut object.metadata;
        (metadata.managed_fields, metadata.labels, metadata.annotations) = (None, None, None);
        (metadata.creation_timestamp, metadata.generate_name) = (None, None);
    }
}

impl<K> Informer<K>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    /// Follows the whole objects of `api` that pass `filter`, until `tasks` stops.
    pub fn start(api: Api<K>, filter: Filter, tasks: &Tasks) -> Self {
        Self::run(Arc::new(Whole { api, filter }), tasks)
    }
}

impl<K> Informer<PartialObjectMeta<K>>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
    PartialObjectMeta<K>: Resource,
{
    /// Follows the metadata alone of the objects of `api` that pass `filter`, without labels and
    /// annotations: what tells objects and their owners apart.
    pub fn start_metadata(api: Api<K>, filter: Filter, tasks: &Tasks) -> Self {
        Self::run(Arc::new(Metadata { api, filter }), tasks)
    }
}

impl<K: Resource + Clone + Send + Sync + 'static> Informer<K> {
    fn empty(synced: watch::Receiver<bool>) -> Self {
        let state = State { objects: BTreeMap::new(), indexes: HashMap::new(), listeners: Vec::new() };
        Informer { state: Arc::new(RwLock::new(state)), synced, seen: Arc::new(watch::channel(0).0) }
    }

    /// An informer of fixed objects, for tests of what reads caches.
    pub fn fixed(objects: impl IntoIterator<Item = K>) -> Self {
        let (_, synced) = watch::channel(true);
        let informer = Self::empty(synced);
        for object in objects {
            informer.apply(Arc::new(object));
        }
        informer
    }

    fn run(source: Arc<dyn Source<K>>, tasks: &Tasks) -> Self {
        let (sender, synced) = watch::channel(false);
        let informer = Self::empty(synced);
        let follower = informer.clone();
        tasks.spawn("informer", async move { follower.follow(&*source, &sender).await });
        informer
    }

    /// Lists and watches for ever.
    async fn follow(&self, source: &dyn Source<K>, synced: &watch::Sender<bool>) {
        let backoff = Backoff::doubling(Duration::from_millis(50), RELIST_DELAY_MAX);
        let mut failures = 0;
        let mut version: Option<String> = None;
        loop {
            let from = match version.take() {
                Some(version) => Ok(version),
                None => self.relist(source).await,
            };
            let result = match from {
                Ok(from) => {
                    synced.send_replace(true);
                    self.watch_from(source, from).await
                }
                Err(error) => Err(error),
            };
            match result {
                Ok(next) => {
                    failures = 0;
                    version = next;
                }
                Err(error) => {
                    let delay = backoff.delay(failures);
                    failures += 1;
                    warn!(error = %error, retry_in = ?delay, "watch failed, listing again");
                    clock::sleep(delay).await;
                }
            }
        }
    }

    /// Replaces the cache by what the server has; returns the revision to watch from.
    async fn relist(&self, source: &dyn Source<K>) -> kube::Result<String> {
        let mut seen = BTreeSet::new();
        let mut page = None;
        loop {
            let list = source.list(page.take()).await?;
            for mut object in list.items {
                source.lighten(&mut object);
                seen.insert(Key::of(&object));
                self.apply(Arc::new(object));
            }
            match list.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => page = Some(token),
                None => {
                    let gone: Vec<Key> =
                        self.read(|s| s.objects.keys().filter(|k| !seen.contains(*k)).cloned().collect());
                    gone.iter().for_each(|key| self.remove(key));
                    let version = list.metadata.resource_version.unwrap_or_default();
                    self.saw(&version);
                    return Ok(version);
                }
            }
        }
    }

    /// Watches until the server ends the stream: `Some` revision to go on from, or `None` to list again.
    async fn watch_from(&self, source: &dyn Source<K>, from: String) -> kube::Result<Option<String>> {
        let mut version = from;
        let mut events = source.watch(version.clone()).await?;
        while let Some(event) = events.next().await {
            match event? {
                WatchEvent::Added(mut object) | WatchEvent::Modified(mut object) => {
                    source.lighten(&mut object);
                    version = object.meta().resource_version.clone().unwrap_or(version);
                    self.apply(Arc::new(object));
                    self.saw(&version);
                }
                WatchEvent::Deleted(object) => {
                    version = object.meta().resource_version.clone().unwrap_or(version);
                    self.remove(&Key::of(&object));
                    self.saw(&version);
                }
                WatchEvent::Bookmark(bookmark) => {
                    version = bookmark.metadata.resource_version;
                    self.saw(&version);
                }
                WatchEvent::Error(status) if status.code == 410 => {
                    debug!(%version, "revision is compacted, listing again");
                    return Ok(None);
                }
                WatchEvent::Error(status) => return Err(kube::Error::Api(status)),
            }
        }
        Ok(Some(version))
    }

    fn saw(&self, version: &str) {
        if let Ok(version) = version.parse::<u64>() {
            self.seen.send_if_modified(|seen| {
                let newer = version > *seen;
                *seen = version.max(*seen);
                newer
            });
        }
    }

    /// Completes once the cache shows `version`, the resourceVersion of a write to an object of
    /// this kind. (The cluster has one revision counter, so versions compare as numbers.)
    pub async fn caught_up(&self, version: u64) {
        let mut seen = self.seen.subscribe();
        // The sender lives as long as this handle, so that waiting cannot fail.
        let _ = seen.wait_for(|seen| *seen >= version).await;
    }

    /// Completes once `holds`, which reads this cache and is asked again after each change.
    pub async fn until(&self, holds: impl Fn() -> bool) {
        let mut seen = self.seen.subscribe();
        while !holds() {
            // As above: the sender lives as long as this handle.
            let _ = seen.changed().await;
        }
    }

    fn read<T>(&self, look: impl FnOnce(&State<K>) -> T) -> T {
        look(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn apply(&self, object: Arc<K>) {
        let key = Key::of(&*object);
        self.change(key, Some(object));
    }

    fn remove(&self, key: &Key) {
        self.change(key.clone(), None);
    }

    fn change(&self, key: Key, new: Option<Arc<K>>) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let old = match &new {
            Some(object) => state.objects.insert(key.clone(), object.clone()),
            None => state.objects.remove(&key),
        };
        for index in state.indexes.values_mut() {
            index.update(&key, old.as_deref(), new.as_deref());
        }
        let listeners = state.listeners.clone();
        drop(state);
        for listener in listeners {
            listener(old.as_ref(), new.as_ref());
        }
    }

    /// Adds an index: `keys_of` gives the values under which an object is found.
    pub fn with_index(self, name: &'static str, keys_of: impl Fn(&K) -> Vec<String> + Send + Sync + 'static) -> Self {
        {
            let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
            let mut index = Index { keys_of: Arc::new(keys_of), entries: HashMap::new() };
            for (key, object) in &state.objects {
                index.update(key, None, Some(object));
            }
            state.indexes.insert(name, index);
        }
        self
    }

    /// Calls `listener` with the object before and after each change, starting with all that are
    /// there. It must be quick and must not call back into this informer's writers.
    pub fn on_change(&self, listener: impl Fn(Option<&Arc<K>>, Option<&Arc<K>>) + Send + Sync + 'static) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        for object in state.objects.values() {
            listener(None, Some(object));
        }
        state.listeners.push(Arc::new(listener));
    }

    /// Adds to `queue` what `keys_of` says of each changed object, as it was and as it is.
    pub fn feed<T>(&self, queue: &WorkQueue<T>, keys_of: impl Fn(&K) -> Vec<T> + Send + Sync + 'static)
    where
        T: Clone + Eq + std::hash::Hash + Ord + Send + Sync + 'static,
    {
        let queue = queue.clone();
        self.on_change(move |old, new| {
            for object in [old, new].into_iter().flatten() {
                keys_of(object).into_iter().for_each(|key| queue.add(key));
            }
        });
    }

    /// The keys of objects that change, each held once until it is taken.
    pub fn subscribe(&self) -> Changes {
        let queue = WorkQueue::default();
        self.feed(&queue, |object| vec![Key::of(object)]);
        Changes(queue)
    }

    /// The object of this name.
    pub fn get(&self, namespace: &str, name: &str) -> Option<Arc<K>> {
        self.read(|state| state.objects.get(&Key::new(namespace, name)).cloned())
    }

    /// The object of this key.
    pub fn get_key(&self, key: &Key) -> Option<Arc<K>> {
        self.read(|state| state.objects.get(key).cloned())
    }

    /// All objects, by namespace and name.
    pub fn list(&self) -> Vec<Arc<K>> {
        self.read(|state| state.objects.values().cloned().collect())
    }

    /// The objects of a namespace, by name.
    pub fn list_namespace(&self, namespace: &str) -> Vec<Arc<K>> {
        let start = Key::new(namespace, "");
        self.read(|state| {
            let range = state.objects.range(start..);
            range.take_while(|(key, _)| &*key.namespace == namespace).map(|(_, object)| object.clone()).collect()
        })
    }

    /// The objects that the index `name` has under `value`; none when there is no such index.
    pub fn by_index(&self, name: &str, value: &str) -> Vec<Arc<K>> {
        self.read(|state| {
            let keys = state.indexes.get(name).and_then(|index| index.entries.get(value));
            keys.into_iter().flatten().filter_map(|key| state.objects.get(key).cloned()).collect()
        })
    }

    /// Completes once the first list is in the cache.
    pub async fn synced(&self) {
        let mut synced = self.synced.clone();
        // An error means that the informer was stopped; then nobody acts on its cache.
        if synced.wait_for(|synced| *synced).await.is_err() && !*self.synced.borrow() {
            std::future::pending::<()>().await;
        }
    }

    /// Whether the first list is in the cache.
    pub fn is_synced(&self) -> bool {
        *self.synced.borrow()
    }
}

impl<K> Index<K> {
    fn update(&mut self, key: &Key, old: Option<&K>, new: Option<&K>) {
        for value in old.map(|object| (self.keys_of)(object)).unwrap_or_default() {
            if let Some(keys) = self.entries.get_mut(&value) {
                keys.remove(key);
                if keys.is_empty() {
                    self.entries.remove(&value);
                }
            }
        }
        for value in new.map(|object| (self.keys_of)(object)).unwrap_or_default() {
            self.entries.entry(value).or_default().insert(key.clone());
        }
    }
}

/// Keys of changed objects.
pub struct Changes(WorkQueue<Key>);

impl Changes {
    /// The next key; a key that changes several times meanwhile comes once.
    pub async fn next(&self) -> Key {
        let key = self.0.next().await;
        self.0.done(&key);
        key
    }
}

#[cfg(test)]
mod tests;
