//! Lease.

use super::{AGE, NAME, columns, namespaced};
use crate::kind::Kind;

/// The row of Lease.
pub fn kind() -> Kind {
    Kind {
        columns: columns(&[NAME, ("Holder", "string", 0, "Who holds it."), AGE]),
        ..namespaced("coordination.k8s.io", "Lease", "leases")
    }
}
