//! What makes a schema structural, and the other rules of `openAPIV3Schema`.
//!
//! Source: <https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema>

use super::rule::VARIABLES;
use super::shape::Shape;
use super::{budget, prune, validate};
use crate::cel::Expression;
use crate::field::{Errors, Path};
use crate::kinds::fields::{is_true, list, text};
use crate::place::Place;
use serde_json::{Value, json};
use std::collections::BTreeSet;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Root,
    Item,
    Field,
}

const TYPES: [&str; 6] = ["array", "boolean", "integer", "number", "object", "string"];
const PRESERVE: &str = "x-kubernetes-preserve-unknown-fields";
const EMBEDDED: &str = "x-kubernetes-embedded-resource";
const INT_OR_STRING: &str = "x-kubernetes-int-or-string";
const LIST_TYPE: &str = "x-kubernetes-list-type";
const LIST_KEYS: &str = "x-kubernetes-list-map-keys";
const MAP_TYPE: &str = "x-kubernetes-map-type";
const RULES: &str = "x-kubernetes-validations";

/// Judges the schema at `path`.
pub(crate) fn check(schema: &Value, path: &Path, errors: &mut Errors) {
    let mut found = Errors::default();
    words(schema, path, true, &mut found);
    invariants(schema, Level::Root, path, &mut found);
    complete(schema, schema, path, &mut found);
    if found.is_empty() {
        let shape = Shape::compile(schema);
        defaults(&shape, path, &mut found);
        budget::check(&shape, path, &mut found);
    }
    errors.0.extend(found.0);
}

fn is_set(schema: &Value, key: &str) -> bool {
    match &schema[key] {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => !map.is_empty(),
        Value::Number(_) => true,
    }
}

fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema["properties"].as_object().into_iter().flatten()
}

/// The schemas right below, with their paths.
fn below<'s>(schema: &'s Value, path: &Path) -> Vec<(&'s Value, Path)> {
    let mut found: Vec<(&Value, Path)> =
        properties(schema).map(|(name, schema)| (schema, path.child("properties").key(name))).collect();
    for key in ["items", "additionalProperties", "not"] {
        if schema[key].is_object() {
            found.push((&schema[key], path.child(key)));
        }
    }
    for key in ["allOf", "anyOf", "oneOf"] {
        let each = list(schema, key).iter().enumerate();
        found.extend(each.map(|(index, schema)| (schema, path.child(key).index(index))));
    }
    found
}

/// Words that are not to be used, and values that words may have.
fn words(schema: &Value, path: &Path, is_root: bool, errors: &mut Errors) {
    let forbidden = [
        ("$ref", "$ref is not supported"),
        ("definitions", "definitions is not supported"),
        ("dependencies", "dependencies is not supported"),
        ("patternProperties", "patternProperties is not supported"),
        ("additionalItems", "additionalItems is not supported"),
        ("id", "id is not supported"),
    ];
    for (key, why) in forbidden {
        if is_set(schema, key) {
            errors.forbidden(&path.child(key), why);
        }
    }
    if is_true(schema, "uniqueItems") {
        let why = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic";
        errors.forbidden(&path.child("uniqueItems"), why);
    }
    let type_ = text(schema, "type");
    if type_ == "null" {
        errors.forbidden(&path.child("type"), "type cannot be set to null, use nullable as an alternative");
    } else if !type_.is_empty() && !TYPES.contains(&type_) {
        errors.not_supported(&path.child("type"), type_, &TYPES);
    }
    if schema["items"].is_array() {
        errors.forbidden(&path.child("items"), "items must be a schema object and not an array");
    }
    let additional = &schema["additionalProperties"];
    if is_set(schema, "properties") && (*additional == false || additional.is_object()) {
        errors
            .forbidden(&path.child("additionalProperties"), "additionalProperties and properties are mutual exclusive");
    }
    if is_root && is_true(schema, "nullable") {
        errors.forbidden(&path.child("nullable"), "nullable cannot be true at the root");
    }
    list_words(schema, path, errors);
    rules(schema, path, errors);
    for (schema, path) in below(schema, path) {
        words(schema, &path, false, errors);
    }
}

fn list_words(schema: &Value, path: &Path, errors: &mut Errors) {
    let (type_, list_type, map_type) = (text(schema, "type"), text(schema, LIST_TYPE), text(schema, MAP_TYPE));
    match list_type {
        "" => {}
        "atomic" | "set" | "map" => {
            if type_ != "array" {
                let why = "must be array if x-kubernetes-list-type is specified";
                match type_ {
                    "" => errors.required(&path.child("type"), why),
                    other => errors.invalid(&path.child("type"), other, why),
                }
            }
        }
        other => errors.not_supported(&path.child(LIST_TYPE), other, &["atomic", "map", "set"]),
    }
    match map_type {
        "" => {}
        "atomic" | "granular" => {
            if type_ != "object" {
                let why = "must be object if x-kubernetes-map-type is specified";
                match type_ {
                    "" => errors.required(&path.child("type"), why),
                    other => errors.invalid(&path.child("type"), other, why),
                }
            }
        }
        other => errors.not_supported(&path.child(MAP_TYPE), other, &["atomic", "granular"]),
    }
    let keys: Vec<&str> = list(schema, LIST_KEYS).iter().filter_map(Value::as_str).collect();
    match list_type {
        "map" if keys.is_empty() => {
            errors.required(&path.child(LIST_KEYS), "must not be empty if x-kubernetes-list-type is map");
        }
        "map" => map_keys(schema, &keys, path, errors),
        _ if !keys.is_empty() => {
            let why = "must be map if x-kubernetes-list-map-keys is non-empty";
            match list_type {
                "" => errors.required(&path.child(LIST_TYPE), why),
                other => errors.invalid(&path.child(LIST_TYPE), other, why),
            }
        }
        "set" if schema["items"].is_object() => {
            let items = &schema["items"];
            let of_parts = match text(items, "type") {
                "object" => text(items, MAP_TYPE) != "atomic",
                "array" => !matches!(text(items, LIST_TYPE), "" | "atomic"),
                _ => false,
            };
            if of_parts {
                let key = if text(items, "type") == "object" { MAP_TYPE } else { LIST_TYPE };
                let path = path.child("items").child(key);
                errors.invalid(
                    &path,
                    text(items, key),
                    &format!("must be atomic as item of a list with {LIST_TYPE}=set"),
                );
            }
            if is_true(items, "nullable") {
                errors.forbidden(
                    &path.child("items").child("nullable"),
                    "cannot be nullable when x-kubernetes-list-type is set",
                );
            }
        }
        _ => {}
    }
}

fn map_keys(schema: &Value, keys: &[&str], path: &Path, errors: &mut Errors) {
    let (items, at) = (&schema["items"], path.child("items"));
    if !items.is_object() {
        return;
    }
    if text(items, "type") != "object" {
        let why = "must be object if parent array's x-kubernetes-list-type is map";
        errors.invalid(&at.child("type"), text(items, "type"), why);
    }
    if keys.iter().collect::<BTreeSet<_>>().len() < keys.len() {
        errors.invalid(&path.child(LIST_KEYS), keys, "must not contain duplicate entries");
    }
    let required = list(items, "required");
    for key in keys {
        let at = at.child("properties").key(key);
        match items["properties"].get(*key) {
            None => errors.invalid(&path.child(LIST_KEYS), key, "entries must all be names of item properties"),
            Some(item) => {
                if matches!(text(item, "type"), "object" | "array") {
                    let why = "must be a scalar type if parent array's x-kubernetes-list-type is map";
                    errors.invalid(&at.child("type"), text(item, "type"), why);
                }
                if item["default"].is_null() && !required.iter().any(|name| name == key) {
                    let why = "this property is in x-kubernetes-list-map-keys, so it must have a default or be a \
                               required property";
                    errors.required(&at.child("default"), why);
                }
                if is_true(item, "nullable") {
                    let why = "this property is in x-kubernetes-list-map-keys, so it cannot be nullable";
                    errors.forbidden(&at.child("nullable"), why);
                }
            }
        }
    }
}

fn rules(schema: &Value, path: &Path, errors: &mut Errors) {
    const REASONS: [&str; 4] =
        ["FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"];
    for (index, rule) in list(schema, RULES).iter().enumerate() {
        let path = path.child(RULES).index(index);
        let expression = text(rule, "rule");
        if expression.trim().is_empty() {
            errors.required(&path.child("rule"), "rule is not specified");
        } else if let Err(why) = Expression::compile(expression, &VARIABLES) {
            errors.invalid(&path.child("rule"), rule, &why.to_string());
        }
        if let Some(message) = rule["message"].as_str() {
            if message.contains('\n') {
                errors.invalid(&path.child("message"), message, "message must not contain line breaks");
            } else if !message.is_empty() && message.trim().is_empty() {
                errors.invalid(&path.child("message"), message, "message must be non-empty if specified");
            }
        }
        if expression.contains('\n') && text(rule, "message").is_empty() {
            let why = "message must be specified if rule contains line breaks";
            errors.required(&path.child("message"), why);
        }
        if let Some(message) = rule["messageExpression"].as_str().filter(|text| !text.is_empty()) {
            if message.trim().is_empty() {
                errors.required(&path.child("messageExpression"), "messageExpression must be non-empty if specified");
            } else if let Err(why) = Expression::compile(message, &VARIABLES) {
                errors.invalid(&path.child("messageExpression"), rule, &format!("messageExpression {why}"));
            }
        }
        let reason = text(rule, "reason");
        if !reason.is_empty() && !REASONS.contains(&reason) {
            errors.not_supported(&path.child("reason"), reason, &REASONS);
        }
        let field = text(rule, "fieldPath");
        if !field.is_empty() && !leads_somewhere(schema, field) {
            errors.invalid(
                &path.child("fieldPath"),
                field,
                "fieldPath must be a valid path: does not refer to a valid field",
            );
        }
        let about_change = Expression::compile(expression, &VARIABLES).is_ok_and(|rule| rule.uses("oldSelf"));
        if rule.get("optionalOldSelf").is_some_and(Value::is_boolean) && !about_change {
            let why = "may not be set if oldSelf is not used in rule";
            errors.invalid(&path.child("optionalOldSelf"), &rule["optionalOldSelf"], why);
        }
    }
}

/// Whether a rule's `fieldPath` (`.a.b`, `.a['b']`) names a field of the schema.
fn leads_somewhere(schema: &Value, field: &str) -> bool {
    let mut place = schema;
    for name in field.split(['.', '[', ']']).filter(|name| !name.is_empty()) {
        let name = name.trim_matches(['\'', '"']);
        place = match (place["properties"].get(name), place.get("additionalProperties")) {
            (Some(found), _) => found,
            (None, Some(values)) if values.is_object() => values,
            _ => return false,
        };
    }
    true
}

fn invariants(schema: &Value, level: Level, path: &Path, errors: &mut Errors) {
    let type_ = text(schema, "type");
    if type_ == "array" && !schema["items"].is_object() {
        errors.required(&path.child("items"), "must be specified");
    }
    if schema["items"].is_object() {
        invariants(&schema["items"], Level::Item, &path.child("items"), errors);
    }
    for (name, property) in properties(schema) {
        invariants(property, Level::Field, &path.child("properties").key(name), errors);
    }
    let additional = &schema["additionalProperties"];
    if !additional.is_null() && level == Level::Root {
        errors.forbidden(&path.child("additionalProperties"), "must not be used at the root");
    }
    if additional.is_object() {
        invariants(additional, Level::Field, &path.child("additionalProperties"), errors);
    }
    let (embedded, open, either) =
        (is_true(schema, EMBEDDED), is_true(schema, PRESERVE), is_true(schema, INT_OR_STRING));
    for (key, set) in [(PRESERVE, open), (EMBEDDED, embedded)] {
        if either && set {
            errors.invalid(&path.child(key), true, "must be false if x-kubernetes-int-or-string is true");
        }
    }
    nested_of(schema, path, errors);
    if embedded && type_ != "object" {
        let why = "must be object if x-kubernetes-embedded-resource is true";
        match type_ {
            "" => errors.required(&path.child("type"), why),
            other => errors.invalid(&path.child("type"), other, why),
        }
    } else if type_.is_empty() && !either && !open {
        let place = match level {
            Level::Root => "at the root",
            Level::Item => "for specified array items",
            Level::Field => "for specified object fields",
        };
        errors.required(&path.child("type"), &format!("must not be empty {place}"));
    }
    if level == Level::Root && !type_.is_empty() && type_ != "object" {
        errors.invalid(&path.child("type"), type_, "must be object at the root");
    }
    if embedded && !additional.is_null() {
        let why = "must not be used if x-kubernetes-embedded-resource is set";
        errors.forbidden(&path.child("additionalProperties"), why);
    }
    if embedded && !open && !is_set(schema, "properties") {
        let why =
            "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields";
        errors.required(&path.child("properties"), why);
    }
    if level == Level::Root || embedded {
        own_fields(schema, level, path, errors);
    }
}

/// `apiVersion`, `kind` and `metadata` of an object.
fn own_fields(schema: &Value, level: Level, path: &Path, errors: &mut Errors) {
    for name in ["apiVersion", "kind"] {
        if let Some(field) = schema["properties"].get(name)
            && text(field, "type") != "string"
        {
            let path = path.child("properties").key(name).child("type");
            errors.invalid(&path, text(field, "type"), "must be string");
        }
    }
    let Some(metadata) = schema["properties"].get("metadata") else { return };
    let path = path.child("properties").key("metadata");
    if text(metadata, "type") != "object" {
        errors.invalid(&path.child("type"), text(metadata, "type"), "must be object");
    }
    let known = |key: &String| matches!(key.as_str(), "type" | "properties" | "default" | "description");
    let others = metadata.as_object().is_some_and(|map| map.keys().any(|key| !known(key)));
    let restricted = properties(metadata).any(|(name, _)| !matches!(name.as_str(), "name" | "generateName"));
    if level == Level::Root && (others || restricted || is_set(metadata, "description")) {
        let why = "must not specify anything other than name and generateName, but metadata is implicitly specified";
        errors.forbidden(&path, why);
    }
}

/// The pattern that may stand beside `x-kubernetes-int-or-string`.
fn is_either(schemas: &[Value]) -> bool {
    schemas == [json!({"type": "integer"}), json!({"type": "string"})]
}

fn nested_of(schema: &Value, path: &Path, errors: &mut Errors) {
    let pattern = text(schema, "pattern");
    if let Err(why) = regex::Regex::new(pattern) {
        let why = why.to_string().lines().last().unwrap_or_default().trim().to_owned();
        let text = format!("must be a valid regular expression, but isn't: {why}");
        errors.invalid(&path.child("pattern"), pattern, &text);
    }
    let either = is_true(schema, INT_OR_STRING);
    if !(either && is_either(list(schema, "anyOf"))) {
        for (index, below) in list(schema, "anyOf").iter().enumerate() {
            nested(below, false, &path.child("anyOf").index(index), errors);
        }
    }
    for (index, below) in list(schema, "allOf").iter().enumerate() {
        nested(below, either && index == 0, &path.child("allOf").index(index), errors);
    }
    for (index, below) in list(schema, "oneOf").iter().enumerate() {
        nested(below, false, &path.child("oneOf").index(index), errors);
    }
    if schema["not"].is_object() {
        nested(&schema["not"], false, &path.child("not"), errors);
    }
}

/// A schema below a logical word may say nothing about the structure.
fn nested(schema: &Value, may_be_either: bool, path: &Path, errors: &mut Errors) {
    if !(may_be_either && is_either(list(schema, "anyOf"))) {
        nested_of(schema, path, errors);
    }
    if schema["items"].is_object() {
        nested(&schema["items"], false, &path.child("items"), errors);
    }
    for (name, property) in properties(schema) {
        nested(property, false, &path.child("properties").key(name), errors);
    }
    let forbidden = [
        ("type", "must be empty to be structural"),
        ("additionalProperties", "must be undefined to be structural"),
        ("default", "must be undefined to be structural"),
        ("title", "must be empty to be structural"),
        ("description", "must be empty to be structural"),
        ("nullable", "must be false to be structural"),
        ("externalDocs", "must be undefined to be structural"),
        (PRESERVE, "must be false to be structural"),
        (EMBEDDED, "must be false to be structural"),
        (INT_OR_STRING, "must be false to be structural"),
        (LIST_KEYS, "must be empty to be structural"),
        (LIST_TYPE, "must be undefined to be structural"),
        (MAP_TYPE, "must be undefined to be structural"),
        (RULES, "must be empty to be structural"),
    ];
    for (key, why) in forbidden {
        if is_set(schema, key) || (key == "default" && !schema[key].is_null()) {
            errors.forbidden(&path.child(key), why);
        }
    }
    if schema["properties"].get("metadata").is_some() {
        let why = "must not be specified in a nested context";
        errors.forbidden(&path.child("properties").key("metadata"), why);
    }
}

/// What is spoken of below a logical word is there outside of it too.
fn complete(schema: &Value, structure: &Value, path: &Path, errors: &mut Errors) {
    for key in ["allOf", "anyOf", "oneOf"] {
        for (index, below) in list(schema, key).iter().enumerate() {
            covered(below, structure, &path.child(key).index(index), path, errors);
        }
    }
    if schema["not"].is_object() {
        covered(&schema["not"], structure, &path.child("not"), path, errors);
    }
    for (name, property) in properties(schema) {
        complete(property, property, &path.child("properties").key(name), errors);
    }
    for key in ["items", "additionalProperties"] {
        if schema[key].is_object() {
            complete(&schema[key], &schema[key], &path.child(key), errors);
        }
    }
}

fn covered(schema: &Value, structure: &Value, path: &Path, outside: &Path, errors: &mut Errors) {
    let why = |path: &Path| format!("because it is defined in {path}");
    if schema["items"].is_object() {
        match structure["items"].is_object() {
            true => {
                covered(&schema["items"], &structure["items"], &path.child("items"), &outside.child("items"), errors)
            }
            false => errors.required(&outside.child("items"), &why(&path.child("items"))),
        }
    }
    for (name, property) in properties(schema) {
        let (path, outside) = (path.child("properties").key(name), outside.child("properties").key(name));
        match structure["properties"].get(name) {
            Some(known) => covered(property, known, &path, &outside, errors),
            None => errors.required(&outside, &why(&path)),
        }
    }
    for key in ["allOf", "anyOf", "oneOf"] {
        for (index, below) in list(schema, key).iter().enumerate() {
            covered(below, structure, &path.child(key).index(index), outside, errors);
        }
    }
    if schema["not"].is_object() {
        covered(&schema["not"], structure, &path.child("not"), outside, errors);
    }
}

/// Defaults fit the schema that they are defaults of.
fn defaults(shape: &Shape, path: &Path, errors: &mut Errors) {
    for (name, property) in &shape.properties {
        default(property, &path.child("properties").key(name), errors);
    }
    if let Some(items) = &shape.items {
        default(items, &path.child("items"), errors);
    }
    if let Some(super::shape::Additional::Of(values)) = &shape.additional {
        default(values, &path.child("additionalProperties"), errors);
    }
}

fn default(shape: &Shape, path: &Path, errors: &mut Errors) {
    if let Some(value) = &shape.default {
        let path = path.child("default");
        let (mut pruned, mut unknown) = (value.clone(), Vec::new());
        prune::prune(shape, &mut pruned, false, &Place::Root, &mut unknown);
        if pruned != *value {
            errors.invalid(&path, value, "must not have unknown fields");
        }
        validate::check(shape, value, None, &path.to_string(), errors);
    }
    defaults(shape, path, errors);
}
