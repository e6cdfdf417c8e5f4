//! Job.

use super::{AGE, NAME, columns, namespaced, status, texts};
use crate::kind::Kind;

/// The row of Job.
pub fn kind() -> Kind {
    Kind {
        categories: texts(&["all"]),
        subresources: vec![status()],
        selectable_fields: texts(&["status.successful"]),
        columns: columns(&[
            NAME,
            ("Status", "string", 0, "Running, Complete, Failed, …"),
            ("Completions", "string", 0, "Pods that succeeded, of those wanted."),
            ("Duration", "string", 0, "Time from start to completion."),
            AGE,
            ("Containers", "string", 1, "Names of the template's containers."),
            ("Images", "string", 1, "Images of the template's containers."),
            ("Selector", "string", 1, "The labels of its Pods."),
        ]),
        ..namespaced("batch", "Job", "jobs")
    }
}
