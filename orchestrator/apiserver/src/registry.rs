//! The generic registry: every kind's objects over the store, through one code path.
//!
//! Keys are `/registry/GROUP/PLURAL/NAMESPACE/NAME` (the core group is `core`; no namespace for
//! cluster-wide kinds). What is special to a kind is in [`hooks`].

pub mod cache;
pub(crate) mod component;
mod create;
mod delete;
pub(crate) mod envelope;
mod eviction;
pub(crate) mod hooks;
pub(crate) mod managed;
pub(crate) mod namespace;
mod object;
mod part;
pub(crate) mod pod;
mod read;
pub mod reader;
pub(crate) mod scale;
pub mod select;
mod service;
pub(crate) mod stored;
mod update;
mod watch;

pub use cache::Caches;
pub use object::Object;
pub use reader::ObjectReader;

pub(crate) use delete::DeleteOptions;
pub(crate) use part::Part;
pub(crate) use read::ListOptions;
pub(crate) use service::{ip_address, is_ready};
pub(crate) use stored::Versions;
pub(crate) use update::{Change, Make};
pub(crate) use watch::{WatchOptions, include_object};

use crate::admission::Dynamic;
use crate::admission::quota::Turns;
use crate::auth::{Attributes, Rbac};
use crate::identity::Identity;
use crate::outbound::Caller;
use bytes::Bytes;
use ipnet::Ipv4Net;
use orchestrator_apimachinery::field::{Errors, Reason};
use orchestrator_apimachinery::schema::FieldValidation;
use orchestrator_apimachinery::{ApiError, Kind};
use orchestrator_store::{Revision, Store, StoreError};
use runtime_base::{Clock, Rng};
use serde_json::{Value, json};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

/// Objects of all kinds: reads from the caches, writes to the store.
pub struct Registry {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) caches: Arc<Caches>,
    pub(crate) rbac: Arc<Rbac>,
    /// Reaches webhooks.
    pub(crate) caller: Caller,
    /// Webhooks and policies.
    pub(crate) dynamic: Dynamic,
    pub(crate) clock: Clock,
    pub(crate) rng: Rng,
    pub(crate) service_cidr: Ipv4Net,
    pub(crate) node_ports: RangeInclusive<u16>,
    /// Held by writes of kinds that take something from a shared range.
    pub(crate) allocation: tokio::sync::Mutex<()>,
    /// Held by writes that quotas count.
    pub(crate) quota_turns: Turns,
}

/// Who writes what, and how.
pub(crate) struct Writing<'a> {
    pub kind: &'a Arc<Kind>,
    pub who: &'a Identity,
    pub what: &'a Attributes,
    pub dry_run: bool,
    pub validation: FieldValidation,
    /// Who owns the fields that are written.
    pub manager: String,
    /// Whether the object comes with its owners, worked out by an apply.
    pub applied: bool,
    /// Texts for `Warning:` headers.
    pub warnings: Vec<String>,
}

/// An object as it is answered: JSON with its resourceVersion.
pub(crate) struct Answer {
    pub object: Value,
    /// The same as bytes, when they are at hand.
    pub json: Option<Bytes>,
    /// Whether the object is gone now.
    pub deleted: bool,
}

impl Registry {
    /// Seconds since 1970.
    pub(crate) fn now(&self) -> i64 {
        self.clock.now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64)
    }

    /// The object of a key as the store holds it, without resourceVersion, and its revision.
    pub(crate) async fn load(&self, key: &str) -> Result<Option<(Value, Revision)>, ApiError> {
        match self.store.get(key).await.map_err(store_error)? {
            Some(entry) => Ok(Some((envelope::open(&entry.value)?, entry.mod_revision))),
            None => Ok(None),
        }
    }
}

/// A time as the API writes it: `2026-11-23T14:00:00Z`.
pub(crate) fn timestamp(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).unwrap_or_default().to_string()
}

/// The store's key of an object.
pub(crate) fn key(kind: &Kind, namespace: &str, name: &str) -> String {
    format!("{}{name}", prefix(kind, namespace))
}

/// The prefix of a kind's keys, in one namespace or ("") in all.
pub(crate) fn prefix(kind: &Kind, namespace: &str) -> String {
    let (group, plural) = kind.stored_resource();
    let group = if group.is_empty() { "core" } else { group };
    match namespace {
        "" => format!("/registry/{group}/{plural}/"),
        namespace => format!("/registry/{group}/{plural}/{namespace}/"),
    }
}

/// Puts the resourceVersion into an object's metadata.
pub(crate) fn with_revision(mut object: Value, revision: Revision) -> Value {
    if revision > 0 && object["metadata"].is_object() {
        object["metadata"]["resourceVersion"] = json!(revision.to_string());
    }
    object
}

/// The API's answer to a failure of the store.
pub(crate) fn store_error(error: StoreError) -> ApiError {
    match error {
        StoreError::Compacted { requested, oldest } => {
            ApiError::expired(format!("too old resource version: {requested} ({oldest})"))
        }
        StoreError::Future { requested, newest } => too_large_revision(requested, newest),
        StoreError::Overloaded => ApiError::too_many_requests("the store is overloaded, try again later", 1),
        StoreError::Full(text) => ApiError::new(507, "InsufficientStorage", text),
        StoreError::Lagged => ApiError::internal(error),
        StoreError::Unavailable(_) | StoreError::Broken(_) => ApiError::unavailable(error.to_string()),
    }
}

/// 504 for a revision that does not exist yet.
pub(crate) fn too_large_revision(requested: Revision, newest: Revision) -> ApiError {
    let mut error = ApiError::timeout(format!("Too large resource version: {requested}, current: {newest}"));
    error.causes.push(orchestrator_apimachinery::status::Cause {
        reason: "ResourceVersionTooLarge".into(),
        message: "Too large resource version".into(),
        field: String::new(),
    });
    error.retry_after_seconds = Some(1);
    error
}

impl Writing<'_> {
    /// An error about the object at hand.
    pub fn forbidden(&self, name: &str, why: &str) -> ApiError {
        ApiError::forbidden(&self.kind.group, &self.kind.plural, name, why)
    }

    /// Prunes unknown fields and checks types; `duplicates` were found by the decoder.
    pub fn shape(&mut self, value: &mut Value, duplicates: Vec<String>) -> Result<Errors, ApiError> {
        let kind = self.kind.clone();
        let mut strict = kind.prune(value);
        strict.extend(duplicates);
        let unfit = |text: String| {
            let (version, name) = (&kind.version, &kind.kind);
            ApiError::bad_request(format!("{name} in version {version:?} cannot be handled as a {name}: {text}"))
        };
        match self.validation {
            FieldValidation::Strict if !strict.is_empty() => {
                return Err(unfit(format!("strict decoding error: {}", strict.join(", "))));
            }
            FieldValidation::Warn => self.warnings.extend(strict),
            _ => {}
        }
        let mut errors = Errors::default();
        kind.check(value, &mut errors);
        let (types, others): (Vec<_>, Vec<_>) =
            errors.0.into_iter().partition(|error| error.reason == Reason::TypeInvalid);
        if !types.is_empty() {
            let texts: Vec<String> = types.iter().map(ToString::to_string).collect();
            return Err(unfit(texts.join(", ")));
        }
        Ok(Errors(others))
    }

    /// 422 when there are errors; the same error found twice is told once.
    pub fn invalid_if_any(&self, name: &str, mut errors: Errors) -> Result<(), ApiError> {
        let mut seen: Vec<(Reason, String)> = Vec::new();
        errors.0.retain(|error| {
            let known = error.reason == Reason::Required
                && seen.iter().any(|(reason, field)| (*reason, field) == (error.reason, &error.field));
            seen.push((error.reason, error.field.clone()));
            !known
        });
        if errors.is_empty() {
            return Ok(());
        }
        Err(ApiError::invalid(&self.kind.group, &self.kind.kind, name, &errors))
    }

    /// The bytes to store; refuses objects that are too large.
    pub fn seal(&self, object: &Value) -> Result<Bytes, ApiError> {
        let bytes = envelope::seal(object)?;
        if bytes.len() > crate::limits::OBJECT_BYTES_MAX {
            let most = crate::limits::OBJECT_BYTES_MAX;
            return Err(ApiError::too_large(format!(
                "the object has {} bytes, at most {most} are stored",
                bytes.len()
            )));
        }
        Ok(bytes)
    }
}

/// Removes a field of metadata.
pub(crate) fn remove_meta(object: &mut Value, field: &str) {
    if let Some(metadata) = object.get_mut("metadata") {
        remove_meta_of(metadata, field);
    }
}

fn remove_meta_of(metadata: &mut Value, field: &str) {
    if let Some(metadata) = metadata.as_object_mut() {
        metadata.remove(field);
    }
}
