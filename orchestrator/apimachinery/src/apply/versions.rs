//! What a write changes, in the words of each version in which somebody owns fields.

use super::form::Spot;
use super::prune::prune;
use super::realm::Realm;
use super::set::FieldSet;
use crate::kind::{Catalog, Convert, Kind};
use crate::meta;
use crate::schema::Schema;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Makes of an object one of another version (the first argument), with that version's schema; `None` when there is
/// no such version.
pub type InVersion<'a> = dyn Fn(&str, &Value) -> Option<(Arc<Schema>, Value)> + Send + Sync + 'a;

/// An object of one version of `kind` as one of the version `to`.
///
/// What only a webhook can convert stays as it is: a write cannot wait for one for each owner. Fields that two such
/// versions name differently then only look owned.
pub fn in_version(catalog: &Catalog, kind: &Kind, to: &str, object: &Value) -> Option<(Arc<Schema>, Value)> {
    let of = |api_version: &str| {
        let (group, version) = meta::split_api_version(api_version);
        let same = |found: &&Arc<Kind>| found.stored_resource() == kind.stored_resource();
        let stored = || catalog.stored().find(|found| found.group == group && found.version == version && same(found));
        catalog.kind(group, version, &kind.kind).filter(same).or_else(stored)
    };
    let target = of(to)?;
    let mut object = object.clone();
    let from = object["apiVersion"].as_str().unwrap_or_default();
    if from == to {
        return Some((target.schema(), object));
    }
    let convert = |kind: &Kind| kind.stored.as_ref().map(|stored| stored.convert);
    if let Some(Convert::Functions { to_stored, .. }) = of(from).and_then(|from| convert(from)) {
        to_stored(&mut object);
    }
    if let Some(Convert::Functions { from_stored, .. }) = convert(target) {
        from_stored(&mut object);
    }
    object["apiVersion"] = json!(to);
    let by_webhook = target.custom.as_ref().is_some_and(|custom| custom.spec["conversion"]["strategy"] == "Webhook");
    if let Some(custom) = target.custom.as_ref().filter(|_| !by_webhook) {
        custom.show(&mut object);
    }
    Some((target.schema(), object))
}

/// Two objects, compared in every version that is asked for.
pub(super) struct Comparison<'a> {
    realm: Realm,
    api_version: &'a str,
    old: Option<&'a Value>,
    new: &'a Value,
    versions: &'a InVersion<'a>,
    /// Touched and removed fields, in the writer's version.
    pub own: (FieldSet, FieldSet),
    others: BTreeMap<String, Option<(FieldSet, FieldSet)>>,
}

impl<'a> Comparison<'a> {
    /// Compares two objects of the writer's version.
    pub fn new(
        schema: &Schema,
        realm: Realm,
        api_version: &'a str,
        versions: &'a InVersion<'a>,
        old: Option<&'a Value>,
        new: &'a Value,
    ) -> Self {
        let own = realm.compare(schema, old, new);
        Comparison { realm, api_version, old, new, versions, own, others: BTreeMap::new() }
    }

    /// Whether the objects are the same to whoever owns fields.
    pub fn is_empty(&self) -> bool {
        self.own.0.is_empty() && self.own.1.is_empty()
    }

    /// Touched and removed fields in a version; `None` when there is no such version any more.
    pub fn of(&mut self, api_version: &str) -> Option<&(FieldSet, FieldSet)> {
        if api_version == self.api_version {
            return Some(&self.own);
        }
        if !self.others.contains_key(api_version) {
            let found = self.compare(api_version);
            self.others.insert(api_version.to_owned(), found);
        }
        self.others.get(api_version)?.as_ref()
    }

    fn compare(&self, api_version: &str) -> Option<(FieldSet, FieldSet)> {
        let (schema, new) = (self.versions)(api_version, self.new)?;
        let old = match self.old {
            Some(old) => Some((self.versions)(api_version, old)?.1),
            None => None,
        };
        Some(self.realm.compare(&schema, old.as_ref(), &new))
    }
}

/// Removing what an applier named before, in whatever version, and names no more.
pub(super) struct Pruning<'a> {
    pub schema: &'a Arc<Schema>,
    pub realm: Realm,
    /// The version of the object.
    pub api_version: &'a str,
    pub versions: &'a InVersion<'a>,
    /// All that anybody owns, by version.
    pub managed: BTreeMap<String, FieldSet>,
}

impl Pruning<'_> {
    fn object(&self, api_version: &str, object: &Value) -> Option<(Arc<Schema>, Value)> {
        let own = object["apiVersion"].as_str().unwrap_or(self.api_version);
        match api_version == own && own == self.api_version {
            true => Some((self.schema.clone(), object.clone())),
            false => (self.versions)(api_version, object),
        }
    }

    fn managed(&self, api_version: &str) -> FieldSet {
        let mut managed = self.managed.get(api_version).cloned().unwrap_or_default();
        // Every object has metadata, whoever owns what is in it.
        managed.union(FieldSet::from_iter(["f:metadata"]));
        managed
    }

    /// The object without what is in `last`, fields of the version `of`, unless somebody owns it. When that version
    /// is gone, nobody can tell what it named: all stays.
    pub fn run(&self, merged: Value, of: &str, last: &FieldSet) -> Value {
        if of == self.api_version && self.managed.keys().all(|version| version == of) {
            let mut object = merged;
            prune(Spot::root(&self.schema.root), &mut object, &last.0, Some(&self.managed(of).0), &|_| false);
            return object;
        }
        let Some((schema, whole)) = self.object(of, &merged) else { return merged };
        let mut less = whole.clone();
        prune(Spot::root(&schema.root), &mut less, &last.0, Some(&self.managed(of).0), &|_| false);
        if less == whole {
            return merged;
        }
        for version in self.managed.keys().filter(|version| *version != of) {
            less = self.add_back(&whole, less, of, version);
        }
        self.object(self.api_version, &less).map_or(merged, |(_, object)| object)
    }

    /// Keeps what somebody owns in another version.
    fn add_back(&self, whole: &Value, less: Value, of: &str, version: &str) -> Value {
        let (Some((schema, mut object)), Some((_, other))) = (self.object(version, whole), self.object(version, &less))
        else {
            return less;
        };
        let (_, removed) = self.realm.compare(&schema, Some(&object), &other);
        let mut kept = self.managed(version);
        kept.union(self.realm.named(&schema, &other));
        prune(Spot::root(&schema.root), &mut object, &removed.0, Some(&kept.0), &|_| false);
        self.object(of, &object).map_or(less, |(_, object)| object)
    }
}
