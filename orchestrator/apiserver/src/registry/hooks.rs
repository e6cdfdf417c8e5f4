//! What is special to the storage of single kinds; all of it is found here.

use super::{Registry, namespace, service};
use crate::crd;
use orchestrator_apimachinery::{ApiError, Kind};
use orchestrator_store::{Compare, Op};
use serde_json::Value;

/// Writes of other objects that happen with that of an object or not at all.
#[derive(Debug, Default)]
pub(crate) struct Beside {
    /// What must hold.
    pub compare: Vec<Compare>,
    /// What is done.
    pub ops: Vec<Op>,
}

/// Tells what is written with an object.
pub(crate) type Besides = fn(&Registry, Option<&Value>, Option<&Value>) -> Result<Beside, ApiError>;

/// What a write does beyond the generic rules.
pub(crate) struct Hook {
    /// Whether writes take something from a shared range, and so go one after the other.
    pub allocates: bool,
    /// Completes an object (the old one given on updates) before it is checked.
    pub complete: fn(&Registry, &mut Value, Option<&Value>) -> Result<(), ApiError>,
    /// What else is written with it. Arguments: the new object (none when it goes), the old one
    /// (none when it comes).
    pub beside: Besides,
    /// Changes an object that begins to be deleted.
    pub deleting: fn(&mut Value),
    /// Whether something beside metadata.finalizers keeps a deleted object.
    pub held: fn(&Value) -> bool,
    /// Names that may not be deleted.
    pub name_is_protected: fn(&str) -> bool,
    /// Whether the answer of a delete is the object that is gone, and not a Status.
    pub answers_with_deleted: bool,
}

const NONE: Hook = Hook {
    allocates: false,
    complete: |_, _, _| Ok(()),
    beside: |_, _, _| Ok(Beside::default()),
    deleting: |_| {},
    held: |_| false,
    name_is_protected: |_| false,
    answers_with_deleted: false,
};

const NAMESPACES: Hook =
    Hook { deleting: namespace::deleting, held: namespace::held, name_is_protected: namespace::is_protected, ..NONE };

const SERVICES: Hook =
    Hook { allocates: true, complete: service::complete, beside: service::beside, answers_with_deleted: true, ..NONE };

const ANSWERING: Hook = Hook { answers_with_deleted: true, ..NONE };

const DEFINITIONS: Hook = Hook { allocates: true, complete: crd::complete, deleting: crd::deleting, ..NONE };

/// The table: resource to hook.
pub(crate) fn of(kind: &Kind) -> &'static Hook {
    match (&*kind.group, &*kind.plural) {
        ("", "namespaces") => &NAMESPACES,
        ("", "services") => &SERVICES,
        (
            "",
            "persistentvolumeclaims"
            | "persistentvolumes"
            | "pods"
            | "podtemplates"
            | "resourcequotas"
            | "serviceaccounts",
        ) => &ANSWERING,
        (crd::GROUP, crd::PLURAL) => &DEFINITIONS,
        _ => &NONE,
    }
}
