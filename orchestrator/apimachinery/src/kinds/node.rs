//! Node.

use super::{AGE, NAME, cluster, columns, status, texts};
use crate::kind::Kind;

/// The row of Node.
pub fn kind() -> Kind {
    Kind {
        short_names: texts(&["no"]),
        subresources: vec![status()],
        selectable_fields: texts(&["spec.unschedulable"]),
        columns: columns(&[
            NAME,
            ("Status", "string", 0, "Whether Pods can run and be placed on it."),
            ("Roles", "string", 0, "The roles that its labels name."),
            AGE,
            ("Version", "string", 0, "Version of its kubelet."),
            ("Internal-IP", "string", 1, "Its address in the cluster."),
            ("External-IP", "string", 1, "Its address outside the cluster."),
            ("OS-Image", "string", 1, "Its operating system."),
            ("Kernel-Version", "string", 1, "Its kernel."),
            ("Container-Runtime", "string", 1, "What runs its containers."),
        ]),
        ..cluster("", "Node", "nodes")
    }
}
