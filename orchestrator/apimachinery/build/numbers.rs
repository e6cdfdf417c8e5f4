//! `numbers.txt`: the field numbers that k8s-pb lacks.

use crate::protobuf::Tags;
use serde_json::{Map, Value};

/// Adds the numbers of a text to those found. A line for a field that is no more, or whose number
/// k8s-pb has by now, is a mistake in the text.
pub fn add(text: &'static str, definitions: &Map<String, Value>, tags: &mut Tags) {
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let words: Vec<&str> = line.split(' ').collect();
        let [owner, field, number] = words[..] else { panic!("numbers.txt: {line:?} is not TYPE FIELD NUMBER") };
        let number = number.parse().unwrap_or_else(|_| panic!("numbers.txt: no number in {line:?}"));
        let known = definitions.get(owner).is_some_and(|schema| schema["properties"].get(field).is_some());
        assert!(known, "numbers.txt speaks of {owner} {field}, which k8s-openapi does not have");
        let found = tags.entry(owner.to_owned()).or_default();
        assert!(!found.values().any(|tag| tag == &[number]), "numbers.txt: {number} of {owner} is taken");
        assert!(found.insert(field.to_owned(), vec![number]).is_none(), "numbers.txt: k8s-pb has {owner} {field}");
    }
}
