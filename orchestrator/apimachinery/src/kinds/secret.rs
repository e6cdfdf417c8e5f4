//! Secret.

use super::{AGE, NAME, columns, namespaced, texts};
use crate::kind::Kind;

/// The row of Secret.
pub fn kind() -> Kind {
    Kind {
        selectable_fields: texts(&["type"]),
        columns: columns(&[
            NAME,
            ("Type", "string", 0, "What its data is used for."),
            ("Data", "string", 0, "How many entries it holds."),
            AGE,
        ]),
        ..namespaced("", "Secret", "secrets")
    }
}
