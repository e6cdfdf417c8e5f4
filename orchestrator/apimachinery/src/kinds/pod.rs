//! Pod.

use super::{AGE, NAME, columns, namespaced, status, subresource, subresource_of, texts};
use crate::kind::{Kind, Verb};

/// The row of Pod.
pub fn kind() -> Kind {
    Kind {
        short_names: texts(&["po"]),
        categories: texts(&["all"]),
        subresources: vec![
            subresource_of("binding", ("", "v1", "Binding"), &[Verb::Create]),
            subresource_of("eviction", ("policy", "v1", "Eviction"), &[Verb::Create]),
            subresource("log", &[Verb::Get]),
            subresource_of("portforward", ("", "v1", "PodPortForwardOptions"), &[Verb::Create, Verb::Get]),
            status(),
        ],
        selectable_fields: texts(&[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.nominatedNodeName",
        ]),
        columns: columns(&[
            NAME,
            ("Ready", "string", 0, "Containers that are ready, of all."),
            ("Status", "string", 0, "What its containers are doing, in one word."),
            ("Restarts", "string", 0, "How often its containers were restarted, and when last."),
            AGE,
            ("IP", "string", 1, "Its address."),
            ("Node", "string", 1, "The node it was placed on."),
            ("Nominated Node", "string", 1, "The node where room is being made for it."),
            ("Readiness Gates", "string", 1, "Conditions that its readiness waits for, true ones of all."),
        ]),
        ..namespaced("", "Pod", "pods")
    }
}
