//! The table as Rust source.

use crate::facts::{Fact, Facts};
use crate::protobuf::{Tags, reference};
use crate::resources::Collected;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::hash::{DefaultHasher, Hash, Hasher};

/// `types.rs`: `TYPES`, sorted by name, and `KINDS`, sorted by apiVersion and kind.
pub fn types(collected: &Collected, tags: &Tags, facts: &Facts) -> String {
    let mut emitter = Emitter { definitions: &collected.definitions, nodes: BTreeMap::new() };
    let mut text = String::new();
    let objects: Vec<&String> = collected
        .definitions
        .iter()
        .filter(|(_, schema)| schema["properties"].is_object())
        .map(|(name, _)| name)
        .collect();
    let mut missing = Vec::new();
    for name in &objects {
        emitter.object(name, tags.get(*name), facts, &mut text, &mut missing);
    }
    assert!(missing.is_empty(), "no protobuf number, neither in k8s-pb nor in numbers.txt: {}", missing.join(", "));
    check_facts(&collected.definitions, facts);
    let entries: Vec<String> = objects.iter().map(|name| format!("&{}", identifier(name))).collect();
    let _ = writeln!(text, "pub(super) static TYPES: [&Type; {}] = [{}];", entries.len(), entries.join(", "));
    let mut kinds: Vec<_> = collected.kinds.iter().map(|one| (one.api_version, one.kind, &one.schema)).collect();
    kinds.sort();
    let count = kinds.len();
    let rows: Vec<String> =
        kinds.iter().map(|(version, kind, name)| format!("({version:?}, {kind:?}, &{})", identifier(name))).collect();
    let _ = writeln!(text, "pub(super) static KINDS: [(&str, &str, &Type); {count}] = [{}];", rows.join(", "));
    for (expression, name) in &emitter.nodes {
        let _ = writeln!(text, "static {name}: Node = {expression};");
    }
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    let _ = writeln!(text, "pub(super) static DIGEST: &str = \"{:016x}\";", hasher.finish());
    text
}

/// A fact about a field that is no more is a mistake in the facts.
fn check_facts(definitions: &Map<String, Value>, facts: &Facts) {
    for (owner, field) in facts.keys() {
        let known = match definitions.get(*owner) {
            Some(schema) => *field == "*" || schema["properties"].get(*field).is_some(),
            None => false,
        };
        assert!(known, "facts.txt speaks of {owner} {field}, which k8s-openapi does not have");
    }
}

struct Emitter<'a> {
    definitions: &'a Map<String, Value>,
    /// Expression to static.
    nodes: BTreeMap<String, String>,
}

impl Emitter<'_> {
    fn object(
        &mut self,
        name: &str,
        tags: Option<&BTreeMap<String, Vec<u32>>>,
        facts: &Facts,
        text: &mut String,
        missing: &mut Vec<String>,
    ) {
        let schema = &self.definitions[name];
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let none = Fact::default();
        let mut fields = String::new();
        let properties = schema["properties"].as_object().expect("only object types are emitted");
        let mut sorted: Vec<_> = properties.iter().collect();
        sorted.sort_by_key(|(name, _)| *name);
        for (field, property) in sorted {
            let fact = facts.get(&(name, field.as_str())).unwrap_or(&none);
            let tag = tags.and_then(|tags| tags.get(field));
            if tag.is_none() && field != "apiVersion" && field != "kind" {
                missing.push(format!("{name}.{field}"));
            }
            let node = self.node(property);
            let _ = writeln!(
                fields,
                "Field {{ name: Cow::Borrowed({field:?}), description: Cow::Borrowed({:?}), node: {node}, required: {}, \
                 tags: Cow::Borrowed(&{:?}), list: {}, patch: {}, map: {}, zero: {}, default: Cow::Borrowed(\"\") }},",
                property["description"].as_str().unwrap_or_default(),
                required.contains(&field.as_str()),
                tag.map(Vec::as_slice).unwrap_or_default(),
                list(fact.list),
                patch(fact),
                map(fact.map),
                zero(fact.zero, property, required.contains(&field.as_str())),
            );
        }
        let _ = writeln!(
            text,
            "static {}: Type = Type {{ name: Cow::Borrowed({name:?}), description: Cow::Borrowed({:?}), map: {}, fields: Cow::Borrowed(&[{fields}]) }};",
            identifier(name),
            schema["description"].as_str().unwrap_or_default(),
            map(facts.get(&(name, "*")).map_or("", |fact| fact.map)),
        );
    }

    /// The expression of a schema's node.
    fn node(&mut self, schema: &Value) -> String {
        if let Some(name) = reference(schema) {
            return self.named(name);
        }
        if let Some(values) = schema.get("additionalProperties") {
            let values = self.shared(values);
            return format!("Node::Map({values})");
        }
        match (schema["type"].as_str().unwrap_or_default(), schema["format"].as_str().unwrap_or_default()) {
            ("array", _) => {
                let items = self.shared(&schema["items"]);
                format!("Node::List({items})")
            }
            ("string", "byte") => "Node::Bytes".into(),
            ("string", "date-time") => "Node::Time".into(),
            ("string", _) => "Node::Text".into(),
            ("integer", "int64") => "Node::Integer64".into(),
            ("integer", _) => "Node::Integer32".into(),
            ("number", _) => "Node::Number".into(),
            ("boolean", _) => "Node::Boolean".into(),
            _ => "Node::Any".into(),
        }
    }

    fn named(&mut self, name: &str) -> String {
        let schema = &self.definitions[name];
        if schema["properties"].is_object() {
            return format!("Node::Object(Shared::Static(&{}))", identifier(name));
        }
        if let Some(alternatives) = schema["oneOf"].as_array() {
            let alternatives: Vec<String> = alternatives.iter().map(|one| self.shared(one)).collect();
            return format!("Node::Either({})", alternatives.join(", "));
        }
        match name.rsplit('.').next().unwrap_or_default() {
            "Quantity" => "Node::Quantity",
            "IntOrString" => "Node::IntOrString",
            "Time" => "Node::Time",
            "MicroTime" => "Node::MicroTime",
            _ => "Node::Any",
        }
        .into()
    }

    fn shared(&mut self, schema: &Value) -> String {
        let expression = self.node(schema);
        let next = format!("NODE_{}", self.nodes.len());
        let name = self.nodes.entry(expression).or_insert(next);
        format!("Shared::Static(&{name})")
    }
}

fn list(fact: &str) -> String {
    match fact.split_once(':') {
        Some(("map", keys)) => {
            let keys: Vec<String> = keys.split(',').map(|key| format!("Cow::Borrowed({key:?})")).collect();
            format!("ListType::Map(Cow::Borrowed(&[{}]))", keys.join(", "))
        }
        _ if fact == "set" => "ListType::Set".into(),
        _ if fact == "atomic" => "ListType::Atomic".into(),
        _ => "ListType::Unset".into(),
    }
}

fn patch(fact: &Fact) -> String {
    let words: Vec<&str> = fact.patch.split(',').collect();
    format!(
        "Patch {{ merge: {}, replace: {}, retain_keys: {}, key: Cow::Borrowed({:?}) }}",
        words.contains(&"merge"),
        words.contains(&"replace"),
        words.contains(&"retainKeys"),
        fact.key
    )
}

fn map(fact: &str) -> &'static str {
    match fact {
        "atomic" => "MapType::Atomic",
        "granular" => "MapType::Granular",
        _ => "MapType::Unset",
    }
}

/// Whether a protobuf zero is left out of the JSON.
fn zero(fact: &str, schema: &Value, required: bool) -> bool {
    match fact {
        "omitted" => true,
        "kept" => false,
        _ => !required && schema["type"] == "string",
    }
}

fn identifier(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    name.trim_start_matches("io.k8s.").chars().map(plain).collect()
}
