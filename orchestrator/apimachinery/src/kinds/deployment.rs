//! Deployment.

use super::{AGE, NAME, columns, namespaced, scale, status, texts};
use crate::kind::Kind;

/// The row of Deployment.
pub fn kind() -> Kind {
    Kind {
        short_names: texts(&["deploy"]),
        categories: texts(&["all"]),
        subresources: vec![scale(), status()],
        columns: columns(&[
            NAME,
            ("Ready", "string", 0, "Ready Pods, of those wanted."),
            ("Up-to-date", "string", 0, "Pods of the latest template."),
            ("Available", "string", 0, "Pods that have been ready for long enough."),
            AGE,
            ("Containers", "string", 1, "Names of the template's containers."),
            ("Images", "string", 1, "Images of the template's containers."),
            ("Selector", "string", 1, "The labels of its Pods."),
        ]),
        ..namespaced("apps", "Deployment", "deployments")
    }
}
