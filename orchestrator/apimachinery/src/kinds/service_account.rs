//! ServiceAccount.

use super::{AGE, NAME, columns, namespaced, subresource_of, texts};
use crate::kind::{Kind, Verb};

/// The row of ServiceAccount.
pub fn kind() -> Kind {
    Kind {
        short_names: texts(&["sa"]),
        subresources: vec![subresource_of("token", ("authentication.k8s.io", "v1", "TokenRequest"), &[Verb::Create])],
        columns: columns(&[NAME, ("Secrets", "string", 0, "How many Secrets its Pods may mount."), AGE]),
        ..namespaced("", "ServiceAccount", "serviceaccounts")
    }
}
