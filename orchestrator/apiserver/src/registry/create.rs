//! Creating objects.

use super::{
    Answer, Registry, Writing, envelope, hooks, key, managed, remove_meta, store_error, timestamp, with_revision,
};
use crate::admission::{self, Admission, Operation};
use crate::limits;
use bytes::Bytes;
use orchestrator_apimachinery::kinds::metadata;
use orchestrator_apimachinery::{ApiError, Scope, apply, meta};
use orchestrator_store::{Compare, Op, Outcome, Revision, Txn};
use serde_json::{Value, json};

/// A namespace that an object is created in.
struct Home {
    key: String,
    revision: Revision,
}

fn namespace_key(namespace: &str) -> String {
    format!("/registry/core/namespaces/{namespace}")
}

impl Registry {
    /// Creates an object from a client's body; answers it with its bytes where they are at hand.
    pub(crate) async fn create(
        &self,
        writing: &mut Writing<'_>,
        mut object: Value,
        duplicates: Vec<String>,
    ) -> Result<Answer, ApiError> {
        if writing.kind.custom.as_ref().is_some_and(|custom| custom.terminating) {
            let why = "create not allowed while custom resource definition is terminating";
            return Err(ApiError::new(405, "MethodNotAllowed", why));
        }
        let namespace = writing.what.namespace.clone();
        let claimed = apply::take(&mut object);
        self.prepare_body(writing, &mut object, &namespace)?;
        let errors = writing.shape(&mut object, duplicates)?;
        if !meta::resource_version(&object).is_empty() {
            return Err(ApiError::bad_request("resourceVersion should not be set on objects to be created"));
        }
        let generated = meta::name(&object).is_empty() && !meta::text(&object, "generateName").is_empty();
        if !generated {
            return self.create_named(writing, object, claimed, errors).await;
        }
        let base: String = meta::text(&object, "generateName").chars().take(limits::GENERATE_NAME_BASE_MAX).collect();
        for _ in 0..limits::GENERATE_NAME_RETRIES_MAX {
            let mut named = object.clone();
            named["metadata"]["name"] = json!(format!("{base}{}", self.rng.suffix(5)));
            match self.create_named(writing, named, claimed.clone(), errors.clone()).await {
                Err(error) if error.reason == "AlreadyExists" => {}
                done => return done,
            }
        }
        let name = meta::text(&object, "generateName");
        let mut error = ApiError::already_exists(&writing.kind.group, &writing.kind.plural, name);
        error.retry_after_seconds = Some(1);
        Err(error)
    }

    /// Checks that a body is of the kind and namespace that the path names, and fills them in.
    pub(super) fn prepare_body(
        &self,
        writing: &Writing<'_>,
        object: &mut Value,
        namespace: &str,
    ) -> Result<(), ApiError> {
        let kind = writing.kind;
        if !object.is_object() {
            return Err(ApiError::bad_request(format!("the body must be an object of kind {}", kind.kind)));
        }
        let expected = kind.api_version();
        for (field, expected) in [("apiVersion", expected.as_str()), ("kind", &*kind.kind)] {
            match object[field].as_str().unwrap_or_default() {
                "" => object[field] = json!(expected),
                found if found == expected => {}
                found if field == "apiVersion" => {
                    return Err(ApiError::bad_request(format!(
                        "the API version in the data ({found}) does not match the expected API version ({expected})"
                    )));
                }
                found => {
                    return Err(ApiError::bad_request(format!(
                        "the object provided is unrecognized (must be of type {expected}): its kind is {found}"
                    )));
                }
            }
        }
        if !object["metadata"].is_object() {
            object["metadata"] = json!({});
        }
        for field in ["managedFields", "selfLink"] {
            remove_meta(object, field);
        }
        if kind.scope == Scope::Namespaced {
            match meta::namespace(object) {
                "" => object["metadata"]["namespace"] = json!(namespace),
                own if own == namespace => {}
                _ => {
                    let text = "the namespace of the provided object does not match the namespace sent on the request";
                    return Err(ApiError::bad_request(text));
                }
            }
        }
        Ok(())
    }

    async fn create_named(
        &self,
        writing: &mut Writing<'_>,
        mut object: Value,
        claimed: Option<Value>,
        mut errors: orchestrator_apimachinery::field::Errors,
    ) -> Result<Answer, ApiError> {
        let kind = writing.kind.clone();
        let strategy = &kind.strategy;
        for field in ["uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation"] {
            remove_meta(&mut object, field);
        }
        object["metadata"]["uid"] = json!(self.rng.uid());
        object["metadata"]["creationTimestamp"] = json!(timestamp(self.now()));
        kind.default(&mut object);
        self.track(writing, None, &mut object, claimed);
        admission::wait(self, writing, &object).await?;
        let hook = hooks::of(&kind);
        let home = match self.known_home(writing) {
            Some(home) => Some(home),
            None => self.home(writing, meta::name(&object)).await?,
        };
        let admission = Admission::new(self, writing, Operation::Create, None);
        admission::mutate(&admission, &mut object).await?;
        let _allocating = if hook.allocates { Some(self.allocation.lock().await) } else { None };
        if hook.allocates {
            self.caches.fresh().await?;
        }
        kind.prepare_create(&mut object);
        kind.default(&mut object);
        (hook.complete)(self, &mut object, None)?;
        metadata::validate(&kind, &object, &mut errors);
        kind.validate(&object, &mut errors);
        let name = meta::name(&object).to_owned();
        writing.invalid_if_any(&name, errors)?;
        let turn = admission::validate(&admission, &object).await?;
        let warnings = admission.into_warnings();
        writing.warnings.extend(warnings);
        writing.warnings.extend((strategy.warnings)(&object));
        let key = key(&kind, &writing.what.namespace, &name);
        let (revision, json) = match kind.stored {
            None => self.insert(writing, &key, &mut object, home).await?,
            Some(_) => {
                let mut stored = self.versions().store(&kind, object.clone()).await?;
                (self.insert(writing, &key, &mut stored, home).await?.0, None)
            }
        };
        if (hook.allocates || turn.is_some()) && !writing.dry_run {
            self.caches.wait(revision).await?;
        }
        Ok(Answer { object: with_revision(object, revision), json, deleted: false })
    }

    /// The namespace of a new object as the cache knows it. An old one is no harm: the write
    /// succeeds only while the namespace is still as it is here.
    fn known_home(&self, writing: &Writing<'_>) -> Option<Home> {
        let namespace = &*writing.what.namespace;
        if writing.kind.scope == Scope::Cluster {
            return None;
        }
        let found = self.caches.cache("", "namespaces")?.get(namespace)?;
        (!found.is_deleting()).then(|| Home { key: namespace_key(namespace), revision: found.revision })
    }

    /// The namespace of a new object: it must exist and not be going away.
    async fn home(&self, writing: &Writing<'_>, name: &str) -> Result<Option<Home>, ApiError> {
        if writing.kind.scope == Scope::Cluster {
            return Ok(None);
        }
        let namespace = &writing.what.namespace;
        let key = namespace_key(namespace);
        let Some((found, revision)) = self.load(&key).await? else {
            return Err(ApiError::not_found("", "namespaces", namespace));
        };
        if meta::is_deleting(&found) {
            let why = format!("unable to create new content in namespace {namespace} because it is being terminated");
            let mut error = writing.forbidden(name, &why);
            error.causes.push(orchestrator_apimachinery::status::Cause {
                reason: "NamespaceTerminating".into(),
                message: format!("namespace {namespace} is being terminated"),
                field: "metadata.namespace".into(),
            });
            return Err(error);
        }
        Ok(Some(Home { key, revision }))
    }

    async fn insert(
        &self,
        writing: &Writing<'_>,
        key: &str,
        object: &mut Value,
        mut home: Option<Home>,
    ) -> Result<(Revision, Option<Bytes>), ApiError> {
        let kind = writing.kind;
        let value = managed::seal(writing, object)?;
        let name = meta::name(object);
        let taken = || ApiError::already_exists(&kind.group, &kind.plural, name);
        if writing.dry_run {
            return if self.load(key).await?.is_some() { Err(taken()) } else { Ok((0, None)) };
        }
        for _ in 0..limits::CONFLICT_RETRIES_MAX {
            let mut compare = vec![Compare { key: key.into(), mod_revision: 0 }];
            if let Some(home) = &home {
                compare.push(Compare { key: home.key.as_str().into(), mod_revision: home.revision });
            }
            let mut beside = (hooks::of(kind).beside)(self, Some(object), None)?;
            compare.append(&mut beside.compare);
            beside.ops.push(Op::Put { key: key.into(), value: value.clone() });
            match self.store.txn(Txn { compare, ops: beside.ops }).await.map_err(store_error)? {
                Outcome::Committed(revision) => {
                    return Ok((revision, envelope::publish(&value, revision)));
                }
                Outcome::Conflict { key: lost, .. } if *lost == *key => return Err(taken()),
                // Another server took what was free a moment ago.
                Outcome::Conflict { key: lost, .. } if home.as_ref().is_none_or(|home| *home.key != *lost) => {
                    return Err(ApiError::too_many_requests("what the object takes was taken by another", 1));
                }
                // The namespace changed: look whether it is still there.
                Outcome::Conflict { .. } => home = self.home(writing, name).await?,
            }
        }
        Err(ApiError::conflict(&kind.group, &kind.plural, name, "its namespace changes too often"))
    }
}
