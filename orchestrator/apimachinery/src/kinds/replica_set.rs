//! ReplicaSet.

use super::{AGE, NAME, columns, namespaced, scale, status, texts};
use crate::kind::Kind;

/// The row of ReplicaSet.
pub fn kind() -> Kind {
    Kind {
        short_names: texts(&["rs"]),
        categories: texts(&["all"]),
        subresources: vec![scale(), status()],
        selectable_fields: texts(&["status.replicas"]),
        columns: columns(&[
            NAME,
            ("Desired", "integer", 0, "Pods that are wanted."),
            ("Current", "integer", 0, "Pods that exist."),
            ("Ready", "integer", 0, "Pods that are ready."),
            AGE,
            ("Containers", "string", 1, "Names of the template's containers."),
            ("Images", "string", 1, "Images of the template's containers."),
            ("Selector", "string", 1, "The labels of its Pods."),
        ]),
        ..namespaced("apps", "ReplicaSet", "replicasets")
    }
}
