//! What a controller wants done: data, made by a pure function.

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::jiff::Timestamp;
use kube::Resource;
use serde::Serialize;
use serde_json::{Value, json};
use std::time::Duration;

/// Time as plans see it.
pub type Now = Timestamp;

/// How a write is done.
#[derive(Clone, Debug, PartialEq)]
pub enum Verb {
    /// POST to a collection.
    Create,
    /// PUT, with the resourceVersion read.
    Replace,
    /// JSON merge patch.
    Patch,
    /// DELETE with a uid precondition in the body.
    Delete,
}

/// An Event that goes with a write that succeeded.
#[derive(Clone, Debug, PartialEq)]
pub struct Tell {
    /// About whom.
    pub about: ObjectReference,
    /// `Normal` or `Warning`.
    pub warning: bool,
    /// Upstream's reason.
    pub reason: &'static str,
    /// The text; `{name}` is the name of the written object.
    pub message: String,
}

/// One write.
#[derive(Clone, Debug, PartialEq)]
pub struct Write {
    /// How.
    pub verb: Verb,
    /// The plural of the resource, by which its cache is found.
    pub resource: &'static str,
    /// The URL's path.
    pub path: String,
    /// What is sent.
    pub body: Value,
    /// Namespace and name of the object, empty for creations with a generated name.
    pub object: (String, String),
    /// What to tell the user.
    pub tell: Option<Tell>,
}

/// What to do now, and when to look again.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// Writes, in order of importance.
    pub writes: Vec<Write>,
    /// Events without a write.
    pub tells: Vec<Tell>,
    /// When to plan again though nothing changed.
    pub requeue: Option<Duration>,
}

fn path<K: Resource<DynamicType = ()>>(namespace: &str, name: &str, subresource: &str) -> String {
    let namespace = Some(namespace).filter(|namespace| !namespace.is_empty());
    let mut path = K::url_path(&(), namespace);
    for part in [name, subresource] {
        if !part.is_empty() {
            path.push('/');
            path.push_str(part);
        }
    }
    path
}

fn names<K: Resource>(object: &K) -> (String, String) {
    let meta = object.meta();
    (meta.namespace.clone().unwrap_or_default(), meta.name.clone().unwrap_or_default())
}

fn write<K>(verb: Verb, object: &K, subresource: &str, body: Value) -> Write
where
    K: Resource<DynamicType = ()> + k8s_openapi::Resource,
{
    let (namespace, name) = names(object);
    let in_path = if verb == Verb::Create { "" } else { name.as_str() };
    let path = path::<K>(&namespace, in_path, subresource);
    let resource = <K as k8s_openapi::Resource>::URL_PATH_SEGMENT;
    Write { verb, resource, path, body, object: (namespace, name), tell: None }
}

impl Write {
    /// Creates `object` in its namespace.
    pub fn create<K>(object: &K) -> Self
    where
        K: Resource<DynamicType = ()> + k8s_openapi::Resource + Serialize,
    {
        write(Verb::Create, object, "", json!(object))
    }

    /// Replaces `object`, which carries the resourceVersion that was read.
    pub fn replace<K>(object: &K) -> Self
    where
        K: Resource<DynamicType = ()> + k8s_openapi::Resource + Serialize,
    {
        write(Verb::Replace, object, "", json!(object))
    }

    /// Replaces the status of `object`.
    pub fn replace_status<K>(object: &K) -> Self
    where
        K: Resource<DynamicType = ()> + k8s_openapi::Resource + Serialize,
    {
        write(Verb::Replace, object, "status", json!(object))
    }

    /// Merges `body` into `object`; `metadata.uid` and `metadata.resourceVersion` are added, so
    /// that the patch meets the object that was read or nobody.
    pub fn patch<K>(object: &K, mut body: Value) -> Self
    where
        K: Resource<DynamicType = ()> + k8s_openapi::Resource,
    {
        body["metadata"]["uid"] = json!(object.meta().uid);
        body["metadata"]["resourceVersion"] = json!(object.meta().resource_version);
        write(Verb::Patch, object, "", body)
    }

    /// Deletes `object` by name and uid.
    pub fn delete<K>(object: &K) -> Self
    where
        K: Resource<DynamicType = ()> + k8s_openapi::Resource,
    {
        let body = json!({
            "apiVersion": "v1", "kind": "DeleteOptions",
            "preconditions": {"uid": object.meta().uid},
            "propagationPolicy": "Background",
        });
        write(Verb::Delete, object, "", body)
    }

    /// Adds an Event about `about`.
    pub fn telling(mut self, about: ObjectReference, reason: &'static str, message: impl Into<String>) -> Self {
        self.tell = Some(Tell { about, warning: false, reason, message: message.into() });
        self
    }
}

impl Plan {
    /// Asks to be planned again after `delay`; the earliest such time counts.
    pub fn again_after(&mut self, delay: Duration) {
        self.requeue = Some(self.requeue.map_or(delay, |set| set.min(delay)));
    }

    /// Whether nothing is to be written.
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty() && self.tells.is_empty()
    }
}

/// Time between two timestamps; zero when `later` is not later.
pub fn since(earlier: Timestamp, later: Timestamp) -> Duration {
    Duration::try_from(later.duration_since(earlier)).unwrap_or_default()
}
