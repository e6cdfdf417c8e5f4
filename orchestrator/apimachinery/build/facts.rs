//! `facts.txt`, parsed.

use std::collections::BTreeMap;

/// What is known of one field, or of a type (field `*`); texts as in the file, "" when absent.
#[derive(Default)]
pub struct Fact {
    pub patch: &'static str,
    pub key: &'static str,
    pub list: &'static str,
    pub map: &'static str,
    pub zero: &'static str,
}

pub type Facts = BTreeMap<(&'static str, &'static str), Fact>;

pub fn parse(text: &'static str) -> Facts {
    let mut facts = Facts::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.split(' ');
        let (Some(owner), Some(field)) = (words.next(), words.next()) else { continue };
        let fact = facts.entry((owner, field)).or_default();
        for word in words {
            match word.split_once('=') {
                Some(("patch", value)) => fact.patch = value,
                Some(("key", value)) => fact.key = value,
                Some(("list", value)) => fact.list = value,
                Some(("map", value)) => fact.map = value,
                Some(("zero", value)) => fact.zero = value,
                _ => panic!("facts.txt: unknown word {word:?} in {line:?}"),
            }
        }
    }
    facts
}
