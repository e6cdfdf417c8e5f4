//! Field numbers, found by asking k8s-pb's decoders.
//!
//! A field that is given with a wire type which it cannot have makes prost name it in its error
//! (`Pod.spec: invalid wire type …`). So each number from 1 to 64 of each message is tried once,
//! and the names that come back are matched with those of the JSON schema. A name that the schema
//! does not have is a Go struct that JSON writes inline (`Probe.handler`): its fields get a path of
//! two or more numbers.

use prost::Message;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Decodes bytes and returns the text of the error, if there is one.
pub type Probe = fn(&[u8]) -> Option<String>;

/// Field numbers by type and JSON field name.
pub type Tags = BTreeMap<String, BTreeMap<String, Vec<u32>>>;

const NUMBER_MAX: u32 = 64;
const INLINE_DEPTH_MAX: usize = 2;
const DEPTH_MAX: usize = 40;
/// A length-delimited field.
const DELIMITED: u32 = 2;
/// A 32-bit field; no field of the API has this wire type.
const FIXED_32: u32 = 5;

pub fn attempt<T: Message + Default>(bytes: &[u8]) -> Option<String> {
    T::decode(bytes).err().map(|error| error.to_string())
}

pub fn probe(definitions: &Map<String, Value>) -> Tags {
    let mut walk = Walk { definitions, tags: Tags::new(), seen: BTreeSet::new() };
    for (name, probe) in crate::resources::probes() {
        walk.message(&name, &mut Vec::new(), probe);
    }
    walk.tags
}

struct Walk<'a> {
    definitions: &'a Map<String, Value>,
    tags: Tags,
    seen: BTreeSet<String>,
}

impl Walk<'_> {
    /// `path` leads from the probe's root to this message.
    fn message(&mut self, name: &str, path: &mut Vec<u32>, probe: Probe) {
        let definitions = self.definitions;
        let Some(properties) = definitions.get(name).and_then(|schema| schema["properties"].as_object()) else {
            return;
        };
        if !self.seen.insert(name.to_owned()) {
            return;
        }
        let mut found = BTreeMap::new();
        self.fields(properties, path, &mut Vec::new(), probe, &mut found);
        self.tags.insert(name.to_owned(), found);
    }

    fn fields(
        &mut self,
        properties: &Map<String, Value>,
        path: &mut Vec<u32>,
        inline: &mut Vec<u32>,
        probe: Probe,
        found: &mut BTreeMap<String, Vec<u32>>,
    ) {
        if path.len() > DEPTH_MAX {
            return;
        }
        let numbers = numbers(path, probe);
        let known: BTreeSet<String> = properties.keys().map(|name| plain(name)).collect();
        for (name, number) in &numbers {
            if !known.contains(name) && inline.len() < INLINE_DEPTH_MAX {
                path.push(*number);
                inline.push(*number);
                self.fields(properties, path, inline, probe, found);
                inline.pop();
                path.pop();
            }
        }
        for (name, schema) in properties {
            let Some(number) = numbers.get(&plain(name)).filter(|_| !found.contains_key(name)) else { continue };
            let mut tag = inline.clone();
            tag.push(*number);
            found.insert(name.clone(), tag);
            let depth = path.len();
            path.push(*number);
            let below = if let Some(values) = schema.get("additionalProperties") {
                path.push(2);
                reference(values)
            } else {
                reference(schema.get("items").unwrap_or(schema))
            };
            if let Some(below) = below {
                self.message(below, path, probe);
            }
            path.truncate(depth);
        }
    }
}

/// The numbers of the message at `path`, by plain name.
fn numbers(path: &[u32], probe: Probe) -> BTreeMap<String, u32> {
    let mut numbers = BTreeMap::new();
    for number in 1..=NUMBER_MAX {
        let mut bytes = Vec::new();
        varint((number << 3) | FIXED_32, &mut bytes);
        bytes.extend([0; 4]);
        let Some(error) = probe(&wrap(path, bytes)) else { continue };
        let places = error.split("invalid wire type").next().unwrap_or_default();
        let innermost = places.split(": ").find(|place| place.contains('.'));
        if let Some((_, field)) = innermost.and_then(|place| place.split_once('.')) {
            numbers.insert(plain(field.trim_end_matches(": ").trim_end_matches(':')), number);
        }
    }
    numbers
}

fn wrap(path: &[u32], leaf: Vec<u8>) -> Vec<u8> {
    path.iter().rev().fold(leaf, |inner, number| {
        let mut bytes = Vec::new();
        varint((number << 3) | DELIMITED, &mut bytes);
        varint(u32::try_from(inner.len()).expect("a probe is short"), &mut bytes);
        bytes.extend(inner);
        bytes
    })
}

fn varint(mut number: u32, bytes: &mut Vec<u8>) {
    while number > 127 {
        bytes.push(u8::try_from(number & 127).expect("seven bits") | 128);
        number >>= 7;
    }
    bytes.push(u8::try_from(number).expect("seven bits"));
}

/// JSON's `hostIPs` and Rust's `host_i_ps` are the same.
fn plain(name: &str) -> String {
    let name = name.trim_start_matches("r#");
    name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase()
}

/// The name of the type that a schema refers to.
pub fn reference(schema: &Value) -> Option<&str> {
    if let Some(first) = schema["allOf"].get(0) {
        return reference(first);
    }
    schema["$ref"].as_str()?.rsplit('/').next()
}
