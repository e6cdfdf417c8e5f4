//! CustomResourceDefinitions at work: their names and conditions, the kinds that they make, and
//! the end of their objects.

use crate::auth::Attributes;
use crate::identity::Identity;
use crate::limits;
use crate::registry::{Caches, Change, DeleteOptions, ObjectReader, Part, Registry, Writing, envelope, timestamp};
use crate::server::ApiServer;
use orchestrator_apimachinery::crd::{self, FINALIZER, set_condition, version};
use orchestrator_apimachinery::schema::FieldValidation;
use orchestrator_apimachinery::{ApiError, Catalog, Kind, meta};
use orchestrator_store::{Revision, Store, StoreError};
use runtime_base::clock::within;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::watch;
use tracing::warn;

pub(crate) const GROUP: &str = "apiextensions.k8s.io";
pub(crate) const PLURAL: &str = "customresourcedefinitions";

/// Definitions up to which revision are served.
pub(crate) struct Adopted(watch::Sender<Revision>);

impl Default for Adopted {
    fn default() -> Self {
        Adopted(watch::Sender::new(0))
    }
}

/// Whether a kind is CustomResourceDefinition.
pub(crate) fn is_definition(kind: &Kind) -> bool {
    (&*kind.group, &*kind.plural) == (GROUP, PLURAL)
}

/// Waits until what was written of definitions is served, so that a client can use it at once.
pub(crate) async fn settled(server: &Arc<ApiServer>) {
    if server.caches().fresh().await.is_err() {
        return;
    }
    let Some(cache) = server.caches().cache(GROUP, PLURAL) else { return };
    let newest = cache.snapshot().1;
    let mut adopted = server.definitions.0.subscribe();
    if within(limits::DEFINITION_TIME_MAX, adopted.wait_for(|seen| *seen >= newest)).await.is_none() {
        warn!("custom resources are served later than they were defined");
    }
}

/// What was made of a definition, to be made again only when it changes.
struct Made {
    spec: Value,
    names: Value,
    terminating: bool,
    kinds: Vec<Arc<Kind>>,
}

/// The kinds of all definitions.
pub(crate) struct Definitions {
    builtin: Catalog,
    made: BTreeMap<String, Made>,
}

impl Definitions {
    /// The definitions that a store holds.
    pub async fn load(store: &Arc<dyn Store>) -> Result<Self, StoreError> {
        let mut definitions = Definitions { builtin: Catalog::builtin(), made: BTreeMap::new() };
        let page = store.list(&format!("/registry/{GROUP}/{PLURAL}/"), None, 0, None).await?;
        // One that is damaged is told of by the cache.
        definitions.take(page.entries.iter().filter_map(|entry| envelope::open(&entry.value).ok()).collect());
        Ok(definitions)
    }

    /// Makes the kinds of these definitions, which are all there are; whether anything changed.
    fn take(&mut self, definitions: Vec<Value>) -> bool {
        let mut made = BTreeMap::new();
        let mut changed = false;
        for definition in definitions.iter().filter(|definition| crd::is_established(definition)) {
            let (spec, names) = (&definition["spec"], &definition["status"]["acceptedNames"]);
            let terminating = meta::is_deleting(definition);
            let known = self.made.remove(meta::name(definition));
            let known =
                known.filter(|known| known.spec == *spec && known.names == *names && known.terminating == terminating);
            changed |= known.is_none();
            let entry = known.unwrap_or_else(|| Made {
                spec: spec.clone(),
                names: names.clone(),
                terminating,
                kinds: crd::kinds(definition).into_iter().map(Arc::new).collect(),
            });
            made.insert(meta::name(definition).to_owned(), entry);
        }
        changed |= !self.made.is_empty();
        self.made = made;
        changed
    }

    /// The built-in kinds and those of the definitions.
    pub fn catalog(&self) -> Arc<Catalog> {
        let mut kinds: Vec<&Arc<Kind>> = self.made.values().flat_map(|made| &made.kinds).collect();
        kinds.sort_by(|one, other| {
            one.group.cmp(&other.group).then_with(|| version::compare(&one.version, &other.version))
        });
        let mut catalog = self.builtin.clone();
        kinds.into_iter().for_each(|kind| catalog.insert_shared(kind.clone()));
        Arc::new(catalog)
    }
}

fn all(caches: &Caches) -> Vec<Value> {
    caches.list(GROUP, PLURAL, None).iter().filter_map(|bytes| serde_json::from_slice(bytes).ok()).collect()
}

/// Serves the kinds of all definitions and ends those that are deleted, until the server stops.
pub(crate) async fn keep(server: Arc<ApiServer>, mut definitions: Definitions) {
    let caches = server.caches().clone();
    let mut changes = caches.changes(GROUP, PLURAL);
    loop {
        changes.borrow_and_update();
        let Some(cache) = caches.cache(GROUP, PLURAL) else { return };
        let seen = cache.snapshot().1;
        let found = all(&caches);
        if definitions.take(found.clone())
            && let Err(error) = caches.replace(definitions.catalog()).await
        {
            return warn!(error = error.message, "custom resources follow their definitions no more");
        }
        server.definitions.0.send_replace(seen);
        let mut waits = false;
        for definition in &found {
            waits |= tend(&server, definition).await.unwrap_or_else(|error| {
                warn!(
                    definition = meta::name(definition),
                    error = error.message,
                    "cannot tend a definition, will try again"
                );
                true
            });
        }
        let changed = changes.changed();
        let ended = match waits {
            true => within(limits::DEFINITION_RETRY_DELAY, changed).await.is_some_and(|changed| changed.is_err()),
            false => changed.await.is_err(),
        };
        if ended {
            return;
        }
    }
}

/// Brings one definition further; whether it is to be looked at again.
async fn tend(server: &Arc<ApiServer>, definition: &Value) -> Result<bool, ApiError> {
    if meta::is_deleting(definition) {
        return finish(server, definition).await;
    }
    let conditions = definition["status"]["conditions"].as_array().into_iter().flatten();
    let refused = conditions.into_iter().any(|one| one["type"] == "NamesAccepted" && one["status"] == "False");
    if refused {
        // Its names may have become free.
        change(server, meta::name(definition), Part::Main, &mut |old: &Value| Ok(old.clone())).await?;
    }
    Ok(false)
}

async fn change(
    server: &Arc<ApiServer>,
    name: &str,
    part: Part,
    make: &mut crate::registry::Make<'_>,
) -> Result<(), ApiError> {
    let catalog = server.caches().catalog();
    let kind = catalog.resource(GROUP, "v1", PLURAL).ok_or_else(ApiError::no_such_path)?;
    let what = Attributes {
        verb: "update".into(),
        group: GROUP.into(),
        version: "v1".into(),
        resource: PLURAL.into(),
        name: name.into(),
        ..Attributes::default()
    };
    let who = server_identity();
    let mut writing = writing(kind, &who, &what);
    let change = Change { namespace: "", name, part, make, duplicates: Vec::new() };
    match server.registry.change(&mut writing, change).await {
        Err(error) if error.code == 404 => Ok(()),
        done => done.map(drop),
    }
}

fn server_identity() -> Identity {
    Identity::user("system:apiserver", &["system:masters"])
}

fn writing<'a>(kind: &'a Arc<Kind>, who: &'a Identity, what: &'a Attributes) -> Writing<'a> {
    Writing {
        kind,
        who,
        what,
        dry_run: false,
        validation: FieldValidation::Ignore,
        manager: "kube-apiserver".into(),
        applied: false,
        warnings: Vec::new(),
    }
}

/// Deletes the objects of a definition; when none is left the definition goes too.
async fn finish(server: &Arc<ApiServer>, definition: &Value) -> Result<bool, ApiError> {
    if !meta::finalizers(definition).contains(&FINALIZER) {
        return Ok(false);
    }
    let catalog = server.caches().catalog();
    let (group, plural) = (meta_text(definition, "group"), &definition["status"]["acceptedNames"]["plural"]);
    let kind = catalog.stored().find(|kind| kind.group == group && *plural == *kind.plural);
    if let Some(kind) = kind.filter(|kind| kind.custom.as_ref().is_some_and(|c| c.definition == meta::name(definition)))
    {
        let cache = server.caches().of(kind)?;
        let (objects, ..) = cache.snapshot();
        for object in objects.values() {
            let what = Attributes {
                verb: "delete".into(),
                group: kind.group.to_string(),
                version: kind.version.to_string(),
                resource: kind.plural.to_string(),
                namespace: object.namespace().to_owned(),
                name: object.name().to_owned(),
                ..Attributes::default()
            };
            let who = server_identity();
            let mut writing = writing(kind, &who, &what);
            let options = DeleteOptions::default();
            match server.registry.delete(&mut writing, object.namespace(), object.name(), &options).await {
                Err(error) if error.code != 404 => return Err(error),
                _ => {}
            }
        }
        server.caches().fresh().await?;
        if !cache.snapshot().0.is_empty() {
            return Ok(true);
        }
    }
    let mut make = |old: &Value| {
        let mut new = old.clone();
        if let Some(finalizers) = new["metadata"]["finalizers"].as_array_mut() {
            finalizers.retain(|name| name != FINALIZER);
        }
        Ok(new)
    };
    change(server, meta::name(definition), Part::Raw, &mut make).await?;
    Ok(false)
}

fn meta_text<'v>(definition: &'v Value, field: &str) -> &'v str {
    definition["spec"][field].as_str().unwrap_or_default()
}

/// Puts into a definition's status which names it has and whether it is served.
pub(crate) fn complete(registry: &Registry, definition: &mut Value, _old: Option<&Value>) -> Result<(), ApiError> {
    let now = timestamp(registry.now());
    let (own, group) = (meta::name(definition).to_owned(), meta_text(definition, "group").to_owned());
    let others: Vec<Value> = all(&registry.caches)
        .into_iter()
        .filter(|other| meta::name(other) != own && meta_text(other, "group") == group)
        .map(|mut other| other["status"]["acceptedNames"].take())
        .collect();
    let established = crd::is_established(definition);
    match crd::name_conflict(definition, &others) {
        Some((reason, message)) => {
            set_condition(definition, "NamesAccepted", false, reason, &message, &now);
            if !established {
                set_condition(definition, "Established", false, "NotAccepted", "not all names are accepted", &now);
            }
        }
        None => {
            definition["status"]["acceptedNames"] = definition["spec"]["names"].clone();
            set_condition(definition, "NamesAccepted", true, "NoConflicts", "no conflicts found", &now);
            let message = "the initial names have been accepted";
            if !established {
                set_condition(definition, "Established", true, "InitialNamesAccepted", message, &now);
            }
        }
    }
    let versions = definition["spec"]["versions"].as_array().into_iter().flatten();
    let stored = versions.into_iter().find(|version| version["storage"] == true).map(|version| version["name"].clone());
    if !definition["status"]["storedVersions"].is_array() {
        definition["status"]["storedVersions"] = json!([]);
    }
    if let (Some(stored), Some(known)) = (stored, definition["status"]["storedVersions"].as_array_mut())
        && !known.contains(&stored)
    {
        known.push(stored);
    }
    Ok(())
}

/// A definition that begins to be deleted waits for its objects to go.
pub(crate) fn deleting(definition: &mut Value) {
    let mut finalizers: Vec<String> = meta::finalizers(definition).into_iter().map(str::to_owned).collect();
    if !finalizers.iter().any(|name| name == FINALIZER) {
        finalizers.push(FINALIZER.to_owned());
    }
    definition["metadata"]["finalizers"] = json!(finalizers);
    let now = meta::text(definition, "deletionTimestamp").to_owned();
    let message = "CustomResource deletion is in progress";
    set_condition(definition, "Terminating", true, "InstanceDeletionInProgress", message, &now);
}
