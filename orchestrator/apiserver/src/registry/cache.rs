//! The watch caches: for each resource the current objects as bytes and the recent changes, fed
//! by one watch of the store.

mod shelf;

use self::shelf::Shelf;
use super::{Object, ObjectReader};
use crate::limits;
use arc_swap::ArcSwap;
use bytes::Bytes;
use futures::{FutureExt, StreamExt};
use imbl::OrdMap;
use orchestrator_apimachinery::{ApiError, Catalog, Kind, Scope};
use orchestrator_store::{Entry, Event, Revision, Store, StoreError};
use runtime_base::Tasks;
use runtime_base::clock::{self, within};
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::{mpsc, oneshot, watch};
use tracing::{error, warn};

/// All objects of a resource by their keys; cloning shares them.
pub type Objects = OrdMap<Arc<str>, Arc<Object>>;

/// One change of one object.
#[derive(Debug)]
pub struct Change {
    /// The revision of the change.
    pub revision: Revision,
    /// The object now; `None` when it was deleted.
    pub object: Option<Arc<Object>>,
    /// The object before.
    pub previous: Option<Arc<Object>>,
}

impl Change {
    fn size(&self) -> usize {
        self.object.as_ref().or(self.previous.as_ref()).map_or(0, |object| object.size())
    }
}

/// A watch asked for changes that are no longer remembered.
#[derive(Debug, PartialEq, Eq)]
pub struct Expired {
    /// Changes after this revision are remembered.
    pub oldest: Revision,
}

/// The objects of one resource.
pub struct Cache {
    /// Its kind.
    pub kind: Arc<Kind>,
    state: RwLock<State>,
    /// The number of changes so far.
    changes: watch::Sender<u64>,
    /// Whether the resource is served no more, or otherwise than this cache knows.
    closed: AtomicBool,
}

#[derive(Default)]
struct State {
    objects: Objects,
    recent: VecDeque<Arc<Change>>,
    recent_bytes: usize,
    /// Changes that were dropped from `recent`.
    dropped: u64,
    /// Changes after this revision are in `recent`.
    oldest: Revision,
    /// The revision of the last change.
    newest: Revision,
}

impl Cache {
    fn new(kind: Arc<Kind>) -> Self {
        Cache { kind, state: RwLock::default(), changes: watch::Sender::new(0), closed: AtomicBool::new(false) }
    }

    fn read<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        read(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The current objects, the revision of the last change, and the place of the next one.
    pub fn snapshot(&self) -> (Objects, Revision, u64) {
        self.read(|state| (state.objects.clone(), state.newest, state.dropped + state.recent.len() as u64))
    }

    /// One object.
    pub fn get(&self, key: &str) -> Option<Arc<Object>> {
        self.read(|state| state.objects.get(key).cloned())
    }

    /// The place of the first change after `revision`.
    pub fn place_after(&self, revision: Revision) -> Result<u64, Expired> {
        self.read(|state| {
            if revision < state.oldest {
                return Err(Expired { oldest: state.oldest });
            }
            let index = state.recent.partition_point(|change| change.revision <= revision);
            Ok(state.dropped + index as u64)
        })
    }

    /// Changes from `place` on, some at a time; an error when they are no longer remembered.
    pub fn changes_from(&self, place: u64) -> Result<Vec<Arc<Change>>, Expired> {
        self.read(|state| {
            let start = place.checked_sub(state.dropped).ok_or(Expired { oldest: state.oldest })? as usize;
            Ok(state.recent.range(start.min(state.recent.len())..).take(limits::WATCH_BATCH_MAX).cloned().collect())
        })
    }

    /// Tells when there are more changes.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Whether nothing more will come.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.changes.send_modify(|count| *count += 1);
    }

    fn load(&self, objects: Objects, revision: Revision) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        // Places go on, so that watches of before notice that they lost something.
        let dropped = state.dropped + state.recent.len() as u64 + 1;
        *state = State { objects, dropped, oldest: revision, newest: revision, ..State::default() };
        drop(state);
        self.changes.send_modify(|count| *count += 1);
    }

    fn apply(&self, key: &str, event: &Event) {
        let object = match &event.entry {
            Some(entry) => match Object::new(&self.kind, key.into(), entry) {
                Some(object) => Some(Arc::new(object)),
                None => return error!(key = %event.key, "a stored object is damaged and not shown"),
            },
            None => None,
        };
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let previous = match &object {
            Some(object) => state.objects.insert(object.key.clone(), object.clone()),
            None => state.objects.remove(key),
        };
        let change = Change { revision: event.revision, object, previous };
        state.newest = event.revision;
        state.recent_bytes += change.size();
        state.recent.push_back(Arc::new(change));
        while state.recent.len() > limits::RECENT_CHANGES_MAX || state.recent_bytes > limits::RECENT_BYTES_MAX {
            let Some(oldest) = state.recent.pop_front() else { break };
            state.recent_bytes -= oldest.size();
            state.oldest = oldest.revision;
            state.dropped += 1;
        }
        drop(state);
        self.changes.send_modify(|count| *count += 1);
    }
}

/// What is served at one time.
struct View {
    catalog: Arc<Catalog>,
    caches: Shelf,
}

/// Kinds to serve from now on.
struct Order {
    catalog: Arc<Catalog>,
    done: oneshot::Sender<()>,
}

/// The caches of all resources.
pub struct Caches {
    view: ArcSwap<View>,
    store: Arc<dyn Store>,
    orders: mpsc::Sender<Order>,
    /// The number of catalogs so far.
    catalogs: watch::Sender<u64>,
    /// Everything up to this revision is in the caches.
    progress: watch::Sender<Revision>,
}

impl Caches {
    /// Fills the caches from the store and follows it until `tasks` stop.
    pub async fn start(store: Arc<dyn Store>, catalog: Arc<Catalog>, tasks: &Tasks) -> Result<Arc<Self>, StoreError> {
        let mut caches = Shelf::default();
        for (resource, kind) in stored_kinds(&catalog) {
            caches.insert(resource, Arc::new(Cache::new(kind.clone())));
        }
        let view = ArcSwap::from_pointee(View { catalog: catalog.clone(), caches });
        let (orders, taken) = mpsc::channel(1);
        let caches =
            Arc::new(Caches { view, store, orders, catalogs: watch::Sender::new(0), progress: watch::Sender::new(0) });
        let newest = caches.store.fresh_revision().await?;
        let from = caches.load(newest.saturating_sub(limits::STARTUP_HISTORY_MAX)).await?;
        let follower = caches.clone();
        tasks.spawn("watch-cache", async move { follower.follow(from, taken).await });
        caches.wait(newest).await.map_err(|error| StoreError::Unavailable(error.message))?;
        Ok(caches)
    }

    /// The kinds that are served.
    pub fn catalog(&self) -> Arc<Catalog> {
        self.view.load().catalog.clone()
    }

    /// Holds a number that grows whenever other kinds are served.
    pub fn catalog_changes(&self) -> watch::Receiver<u64> {
        self.catalogs.subscribe()
    }

    /// Serves other kinds from now on. The caches of new resources are full when this returns;
    /// watches of those that are gone, or changed, end.
    pub async fn replace(&self, catalog: Arc<Catalog>) -> Result<(), ApiError> {
        let ended = || ApiError::unavailable("the watch caches have ended");
        let (done, adopted) = oneshot::channel();
        self.orders.send(Order { catalog, done }).await.map_err(|_| ended())?;
        adopted.await.map_err(|_| ended())
    }

    /// The store behind the caches.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The cache of a resource.
    pub fn cache(&self, group: &str, plural: &str) -> Option<Arc<Cache>> {
        self.view.load().caches.get(group, plural).cloned()
    }

    /// The cache of a kind.
    pub(crate) fn of(&self, kind: &Kind) -> Result<Arc<Cache>, ApiError> {
        let (group, plural) = kind.stored_resource();
        self.cache(group, plural).ok_or_else(ApiError::method_not_allowed)
    }

    /// Everything up to this revision is here.
    pub fn progress(&self) -> Revision {
        *self.progress.borrow()
    }

    /// Waits until everything up to `revision` is here.
    pub async fn wait(&self, revision: Revision) -> Result<(), ApiError> {
        if self.progress() >= revision {
            return Ok(());
        }
        let mut progress = self.progress.subscribe();
        let reached = within(limits::FRESH_TIME_MAX, progress.wait_for(|seen| *seen >= revision)).await;
        match reached {
            Some(Ok(_)) => Ok(()),
            _ => Err(super::too_large_revision(revision, self.progress())),
        }
    }

    /// Waits until everything is here that anybody was told is written.
    pub async fn fresh(&self) -> Result<(), ApiError> {
        let newest = self.store.fresh_revision().await.map_err(super::store_error)?;
        self.wait(newest).await
    }

    /// Loads all objects as of `at`, or of the oldest revision that is kept; answers which it was.
    async fn load(&self, at: Revision) -> Result<Revision, StoreError> {
        let page = match self.store.list("/registry/", None, 0, Some(at)).await {
            Err(StoreError::Compacted { oldest, .. }) => self.store.list("/registry/", None, 0, Some(oldest)).await?,
            other => other?,
        };
        let mut objects: BTreeMap<(&str, &str), Objects> = BTreeMap::new();
        let view = self.view.load_full();
        for entry in &page.entries {
            let Some((cache, group, plural, key)) = view.place(&entry.key) else { continue };
            match Object::new(&cache.kind, key.into(), entry) {
                Some(object) => {
                    let object = Arc::new(object);
                    let objects = objects.entry((group, plural)).or_default();
                    objects.insert(object.key.clone(), object);
                }
                None => error!(key = %entry.key, "a stored object is damaged and not shown"),
            }
        }
        for (resource, cache) in view.caches.iter() {
            cache.load(objects.remove(&resource).unwrap_or_default(), page.revision);
        }
        Ok(page.revision)
    }

    /// Serves other kinds; everything up to `at` has been applied, and nothing of what follows.
    async fn adopt(&self, catalog: Arc<Catalog>, at: Revision) -> Result<(), StoreError> {
        let before = self.view.load_full();
        let mut caches = Shelf::default();
        let mut loaded = Ok(());
        for (resource, kind) in stored_kinds(&catalog) {
            let kept = before.caches.get(&resource.0, &resource.1);
            let kept = kept.filter(|cache| holds_the_same(&cache.kind, kind));
            let cache = match kept {
                Some(cache) => cache.clone(),
                None => {
                    let cache = Arc::new(Cache::new(kind.clone()));
                    match self.store.list(&super::prefix(kind, ""), None, 0, (at > 0).then_some(at)).await {
                        Ok(page) => {
                            let objects = page.entries.iter().filter_map(|entry| object_of(kind, entry)).map(Arc::new);
                            cache.load(objects.map(|object| (object.key.clone(), object)).collect(), at);
                        }
                        Err(error) => loaded = Err(error),
                    }
                    cache
                }
            };
            caches.insert(resource, cache);
        }
        self.view.store(Arc::new(View { catalog, caches: caches.clone() }));
        self.catalogs.send_modify(|count| *count += 1);
        for ((group, plural), cache) in before.caches.iter() {
            if !caches.get(group, plural).is_some_and(|kept| Arc::ptr_eq(kept, cache)) {
                cache.close();
            }
        }
        loaded
    }

    /// Follows the store for ever; meanwhile reads that ask for the newest state wait.
    async fn follow(&self, mut from: Revision, mut orders: mpsc::Receiver<Order>) {
        self.progress.send_replace(from);
        let mut failures = 0;
        loop {
            let start = from;
            let mut error = self.follow_once(&mut from, &mut orders).await;
            if from > start {
                failures = 0;
            }
            if matches!(error, StoreError::Lagged) {
                warn!("watch caches fell behind, reading on from the history");
                continue;
            }
            if matches!(error, StoreError::Compacted { .. }) {
                match self.load_newest().await {
                    Ok(revision) => {
                        warn!("watch caches were too far behind and have been loaded anew");
                        from = revision;
                        self.progress.send_replace(from);
                        continue;
                    }
                    Err(why) => error = why,
                }
            }
            warn!(%error, "the store cannot be followed, trying again");
            clock::sleep(limits::FOLLOW_RETRY.delay(failures)).await;
            failures += 1;
        }
    }

    async fn load_newest(&self) -> Result<Revision, StoreError> {
        self.load(self.store.fresh_revision().await?).await
    }

    /// Applies events until the watch ends; `from` is what was applied last.
    async fn follow_once(&self, from: &mut Revision, orders: &mut mpsc::Receiver<Order>) -> StoreError {
        const CHUNK: usize = 1024;
        // All keys: with what others write into a shared store, any of its revisions is reached.
        let mut events = match self.store.watch("", *from).await {
            Ok(events) => events.ready_chunks(CHUNK),
            Err(error) => return error,
        };
        let mut whole = true;
        loop {
            let more = if whole { None } else { events.next().now_or_never() };
            if !whole && more.is_none() {
                // There was nothing behind a full chunk.
                whole = true;
                self.progress.send_replace(*from);
            }
            let chunk = tokio::select! {
                chunk = futures::future::ready(more.flatten()), if !whole => match chunk {
                    Some(chunk) => chunk,
                    None => return StoreError::Unavailable("the store's watch ended".into()),
                },
                chunk = events.next(), if whole => match chunk {
                    Some(chunk) => chunk,
                    None => return StoreError::Unavailable("the store's watch ended".into()),
                },
                order = orders.recv(), if whole => {
                    let Some(Order { catalog, done }) = order else { continue };
                    let adopted = self.adopt(catalog, *from).await;
                    // Who asked may have gone away meanwhile.
                    let _ = done.send(());
                    match adopted {
                        Ok(()) => continue,
                        Err(error) => return error,
                    }
                }
            };
            whole = chunk.len() < CHUNK;
            let view = self.view.load_full();
            for event in chunk {
                match event {
                    Ok(event) => {
                        if let Some((cache, _, _, key)) = view.place(&event.key) {
                            cache.apply(key, &event);
                        }
                        *from = event.revision;
                    }
                    Err(error) => return error,
                }
            }
            // A full chunk may end between two events of one revision.
            self.progress.send_replace(if whole { *from } else { *from - 1 });
        }
    }
}

/// The resources that have a cache, with the kind of the version that is stored.
fn stored_kinds(catalog: &Catalog) -> impl Iterator<Item = ((String, String), &Arc<Kind>)> {
    catalog.stored().map(|kind| {
        let group = if kind.group.is_empty() { "core" } else { &*kind.group };
        ((group.to_owned(), kind.plural.to_string()), kind)
    })
}

/// Whether the cache of one kind serves for another.
fn holds_the_same(one: &Kind, other: &Kind) -> bool {
    match (&one.custom, &other.custom) {
        (Some(one), Some(other)) => one.spec == other.spec,
        (None, None) => true,
        _ => false,
    }
}

impl View {
    /// Where an entry of the store belongs.
    fn place<'k>(&self, key: &'k str) -> Option<(&Arc<Cache>, &'k str, &'k str, &'k str)> {
        let mut parts = key.strip_prefix("/registry/")?.splitn(3, '/');
        let (group, plural, rest) = (parts.next()?, parts.next()?, parts.next()?);
        let cache = self.caches.get(group, plural)?;
        let fits = rest.contains('/') == (cache.kind.scope == Scope::Namespaced);
        fits.then_some((cache, group, plural, rest))
    }
}

impl ObjectReader for Caches {
    fn get(&self, group: &str, plural: &str, namespace: &str, name: &str) -> Option<Bytes> {
        let cache = self.cache(group, plural)?;
        let object = match namespace {
            "" => cache.get(name),
            namespace => cache.get(&format!("{namespace}/{name}")),
        };
        object.map(|object| object.bytes())
    }

    fn list(&self, group: &str, plural: &str, namespace: Option<&str>) -> Vec<Bytes> {
        self.list_if(group, plural, namespace, &|_| true)
    }

    fn list_if(
        &self,
        group: &str,
        plural: &str,
        namespace: Option<&str>,
        wanted: &dyn Fn(&[u8]) -> bool,
    ) -> Vec<Bytes> {
        let Some(cache) = self.cache(group, plural) else { return Vec::new() };
        let (objects, ..) = cache.snapshot();
        let objects = in_namespace(&objects, namespace.unwrap_or(""));
        objects.filter(|object| wanted(object.stored())).map(|object| object.bytes()).collect()
    }

    fn changes(&self, group: &str, plural: &str) -> watch::Receiver<u64> {
        match self.cache(group, plural) {
            Some(cache) => cache.subscribe(),
            None => watch::Sender::new(0).subscribe(),
        }
    }
}

/// The objects of one namespace, or of all ("").
pub(crate) fn in_namespace<'o>(objects: &'o Objects, namespace: &str) -> impl Iterator<Item = &'o Arc<Object>> {
    let prefix = if namespace.is_empty() { String::new() } else { format!("{namespace}/") };
    objects
        .range::<_, str>((std::ops::Bound::Included(prefix.as_str()), std::ops::Bound::Unbounded))
        .map(|(_, object)| object)
        .take_while(move |object| object.key.starts_with(&prefix))
}

/// An object of the store as the cache would hold it; for lists of the past.
pub(crate) fn object_of(kind: &Kind, entry: &Entry) -> Option<Object> {
    let prefix = super::prefix(kind, "");
    Object::new(kind, entry.key.strip_prefix(&*prefix)?.into(), entry)
}
