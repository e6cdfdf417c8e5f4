//! Deleting objects: at once, with grace, or once their finalizers are gone.

use super::update::finished;
use super::{Answer, Registry, Writing, hooks, key, timestamp, with_revision};
use crate::admission::{self, Admission, Operation};
use crate::limits;
use crate::request::Query;
use orchestrator_apimachinery::field::{Errors, Path};
use orchestrator_apimachinery::{ApiError, meta};
use orchestrator_store::{Op, Revision};
use serde_json::{Value, json};

const ORPHAN: &str = "orphan";
const FOREGROUND: &str = "foregroundDeletion";

/// `metav1.DeleteOptions`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DeleteOptions {
    grace_seconds: Option<i64>,
    uid: Option<String>,
    pub(super) revision: Option<String>,
    propagation: Option<String>,
    pub dry_run: bool,
}

impl DeleteOptions {
    /// From a body (null when there is none) and a query; the body wins, as upstream.
    pub fn parse(body: &Value, query: &Query) -> Result<Self, ApiError> {
        let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let propagation = match &body["orphanDependents"] {
            Value::Bool(true) => Some("Orphan".to_owned()),
            Value::Bool(false) => Some("Background".to_owned()),
            _ => text(&body["propagationPolicy"])
                .or_else(|| query.get("propagationPolicy").filter(|text| !text.is_empty()).map(str::to_owned)),
        };
        if let Some(policy) = propagation.as_deref()
            && !["Background", "Foreground", "Orphan"].contains(&policy)
        {
            let mut errors = Errors::default();
            let supported = ["Background", "Foreground", "Orphan"];
            errors.not_supported(&Path::new("propagationPolicy"), policy, &supported);
            return Err(ApiError::invalid("meta.k8s.io", "DeleteOptions", "", &errors));
        }
        let grace_seconds = match body["gracePeriodSeconds"].as_i64() {
            Some(seconds) => Some(seconds),
            None => query.number("gracePeriodSeconds")?,
        };
        let dry_run = body["dryRun"].as_array().is_some_and(|values| values.iter().any(|value| value == "All"));
        Ok(DeleteOptions {
            grace_seconds,
            uid: text(&body["preconditions"]["uid"]),
            revision: text(&body["preconditions"]["resourceVersion"]),
            propagation,
            dry_run: dry_run || query.dry_run("DeleteOptions")?,
        })
    }

    /// What admission is told of them.
    fn told(&self) -> Value {
        let mut told = json!({});
        let preconditions = [("uid", &self.uid), ("resourceVersion", &self.revision)];
        for (field, value) in preconditions.into_iter().filter_map(|(field, value)| Some((field, value.as_ref()?))) {
            told["preconditions"][field] = json!(value);
        }
        if let Some(seconds) = self.grace_seconds {
            told["gracePeriodSeconds"] = json!(seconds);
        }
        if let Some(policy) = &self.propagation {
            told["propagationPolicy"] = json!(policy);
        }
        told
    }
}

impl Registry {
    /// Deletes an object, or starts to. The answer is its last state.
    pub(crate) async fn delete(
        &self,
        writing: &mut Writing<'_>,
        namespace: &str,
        name: &str,
        options: &DeleteOptions,
    ) -> Result<Answer, ApiError> {
        let kind = writing.kind.clone();
        let hook = hooks::of(&kind);
        if (hook.name_is_protected)(name) {
            return Err(writing.forbidden(name, "this namespace may not be deleted"));
        }
        let key = key(&kind, namespace, name);
        for _ in 0..limits::CONFLICT_RETRIES_MAX {
            let Some((old, revision)) = self.load(&key).await? else {
                return Err(ApiError::not_found(&kind.group, &kind.plural, name));
            };
            let old = self.versions().show(&kind, old).await?;
            check_preconditions(writing, name, options, &old, revision)?;
            // An Eviction was admitted itself.
            if writing.what.subresource != "eviction" {
                let admission = Admission::new(self, writing, Operation::Delete, Some(&old)).at(revision);
                let admission = admission.with_options(options.told());
                admission::ask_about_delete(&admission, &old).await?;
                admission::validate(&admission, &old).await?;
                let warnings = admission.into_warnings();
                writing.warnings.extend(warnings);
            }
            let new = self.marked(writing, options, &old);
            let gone = finished(&new, hook.held);
            if writing.dry_run || (new == old && !gone) {
                return Ok(Answer { object: with_revision(new, revision), json: None, deleted: gone });
            }
            let op = match gone {
                true => Op::Delete { key: key.as_str().into() },
                false => {
                    let stored = match kind.stored {
                        Some(_) => self.versions().store(&kind, new.clone()).await?,
                        None => new.clone(),
                    };
                    Op::Put { key: key.as_str().into(), value: writing.seal(&stored)? }
                }
            };
            let beside = (hook.beside)(self, (!gone).then_some(&new), Some(&old))?;
            if let Some(done) = self.compare_and(&key, revision, op, beside).await? {
                return Ok(Answer { object: with_revision(new, done), json: None, deleted: gone });
            }
        }
        Err(ApiError::modified(&kind.group, &kind.plural, name))
    }

    /// The object with the marks of its deletion.
    fn marked(&self, writing: &Writing<'_>, options: &DeleteOptions, old: &Value) -> Value {
        let mut new = old.clone();
        set_finalizers(&mut new, options.propagation.as_deref());
        let grace = match (writing.kind.strategy.grace_seconds)(old) {
            // Less than none means "at once, but with a last goodbye", as upstream reads it.
            Some(default) if default > 0 => {
                options.grace_seconds.map_or(default, |asked| if asked < 0 { 1 } else { asked })
            }
            _ => 0,
        };
        let metadata = &old["metadata"];
        if meta::is_deleting(old) {
            let before = metadata["deletionGracePeriodSeconds"].as_i64().unwrap_or(0);
            let shorter = options.grace_seconds.is_some_and(|_| grace < before) || (grace == 0 && before > 0);
            if shorter {
                let since =
                    metadata["deletionTimestamp"].as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok());
                let since = since.map_or_else(|| self.now(), |time| time.as_second());
                new["metadata"]["deletionTimestamp"] = json!(timestamp(since - before + grace));
                new["metadata"]["deletionGracePeriodSeconds"] = json!(grace);
            }
            return new;
        }
        new["metadata"]["deletionTimestamp"] = json!(timestamp(self.now() + grace));
        new["metadata"]["deletionGracePeriodSeconds"] = json!(grace);
        if let Some(generation) = metadata["generation"].as_i64() {
            new["metadata"]["generation"] = json!(generation + 1);
        }
        (hooks::of(writing.kind).deleting)(&mut new);
        new
    }
}

/// Checks that an object is the one that the options name.
pub(super) fn check_preconditions(
    writing: &Writing<'_>,
    name: &str,
    options: &DeleteOptions,
    old: &Value,
    revision: Revision,
) -> Result<(), ApiError> {
    let failed = |what: &str, wanted: &str, found: &str| {
        let why = format!("Precondition failed: {what} in precondition: {wanted}, {what} in object meta: {found}");
        Err(ApiError::conflict(&writing.kind.group, &writing.kind.plural, name, &why))
    };
    match (&options.uid, &options.revision) {
        (Some(uid), _) if uid != meta::uid(old) => failed("UID", uid, meta::uid(old)),
        (_, Some(wanted)) if *wanted != revision.to_string() => {
            failed("ResourceVersion", wanted, &revision.to_string())
        }
        _ => Ok(()),
    }
}

/// Puts the finalizers of a propagation policy in place of those of another.
fn set_finalizers(object: &mut Value, propagation: Option<&str>) {
    let wanted = match propagation {
        Some("Orphan") => Some(ORPHAN),
        Some("Foreground") => Some(FOREGROUND),
        Some(_) => None,
        None => return,
    };
    let mut finalizers: Vec<String> = meta::finalizers(object)
        .into_iter()
        .filter(|name| ![ORPHAN, FOREGROUND].contains(name))
        .map(str::to_owned)
        .collect();
    finalizers.extend(wanted.map(str::to_owned));
    if finalizers.is_empty() {
        super::remove_meta(object, "finalizers");
    } else {
        object["metadata"]["finalizers"] = json!(finalizers);
    }
}
