//! Who owns whom: controller references, and claiming objects by selector.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, OwnerReference};
use kube::Resource;
use orchestrator_apimachinery::selector::LabelSelector as Selector;
use serde_json::json;

/// The reference of `owner` as the one controller of another object.
pub fn controller_reference<K: Resource<DynamicType = ()>>(owner: &K) -> OwnerReference {
    OwnerReference {
        api_version: K::api_version(&()).into_owned(),
        kind: K::kind(&()).into_owned(),
        name: owner.meta().name.clone().unwrap_or_default(),
        uid: owner.meta().uid.clone().unwrap_or_default(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }
}

/// The one owner that controls the object.
pub fn controller_of(meta: &ObjectMeta) -> Option<&OwnerReference> {
    meta.owner_references.as_deref().unwrap_or_default().iter().find(|owner| owner.controller == Some(true))
}

/// The index `owner`: the uid of the controlling owner, or `orphans/NAMESPACE`.
pub fn owner_index(meta: &ObjectMeta) -> Vec<String> {
    match controller_of(meta) {
        Some(owner) => vec![owner.uid.clone()],
        None => vec![orphans_of(meta.namespace.as_deref().unwrap_or(""))],
    }
}

/// The value of the index `owner` under which a namespace's objects without controller are.
pub fn orphans_of(namespace: &str) -> String {
    format!("orphans/{namespace}")
}

/// The parsed form of a selector; one that cannot be parsed selects nothing.
pub fn selector(selector: &LabelSelector) -> Option<Selector> {
    Selector::from_object(&json!(selector)).ok()
}

/// Whether the selector matches the labels of an object.
pub fn selects(selector: &Selector, meta: &ObjectMeta) -> bool {
    let labels = meta.labels.as_ref();
    selector.matches(&|key| labels.and_then(|labels| labels.get(key).cloned()))
}

/// The owner references of an object with `owner` as its controller, for adopting it.
pub fn adopted(meta: &ObjectMeta, owner: OwnerReference) -> Vec<OwnerReference> {
    let mut owners = meta.owner_references.clone().unwrap_or_default();
    owners.retain(|existing| existing.uid != owner.uid);
    owners.push(owner);
    owners
}

/// The owner references of an object without `uid`, for releasing it.
pub fn released(meta: &ObjectMeta, uid: &str) -> Vec<OwnerReference> {
    let mut owners = meta.owner_references.clone().unwrap_or_default();
    owners.retain(|existing| existing.uid != uid);
    owners
}
