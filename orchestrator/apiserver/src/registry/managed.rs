//! Who owns which fields: every write leaves its mark in `metadata.managedFields`.

use super::{Registry, Writing, timestamp};
use bytes::Bytes;
use orchestrator_apimachinery::apply::{self, Config, Realm, Writer};
use orchestrator_apimachinery::{ApiError, Catalog, Kind};
use serde_json::{Value, json};
use std::sync::Arc;

/// A configuration that is being applied.
pub(crate) struct Applying {
    config: Config,
    force: bool,
    now: String,
    api_version: String,
    kind: Arc<Kind>,
    /// The kinds that were served when the configuration came.
    catalog: Arc<Catalog>,
}

impl Writing<'_> {
    /// Which fields the write can own.
    fn realm(&self) -> Realm {
        match &*self.what.subresource {
            "status" | "approval" => Realm::Status,
            _ if self.kind.subresource("status").is_some() => Realm::WithoutStatus,
            _ => Realm::Whole,
        }
    }

    fn writer<'w>(&'w self, api_version: &'w str, now: &'w str) -> Writer<'w> {
        Writer { manager: &self.manager, api_version, subresource: &self.what.subresource, now }
    }
}

impl Registry {
    /// Checks a configuration that is to be applied.
    pub(crate) fn applying(&self, writing: &Writing<'_>, body: Value, force: bool) -> Result<Arc<Applying>, ApiError> {
        let kind = writing.kind;
        let api_version = kind.api_version();
        let config = Config::new(kind.schema(), writing.realm(), &api_version, &kind.kind, body)?;
        let (kind, catalog) = (kind.clone(), self.caches.catalog());
        Ok(Arc::new(Applying { config, force, now: timestamp(self.now()), api_version, kind, catalog }))
    }

    /// Sets the owners of the fields of a new or changed object. `claimed` is what the client sent
    /// as `managedFields`; an apply has worked them out already.
    pub(super) fn track(&self, writing: &Writing<'_>, old: Option<&Value>, new: &mut Value, claimed: Option<Value>) {
        if writing.applied {
            if let Some(claimed) = claimed {
                new["metadata"]["managedFields"] = claimed;
            }
            return;
        }
        // Bindings are the server's own doing.
        if writing.what.subresource == "binding" {
            return;
        }
        let (api_version, now) = (writing.kind.api_version(), timestamp(self.now()));
        let writer = writing.writer(&api_version, &now);
        let catalog = self.caches.catalog();
        let versions = |to: &str, object: &Value| apply::in_version(&catalog, writing.kind, to, object);
        apply::track(&writing.kind.schema(), writing.realm(), &writer, &versions, old, new, claimed);
    }
}

impl Applying {
    /// The object to create when there is none; `name` is that of the URL.
    pub fn created(&self, writing: &Writing<'_>, name: &str) -> Result<Value, ApiError> {
        let kind = writing.kind;
        let mut object = self.config.created(&writing.writer(&self.api_version, &self.now));
        let metadata = &object["metadata"];
        let refuse = |why: &str| Err(ApiError::conflict(&kind.group, &kind.plural, name, why));
        if let Some(uid) = metadata["uid"].as_str().filter(|uid| !uid.is_empty()) {
            return refuse(&format!(
                "uid mismatch: the provided object specified uid {uid}, and no existing object was found"
            ));
        }
        if metadata["resourceVersion"].as_str().is_some_and(|revision| !matches!(revision, "" | "0")) {
            return Err(ApiError::modified(&kind.group, &kind.plural, name));
        }
        match metadata["name"].as_str().unwrap_or_default() {
            "" => object["metadata"]["name"] = json!(name),
            own if own != name => {
                return Err(ApiError::bad_request(format!(
                    "the name of the object ({own}) does not match the name on the URL ({name})"
                )));
            }
            _ => {}
        }
        Ok(object)
    }

    /// The live object (with its resourceVersion) with the configuration in it. It names a
    /// resourceVersion only if the configuration does.
    pub fn applied(&self, manager: &str, subresource: &str, live: &Value) -> Result<Value, ApiError> {
        let mut live = live.clone();
        super::remove_meta(&mut live, "resourceVersion");
        let writer = Writer { manager, api_version: &self.api_version, subresource, now: &self.now };
        let versions = |to: &str, object: &Value| apply::in_version(&self.catalog, &self.kind, to, object);
        self.config.apply(live, &writer, &versions, self.force)
    }
}

/// Undoes a change of nothing but the times of owners: it would write the object for no reason.
pub(super) fn settle(new: &mut Value, old: &Value) {
    if !apply::same_but_times(&new["metadata"]["managedFields"], &old["metadata"]["managedFields"]) {
        return;
    }
    let others_equal = |name: &str| name == "metadata" || new.get(name) == old.get(name);
    let fields = |object: &Value| object.as_object().map_or(0, serde_json::Map::len);
    let same_metadata = match (new["metadata"].as_object(), old["metadata"].as_object()) {
        (Some(new), Some(old)) => {
            new.len() == old.len()
                && new.iter().all(|(name, value)| name == "managedFields" || old.get(name) == Some(value))
        }
        _ => false,
    };
    let same = fields(new) == fields(old)
        && same_metadata
        && new.as_object().is_some_and(|map| map.keys().all(|name| others_equal(name)));
    if same {
        new.clone_from(old);
    }
}

/// The bytes to store. When an object is too large with its owners, it goes without.
pub(super) fn seal(writing: &Writing<'_>, object: &mut Value) -> Result<Bytes, ApiError> {
    match writing.seal(object) {
        Err(error) if error.code == 413 && apply::take(object).is_some() => writing.seal(object),
        sealed => sealed,
    }
}
