//! Watches: the objects so far if asked for, then each change, as a stream of JSON lines.

use super::cache::{Cache, Caches, Change, Expired, object_of};
use super::read::parse_revision;
use super::select::Selection;
use super::stored::Versions;
use super::{Object, Registry, prefix, store_error};
use crate::limits;
use crate::request::{Query, Shape};
use bytes::{BufMut, Bytes, BytesMut};
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt};
use orchestrator_apimachinery::field::{Errors, Path};
use orchestrator_apimachinery::table::{self, IncludeObject};
use orchestrator_apimachinery::{ApiError, Kind};
use orchestrator_store::{Event, Revision, StoreError};
use runtime_base::{Clock, Tasks};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};
use tokio::sync::watch;
use tokio::time::Instant;

/// What a watch asks for.
#[derive(Debug)]
pub(crate) struct WatchOptions {
    /// Changes after this; `None` starts with all objects as of now.
    revision: Option<Revision>,
    /// Send all objects first, then the bookmark that says so.
    initial_events: bool,
    bookmarks: bool,
    timeout: Option<Duration>,
    selection: Selection,
    shape: Shape,
    include: IncludeObject,
}

fn refused(field: &str, why: &str) -> ApiError {
    let mut errors = Errors::default();
    errors.forbidden(&Path::new(field), why);
    ApiError::invalid("meta.k8s.io", "ListOptions", "", &errors)
}

/// What a Table's rows carry, by `includeObject`.
pub(crate) fn include_object(query: &Query) -> Result<IncludeObject, ApiError> {
    match query.text("includeObject") {
        "" | "Metadata" => Ok(IncludeObject::Metadata),
        "Object" => Ok(IncludeObject::Object),
        "None" => Ok(IncludeObject::None),
        other => Err(ApiError::bad_request(format!("includeObject: {other:?} is not Metadata, Object or None"))),
    }
}

impl WatchOptions {
    /// Reads the parameters of a watch, by upstream's rules of what may go together.
    pub fn parse(query: &Query, kind: &Kind, shape: Shape) -> Result<Self, ApiError> {
        let initial_events = query.get("sendInitialEvents").map(|_| query.flag("sendInitialEvents"));
        let rule = query.text("resourceVersionMatch");
        if initial_events.is_some() && rule != "NotOlderThan" {
            let why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
            return Err(refused("resourceVersionMatch", why));
        }
        if initial_events.is_none() && !rule.is_empty() {
            let why = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided";
            return Err(refused("resourceVersionMatch", why));
        }
        let revision = match query.text("resourceVersion") {
            "" => None,
            text => Some(parse_revision(text)?),
        };
        let timeout = query.number("timeoutSeconds")?.filter(|seconds| *seconds > 0);
        Ok(WatchOptions {
            revision,
            initial_events: initial_events == Some(true),
            bookmarks: query.flag("allowWatchBookmarks"),
            timeout: timeout.map(|seconds| Duration::from_secs(seconds.unsigned_abs())),
            selection: Selection::parse(query, kind)?,
            shape,
            include: include_object(query)?,
        })
    }
}

/// A watch under way.
struct Watching {
    /// As which its objects are shown.
    kind: Arc<Kind>,
    versions: Versions,
    caches: Arc<Caches>,
    cache: Arc<Cache>,
    clock: Clock,
    tasks: Tasks,
    namespace: String,
    options: WatchOptions,
    changed: watch::Receiver<u64>,
    /// The next change to look at; `None` while the cache no longer remembers it.
    place: Option<u64>,
    /// Changes up to here are known to the client.
    seen: Revision,
    ready: VecDeque<Bytes>,
    deadline: Instant,
    next_bookmark: Instant,
    bookmark_due: bool,
    /// The columns of a Table are sent once.
    columns_sent: bool,
    ended: bool,
}

impl Registry {
    /// Starts a watch; the stream ends when its time is over, its client too slow or the server stops.
    pub(crate) async fn watch(
        &self,
        kind: &Arc<Kind>,
        namespace: &str,
        options: WatchOptions,
        tasks: &Tasks,
    ) -> Result<BoxStream<'static, Bytes>, ApiError> {
        let cache = self.caches.of(kind)?;
        match options.revision {
            Some(0) => {}
            Some(revision) if options.initial_events => self.caches.wait(revision).await?,
            Some(_) => {}
            None => self.caches.fresh().await?,
        }
        let default = self.rng.jitter(limits::WATCH_TIME_MIN, 1.0);
        let now = self.clock.monotonic();
        let mut watching = Watching {
            kind: kind.clone(),
            versions: self.versions(),
            caches: self.caches.clone(),
            changed: cache.subscribe(),
            cache,
            clock: self.clock.clone(),
            tasks: tasks.clone(),
            namespace: namespace.to_owned(),
            place: None,
            seen: 0,
            ready: VecDeque::new(),
            deadline: now + options.timeout.unwrap_or(default),
            next_bookmark: now + self.rng.jitter(limits::BOOKMARK_INTERVAL, 0.1),
            bookmark_due: false,
            columns_sent: false,
            ended: false,
            options,
        };
        watching.begin().await;
        Ok(stream::unfold(watching, |mut watching| async move { watching.next().await.map(|line| (line, watching)) })
            .boxed())
    }
}

impl Watching {
    /// Finds the place to start at, with all objects before it where they are asked for.
    async fn begin(&mut self) {
        let everything = self.options.initial_events || matches!(self.options.revision, None | Some(0));
        if let (false, Some(revision)) = (everything, self.options.revision) {
            (self.place, self.seen) = (self.cache.place_after(revision).ok(), revision);
            return;
        }
        let progress = self.caches.progress();
        let (objects, newest, place) = self.cache.snapshot();
        (self.place, self.seen) = (Some(place), progress.max(newest));
        let here = super::cache::in_namespace(&objects, &self.namespace.clone()).cloned().collect();
        let shown = match self.versions.show_objects(&self.kind, here).await {
            Ok(shown) => shown,
            Err(error) => return self.refuse(&error),
        };
        for object in &shown {
            if self.options.selection.matches(&self.kind, object) {
                let line = self.line("ADDED", object, object.revision);
                self.ready.push_back(line);
            }
        }
        if self.options.initial_events && self.options.bookmarks {
            let line = self.bookmark(true);
            self.ready.push_back(line);
        }
    }

    /// Ends the watch with upstream's error event.
    fn expire(&mut self, requested: Revision, oldest: Revision) {
        self.refuse(&ApiError::expired(format!("too old resource version: {requested} ({oldest})")));
    }

    fn refuse(&mut self, error: &ApiError) {
        self.ready.push_back(event_line("ERROR", error.to_value().to_string().as_bytes()));
        self.ended = true;
    }

    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(line) = self.ready.pop_front() {
                return Some(self.gather(line));
            }
            if self.ended {
                return None;
            }
            let Some(place) = self.place else {
                self.read_log().await;
                continue;
            };
            self.changed.borrow_and_update();
            let closed = self.cache.is_closed();
            // Read before the changes are: a bookmark then says nothing too much.
            let progress = self.caches.progress();
            match self.cache.changes_from(place) {
                Err(Expired { .. }) => self.place = None,
                Ok(changes) if changes.is_empty() => {
                    if closed {
                        return None;
                    }
                    self.seen = self.seen.max(progress);
                    if std::mem::take(&mut self.bookmark_due) {
                        let line = self.bookmark(false);
                        self.ready.push_back(line);
                    } else {
                        self.wait().await;
                    }
                }
                Ok(changes) => {
                    let (mut taken, mut bytes) = (0, 0);
                    for change in changes {
                        let before = self.ready.len();
                        self.take(&change).await;
                        (taken, bytes) = (taken + 1, bytes + self.ready.range(before..).map(Bytes::len).sum::<usize>());
                        if bytes >= limits::WATCH_LOG_BYTES_MAX {
                            break;
                        }
                    }
                    self.place = Some(place + taken);
                }
            }
        }
    }

    /// Takes some changes from the store's history, or goes over to the cache once that remembers
    /// all that follows. Holds nothing of the store while the client reads.
    async fn read_log(&mut self) {
        self.changed.borrow_and_update();
        if let Ok(place) = self.cache.place_after(self.seen) {
            self.place = Some(place);
            return;
        }
        let mut log = match self.caches.store().watch(&prefix(&self.cache.kind, ""), self.seen).await {
            Ok(log) => log,
            Err(error) => return self.fail(error),
        };
        let mut next = tokio::select! {
            event = log.next() => Some(event),
            () = self.wait() => None,
        };
        let (mut events, mut bytes) = (0, 0);
        while let Some(event) = next {
            match event {
                Some(Ok(event)) => {
                    (events, bytes) = (events + 1, bytes + event.entry.as_ref().map_or(0, |entry| entry.value.len()));
                    self.take_event(&event).await;
                }
                Some(Err(StoreError::Lagged)) => return,
                Some(Err(error)) => return self.fail(error),
                None => return self.ended = true,
            }
            let enough = events >= limits::WATCH_LOG_EVENTS_MAX || bytes >= limits::WATCH_LOG_BYTES_MAX;
            next = if enough { None } else { log.next().now_or_never() };
        }
        if std::mem::take(&mut self.bookmark_due) {
            let line = self.bookmark(false);
            self.ready.push_back(line);
        }
    }

    async fn take_event(&mut self, event: &Event) {
        let kind = self.cache.kind.clone();
        let object = |entry: &Option<_>| entry.as_ref().and_then(|entry| object_of(&kind, entry)).map(Arc::new);
        let (object, previous) = (object(&event.entry), object(&event.previous));
        self.take(&Change { revision: event.revision, object, previous }).await;
    }

    /// Ends the watch: with upstream's 410 when its start is forgotten.
    fn fail(&mut self, error: StoreError) {
        if let StoreError::Compacted { oldest, .. } = error {
            return self.expire(self.seen, oldest);
        }
        let error = store_error(error);
        self.ready.push_back(event_line("ERROR", error.to_value().to_string().as_bytes()));
        self.ended = true;
    }

    /// `line` with those that are ready behind it, so that a burst is one write.
    fn gather(&mut self, line: Bytes) -> Bytes {
        const ENOUGH: usize = 64 * 1024;
        if self.ready.is_empty() || line.len() >= ENOUGH {
            return line;
        }
        let mut all = BytesMut::from(&line[..]);
        while all.len() < ENOUGH
            && let Some(more) = self.ready.pop_front()
        {
            all.put_slice(&more);
        }
        all.freeze()
    }

    async fn wait(&mut self) {
        let bookmark = if self.options.bookmarks { self.next_bookmark } else { self.deadline };
        tokio::select! {
            changed = self.changed.changed() => self.ended |= changed.is_err(),
            () = self.tasks.stopping() => self.ended = true,
            () = self.clock.sleep_until(self.deadline.min(bookmark)) => {
                let now = self.clock.monotonic();
                self.ended |= now >= self.deadline;
                if self.options.bookmarks && now >= self.next_bookmark {
                    self.next_bookmark = now + limits::BOOKMARK_INTERVAL;
                    self.bookmark_due = true;
                }
            }
        }
    }

    /// The object as the client is to see it.
    async fn shown(&self, object: Option<&Arc<Object>>) -> Result<Option<Arc<Object>>, ApiError> {
        match object {
            Some(object) if self.kind.stored.is_none() && !object.is_foreign() => Ok(Some(object.clone())),
            Some(object) => Ok(self.versions.show_objects(&self.kind, vec![object.clone()]).await?.pop()),
            None => Ok(None),
        }
    }

    async fn take(&mut self, change: &Change) {
        if change.revision <= self.seen || self.ended {
            return;
        }
        self.seen = change.revision;
        let (object, previous) =
            match (self.shown(change.object.as_ref()).await, self.shown(change.previous.as_ref()).await) {
                (Ok(object), Ok(previous)) => (object, previous),
                (Err(error), _) | (_, Err(error)) => return self.refuse(&error),
            };
        let kind = self.kind.clone();
        let wanted = |object: &&Arc<Object>| {
            (self.namespace.is_empty() || object.namespace() == self.namespace)
                && self.options.selection.matches(&kind, object)
        };
        let (now, before) = (object.as_ref().filter(wanted), previous.as_ref().filter(wanted));
        let line = match (now, before) {
            (Some(object), None) => self.line("ADDED", object, object.revision),
            (Some(object), Some(_)) => self.line("MODIFIED", object, object.revision),
            // Gone, or no longer selected: the last state that was, at the revision of the change.
            (None, Some(object)) => self.line("DELETED", object, change.revision),
            (None, None) => return,
        };
        self.ready.push_back(line);
    }

    fn line(&mut self, type_: &str, object: &Object, revision: Revision) -> Bytes {
        if self.options.shape == Shape::Plain {
            return line_of(type_, object.size(), |line| object.put_at(revision, line));
        }
        let mut bytes = BytesMut::with_capacity(object.size());
        object.put_at(revision, &mut bytes);
        let object = bytes;
        if self.options.shape == Shape::Partial {
            let partial = table::partial_metadata_json(&object);
            return partial.map_or_else(Bytes::new, |partial| event_line(type_, &partial));
        }
        let Ok(object) = serde_json::from_slice::<Value>(&object) else { return Bytes::new() };
        let now = self.clock.now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64);
        let row = table::row(&self.kind, &object, self.options.include, now);
        let shaped = self.table(vec![row], &object["metadata"]["resourceVersion"]);
        event_line(type_, shaped.to_string().as_bytes())
    }

    fn table(&mut self, rows: Vec<Value>, revision: &Value) -> Value {
        let first = !std::mem::replace(&mut self.columns_sent, true);
        table::table(&self.kind, rows, json!({"resourceVersion": revision}), first)
    }

    fn bookmark(&mut self, initial_events_end: bool) -> Bytes {
        let kind = self.kind.clone();
        let revision = json!(self.seen.to_string());
        let mut metadata = json!({"resourceVersion": revision, "creationTimestamp": null});
        if initial_events_end {
            metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        let object = match self.options.shape {
            Shape::Table => {
                let mut object = self.table(Vec::new(), &revision);
                object["metadata"] = metadata;
                object
            }
            Shape::Partial => table::partial_metadata(&json!({"metadata": metadata})),
            _ => json!({"kind": kind.kind, "apiVersion": kind.api_version(), "metadata": metadata}),
        };
        event_line("BOOKMARK", object.to_string().as_bytes())
    }
}

fn event_line(type_: &str, object: &[u8]) -> Bytes {
    line_of(type_, object.len(), |line| line.put_slice(object))
}

fn line_of(type_: &str, size: usize, put: impl FnOnce(&mut BytesMut)) -> Bytes {
    // Room for a longer resourceVersion, too.
    let mut line = BytesMut::with_capacity(size + type_.len() + 48);
    line.put_slice(b"{\"type\":\"");
    line.put_slice(type_.as_bytes());
    line.put_slice(b"\",\"object\":");
    put(&mut line);
    line.put_slice(b"}\n");
    line.freeze()
}
