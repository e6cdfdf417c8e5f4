//! Gets and lists.

use super::cache::{in_namespace, object_of};
use super::select::Selection;
use super::{Object, Registry, prefix, store_error};
use crate::limits;
use crate::request::Query;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use orchestrator_apimachinery::field::{Errors, Path};
use orchestrator_apimachinery::{ApiError, Kind};
use orchestrator_store::{Revision, StoreError};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Where the next page of a list starts.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
struct Continue {
    v: String,
    rv: Revision,
    /// The key after which it starts, as the cache knows it.
    start: String,
}

/// How old the answer of a list may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Age {
    /// As new as the store.
    Newest,
    /// Whatever is at hand.
    Any,
    /// At least this revision.
    NotOlderThan(Revision),
    /// This revision.
    Exact(Revision),
}

/// What a list asks for.
#[derive(Debug)]
pub(crate) struct ListOptions {
    age: Age,
    limit: usize,
    after: Option<String>,
    pub selection: Selection,
}

/// A list's objects.
pub(crate) struct List {
    pub objects: Vec<Arc<Object>>,
    pub revision: Revision,
    pub continue_token: Option<String>,
    pub remaining: Option<usize>,
}

/// A revision in a query.
pub(crate) fn parse_revision(text: &str) -> Result<Revision, ApiError> {
    text.parse().map_err(|_| {
        let why = crate::request::not_a_number("ParseUint", text);
        ApiError::bad_request(format!("resourceVersion: Invalid value: {text:?}: {why}"))
    })
}

fn forbidden(field: &str, why: &str) -> ApiError {
    let mut errors = Errors::default();
    errors.forbidden(&Path::new(field), why);
    ApiError::invalid("meta.k8s.io", "ListOptions", "", &errors)
}

impl ListOptions {
    /// Reads the parameters of a list, by upstream's rules of what may go together.
    pub fn parse(query: &Query, kind: &Kind) -> Result<Self, ApiError> {
        let (revision, rule, token) =
            (query.text("resourceVersion"), query.text("resourceVersionMatch"), query.text("continue"));
        if query.get("sendInitialEvents").is_some() {
            return Err(forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"));
        }
        let field = "resourceVersionMatch";
        match rule {
            "" => {}
            _ if !token.is_empty() => {
                return Err(forbidden(field, "resourceVersionMatch is forbidden when continue is provided"));
            }
            _ if revision.is_empty() => {
                return Err(forbidden(field, "resourceVersionMatch is forbidden unless resourceVersion is provided"));
            }
            "Exact" if revision == "0" => {
                return Err(forbidden(field, "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\""));
            }
            "Exact" | "NotOlderThan" => {}
            other => {
                let mut errors = Errors::default();
                errors.not_supported(&Path::new(field), other, &["Exact", "NotOlderThan"]);
                return Err(ApiError::invalid("meta.k8s.io", "ListOptions", "", &errors));
            }
        }
        let limit = match query.number("limit")? {
            Some(limit) if limit > 0 => usize::try_from(limit).unwrap_or(limits::PAGE_MAX).min(limits::PAGE_MAX),
            _ => 0,
        };
        let selection = Selection::parse(query, kind)?;
        if !token.is_empty() {
            if !matches!(revision, "" | "0") {
                let text = "specifying resource version is not allowed when using continue";
                return Err(ApiError::bad_request(text));
            }
            let token = decode_token(token)?;
            return Ok(ListOptions { age: Age::Exact(token.rv), limit, after: Some(token.start), selection });
        }
        let age = match (revision, rule) {
            ("", _) => Age::Newest,
            ("0", _) => Age::Any,
            (revision, "Exact") => Age::Exact(parse_revision(revision)?),
            (revision, _) => Age::NotOlderThan(parse_revision(revision)?),
        };
        Ok(ListOptions { age, limit, after: None, selection })
    }
}

fn decode_token(token: &str) -> Result<Continue, ApiError> {
    let bad = || ApiError::bad_request("continue key is not valid: it was not given by this server");
    let bytes = BASE64.decode(token).map_err(|_| bad())?;
    let token: Continue = serde_json::from_slice(&bytes).map_err(|_| bad())?;
    if token.v == "meta.k8s.io/v1" && token.rv > 0 { Ok(token) } else { Err(bad()) }
}

fn encode_token(rv: Revision, start: &str) -> String {
    let token = Continue { v: "meta.k8s.io/v1".into(), rv, start: start.to_owned() };
    BASE64.encode(serde_json::to_vec(&token).unwrap_or_default())
}

impl Registry {
    /// One object, as of now.
    pub(crate) async fn get(&self, kind: &Kind, namespace: &str, name: &str) -> Result<Arc<Object>, ApiError> {
        self.caches.fresh().await?;
        let cache = self.caches.of(kind)?;
        let object = match namespace {
            "" => cache.get(name),
            namespace => cache.get(&format!("{namespace}/{name}")),
        };
        let object = object.ok_or_else(|| ApiError::not_found(&kind.group, &kind.plural, name))?;
        if kind.stored.is_none() && !object.is_foreign() {
            return Ok(object);
        }
        let shown = self.versions().show_objects(kind, vec![object]).await?.pop();
        shown.ok_or_else(|| ApiError::internal("a converted object is missing"))
    }

    /// The objects of a namespace, or of all ("").
    pub(crate) async fn list(&self, kind: &Kind, namespace: &str, options: &ListOptions) -> Result<List, ApiError> {
        match options.age {
            Age::Newest => self.caches.fresh().await?,
            Age::NotOlderThan(revision) => self.caches.wait(revision).await?,
            Age::Exact(revision) => {
                self.caches.wait(revision).await?;
                if let Some(list) = self.list_past(kind, namespace, options, revision).await? {
                    return Ok(list);
                }
            }
            Age::Any => {}
        }
        let cache = self.caches.of(kind)?;
        let revision = match options.age {
            Age::Exact(revision) => revision,
            _ => self.caches.progress(),
        };
        let (objects, newest, _) = cache.snapshot();
        if let Age::Exact(exact) = options.age
            && newest > exact
        {
            // It changed since it was looked at.
            let list = self.list_past(kind, namespace, options, exact).await?;
            return list.ok_or_else(|| ApiError::internal("a list of the past is missing"));
        }
        let revision = if matches!(options.age, Age::Exact(_)) { revision } else { revision.max(newest) };
        if let (Some(name), None) = (options.selection.name(), &options.after) {
            let key = if namespace.is_empty() { name.to_owned() } else { format!("{namespace}/{name}") };
            if let Some(object) = objects.get(&*key) {
                let mut shown = self.versions().show_objects(kind, vec![object.clone()]).await?;
                shown.retain(|object| options.selection.matches(kind, object));
                if !shown.is_empty() {
                    return Ok(List { objects: shown, revision, continue_token: None, remaining: None });
                }
            }
        }
        self.shown_page(kind, in_namespace(&objects, namespace).cloned(), options, revision).await
    }

    /// A page of objects, each as one of this kind.
    async fn shown_page(
        &self,
        kind: &Kind,
        objects: impl Iterator<Item = Arc<Object>>,
        options: &ListOptions,
        revision: Revision,
    ) -> Result<List, ApiError> {
        if kind.stored.is_some() {
            let shown = self.versions().show_objects(kind, objects.collect()).await?;
            return Ok(page(kind, shown.into_iter(), options, revision));
        }
        let mut list = page(kind, objects, options, revision);
        list.objects = self.versions().show_objects(kind, list.objects).await?;
        Ok(list)
    }

    /// The list as of an earlier revision; `None` when the cache still shows just that.
    async fn list_past(
        &self,
        kind: &Kind,
        namespace: &str,
        options: &ListOptions,
        at: Revision,
    ) -> Result<Option<List>, ApiError> {
        if self.caches.of(kind)?.snapshot().1 <= at {
            return Ok(None);
        }
        let found = self.store.list(&prefix(kind, namespace), None, 0, Some(at)).await.map_err(|error| match error {
            StoreError::Compacted { .. } if options.after.is_some() => ApiError::expired(
                "The provided continue parameter is too old to display a consistent list result. You can start a new \
                 list without the continue parameter.",
            ),
            other => store_error(other),
        })?;
        let objects = found.entries.iter().filter_map(|entry| object_of(kind, entry)).map(Arc::new);
        self.shown_page(kind, objects, options, at).await.map(Some)
    }
}

/// Those objects that are selected, up to the limit.
fn page(kind: &Kind, objects: impl Iterator<Item = Arc<Object>>, options: &ListOptions, revision: Revision) -> List {
    let after = options.after.as_deref();
    let everything = options.selection.is_everything();
    let mut selected = objects
        .filter(|object| after.is_none_or(|after| &*object.key > after))
        .filter(|object| everything || options.selection.matches(kind, object));
    let limit = if options.limit == 0 { usize::MAX } else { options.limit };
    let page: Vec<Arc<Object>> = selected.by_ref().take(limit).collect();
    let rest = if page.len() < limit {
        0
    } else if everything {
        selected.count()
    } else {
        selected.take(1).count()
    };
    let continue_token = (rest > 0).then(|| page.last().map(|last| encode_token(revision, &last.key))).flatten();
    let remaining = (rest > 0 && everything).then_some(rest);
    List { objects: page, revision, continue_token, remaining }
}
