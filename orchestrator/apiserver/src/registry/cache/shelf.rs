//! The caches of one time, by group and plural.

use super::Cache;
use std::collections::HashMap;
use std::sync::Arc;

/// Caches by group (`core` for the core group) and plural; found without copying either, as each
/// request looks up a dozen.
#[derive(Clone, Default)]
pub(super) struct Shelf(HashMap<String, HashMap<String, Arc<Cache>>>);

impl Shelf {
    /// The cache of a resource; `group` may be empty for the core group.
    pub fn get(&self, group: &str, plural: &str) -> Option<&Arc<Cache>> {
        self.0.get(if group.is_empty() { "core" } else { group })?.get(plural)
    }

    pub fn insert(&mut self, (group, plural): (String, String), cache: Arc<Cache>) {
        self.0.entry(group).or_default().insert(plural, cache);
    }

    pub fn iter(&self) -> impl Iterator<Item = ((&str, &str), &Arc<Cache>)> {
        self.0.iter().flat_map(|(group, caches)| {
            caches.iter().map(move |(plural, cache)| ((group.as_str(), plural.as_str()), cache))
        })
    }
}
