//! Changing objects: update, patch, subresources.

use super::{Answer, Part, Registry, Writing, envelope, hooks, key, managed, remove_meta, store_error, with_revision};
use crate::admission::{self, Admission, Operation};
use crate::limits;
use orchestrator_apimachinery::kinds::metadata;
use orchestrator_apimachinery::{ApiError, apply, meta};
use orchestrator_store::{Compare, Op, Outcome, Revision, Txn};
use serde_json::{Value, json};

/// How a change makes the new object.
pub(crate) type Make<'a> = dyn FnMut(&Value) -> Result<Value, ApiError> + Send + 'a;

/// One change of one object.
pub(crate) struct Change<'a> {
    pub namespace: &'a str,
    pub name: &'a str,
    pub part: Part,
    /// Makes the new object of the current one (with its resourceVersion). Called again when
    /// another change came first.
    pub make: &'a mut Make<'a>,
    /// What strict decoding found in the body, if there is one.
    pub duplicates: Vec<String>,
}

fn uid_differs(writing: &Writing<'_>, name: &str, wanted: &str, found: &str) -> ApiError {
    let why = format!("Precondition failed: UID in precondition: {wanted}, UID in object meta: {found}");
    ApiError::conflict(&writing.kind.group, &writing.kind.plural, name, &why)
}

impl Registry {
    /// Changes an object; when another change came first, tries again unless the new object
    /// names a resourceVersion.
    pub(crate) async fn change(&self, writing: &mut Writing<'_>, mut change: Change<'_>) -> Result<Answer, ApiError> {
        let kind = writing.kind.clone();
        let key = key(&kind, change.namespace, change.name);
        let hook = hooks::of(&kind);
        // Nothing else takes or gives anything.
        let allocates = hook.allocates && change.part == Part::Main;
        let _allocating = if allocates { Some(self.allocation.lock().await) } else { None };
        if allocates {
            self.caches.fresh().await?;
        }
        for _ in 0..limits::CONFLICT_RETRIES_MAX {
            writing.warnings.clear();
            let Some((raw, revision)) = self.load(&key).await? else {
                return Err(ApiError::not_found(&kind.group, &kind.plural, change.name));
            };
            let versions = self.versions();
            let versioned = kind.custom.is_some() || kind.stored.is_some();
            let (raw, old) = match versioned {
                true => (Some(raw.clone()), versions.show(&kind, raw).await?),
                false => (None, raw),
            };
            let (mut new, pinned, turn) = self.successor(writing, &mut change, &old, revision).await?;
            managed::settle(&mut new, &old);
            let mut stored = match versioned {
                true => Some(versions.store(&kind, new.clone()).await?),
                false => None,
            };
            // An object that is stored in another version is written anew also when nothing else changes.
            let same = match (&stored, &raw) {
                (Some(stored), Some(raw)) => stored == raw || (new == old && stored["apiVersion"] == raw["apiVersion"]),
                _ => new == old,
            };
            if same {
                return Ok(Answer { object: with_revision(old, revision), json: None, deleted: false });
            }
            let gone = finished(&new, hook.held);
            let op = match gone {
                true => Op::Delete { key: key.as_str().into() },
                false => {
                    let value = managed::seal(writing, stored.as_mut().unwrap_or(&mut new))?;
                    Op::Put { key: key.as_str().into(), value }
                }
            };
            if writing.dry_run {
                return Ok(Answer { object: with_revision(new, revision), json: None, deleted: gone });
            }
            let sealed = match &op {
                Op::Put { value, .. } if !versioned => Some(value.clone()),
                _ => None,
            };
            let beside = (hook.beside)(self, (!gone).then_some(&new), Some(&old))?;
            match self.compare_and(&key, revision, op, beside).await? {
                Some(done) => {
                    if allocates || turn.is_some() {
                        self.caches.wait(done).await?;
                    }
                    let json = sealed.and_then(|sealed| envelope::publish(&sealed, done));
                    return Ok(Answer { object: with_revision(new, done), json, deleted: gone });
                }
                None if pinned => break,
                None => {}
            }
        }
        Err(ApiError::modified(&kind.group, &kind.plural, change.name))
    }

    /// Does one operation, and what belongs to it, if the key is still at `revision`; the new
    /// revision, or `None`.
    pub(super) async fn compare_and(
        &self,
        key: &str,
        revision: Revision,
        op: Op,
        mut beside: hooks::Beside,
    ) -> Result<Option<Revision>, ApiError> {
        beside.compare.push(Compare { key: key.into(), mod_revision: revision });
        beside.ops.push(op);
        match self.store.txn(Txn { compare: beside.compare, ops: beside.ops }).await.map_err(store_error)? {
            Outcome::Committed(revision) => Ok(Some(revision)),
            Outcome::Conflict { .. } => Ok(None),
        }
    }

    /// The new object, complete and checked, whether it named a resourceVersion, and what is held until it
    /// is written.
    async fn successor(
        &self,
        writing: &mut Writing<'_>,
        change: &mut Change<'_>,
        old: &Value,
        revision: Revision,
    ) -> Result<(Value, bool, Option<admission::quota::Turn>), ApiError> {
        let kind = writing.kind.clone();
        let strategy = &kind.strategy;
        let mut new = (change.make)(&with_revision(old.clone(), revision))?;
        if change.part == Part::Raw {
            remove_meta(&mut new, "resourceVersion");
            self.track(writing, Some(old), &mut new, None);
            return Ok((new, false, None));
        }
        let claimed = apply::take(&mut new);
        self.prepare_body(writing, &mut new, change.namespace)?;
        let mut errors = writing.shape(&mut new, change.duplicates.clone())?;
        let pinned = check_identity(writing, change.name, &new, old, revision)?;
        inherit(&mut new, old);
        kind.default(&mut new);
        self.track(writing, Some(old), &mut new, claimed);
        let hook = hooks::of(&kind);
        let admission = Admission::new(self, writing, Operation::Update, Some(old)).at(revision);
        admission::mutate(&admission, &mut new).await?;
        change.part.prepare(&kind, &mut new, old, self.now());
        if change.part == Part::Main {
            (hook.complete)(self, &mut new, Some(old))?;
        }
        kind.default(&mut new);
        metadata::validate(&kind, &new, &mut errors);
        metadata::validate_update(&new, old, &mut errors);
        change.part.validate(&kind, &new, old, &mut errors);
        writing.invalid_if_any(change.name, errors)?;
        let turn = admission::validate(&admission, &new).await?;
        let warnings = admission.into_warnings();
        writing.warnings.extend(warnings);
        if change.part == Part::Main {
            let warnings = strategy.update_warnings.map_or_else(|| (strategy.warnings)(&new), |of| of(&new, old));
            writing.warnings.extend(warnings);
        }
        Ok((new, pinned, turn))
    }
}

/// Checks that the new object is the one at hand; whether it names a resourceVersion (which is taken away).
fn check_identity(
    writing: &Writing<'_>,
    name: &str,
    new: &Value,
    old: &Value,
    revision: Revision,
) -> Result<bool, ApiError> {
    let kind = writing.kind;
    match meta::name(new) {
        own if own == name => {}
        "" => {
            let text =
                format!("the name of the object ({name} based on URL) was undeterminable: name must be provided");
            return Err(ApiError::bad_request(text));
        }
        own => {
            let text = format!("the name of the object ({own}) does not match the name on the URL ({name})");
            return Err(ApiError::bad_request(text));
        }
    }
    let (wanted, found) = (meta::uid(new), meta::uid(old));
    if !wanted.is_empty() && wanted != found {
        return Err(uid_differs(writing, name, wanted, found));
    }
    match meta::resource_version(new) {
        "" | "0" => Ok(false),
        wanted if wanted == revision.to_string() => Ok(true),
        _ => Err(ApiError::modified(&kind.group, &kind.plural, name)),
    }
}

/// Takes over from the old object what a client cannot change.
fn inherit(new: &mut Value, old: &Value) {
    remove_meta(new, "resourceVersion");
    for field in ["uid", "creationTimestamp"] {
        if meta::text(new, field).is_empty() {
            new["metadata"][field] = old["metadata"][field].clone();
        }
    }
    for field in ["deletionTimestamp", "deletionGracePeriodSeconds", "generation", "generateName"] {
        match &old["metadata"][field] {
            Value::Null if field == "generateName" => {}
            Value::Null => remove_meta(new, field),
            value => new["metadata"][field] = value.clone(),
        }
    }
    // An empty list is none.
    for field in ["finalizers", "ownerReferences"] {
        if new["metadata"].get(field) == Some(&json!([])) {
            remove_meta(new, field);
        }
    }
}

/// Whether a deleted object is held by nothing any more.
pub(super) fn finished(object: &Value, held: fn(&Value) -> bool) -> bool {
    let grace = object["metadata"]["deletionGracePeriodSeconds"].as_i64().unwrap_or(0);
    meta::is_deleting(object) && grace == 0 && meta::finalizers(object).is_empty() && !held(object)
}
