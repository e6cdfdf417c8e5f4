//! An object in the cache: the store's bytes, and what selectors ask for.

use super::{envelope, stored};
use crate::admission::quota::Counted;
use bytes::{Bytes, BytesMut};
use orchestrator_apimachinery::{ApiError, Kind};
use orchestrator_store::{Entry, Revision};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

/// One object at one revision, as bytes to send.
#[derive(Debug)]
pub struct Object {
    /// `NAMESPACE/NAME`, or `NAME` for cluster-wide kinds.
    pub key: Arc<str>,
    /// Its resourceVersion.
    pub revision: Revision,
    /// Its JSON without resourceVersion: the very bytes that the store holds.
    json: Bytes,
    /// Where in them the resourceVersion belongs.
    place: u32,
    labels: Box<[(Box<str>, Box<str>)]>,
    /// In the order of the kind's selectable fields.
    fields: Box<[Box<str>]>,
    /// Whether it is still of another version than the kind of its cache.
    foreign: bool,
    deleting: bool,
    counted: OnceLock<Box<Counted>>,
}

#[derive(Deserialize)]
struct Labelled {
    metadata: Metadata,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    #[serde(default)]
    labels: Option<BTreeMap<Box<str>, Box<str>>>,
    #[serde(default)]
    deletion_timestamp: Option<IgnoredAny>,
}

impl Object {
    /// From what the store holds; `None` when that is damaged.
    pub(crate) fn new(kind: &Kind, key: Arc<str>, entry: &Entry) -> Option<Self> {
        let Some(custom) = &kind.custom else { return Self::sealed(kind, key, entry.mod_revision, &entry.value) };
        let mut value = envelope::open(&entry.value).ok()?;
        let foreign = !stored::show_at_once(kind, custom, &mut value);
        let object = Self::sealed(kind, key, entry.mod_revision, &envelope::seal(&value).ok()?)?;
        Some(Object { foreign, ..object })
    }

    /// The same object as one of another kind or version.
    pub(super) fn shown_as(&self, kind: &Kind, value: &Value) -> Result<Self, ApiError> {
        let mut value = value.clone();
        super::remove_meta(&mut value, "resourceVersion");
        let shown = Self::sealed(kind, self.key.clone(), self.revision, &envelope::seal(&value)?);
        shown.ok_or_else(|| ApiError::internal("a converted object is damaged"))
    }

    fn sealed(kind: &Kind, key: Arc<str>, revision: Revision, sealed: &Bytes) -> Option<Self> {
        let (json, place) = envelope::split(sealed)?;
        let place = u32::try_from(place).ok()?;
        let metadata = serde_json::from_slice::<Labelled>(&json).ok()?.metadata;
        let (labels, deleting) = (metadata.labels.unwrap_or_default(), metadata.deletion_timestamp.is_some());
        let fields = if kind.selectable_fields.is_empty() {
            Box::default()
        } else {
            let value: Value = serde_json::from_slice(&json).ok()?;
            kind.selectable_fields.iter().map(|path| kind.field_text(&value, path).into_boxed_str()).collect()
        };
        let labels = labels.into_iter().collect();
        Some(Object { key, revision, json, place, labels, fields, foreign: false, deleting, counted: OnceLock::new() })
    }

    /// Whether it is still of another version than the kind of its cache.
    pub(super) fn is_foreign(&self) -> bool {
        self.foreign
    }

    /// Whether it has a deletionTimestamp.
    pub(super) fn is_deleting(&self) -> bool {
        self.deleting
    }

    /// What quotas know of it, of its JSON without resourceVersion; worked out by `count` at the first call.
    pub(crate) fn counted(&self, count: impl FnOnce(&Bytes) -> Counted) -> &Counted {
        self.counted.get_or_init(|| Box::new(count(&self.json)))
    }

    /// Its JSON.
    pub fn bytes(&self) -> Bytes {
        let mut bytes = BytesMut::with_capacity(self.size());
        self.put_at(self.revision, &mut bytes);
        bytes.freeze()
    }

    /// Its JSON without resourceVersion.
    pub(super) fn stored(&self) -> &[u8] {
        &self.json
    }

    /// The size of its JSON.
    pub(crate) fn size(&self) -> usize {
        envelope::published_size(&self.json, self.revision)
    }

    /// Puts its JSON, with another resourceVersion if it is to tell of its deletion.
    pub(crate) fn put_at(&self, revision: Revision, out: &mut BytesMut) {
        envelope::put_published(&self.json, self.place as usize, revision, out);
    }

    /// Its namespace, "" for cluster-wide kinds.
    pub fn namespace(&self) -> &str {
        self.key.split_once('/').map_or("", |(namespace, _)| namespace)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.key.split_once('/').map_or(&*self.key, |(_, name)| name)
    }

    /// A label's value.
    pub fn label(&self, key: &str) -> Option<String> {
        let index = self.labels.binary_search_by(|(label, _)| (**label).cmp(key)).ok()?;
        Some(self.labels[index].1.to_string())
    }

    /// A selectable field's text, "" for those that the kind does not have.
    pub fn field(&self, kind: &Kind, path: &str) -> String {
        match path {
            "metadata.name" => self.name().to_owned(),
            "metadata.namespace" => self.namespace().to_owned(),
            _ => {
                let index = kind.selectable_fields.iter().position(|field| field == path);
                index.map_or_else(String::new, |index| self.fields[index].to_string())
            }
        }
    }
}
