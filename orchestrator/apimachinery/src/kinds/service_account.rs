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
    Strategy {
        warnings: |object| warnings(object, &Value::Null),
        update_warnings: Some(warnings),
        cells: row,
        ..Strategy::default()
    }
}

/// Says that Pods may mount no Secrets but those of the account, which nothing enforces well.
const ENFORCE: &str = "kubernetes.io/enforce-mountable-secrets";

/// Warns of the annotation where it is new. Arguments: new, old.
fn warnings(object: &Value, old: &Value) -> Vec<String> {
    let has = |object: &Value| !object["metadata"]["annotations"][ENFORCE].is_null();
    let why = "deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets";
    let text = (has(object) && !has(old)).then(|| format!("metadata.annotations[{ENFORCE}]: {why}"));
    text.into_iter().collect()
}

fn row(object: &Value, now: i64) -> Vec<Value> {
    vec![cells::name(object), list(object, "secrets").len().into(), cells::age(object, now)]
}

#[cfg(test)]
mod tests;
