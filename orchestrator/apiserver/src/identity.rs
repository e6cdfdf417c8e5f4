//! Who asks.

use std::collections::BTreeMap;

/// An authenticated user (upstream's `user.Info`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// `system:admin`, `system:serviceaccount:ns:name`, `system:node:NAME`, …
    pub name: String,
    /// A uid, may be empty.
    pub uid: String,
    /// Groups, `system:authenticated` among them.
    pub groups: Vec<String>,
    /// Further facts, such as a token's bound Pod.
    pub extra: BTreeMap<String, Vec<String>>,
}

impl Identity {
    /// A user of these groups; `system:authenticated` is added.
    pub fn user(name: &str, groups: &[&str]) -> Self {
        let mut groups: Vec<String> = groups.iter().map(|group| (*group).to_owned()).collect();
        groups.push("system:authenticated".into());
        Identity { name: name.to_owned(), groups, ..Self::default() }
    }

    /// `system:anonymous` of `system:unauthenticated`.
    pub fn anonymous() -> Self {
        let groups = vec!["system:unauthenticated".to_owned()];
        Identity { name: "system:anonymous".into(), groups, ..Self::default() }
    }
}
