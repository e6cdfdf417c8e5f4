//! The components: every type that the kinds of a group version are made of.

use super::enums;
use crate::kind::{Kind, Verb};
use crate::schema::builtin_type;
use crate::schema::types::{Field, ListType, MapType, Node, Type};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

const DELETE_OPTIONS: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions";
const LIST_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta";
const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
const PATCH: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Patch";
const STATUS: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Status";
const QUANTITY: &str = "io.k8s.apimachinery.pkg.api.resource.Quantity";
const INT_OR_STRING: &str = "io.k8s.apimachinery.pkg.util.intstr.IntOrString";
const TIME: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Time";
const MICRO_TIME: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime";

pub(super) fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// The group, version and kind that an extension carries.
pub(super) fn identity(group: &str, version: &str, kind: &str) -> Value {
    json!({"group": group, "version": version, "kind": kind})
}

/// The schema name of a subresource's body.
pub(super) fn body_schema(group: &str, version: &str, kind: &str) -> Option<&'static str> {
    let api_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    match &crate::schema::of_kind(&api_version, kind)?.root {
        Node::Object(found) => builtin_type(&found.name).map(|found| found.name.as_ref()),
        _ => None,
    }
}

/// The name under which a kind's schema is published: that of its type, or of a custom resource
/// its group turned round, `com.example.v1.Thing`.
pub(super) fn schema_name(kind: &Kind) -> String {
    if kind.openapi.is_none() {
        return kind.schema_name.to_string();
    }
    let mut parts: Vec<&str> = kind.group.split('.').rev().collect();
    parts.extend([&*kind.version, &*kind.kind]);
    parts.join(".")
}

/// The name of the schema of a kind's lists.
pub(super) fn list_name(kind: &Kind) -> String {
    format!("{}List", schema_name(kind))
}

/// `components.schemas`
pub(super) fn of(kinds: &[&Arc<Kind>]) -> Value {
    let mut components = Components { schemas: scalars(), identities: BTreeMap::new(), pending: Vec::new() };
    for kind in kinds {
        let who = identity(&kind.group, &kind.version, &kind.kind);
        match &kind.openapi {
            Some(own) => components.own(kind, own, who),
            None => components.name(&kind.schema_name, who),
        }
        for (group, version, body) in kind.subresources.iter().filter_map(|sub| sub.body.as_ref()) {
            if let Some(schema) = body_schema(group, version, body) {
                components.name(schema, identity(group, version, body));
            }
        }
        if kind.verbs.contains(&Verb::List) {
            components.list(kind);
        }
    }
    if let Some(kind) = kinds.first() {
        components.name(DELETE_OPTIONS, identity(&kind.group, &kind.version, "DeleteOptions"));
    }
    components.name(STATUS, identity("", "v1", "Status"));
    components.pending.push(LIST_META.into());
    while let Some(name) = components.pending.pop() {
        components.add(&name);
    }
    Value::Object(components.schemas)
}

/// What has no fields of its own.
fn scalars() -> Map<String, Value> {
    let quantity = "A quantity of a resource: a number with an optional suffix (100m, 1.5, 128Mi, 2G, 1e3).";
    let either = "A whole number or a text, such as a port's number or name, or a count or a percentage.";
    let scalars = [
        (QUANTITY, json!({"description": quantity, "oneOf": [{"type": "string"}, {"type": "number"}]})),
        (
            INT_OR_STRING,
            json!({"description": either, "format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]}),
        ),
        (TIME, json!({"description": "A time as in RFC 3339, in seconds.", "type": "string", "format": "date-time"})),
        (
            MICRO_TIME,
            json!({"description": "A time as in RFC 3339, in microseconds.", "type": "string", "format": "date-time"}),
        ),
        (PATCH, json!({"description": "The body of a PATCH request.", "type": "object"})),
    ];
    scalars.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect()
}

struct Components {
    schemas: Map<String, Value>,
    /// `x-kubernetes-group-version-kind` by schema name.
    identities: BTreeMap<String, Vec<Value>>,
    pending: Vec<String>,
}

impl Components {
    /// A type that stands for a kind.
    fn name(&mut self, schema: &str, identity: Value) {
        let identities = self.identities.entry(schema.to_owned()).or_default();
        if !identities.contains(&identity) {
            identities.push(identity);
        }
        self.pending.push(schema.to_owned());
    }

    /// A custom resource's own schema, with the fields that all objects have.
    fn own(&mut self, kind: &Kind, own: &Value, who: Value) {
        let mut schema = own.clone();
        if schema["type"].is_null() {
            schema["type"] = json!("object");
        }
        self.type_fields(&mut schema["properties"]);
        let what = "Standard object's metadata: name, namespace, labels, annotations, owners.";
        schema["properties"]["metadata"] = json!({"allOf": [reference(OBJECT_META)], "description": what});
        schema["x-kubernetes-group-version-kind"] = json!([who]);
        self.schemas.insert(schema_name(kind), schema);
        self.pending.push(OBJECT_META.into());
    }

    fn type_fields(&self, properties: &mut Value) {
        for field in builtin_type(STATUS).map_or(&[][..], |status| &status.fields) {
            if field.name == "apiVersion" || field.name == "kind" {
                properties[field.name.as_ref()] = json!({"description": field.description, "type": "string"});
            }
        }
    }

    fn list(&mut self, kind: &Kind) {
        let name = list_name(kind);
        let list_kind = format!("{}List", kind.kind);
        let mut properties = json!({
            "items": {"type": "array", "description": format!("The {}.", kind.plural), "items": reference(&schema_name(kind))},
            "metadata": {"allOf": [reference(LIST_META)], "description": "The list's resourceVersion and how to go on reading it."},
        });
        self.type_fields(&mut properties);
        let schema = json!({
            "description": format!("{list_kind} is a list of {}.", kind.plural), "type": "object", "required": ["items"],
            "properties": properties,
            "x-kubernetes-group-version-kind": [identity(&kind.group, &kind.version, &list_kind)],
        });
        self.schemas.insert(name, schema);
    }

    fn add(&mut self, name: &str) {
        if self.schemas.contains_key(name) {
            return;
        }
        let Some(shape) = builtin_type(name) else {
            self.schemas
                .insert(name.to_owned(), json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true}));
            return;
        };
        let mut schema = self.object(shape);
        if let Some(identities) = self.identities.get(name) {
            schema["x-kubernetes-group-version-kind"] = json!(identities);
        }
        self.schemas.insert(name.to_owned(), schema);
    }

    fn object(&mut self, shape: &Type) -> Value {
        let mut properties = Map::new();
        for field in shape.fields.iter() {
            properties.insert(field.name.clone().into_owned(), self.property(&shape.name, field));
        }
        let mut schema = json!({"type": "object", "properties": properties});
        if !shape.description.is_empty() {
            schema["description"] = json!(shape.description);
        }
        let required = |field: &&Field| field.required && field.name != "metadata";
        let required: Vec<&str> = shape.fields.iter().filter(required).map(|field| field.name.as_ref()).collect();
        if !required.is_empty() {
            schema["required"] = json!(required);
        }
        insert_map_type(&mut schema, shape.map);
        schema
    }

    fn property(&mut self, type_: &str, field: &Field) -> Value {
        let mut schema = self.node(&field.node);
        let words = enums::of(type_, &field.name);
        if !words.is_empty() {
            schema["enum"] = json!(words);
        }
        // What Go writes for a field that is no pointer.
        let default = match &field.node {
            Node::Text if field.required => Some(json!("")),
            Node::Integer32 | Node::Integer64 if field.required => Some(json!(0)),
            Node::Boolean if field.required => Some(json!(false)),
            Node::Object(_) if field.required || field.name == "metadata" => Some(json!({})),
            _ => None,
        };
        if !field.description.is_empty() {
            if schema.get("$ref").is_some() {
                schema = json!({"allOf": [schema]});
            }
            schema["description"] = json!(field.description);
        }
        if let Some(default) = default {
            if schema.get("$ref").is_some() {
                schema = json!({"allOf": [schema]});
            }
            schema["default"] = default;
        }
        let Field { patch, .. } = field;
        let words = [(patch.merge, "merge"), (patch.replace, "replace"), (patch.retain_keys, "retainKeys")];
        let words: Vec<&str> = words.iter().filter(|(set, _)| *set).map(|(_, word)| *word).collect();
        if !words.is_empty() {
            schema["x-kubernetes-patch-strategy"] = json!(words.join(","));
        }
        if !patch.key.is_empty() {
            schema["x-kubernetes-patch-merge-key"] = json!(patch.key);
        }
        match &field.list {
            ListType::Map(keys) => {
                schema["x-kubernetes-list-type"] = json!("map");
                schema["x-kubernetes-list-map-keys"] = json!(keys);
            }
            ListType::Set => schema["x-kubernetes-list-type"] = json!("set"),
            ListType::Atomic => schema["x-kubernetes-list-type"] = json!("atomic"),
            ListType::Unset if matches!(field.node, Node::List(_)) => {
                schema["x-kubernetes-list-type"] = json!("atomic")
            }
            ListType::Unset => {}
        }
        insert_map_type(&mut schema, field.map);
        schema
    }

    /// What a list or a map holds.
    fn element(&mut self, node: &Node) -> Value {
        let schema = self.node(node);
        match node {
            Node::Text => json!({"type": "string", "default": ""}),
            Node::Object(_) => json!({"allOf": [schema], "default": {}}),
            _ => schema,
        }
    }

    fn node(&mut self, node: &Node) -> Value {
        match node {
            Node::Any => json!({"type": "object"}),
            Node::Text => json!({"type": "string"}),
            Node::Bytes => json!({"type": "string", "format": "byte"}),
            Node::Time => reference(TIME),
            Node::MicroTime => reference(MICRO_TIME),
            Node::Integer32 => json!({"type": "integer", "format": "int32"}),
            Node::Integer64 => json!({"type": "integer", "format": "int64"}),
            Node::Number => json!({"type": "number", "format": "double"}),
            Node::Boolean => json!({"type": "boolean"}),
            Node::IntOrString => reference(INT_OR_STRING),
            Node::Quantity => reference(QUANTITY),
            Node::List(items) => json!({"type": "array", "items": self.element(items)}),
            Node::Map(values) => json!({"type": "object", "additionalProperties": self.element(values)}),
            Node::Object(shape) => {
                self.pending.push(shape.name.clone().into_owned());
                reference(&shape.name)
            }
            Node::Either(..) => json!({"description": "An object, or another kind of value in its place."}),
        }
    }
}

fn insert_map_type(schema: &mut Value, map: MapType) {
    match map {
        MapType::Atomic => schema["x-kubernetes-map-type"] = json!("atomic"),
        MapType::Granular => schema["x-kubernetes-map-type"] = json!("granular"),
        MapType::Unset => {}
    }
}
