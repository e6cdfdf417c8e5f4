//! Event of the core group.

use super::{NAME, columns, namespaced, texts};
use crate::kind::Kind;

/// The row of Event.
pub fn kind() -> Kind {
    Kind {
        short_names: texts(&["ev"]),
        selectable_fields: texts(&[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ]),
        columns: columns(&[
            ("Last Seen", "string", 0, "Time since it happened last."),
            ("Type", "string", 0, "Normal or Warning."),
            ("Reason", "string", 0, "Why it happened, in one word."),
            ("Object", "string", 0, "The object it is about."),
            ("Subobject", "string", 1, "The part of the object it is about."),
            ("Source", "string", 1, "Who reports it."),
            ("Message", "string", 0, "What happened."),
            ("First Seen", "string", 1, "Time since it happened first."),
            ("Count", "string", 1, "How often it happened."),
            (NAME.0, NAME.1, 1, NAME.3),
        ]),
        ..namespaced("", "Event", "events")
    }
}
