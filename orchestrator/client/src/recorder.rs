//! Events: what components tell users about their objects.

use crate::limits::{EVENTS_REMEMBERED_MAX, EVENTS_WAITING_MAX};
use k8s_openapi::api::core::v1::{Event, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::api::{Api, Patch, PatchParams, PostParams};
use kube::{Resource, ResourceExt};
use runtime_base::{Clock, Rng, Tasks};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tracing::{debug, warn};

/// How loud an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventType {
    /// `Normal`
    Normal,
    /// `Warning`
    Warning,
}

/// What happened to whom.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Note {
    kind: EventType,
    reason: String,
    message: String,
    about: (String, String, String, String, String, String),
}

/// Writes events in the background; clones share it. Repeats raise the count of the first event.
#[derive(Clone, Debug)]
pub struct Recorder {
    sender: mpsc::Sender<(Note, ObjectReference, SystemTime)>,
    dropped: Arc<AtomicU64>,
    clock: Clock,
}

/// The reference of an object, as events and owners name it.
pub fn reference<K: Resource<DynamicType = ()>>(object: &K) -> ObjectReference {
    ObjectReference {
        api_version: Some(K::api_version(&()).into_owned()),
        kind: Some(K::kind(&()).into_owned()),
        name: object.meta().name.clone(),
        namespace: object.meta().namespace.clone(),
        uid: object.meta().uid.clone(),
        resource_version: object.meta().resource_version.clone(),
        ..ObjectReference::default()
    }
}

impl Recorder {
    /// A recorder whose events come from `component` on `host` (may be empty).
    pub fn new(client: kube::Client, component: &str, host: &str, clock: Clock, rng: Rng, tasks: &Tasks) -> Self {
        let (sender, receiver) = mpsc::channel(EVENTS_WAITING_MAX);
        let source = EventSource {
            component: Some(component.to_owned()),
            host: Some(host.to_owned()).filter(|host| !host.is_empty()),
        };
        let writer = Writer { client, source, rng, remembered: HashMap::new(), order: VecDeque::new() };
        tasks.spawn("recorder", writer.run(receiver));
        Recorder { sender, dropped: Arc::default(), clock }
    }

    /// Records an event about the object of `about`; never waits.
    pub fn event(&self, about: &ObjectReference, kind: EventType, reason: &str, message: impl Into<String>) {
        let text = |field: &Option<String>| field.clone().unwrap_or_default();
        let note = Note {
            kind,
            reason: reason.to_owned(),
            message: message.into(),
            about: (
                text(&about.api_version),
                text(&about.kind),
                text(&about.namespace),
                text(&about.name),
                text(&about.uid),
                text(&about.field_path),
            ),
        };
        match self.sender.try_send((note, about.clone(), self.clock.now())) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                let dropped = self.dropped.fetch_add(1, Ordering::Relaxed) + 1;
                warn!(dropped, reason, "event dropped, too many wait");
            }
            // The process ends.
            Err(TrySendError::Closed(_)) => debug!(reason, "event dropped, its writer has ended"),
        }
    }

    /// [`Recorder::event`] with type `Normal`.
    pub fn normal(&self, about: &ObjectReference, reason: &str, message: impl Into<String>) {
        self.event(about, EventType::Normal, reason, message);
    }

    /// [`Recorder::event`] with type `Warning`.
    pub fn warning(&self, about: &ObjectReference, reason: &str, message: impl Into<String>) {
        self.event(about, EventType::Warning, reason, message);
    }
}

struct Writer {
    client: kube::Client,
    source: EventSource,
    rng: Rng,
    /// Name and count of the event that was written for a note.
    remembered: HashMap<Note, (String, i32)>,
    order: VecDeque<Note>,
}

impl Writer {
    async fn run(mut self, mut receiver: mpsc::Receiver<(Note, ObjectReference, SystemTime)>) {
        while let Some((note, about, at)) = receiver.recv().await {
            self.write(note, about, at).await;
        }
    }

    async fn write(&mut self, note: Note, about: ObjectReference, at: SystemTime) {
        let namespace = about.namespace.clone().filter(|n| !n.is_empty()).unwrap_or_else(|| "default".into());
        let api: Api<Event> = Api::namespaced(self.client.clone(), &namespace);
        let time = to_time(at);
        if let Some((name, count)) = self.remembered.get_mut(&note) {
            *count += 1;
            let patch = serde_json::json!({"count": *count, "lastTimestamp": time});
            match api.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await {
                Ok(_) => return,
                Err(error) => debug!(error = %error, "event is gone, writing a new one"),
            }
        }
        let stem: String = about.name.clone().unwrap_or_default().chars().take(200).collect();
        let name = format!("{stem}.{}", self.rng.uid().replace('-', "").split_at(16).0);
        let event = Event {
            metadata: ObjectMeta { name: Some(name), namespace: Some(namespace), ..ObjectMeta::default() },
            involved_object: about,
            type_: Some(if note.kind == EventType::Normal { "Normal" } else { "Warning" }.to_owned()),
            reason: Some(note.reason.clone()),
            message: Some(note.message.clone()),
            count: Some(1),
            first_timestamp: Some(time.clone()),
            last_timestamp: Some(time),
            source: Some(self.source.clone()),
            reporting_component: self.source.component.clone(),
            reporting_instance: self.source.host.clone(),
            ..Event::default()
        };
        match api.create(&PostParams::default(), &event).await {
            Ok(written) => self.remember(note, written.name_any()),
            Err(error) => debug!(error = %error, reason = note.reason, "event not written"),
        }
    }

    fn remember(&mut self, note: Note, name: String) {
        if self.remembered.insert(note.clone(), (name, 1)).is_none() {
            self.order.push_back(note);
        }
        while self.order.len() > EVENTS_REMEMBERED_MAX {
            if let Some(oldest) = self.order.pop_front() {
                self.remembered.remove(&oldest);
            }
        }
    }
}

/// A timestamp of the API from a point in time.
pub fn to_time(at: SystemTime) -> Time {
    Time(k8s_openapi::jiff::Timestamp::try_from(at).unwrap_or(k8s_openapi::jiff::Timestamp::UNIX_EPOCH))
}
