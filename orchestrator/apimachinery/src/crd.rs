//! Custom resources: what a CustomResourceDefinition makes of the objects that it defines.
//!
//! Source: <https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/>

mod arena;
mod budget;
mod column;
mod decl;
mod format;
mod openapi;
mod path;
mod prune;
mod rule;
mod scale;
mod shape;
pub(crate) mod structural;
#[cfg(test)]
mod tests;
mod validate;
pub mod version;

pub use scale::ScalePaths;

use crate::field::Errors;
use crate::kind::{Convert, Kind, Scope, Stored, Strategy, Subresource, Verb};
use crate::kinds::fields::{copy, list, remove, text};
use crate::kinds::{ALL_VERBS, PART_VERBS};
use crate::place::Place;
use crate::schema;
use column::Source;
use serde_json::{Value, json};
use shape::Shape;
use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

pub(crate) use path::JsonPath;

const METADATA: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
/// Holds a deleted definition until its objects are gone.
pub const FINALIZER: &str = "customresourcecleanup.apiextensions.k8s.io";

/// One version of a custom resource: its schema and rules.
#[derive(Debug)]
pub struct Custom {
    shape: Shape,
    sources: Vec<Source>,
    /// Where the scale subresource finds its numbers, if there is one.
    pub scale: Option<ScalePaths>,
    has_status: bool,
    has_rules: bool,
    /// Whether its definition is being deleted: nothing new is made any more.
    pub terminating: bool,
    /// Name of the definition.
    pub definition: String,
    /// The definition's `spec`.
    pub spec: Arc<Value>,
}

impl Custom {
    /// Removes unknown fields, also those of metadata, and returns a text for each.
    pub fn prune(&self, value: &mut Value) -> Vec<String> {
        let mut unknown = Vec::new();
        if let Some(metadata) = value.get_mut("metadata") {
            unknown.extend(schema::builtin(METADATA).prune_at(metadata, &Place::Field(&Place::Root, "metadata")));
        }
        prune::prune(&self.shape, value, true, &Place::Root, &mut unknown);
        unknown
    }

    /// Checks the types of metadata; all else is for [`Custom::validate`].
    pub fn check(&self, value: &mut Value, errors: &mut Errors) {
        if let Some(metadata) = value.get_mut("metadata") {
            schema::builtin(METADATA).check_at(metadata, &Place::Field(&Place::Root, "metadata"), errors);
        }
    }

    /// Fills in defaults and drops nulls that may not be.
    pub fn default(&self, value: &mut Value) {
        prune::fill(&self.shape, value);
        prune::drop_nulls(&self.shape, value);
    }

    /// An object of the store as it is shown: without what the schema no longer knows, with defaults.
    pub fn show(&self, value: &mut Value) {
        prune::prune(&self.shape, value, true, &Place::Root, &mut Vec::new());
        self.default(value);
    }

    fn prepare_create(&self, object: &mut Value) {
        if self.has_status {
            remove(object, "status");
        }
        object["metadata"]["generation"] = 1.into();
    }

    fn prepare_update(&self, object: &mut Value, old: &Value) {
        if self.has_status {
            copy(object, old, "status");
        }
        let content = |value: &Value| {
            let mut content = value.clone();
            remove(&mut content, "metadata");
            content
        };
        let before = old["metadata"]["generation"].as_i64();
        match content(object) != content(old) {
            true => object["metadata"]["generation"] = (before.unwrap_or(0) + 1).into(),
            false => copy(&mut object["metadata"], &old["metadata"], "generation"),
        }
    }

    fn prepare_status_update(object: &mut Value, old: &Value) {
        let mut new = old.clone();
        copy(&mut new, object, "status");
        copy(&mut new["metadata"], &object["metadata"], "managedFields");
        *object = new;
    }

    /// Judges an object; what is as it was in `old` is not judged again.
    pub fn validate(&self, object: &Value, old: Option<&Value>, errors: &mut Errors) {
        let mut found = Errors::default();
        validate::check(&self.shape, object, old, "", &mut found);
        if self.has_rules {
            use crate::field::Reason::{Required, TooLong, TooMany, TypeInvalid};
            let blocks = |reason| matches!(reason, Required | TooLong | TooMany | TypeInvalid);
            if found.0.iter().any(|error| blocks(error.reason)) {
                let why = "some validation rules were not checked because the object was invalid; correct the existing \
                           errors to complete validation";
                found.invalid(&crate::field::Path::new("<nil>"), "null", why);
            } else {
                rule::check(&self.shape, object, old, &mut found);
            }
        }
        errors.0.extend(found.0);
    }

    fn cells(&self, object: &Value, now: i64) -> Vec<Value> {
        let name = object["metadata"]["name"].clone();
        std::iter::once(name).chain(self.sources.iter().map(|source| source.cell(object, now))).collect()
    }
}

impl Kind {
    /// Removes unknown fields and returns a text for each.
    pub fn prune(&self, value: &mut Value) -> Vec<String> {
        match &self.custom {
            Some(custom) => custom.prune(value),
            None => self.schema().prune(value),
        }
    }

    /// Checks JSON types and formats.
    pub fn check(&self, value: &mut Value, errors: &mut Errors) {
        match &self.custom {
            Some(custom) => custom.check(value, errors),
            None => self.schema().check(value, errors),
        }
    }

    /// Fills in defaults.
    pub fn default(&self, object: &mut Value) {
        match &self.custom {
            Some(custom) => custom.default(object),
            None => (self.strategy.default)(object),
        }
    }

    /// Makes of a client's object a new one.
    pub fn prepare_create(&self, object: &mut Value) {
        match &self.custom {
            Some(custom) => custom.prepare_create(object),
            None => (self.strategy.prepare_create)(object),
        }
    }

    /// Restores what an update of the main resource may not change. Arguments: new, old.
    pub fn prepare_update(&self, object: &mut Value, old: &Value) {
        match &self.custom {
            Some(custom) => custom.prepare_update(object, old),
            None => (self.strategy.prepare_update)(object, old),
        }
    }

    /// Restores what an update of the status may not change. Arguments: new, old.
    pub fn prepare_status_update(&self, object: &mut Value, old: &Value) {
        match &self.custom {
            Some(_) => Custom::prepare_status_update(object, old),
            None => (self.strategy.prepare_status_update)(object, old),
        }
    }

    /// Judges a new object.
    pub fn validate(&self, object: &Value, errors: &mut Errors) {
        match &self.custom {
            Some(custom) => custom.validate(object, None, errors),
            None => (self.strategy.validate)(object, errors),
        }
    }

    /// Judges the new state of an object. Arguments: new, old.
    pub fn validate_change(&self, object: &Value, old: &Value, errors: &mut Errors) {
        match &self.custom {
            Some(custom) => custom.validate(object, Some(old), errors),
            None => {
                (self.strategy.validate)(object, errors);
                (self.strategy.validate_update)(object, old, errors);
            }
        }
    }

    /// The cells of the kind's columns; `now` is seconds since 1970.
    pub fn cells(&self, object: &Value, now: i64) -> Vec<Value> {
        match &self.custom {
            Some(custom) => custom.cells(object, now),
            None => (self.strategy.cells)(object, now),
        }
    }
}

/// Whether the objects of a definition are served.
pub fn is_established(definition: &Value) -> bool {
    crate::kinds::cells::condition_is_true(definition, "Established")
}

/// The kinds that an established definition makes: one for each served version.
pub fn kinds(definition: &Value) -> Vec<Kind> {
    let spec = Arc::new(definition["spec"].clone());
    let versions = list(&spec, "versions");
    let Some(stored) = versions.iter().find(|version| version["storage"] == true) else { return Vec::new() };
    // The stored version has a cache also when it is not served.
    let shown = versions.iter().filter(|version| version["served"] == true || version["storage"] == true);
    shown.map(|version| kind(definition, &spec, version, text(stored, "name"))).collect()
}

fn owned(value: &str) -> Cow<'static, str> {
    Cow::Owned(value.to_owned())
}

fn all_owned(value: &Value, key: &str) -> Vec<Cow<'static, str>> {
    list(value, key).iter().filter_map(Value::as_str).map(owned).collect()
}

fn kind(definition: &Value, spec: &Arc<Value>, version: &Value, stored: &str) -> Kind {
    let names = match &definition["status"]["acceptedNames"] {
        accepted if accepted["plural"].is_string() => accepted,
        _ => &spec["names"],
    };
    let (group, name) = (text(spec, "group"), text(version, "name"));
    let (plural, kind_name) = (text(names, "plural"), text(names, "kind"));
    let source = &version["schema"]["openAPIV3Schema"];
    let (columns, sources) = column::columns(version);
    let shape = Shape::compile(source);
    let schema_name = openapi::schema_name(group, name, kind_name);
    let selectable = list(version, "selectableFields").iter();
    let selectable = selectable.map(|field| owned(text(field, "jsonPath").trim_start_matches('.')));
    let subresources = &version["subresources"];
    let has_status = subresources["status"].is_object();
    let scale = subresources.get("scale").and_then(ScalePaths::compile);
    let compiled = OnceLock::new();
    let _ = compiled.set(Arc::new(arena::schema(&schema_name, &shape)));
    let scope = if spec["scope"] == "Cluster" { Scope::Cluster } else { Scope::Namespaced };
    let convert = if spec["conversion"]["strategy"] == "Webhook" { Convert::Webhook } else { Convert::Relabel };
    Kind {
        group: owned(group),
        version: owned(name),
        kind: owned(kind_name),
        plural: owned(plural),
        singular: owned(text(names, "singular")),
        short_names: all_owned(names, "shortNames"),
        categories: all_owned(names, "categories"),
        scope,
        verbs: if version["served"] == true { ALL_VERBS.to_vec() } else { Vec::new() },
        subresources: parts(has_status, scale.is_some()),
        openapi: Some(Arc::new(openapi::schema(source, group, name, kind_name, &shape))),
        schema_name: Cow::Owned(schema_name),
        selectable_fields: selectable.collect(),
        deprecation: (version["deprecated"] == true).then(|| match version["deprecationWarning"].as_str() {
            Some(warning) => owned(warning),
            None => format!("{group}/{name} {kind_name} is deprecated").into(),
        }),
        columns,
        strategy: Strategy::default(),
        stored: (name != stored).then(|| Stored {
            group: owned(group),
            version: owned(stored),
            plural: owned(plural),
            convert,
        }),
        custom: Some(Arc::new(Custom {
            has_rules: shape.has_rules(),
            shape,
            sources,
            scale,
            has_status,
            terminating: crate::meta::is_deleting(definition),
            definition: crate::meta::name(definition).to_owned(),
            spec: spec.clone(),
        })),
        schema: Arc::new(compiled),
    }
}

fn parts(has_status: bool, has_scale: bool) -> Vec<Subresource> {
    let mut parts = Vec::new();
    let verbs: Vec<Verb> = PART_VERBS.to_vec();
    if has_status {
        parts.push(Subresource { name: "status".into(), body: None, verbs: verbs.clone() });
    }
    if has_scale {
        let body = Some(("autoscaling".into(), "v1".into(), "Scale".into()));
        parts.push(Subresource { name: "scale".into(), body, verbs });
    }
    parts
}

/// The names that a definition asks for and that others have already, by condition reason and
/// message; `None` when it may have them. `others` are accepted names of the same group.
pub fn name_conflict(definition: &Value, others: &[Value]) -> Option<(&'static str, String)> {
    let names = &definition["spec"]["names"];
    let resources: Vec<&str> = others
        .iter()
        .flat_map(|other| {
            let short = list(other, "shortNames").iter().filter_map(Value::as_str);
            [text(other, "plural"), text(other, "singular")].into_iter().chain(short)
        })
        .filter(|name| !name.is_empty())
        .collect();
    let kinds: Vec<&str> = others
        .iter()
        .flat_map(|other| [text(other, "kind"), text(other, "listKind")])
        .filter(|name| !name.is_empty())
        .collect();
    let taken = |name: &str, known: &[&str]| known.contains(&name).then(|| format!("{name:?} is already in use"));
    let first = [
        ("PluralConflict", taken(text(names, "plural"), &resources)),
        ("SingularConflict", taken(text(names, "singular"), &resources)),
        (
            "ShortNamesConflict",
            list(names, "shortNames").iter().filter_map(Value::as_str).find_map(|name| taken(name, &resources)),
        ),
        ("KindConflict", taken(text(names, "kind"), &kinds)),
        ("ListKindConflict", taken(text(names, "listKind"), &kinds)),
    ];
    first.into_iter().find_map(|(reason, message)| Some((reason, message?)))
}

/// Puts a condition into a definition's status; its time changes with its status.
pub fn set_condition(definition: &mut Value, type_: &str, status: bool, reason: &str, message: &str, now: &str) {
    let status = if status { "True" } else { "False" };
    if !definition["status"]["conditions"].is_array() {
        definition["status"]["conditions"] = json!([]);
    }
    let new = json!({"type": type_, "status": status, "reason": reason, "message": message, "lastTransitionTime": now});
    let Some(conditions) = definition["status"]["conditions"].as_array_mut() else { return };
    match conditions.iter_mut().find(|condition| condition["type"] == type_) {
        Some(old) => {
            let same = old["status"] == new["status"];
            let time = old["lastTransitionTime"].clone();
            let generation = old.get("observedGeneration").cloned();
            *old = new;
            if same {
                old["lastTransitionTime"] = time;
            }
            if let Some(generation) = generation {
                old["observedGeneration"] = generation;
            }
        }
        None => conditions.push(new),
    }
}
