//! ResourceQuota: what the objects of a namespace use together stays below what its quotas allow.
//!
//! What is used is summed over the objects themselves, under a turn that writes of namespaces
//! with quotas take one after the other, so that two requests cannot share the last piece.
//!
//! Source: <https://kubernetes.io/docs/concepts/policy/resource-quotas/>

mod usage;

use super::{Admission, Operation};
use crate::registry::ObjectReader;
use crate::registry::cache::in_namespace;
use bytes::Bytes;
use orchestrator_apimachinery::quantity::Quantity;
use orchestrator_apimachinery::{ApiError, Scope, meta};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use tokio::sync::{Mutex, OwnedMutexGuard};
use usage::{Usage, missing_of_pod};

pub(crate) use usage::Counted;
pub(super) use usage::of_running_pod as requests_of_pod;

/// Locks that namespaces share.
const TURNS: usize = 64;

/// The turns of writes that quotas count: those of one namespace come one after the other.
pub(crate) struct Turns([Arc<Mutex<()>>; TURNS]);

/// A turn, while it is held.
pub(crate) type Turn = OwnedMutexGuard<()>;

impl Default for Turns {
    fn default() -> Self {
        Turns(std::array::from_fn(|_| Arc::default()))
    }
}

impl Turns {
    async fn take(&self, namespace: &str) -> Turn {
        let mut hasher = DefaultHasher::new();
        namespace.hash(&mut hasher);
        let place = hasher.finish() as usize % TURNS;
        self.0[place].clone().lock_owned().await
    }
}

fn quotas(admission: &Admission<'_>) -> Vec<Bytes> {
    admission.registry.caches.list("", "resourcequotas", Some(&admission.writing.what.namespace))
}

/// Refuses what would exceed a quota; the turn to hold until it is written, if a quota counts it.
pub(super) async fn admit(admission: &Admission<'_>, object: &Value) -> Result<Option<Turn>, ApiError> {
    let writing = admission.writing;
    let part = &*writing.what.subresource;
    let about = match admission.operation {
        Operation::Create => part.is_empty(),
        Operation::Update => matches!(part, "" | "resize"),
        Operation::Delete | Operation::Connect => false,
    };
    if !about || writing.kind.scope != Scope::Namespaced || meta::is_deleting(object) || quotas(admission).is_empty() {
        return Ok(None);
    }
    let registry = admission.registry;
    let turn = registry.quota_turns.take(&writing.what.namespace).await;
    registry.caches.fresh().await?;
    check(admission, object, &quotas(admission))?;
    Ok(Some(turn))
}

fn check(admission: &Admission<'_>, object: &Value, quotas: &[Bytes]) -> Result<(), ApiError> {
    let writing = admission.writing;
    let kind = (&*writing.kind.group, &*writing.kind.plural);
    let counted = Counted::new(kind, object);
    let wanted = grown(&counted.usage, admission.old.map(|old| Counted::new(kind, old).usage));
    let mut refused = Vec::new();
    for bytes in quotas {
        let quota: Value = serde_json::from_slice(bytes).map_err(ApiError::internal)?;
        if kind == ("", "pods") && !counted.is_in_scope(&quota["spec"]) {
            continue;
        }
        if kind != ("", "pods") && usage::is_scoped(&quota["spec"]) {
            continue;
        }
        let hard = amounts(&quota["spec"]["hard"]);
        let name = meta::name(&quota);
        if kind == ("", "pods") && admission.operation == Operation::Create {
            let missing = missing_of_pod(object, hard.keys());
            if !missing.is_empty() {
                return Err(refuse(
                    admission,
                    object,
                    &format!("failed quota: {name}: must specify {}", missing.join("; ")),
                ));
            }
        }
        let touched: BTreeSet<&String> = hard.keys().filter(|resource| wanted.contains_key(*resource)).collect();
        if touched.is_empty() {
            continue;
        }
        let used = used(admission, &quota, &touched);
        let over: Vec<&&String> = touched
            .iter()
            .filter(|resource| {
                used.get(**resource).copied().unwrap_or_default() + wanted[**resource] > hard[**resource]
            })
            .collect();
        if !over.is_empty() {
            let shown = |of: &dyn Fn(&str) -> Quantity| {
                let each = over.iter().map(|resource| format!("{resource}={}", of(resource).canonical()));
                each.collect::<Vec<_>>().join(",")
            };
            refused.push(format!(
                "exceeded quota: {name}, requested: {}, used: {}, limited: {}",
                shown(&|resource| wanted[resource]),
                shown(&|resource| used.get(resource).copied().unwrap_or_default()),
                shown(&|resource| hard[resource]),
            ));
        }
    }
    match refused.first() {
        Some(why) => Err(refuse(admission, object, why)),
        None => Ok(()),
    }
}

fn refuse(admission: &Admission<'_>, object: &Value, why: &str) -> ApiError {
    admission.writing.forbidden(meta::name(object), why)
}

fn amounts(map: &Value) -> BTreeMap<String, Quantity> {
    let entries = map.as_object().into_iter().flatten();
    entries.filter_map(|(name, value)| Some((usage::canonical(name), Quantity::parse(value.as_str()?).ok()?))).collect()
}

/// By how much usage grows; what shrinks or stays is left out.
fn grown(new: &Usage, old: Option<Usage>) -> Usage {
    let old = old.unwrap_or_default();
    let growth = new.iter().map(|(resource, amount)| {
        let before = old.get(resource).copied().unwrap_or_default();
        (resource.clone(), *amount - before)
    });
    growth.filter(|(_, amount)| !amount.is_zero() && !amount.is_negative()).collect()
}

/// What the objects of the namespace use of these resources.
fn used(admission: &Admission<'_>, quota: &Value, resources: &BTreeSet<&String>) -> Usage {
    let caches = &admission.registry.caches;
    let namespace = &admission.writing.what.namespace;
    let catalog = caches.catalog();
    let mut total = Usage::new();
    let mut seen = BTreeSet::new();
    for kind in catalog.all().iter().filter(|kind| kind.scope == Scope::Namespaced && kind.stored.is_none()) {
        let named = (&*kind.group, &*kind.plural);
        if !usage::may_use(named, resources) || !seen.insert(named) {
            continue;
        }
        let Some(cache) = caches.cache(&kind.group, &kind.plural) else { continue };
        let (objects, ..) = cache.snapshot();
        let objects = in_namespace(&objects, namespace);
        let mut add = |usage: &Usage| {
            for (resource, amount) in usage.iter().filter(|(resource, _)| resources.contains(resource)) {
                let sum = total.entry(resource.clone()).or_default();
                *sum = *sum + *amount;
            }
        };
        if let Some(mut each) = usage::of_each(named) {
            let count = Quantity::from_millis(objects.count() as i64 * 1000);
            each.values_mut().for_each(|amount| *amount = count);
            add(&each);
            continue;
        }
        for object in objects {
            let counted =
                object.counted(|bytes| Counted::new(named, &serde_json::from_slice(bytes).unwrap_or_default()));
            if named != ("", "pods") || counted.is_in_scope(&quota["spec"]) {
                add(&counted.usage);
            }
        }
    }
    total
}
