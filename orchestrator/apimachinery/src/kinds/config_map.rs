//! ConfigMap.

use super::{AGE, NAME, columns, namespaced, texts};
use crate::kind::Kind;

/// The row of ConfigMap.
pub fn kind() -> Kind {
    Kind {
        short_names: texts(&["cm"]),
        columns: columns(&[NAME, ("Data", "string", 0, "How many entries it holds."), AGE]),
        ..namespaced("", "ConfigMap", "configmaps")
    }
}
