//! A configuration that is applied: read strictly, merged into the live object.

use super::conflict::{Conflict, refuse};
use super::entry::{Entry, Operation, Writer, read_own, write};
use super::faults::Faults;
use super::form::Spot;
use super::merge::merge;
use super::realm::Realm;
use super::set::FieldSet;
use super::versions::{Comparison, InVersion, Pruning};
use super::{take, update};
use crate::field::Errors;
use crate::limits::ANNOTATION_BYTES_MAX;
use crate::meta;
use crate::schema::Schema;
use crate::status::ApiError;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// The manager whose configuration may also stand in an annotation, from client-side applies.
const KUBECTL: &str = "kubectl";
/// Owns what stood in an object before its fields were tracked.
const BEFORE_FIRST_APPLY: &str = "before-first-apply";

/// An applied configuration that fits its kind's schema.
#[derive(Clone, Debug)]
pub struct Config {
    schema: Arc<Schema>,
    realm: Realm,
    value: Value,
    fields: FieldSet,
    /// As the client sent it.
    original: Value,
}

impl Config {
    /// Checks a configuration for an object of `api_version` and `kind`.
    ///
    /// As upstream, one that names other fields than the schema has, or an item twice, is refused
    /// whatever `fieldValidation` says.
    pub fn new(
        schema: Arc<Schema>,
        realm: Realm,
        api_version: &str,
        kind: &str,
        mut value: Value,
    ) -> Result<Config, ApiError> {
        if !value.is_object() {
            return Err(ApiError::bad_request("error decoding YAML: the configuration must be an object"));
        }
        let named = |field: &str| value[field].as_str().unwrap_or_default().to_owned();
        let own = gvk(&named("apiVersion"), &named("kind"));
        if own != gvk(api_version, kind) {
            return Err(ApiError::bad_request(format!("invalid object type: {own}")));
        }
        if value["metadata"].get("managedFields").is_some_and(|fields| !fields.is_null()) {
            return Err(ApiError::bad_request("metadata.managedFields must be nil"));
        }
        let original = value.clone();
        let mut faults = Faults::of(&schema, &value);
        let unknown = schema.prune(&mut value);
        if faults.is_empty() {
            let path = |text: &str| text.trim_start_matches("unknown field ").trim_matches('"').to_owned();
            faults.extend(unknown.iter().map(|text| format!(".{}: field not declared in schema", path(text))));
        }
        let mut errors = Errors::default();
        schema.check(&mut value, &mut errors);
        faults.extend(errors.0.iter().map(|error| format!(".{}: {}", error.field, error.message)));
        if !faults.is_empty() {
            let why = match faults.as_slice() {
                [only] => only.clone(),
                _ => format!("errors:\n  {}", faults.join("\n  ")),
            };
            let (namespace, name) = (meta::namespace(&original), meta::name(&original));
            return Err(ApiError::bad_request(format!(
                "failed to create typed patch object ({namespace}/{name}; {own}): {why}"
            )));
        }
        restore_nulls(&original, &mut value);
        if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("managedFields");
        }
        let fields = realm.named(&schema, &value);
        Ok(Config { schema, realm, value, fields, original })
    }

    /// The configuration as an object to create, with its one owner.
    pub fn created(&self, writer: &Writer<'_>) -> Value {
        let mut object = self.value.clone();
        if !self.fields.is_empty() {
            let entry = writer.entry(Operation::Apply, self.fields.clone());
            object["metadata"]["managedFields"] = write(vec![entry]);
        }
        object
    }

    /// The live object as it is once the configuration is applied, with its `managedFields`; 409
    /// when that changes what others own, unless `force` takes it from them.
    pub fn apply(
        &self,
        mut live: Value,
        writer: &Writer<'_>,
        versions: &InVersion<'_>,
        force: bool,
    ) -> Result<Value, ApiError> {
        let managed = take(&mut live).unwrap_or_default();
        let mut entries = read_own(managed);
        if entries.is_empty() {
            let before = Writer { manager: BEFORE_FIRST_APPLY, subresource: writer.subresource, ..*writer };
            update(&self.schema, self.realm, &before, versions, None, &live, &mut entries);
        }
        let mut object = match self.merge(&live, entries.clone(), writer, versions, force) {
            Ok(object) => object,
            Err(conflicts) if writer.manager == KUBECTL => {
                let conflicts = self.not_from_annotation(&live, conflicts)?;
                if !conflicts.is_empty() {
                    return Err(refuse(conflicts));
                }
                self.merge(&live, entries, writer, versions, true).map_err(refuse)?
            }
            Err(conflicts) => return Err(refuse(conflicts)),
        };
        if writer.manager == KUBECTL {
            self.sync_annotation(&mut object);
        }
        Ok(object)
    }

    fn merge(
        &self,
        live: &Value,
        mut entries: Vec<Entry>,
        writer: &Writer<'_>,
        versions: &InVersion<'_>,
        force: bool,
    ) -> Result<Value, Vec<Conflict>> {
        let own = entries.iter().position(|entry| writer.owns(Operation::Apply, entry));
        let own = own.map(|index| entries.swap_remove(index));
        let mut object = live.clone();
        merge(Spot::root(&self.schema.root), &mut object, &self.value);
        if let Some(own) = &own {
            let mut managed = BTreeMap::from([(writer.api_version.to_owned(), self.fields.clone())]);
            for entry in &entries {
                managed.entry(entry.api_version.clone()).or_default().union(entry.fields.clone());
            }
            let (schema, realm, api_version) = (&self.schema, self.realm, writer.api_version);
            let pruning = Pruning { schema, realm, api_version, versions, managed };
            object = pruning.run(object, &own.api_version, &own.fields);
        }
        let mut comparison =
            Comparison::new(&self.schema, self.realm, writer.api_version, versions, Some(live), &object);
        // What is of a version that is gone is nobody's any more.
        entries.retain(|entry| comparison.of(&entry.api_version).is_some());
        if !force {
            let conflict = |entry: &Entry| {
                let touched = comparison.of(&entry.api_version).map(|(touched, _)| entry.fields.intersection(touched));
                Conflict::new(entry, touched.unwrap_or_default())
            };
            let mut conflicts: Vec<Conflict> = entries.iter().map(conflict).collect();
            conflicts.retain(|conflict| !conflict.fields.is_empty());
            if !conflicts.is_empty() {
                return Err(conflicts);
            }
        }
        for entry in &mut entries {
            if let Some((touched, removed)) = comparison.of(&entry.api_version) {
                entry.fields.subtract(touched);
                entry.fields.subtract(removed);
            }
        }
        let nothing_new = comparison.is_empty();
        entries.retain(|entry| !entry.fields.is_empty());
        if !self.fields.is_empty() {
            let same = |own: &Entry| own.fields == self.fields && own.api_version == writer.api_version;
            entries.push(match own {
                Some(own) if nothing_new && same(&own) => own,
                _ => writer.entry(Operation::Apply, self.fields.clone()),
            });
        }
        object["metadata"]["managedFields"] = write(entries);
        Ok(object)
    }

    /// The conflicts without those on fields that the last client-side apply set and that still
    /// are as it set them: kubectl owns them already, under another name.
    fn not_from_annotation(&self, live: &Value, mut conflicts: Vec<Conflict>) -> Result<Vec<Conflict>, ApiError> {
        let text = live["metadata"]["annotations"][LAST_APPLIED].as_str().unwrap_or_default();
        let Ok(mut last) = serde_json::from_str::<Value>(text) else { return Ok(conflicts) };
        if last["apiVersion"] != self.value["apiVersion"] {
            return Ok(conflicts);
        }
        self.schema.prune(&mut last);
        self.schema.check(&mut last, &mut Errors::default());
        let mut allowed = self.realm.named(&self.schema, &last);
        let (touched, removed) = self.realm.compare(&self.schema, Some(&last), live);
        allowed.subtract(&touched);
        allowed.subtract(&removed);
        for conflict in &mut conflicts {
            conflict.fields.subtract(&allowed);
        }
        conflicts.retain(|conflict| !conflict.fields.is_empty());
        Ok(conflicts)
    }

    /// Keeps kubectl's annotation true for client-side applies, if the object has it.
    fn sync_annotation(&self, object: &mut Value) {
        let annotations = object.get_mut("metadata").and_then(|metadata| metadata.get_mut("annotations"));
        let Some(Value::Object(annotations)) = annotations else { return };
        if annotations.get(LAST_APPLIED).and_then(Value::as_str).is_none_or(str::is_empty) {
            return;
        }
        let mut config = self.original.clone();
        if let Some(metadata) = config.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("managedFields");
            if let Some(own) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
                own.remove(LAST_APPLIED);
            }
        }
        let text = format!("{config}\n");
        let others: usize = annotations
            .iter()
            .filter(|(key, _)| *key != LAST_APPLIED)
            .map(|(key, value)| key.len() + value.as_str().map_or(0, str::len))
            .sum();
        if others + LAST_APPLIED.len() + text.len() > ANNOTATION_BYTES_MAX {
            annotations.remove(LAST_APPLIED);
        } else {
            annotations.insert(LAST_APPLIED.to_owned(), json!(text));
        }
    }
}

fn gvk(api_version: &str, kind: &str) -> String {
    let (group, version) = meta::split_api_version(api_version);
    format!("{group}/{version}, Kind={kind}")
}

/// Puts back the nulls that checking took out: a configuration that says null owns the field.
pub(super) fn restore_nulls(original: &Value, checked: &mut Value) {
    match (original, checked) {
        (Value::Object(original), Value::Object(checked)) => {
            for (name, value) in original {
                match checked.get_mut(name) {
                    Some(checked) => restore_nulls(value, checked),
                    None if value.is_null() => {
                        checked.insert(name.clone(), Value::Null);
                    }
                    None => {}
                }
            }
        }
        (Value::Array(original), Value::Array(checked)) if original.len() == checked.len() => {
            for (value, checked) in original.iter().zip(checked) {
                restore_nulls(value, checked);
            }
        }
        _ => {}
    }
}
