//! RuntimeClass.

use super::{AGE, NAME, cluster, columns};
use crate::kind::Kind;

/// The row of RuntimeClass.
pub fn kind() -> Kind {
    Kind {
        columns: columns(&[NAME, ("Handler", "string", 0, "The name by which a node knows it."), AGE]),
        ..cluster("node.k8s.io", "RuntimeClass", "runtimeclasses")
    }
}
