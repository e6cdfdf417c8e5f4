//! ServiceAccount.

use super::fields::list;
use super::{AGE, NAME, cells, columns, namespaced, subresource_of, texts};
use crate::kind::{Kind, Strategy, Verb};
use serde_json::Value;

/// The row of ServiceAccount.
pub fn kind() -> Kind {
    Kind {
        short_names: texts(&["sa"]),
        subresources: vec![subresource_of("token", ("authentication.k8s.io", "v1", "TokenRequest"), &[Verb::Create])],
        columns: columns(&[NAME, ("Secrets", "string", 0, "How many Secrets its Pods may mount."), AGE]),
        strategy: strategy(),
        ..namespaced("", "ServiceAccount", "serviceaccounts")
    }
}

fn strategy() -> Strategy {
    Strategy { cells: row, ..Strategy::default() }
}

fn row(object: &Value, now: i64) -> Vec<Value> {
    vec![cells::name(object), list(object, "secrets").len().into(), cells::age(object, now)]
}

#[cfg(test)]
mod tests;
