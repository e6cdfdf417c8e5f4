//! A cluster of plain objects for tests: plans are applied to it as a server would.

use crate::plan::{Now, Plan, Verb};
use k8s_openapi::api::core::v1::{Container, Pod, PodCondition, PodSpec, PodStatus, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, Time};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Objects by resource, namespace and name.
#[derive(Clone, Debug, Default)]
pub struct Cluster {
    objects: BTreeMap<(String, String, String), Value>,
    serial: u64,
}

/// A fixed time.
pub fn now() -> Now {
    Now::from_second(1_700_000_000).unwrap()
}

impl Cluster {
    /// Adds or replaces an object.
    pub fn put<K: serde::Serialize>(&mut self, resource: &str, object: &K) {
        let mut value = json!(object);
        self.serial += 1;
        value["metadata"]["resourceVersion"] = json!(self.serial.to_string());
        if value["metadata"]["uid"].is_null() {
            value["metadata"]["uid"] = json!(format!("uid-{}", self.serial));
        }
        let text = |field: &str| value["metadata"][field].as_str().unwrap_or("").to_owned();
        let key = (resource.to_owned(), text("namespace"), text("name"));
        self.objects.insert(key, value);
    }

    /// Removes all objects of a resource.
    pub fn remove_all(&mut self, resource: &str) {
        self.objects.retain(|(kind, _, _), _| kind != resource);
    }

    /// All objects of a resource.
    pub fn all<K: DeserializeOwned>(&self, resource: &str) -> Vec<Arc<K>> {
        let of = self.objects.iter().filter(|((kind, _, _), _)| kind == resource);
        of.map(|(_, value)| Arc::new(serde_json::from_value(value.clone()).unwrap())).collect()
    }

    /// One object.
    pub fn get<K: DeserializeOwned>(&self, resource: &str, namespace: &str, name: &str) -> Option<Arc<K>> {
        let key = (resource.to_owned(), namespace.to_owned(), name.to_owned());
        self.objects.get(&key).map(|value| Arc::new(serde_json::from_value(value.clone()).unwrap()))
    }

    /// Does what a plan says.
    pub fn apply(&mut self, plan: &Plan) {
        for write in &plan.writes {
            let key = (write.resource.to_owned(), write.object.0.clone(), write.object.1.clone());
            match write.verb {
                Verb::Create => {
                    let mut object = write.body.clone();
                    if let Some(stem) = object["metadata"]["generateName"].as_str().map(str::to_owned) {
                        object["metadata"]["name"] = json!(format!("{stem}{}", self.serial));
                    }
                    object["metadata"]["creationTimestamp"] = json!("2023-11-14T22:00:00Z");
                    self.put(write.resource, &object);
                }
                Verb::Replace => self.put(write.resource, &write.body),
                Verb::Patch => {
                    let patched = ["pods", "replicasets", "nodes"];
                    assert!(patched.contains(&write.resource), "upstream's roles allow no patch of {}", write.resource);
                    let mut object = self.objects.get(&key).cloned().unwrap_or_default();
                    merge(&mut object, &write.body);
                    self.put(write.resource, &object);
                }
                Verb::Delete => {
                    self.objects.remove(&key);
                }
            }
        }
    }
}

fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(fields) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (key, value) in fields {
        if value.is_null() {
            target.as_object_mut().unwrap().remove(key);
        } else {
            merge(&mut target[key.as_str()], value);
        }
    }
}

/// Labels from pairs.
pub fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// Metadata of an object in namespace `n`.
pub fn meta(name: &str, uid: &str) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.into()),
        namespace: Some("n".into()),
        uid: Some(uid.into()),
        generation: Some(1),
        ..ObjectMeta::default()
    }
}

/// A selector of `app: x`.
pub fn selector() -> LabelSelector {
    LabelSelector { match_labels: Some(labels(&[("app", "x")])), ..LabelSelector::default() }
}

/// A template labelled `app: x` with one container of `image`.
pub fn template(image: &str) -> PodTemplateSpec {
    let container = Container { name: "main".into(), image: Some(image.into()), ..Container::default() };
    PodTemplateSpec {
        metadata: Some(ObjectMeta { labels: Some(labels(&[("app", "x")])), ..ObjectMeta::default() }),
        spec: Some(PodSpec { containers: vec![container], ..PodSpec::default() }),
    }
}

/// A Pod of namespace `n` in a phase, labelled `app: x`, ready or not.
pub fn pod(name: &str, phase: &str, ready: bool) -> Pod {
    let mut pod = Pod { metadata: meta(name, &format!("uid-{name}")), ..Pod::default() };
    pod.metadata.labels = Some(labels(&[("app", "x")]));
    pod.spec = Some(PodSpec { node_name: Some("node".into()), ..PodSpec::default() });
    let condition = PodCondition {
        type_: "Ready".into(),
        status: if ready { "True" } else { "False" }.into(),
        last_transition_time: Some(Time(Now::from_second(1_600_000_000).unwrap())),
        ..PodCondition::default()
    };
    pod.status =
        Some(PodStatus { phase: Some(phase.into()), conditions: Some(vec![condition]), ..PodStatus::default() });
    pod
}
