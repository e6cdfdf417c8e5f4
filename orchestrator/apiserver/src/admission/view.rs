//! The objects of a request as webhooks and policies see them: in the version that their rules name, and of
//! the kind of the subresource.

use super::{Admission, Operation, complete};
use crate::registry::{scale, with_revision};
use orchestrator_apimachinery::cel::Scope;
use orchestrator_apimachinery::field::Errors;
use orchestrator_apimachinery::{ApiError, Kind, Scope as Place, meta, schema};
use serde_json::{Map, Value};
use std::sync::Arc;

/// What of metadata the server sets when an object is made; nobody changes it on the way.
const OWN_FIELDS: [&str; 6] =
    ["creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp", "generation", "selfLink", "uid"];

/// A request as one version of its resource shows it.
pub(super) struct View<'a> {
    admission: &'a Admission<'a>,
    /// The version of the resource.
    kind: Arc<Kind>,
    /// What is written, or what is asked of a stream; null on deletes.
    pub object: Value,
    /// What is replaced or deleted; null where there is none.
    pub old: Value,
    /// `AdmissionRequest` without uid and objects.
    pub request: Map<String, Value>,
    scope: Option<Scope>,
    knows_namespace: bool,
}

impl<'a> View<'a> {
    /// `object` is what is written in the requested version, or what is deleted.
    pub async fn new(admission: &'a Admission<'a>, object: &Value, kind: &Arc<Kind>) -> Result<Self, ApiError> {
        let request = admission.request(kind, &admission.object_name(object));
        let new = match admission.operation {
            Operation::Delete => Value::Null,
            _ => shown(admission, object, kind).await?,
        };
        let old = match admission.old {
            Some(old) => shown(admission, old, kind).await?,
            None => Value::Null,
        };
        let kind = kind.clone();
        Ok(View { admission, kind, object: new, old, request, scope: None, knows_namespace: false })
    }

    /// The object at hand, also when it is deleted.
    pub fn subject(&self) -> &Value {
        if self.object.is_null() { &self.old } else { &self.object }
    }

    /// The variables that conditions may use.
    pub fn scope(&mut self) -> &mut Scope {
        self.scope.get_or_insert_with(|| {
            let mut scope = Scope::new();
            scope.set("object", &self.object);
            scope.set("oldObject", &self.old);
            scope.set("request", &Value::Object(self.request.clone()));
            let name = self.request.get("name").and_then(Value::as_str).unwrap_or_default();
            scope.set_authorizer(self.admission.checker(), self.admission.own_check(name));
            scope
        })
    }

    /// The variables that policies may use besides.
    pub fn policy_scope(&mut self) -> &mut Scope {
        let (admission, known) = (self.admission, std::mem::replace(&mut self.knows_namespace, true));
        let scope = self.scope();
        if !known {
            scope.set("namespaceObject", admission.namespace_object().unwrap_or(&Value::Null));
        }
        scope
    }

    /// The schema of the objects.
    pub fn schema(&self) -> Arc<schema::Schema> {
        match self.admission.body() {
            Some((group, version, kind)) => {
                let api_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
                schema::of_kind(&api_version, kind).unwrap_or_else(|| Arc::new(schema::Schema::any()))
            }
            None => self.kind.schema(),
        }
    }

    /// Puts an object that somebody changed on the way in place of the requested one, complete: types and
    /// defaults as for a client's object, and what the built-in plugins add.
    pub async fn settle(&self, changed: Value, object: &mut Value) -> Result<(), ApiError> {
        let admission = self.admission;
        let own = admission.writing.kind;
        if admission.is_scale() {
            let scale = without_revision(changed, object);
            *object = scale::apply(own, &scale, object)?;
            return complete(admission, object);
        }
        if let Some((group, _, kind)) = admission.body() {
            *object = changed;
            return fit(admission, &self.schema(), (group, kind), object);
        }
        let versions = admission.versions();
        let mut new = match Arc::ptr_eq(&self.kind, own) {
            true => changed,
            false => versions.show(own, versions.store(&self.kind, changed).await?).await?,
        };
        new = without_revision(new, object);
        if own.scope == Place::Namespaced && meta::namespace(&new) != admission.writing.what.namespace {
            let text = "the namespace of the provided object does not match the namespace sent on the request";
            return Err(ApiError::bad_request(text));
        }
        if admission.operation == Operation::Create && new["metadata"].is_object() {
            for field in OWN_FIELDS {
                match object["metadata"].get(field) {
                    Some(value) => new["metadata"][field] = value.clone(),
                    None => crate::registry::remove_meta(&mut new, field),
                }
            }
        }
        *object = new;
        fit(admission, &own.schema(), (&own.group, &own.kind), object)?;
        own.default(object);
        complete(admission, object)
    }
}

/// Leaves out what no type knows and refuses what does not fit.
fn fit(
    admission: &Admission<'_>,
    schema: &schema::Schema,
    (group, kind): (&str, &str),
    object: &mut Value,
) -> Result<(), ApiError> {
    let mut errors = Errors::default();
    let unknown = match admission.body() {
        Some(_) => {
            let unknown = schema.prune(object);
            schema.check(object, &mut errors);
            unknown
        }
        None => {
            let unknown = admission.writing.kind.prune(object);
            admission.writing.kind.check(object, &mut errors);
            unknown
        }
    };
    admission.warn(unknown);
    match errors.is_empty() {
        true => Ok(()),
        false => Err(ApiError::invalid(group, kind, &admission.object_name(object), &errors)),
    }
}

/// The new object names the revision that the other one names, if any.
fn without_revision(mut new: Value, like: &Value) -> Value {
    match meta::resource_version(like) {
        "" => crate::registry::remove_meta(&mut new, "resourceVersion"),
        revision => new["metadata"]["resourceVersion"] = revision.into(),
    }
    new
}

/// An object of the requested version as a view shows it.
async fn shown(admission: &Admission<'_>, object: &Value, kind: &Arc<Kind>) -> Result<Value, ApiError> {
    let own = admission.writing.kind;
    let revised = || with_revision(object.clone(), admission.revision);
    if admission.is_scale() {
        return scale::of(own, &revised());
    }
    if admission.body().is_some() {
        return Ok(object.clone());
    }
    if Arc::ptr_eq(kind, own) {
        return Ok(revised());
    }
    let versions = admission.versions();
    versions.show(kind, versions.store(own, revised()).await?).await
}

/// The views of a request that does not change any more, each made once.
pub(super) struct Views<'a> {
    admission: &'a Admission<'a>,
    object: &'a Value,
    made: Vec<View<'a>>,
}

impl<'a> Views<'a> {
    pub fn new(admission: &'a Admission<'a>, object: &'a Value) -> Self {
        Views { admission, object, made: Vec::new() }
    }

    /// The place of the view of a version.
    pub async fn place(&mut self, kind: &Arc<Kind>) -> Result<usize, ApiError> {
        if let Some(place) = self.made.iter().position(|view| Arc::ptr_eq(&view.kind, kind)) {
            return Ok(place);
        }
        self.made.push(View::new(self.admission, self.object, kind).await?);
        Ok(self.made.len() - 1)
    }

    /// The view at a place.
    pub fn at(&self, place: usize) -> &View<'a> {
        &self.made[place]
    }

    /// The same, to evaluate expressions about.
    pub fn at_mut(&mut self, place: usize) -> &mut View<'a> {
        &mut self.made[place]
    }
}
