//! The published schema of a custom resource.

use super::shape::Shape;
use serde_json::{Value, json};

const API_VERSION: &str = "APIVersion defines the versioned schema of this representation of an object. Servers should \
                           convert recognized schemas to the latest internal value, and may reject unrecognized values.";
const KIND: &str = "Kind is a string value representing the REST resource this object represents. Servers may infer this \
                    from the endpoint the client submits requests to. Cannot be updated. In CamelCase.";
const METADATA: &str = "Standard object's metadata.";

/// `com.example.stable.v1.CronTab` of `stable.example.com`.
pub(super) fn schema_name(group: &str, version: &str, kind: &str) -> String {
    let reversed: Vec<&str> = group.split('.').rev().collect();
    format!("{}.{version}.{kind}", reversed.join("."))
}

/// The component that stands for the kind.
pub(super) fn schema(source: &Value, group: &str, version: &str, kind: &str, shape: &Shape) -> Value {
    let mut schema = source.clone();
    if !schema.is_object() {
        schema = json!({});
    }
    publish(&mut schema);
    schema["type"] = json!("object");
    let is_open = shape.preserves && shape.properties.is_empty();
    if !is_open || schema["properties"].is_object() {
        let properties = &mut schema["properties"];
        if !properties.is_object() {
            *properties = json!({});
        }
        properties["apiVersion"] = json!({"type": "string", "description": API_VERSION});
        properties["kind"] = json!({"type": "string", "description": KIND});
        let metadata = "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
        properties["metadata"] = json!({"allOf": [{"$ref": metadata}], "description": METADATA});
    }
    schema["x-kubernetes-group-version-kind"] = json!([{"group": group, "version": version, "kind": kind}]);
    schema
}

/// Says of embedded objects what fields they have, and leaves out what is only for the server.
fn publish(schema: &mut Value) {
    let Some(map) = schema.as_object_mut() else { return };
    if map.get("x-kubernetes-embedded-resource") == Some(&Value::Bool(true)) {
        let properties = map.entry("properties").or_insert_with(|| json!({}));
        for (name, type_) in [("apiVersion", "string"), ("kind", "string"), ("metadata", "object")] {
            if properties.get(name).is_none() {
                properties[name] = json!({"type": type_});
            }
        }
    }
    for (key, below) in map.iter_mut() {
        match key.as_str() {
            "properties" => below.as_object_mut().into_iter().flatten().for_each(|(_, below)| publish(below)),
            "items" | "additionalProperties" | "not" => publish(below),
            "allOf" | "anyOf" | "oneOf" => below.as_array_mut().into_iter().flatten().for_each(publish),
            _ => {}
        }
    }
}
