//! PriorityClass.

use super::{AGE, NAME, cluster, columns, texts};
use crate::kind::Kind;

/// The row of PriorityClass.
pub fn kind() -> Kind {
    Kind {
        short_names: texts(&["pc"]),
        columns: columns(&[
            NAME,
            ("Value", "integer", 0, "The priority that its Pods get."),
            ("Global-Default", "boolean", 0, "Whether Pods without a class get it."),
            AGE,
            ("PreemptionPolicy", "string", 0, "Whether its Pods may push others out."),
        ]),
        ..cluster("scheduling.k8s.io", "PriorityClass", "priorityclasses")
    }
}
