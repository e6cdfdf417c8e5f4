//! Service.

use super::{AGE, NAME, columns, namespaced, status, texts};
use crate::kind::Kind;

/// The row of Service.
pub fn kind() -> Kind {
    Kind {
        short_names: texts(&["svc"]),
        categories: texts(&["all"]),
        subresources: vec![status()],
        selectable_fields: texts(&["spec.clusterIP", "spec.type"]),
        columns: columns(&[
            NAME,
            ("Type", "string", 0, "How it is published."),
            ("Cluster-IP", "string", 0, "Its address in the cluster."),
            ("External-IP", "string", 0, "Its addresses outside the cluster."),
            ("Port(s)", "string", 0, "Its ports."),
            AGE,
            ("Selector", "string", 1, "The labels of the Pods behind it."),
        ]),
        ..namespaced("", "Service", "services")
    }
}
