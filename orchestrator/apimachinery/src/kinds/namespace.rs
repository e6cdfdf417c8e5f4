//! Namespace.

use super::{AGE, ALL_VERBS, NAME, cluster, columns, status, subresource, texts};
use crate::kind::{Kind, Verb};

/// The row of Namespace.
pub fn kind() -> Kind {
    Kind {
        short_names: texts(&["ns"]),
        verbs: ALL_VERBS.into_iter().filter(|verb| *verb != Verb::DeleteCollection).collect(),
        subresources: vec![subresource("finalize", &[Verb::Update]), status()],
        selectable_fields: texts(&["status.phase"]),
        columns: columns(&[NAME, ("Status", "string", 0, "Active or Terminating."), AGE]),
        ..cluster("", "Namespace", "namespaces")
    }
}
