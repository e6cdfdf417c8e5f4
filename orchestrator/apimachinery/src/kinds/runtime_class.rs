//! RuntimeClass.

use super::fields::{object_mut, text};
use super::metadata::immutable;
use super::{AGE, NAME, cells, cluster, columns, metadata, names, pod_spec};
use crate::field::{Errors, Path};
use crate::kind::{Kind, Strategy};
use serde_json::Value;

/// The row of RuntimeClass.
pub fn kind() -> Kind {
    Kind {
        columns: columns(&[NAME, ("Handler", "string", 0, "The name by which a node knows it."), AGE]),
        strategy: strategy(),
        ..cluster("node.k8s.io", "RuntimeClass", "runtimeclasses")
    }
}

fn strategy() -> Strategy {
    Strategy { default, validate, validate_update, warnings, cells: row, ..Strategy::default() }
}

fn default(object: &mut Value) {
    if let Some(overhead) = object_mut(object, "overhead") {
        pod_spec::resources::canonicalize(overhead, "podFixed");
    }
}

fn validate(object: &Value, errors: &mut Errors) {
    for wrong in names::dns_label(text(object, "handler")) {
        errors.invalid(&Path::new("handler"), text(object, "handler"), &wrong);
    }
    let path = Path::new("overhead").child("podFixed");
    pod_spec::resources::validate_list(&object["overhead"]["podFixed"], &path, errors);
    let (scheduling, path) = (&object["scheduling"], Path::new("scheduling"));
    metadata::label_map(&scheduling["nodeSelector"], &path.child("nodeSelector"), errors);
    pod_spec::validate_tolerations(scheduling, &path.child("tolerations"), errors);
}

fn validate_update(object: &Value, old: &Value, errors: &mut Errors) {
    immutable(&object["handler"], &old["handler"], &Path::new("handler"), errors);
}

fn warnings(object: &Value) -> Vec<String> {
    let labels = super::fields::entries(&object["scheduling"], "nodeSelector");
    let said = labels.filter_map(|(label, _)| pod_spec::node_label_warning(label));
    said.map(|said| format!("scheduling.nodeSelector: {said}")).collect()
}

fn row(object: &Value, now: i64) -> Vec<Value> {
    vec![cells::name(object), text(object, "handler").into(), cells::age(object, now)]
}

#[cfg(test)]
mod tests;
