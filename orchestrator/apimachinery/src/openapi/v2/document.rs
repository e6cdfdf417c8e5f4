//! Parts of a v3 document in v2's shape.

use serde_json::{Map, Value, json};

const METHODS: [&str; 5] = ["get", "put", "post", "delete", "patch"];

/// Changes a schema, and all below it: references lead elsewhere, and stand beside descriptions.
pub(super) fn schema(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            // Of a schema, not of a field that is called so.
            if fields.get("allOf").is_some_and(Value::is_array)
                && let Some(Value::Array(all)) = fields.remove("allOf")
            {
                fields.extend(all.into_iter().filter_map(|one| one.as_object().cloned()).flatten());
            }
            if let Some(Value::String(name)) = fields.get_mut("$ref") {
                *name = name.replacen("#/components/schemas/", "#/definitions/", 1);
            }
            for word in ["oneOf", "anyOf", "not", "nullable"] {
                if fields.get(word).is_some_and(|value| !value.is_object()) {
                    fields.remove(word);
                }
            }
            fields.values_mut().for_each(schema);
        }
        Value::Array(items) => items.iter_mut().for_each(schema),
        _ => {}
    }
}

fn schema_of(content: &Value) -> Option<Value> {
    let (_, first) = content.as_object()?.iter().next()?;
    let mut found = first.get("schema")?.clone();
    schema(&mut found);
    Some(found)
}

fn media_types(content: &Value) -> Vec<String> {
    content.as_object().into_iter().flat_map(Map::keys).cloned().collect()
}

/// A parameter of query or path; v2 has no schema between it and its type.
fn parameter(mut parameter: Value) -> Value {
    if let Some(fields) = parameter.as_object_mut()
        && let Some(Value::Object(schema)) = fields.remove("schema")
    {
        fields.extend(schema);
    }
    parameter
}

/// The operations of one path.
pub(super) fn path_item(item: Value) -> Value {
    let Value::Object(item) = item else { return item };
    let parts = item.into_iter().map(|(name, part)| {
        let part = match part {
            Value::Array(parameters) => parameters.into_iter().map(parameter).collect(),
            part if METHODS.contains(&name.as_str()) => operation(part),
            part => part,
        };
        (name, part)
    });
    Value::Object(parts.collect())
}

fn operation(mut operation: Value) -> Value {
    let mut parameters: Vec<Value> = match operation["parameters"].take() {
        Value::Array(parameters) => parameters.into_iter().map(parameter).collect(),
        _ => Vec::new(),
    };
    let body = operation.as_object_mut().and_then(|fields| fields.remove("requestBody"));
    if let Some(body) = body {
        let mut parameter = json!({"name": "body", "in": "body", "schema": schema_of(&body["content"])});
        if body["required"] == true {
            parameter["required"] = json!(true);
        }
        parameters.insert(0, parameter);
        operation["consumes"] = json!(media_types(&body["content"]));
    }
    let mut produces = Vec::new();
    if let Some(responses) = operation["responses"].as_object_mut() {
        for response in responses.values_mut() {
            let Some(content) = response.as_object_mut().and_then(|fields| fields.remove("content")) else { continue };
            if let Some(schema) = schema_of(&content) {
                response["schema"] = schema;
            }
            if produces.is_empty() {
                produces = media_types(&content);
            }
        }
    }
    operation["parameters"] = json!(parameters);
    operation["produces"] = json!(produces);
    operation["schemes"] = json!(["https"]);
    operation
}
