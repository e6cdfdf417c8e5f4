//! Server-side apply and `managedFields`: who owns which fields of an object.
//!
//! Every write leaves its mark: [`update`] for all but applies, [`Config::apply`] for those. Both
//! go by the kind's schema alone, so that custom resources are no different.
//!
//! What somebody owns in another version than that of the write is compared in that version, as far
//! as objects can be converted ([`in_version`]).
//!
//! Source: <https://kubernetes.io/docs/reference/using-api/server-side-apply/> and KEP-555

mod compare;
mod config;
mod configure;
mod conflict;
mod entry;
mod faults;
mod form;
mod manager;
mod merge;
mod prune;
mod realm;
mod set;
#[cfg(test)]
mod tests;
mod versions;

pub use config::Config;
pub use configure::configure;
pub use entry::{Entry, Operation, Writer, same_but_times};
pub use manager::{check_manager, manager_of_agent};
pub use realm::Realm;
pub use set::{FieldSet, fuzz};
pub use versions::{InVersion, in_version};

use crate::schema::Schema;
use serde_json::Value;
use versions::Comparison;

/// Takes `metadata.managedFields` out of an object.
pub fn take(object: &mut Value) -> Option<Value> {
    object.get_mut("metadata")?.as_object_mut()?.remove("managedFields")
}

/// Sets the `managedFields` of an object that a client wrote by anything but an apply.
///
/// `claimed` is what the client sent as `managedFields`: an empty list, or one with an empty entry,
/// ends the tracking; anything that is not right is ignored. A subresource cannot claim. `old` is the
/// object before, with its `managedFields`; none at creation.
pub fn track(
    schema: &Schema,
    realm: Realm,
    writer: &Writer<'_>,
    versions: &InVersion<'_>,
    old: Option<&Value>,
    new: &mut Value,
    claimed: Option<Value>,
) {
    let known = old.map_or(&Value::Null, |old| &old["metadata"]["managedFields"]);
    let claimed = claimed.filter(|_| writer.subresource.is_empty());
    let mut entries = match claimed {
        Some(claimed) if claimed == *known => entry::read_own(claimed),
        Some(claimed) if is_reset(&claimed) => Vec::new(),
        Some(claimed) => match entry::read(claimed) {
            Some(entries) if !entries.is_empty() => entries,
            _ => entry::read_own(known.clone()),
        },
        None => entry::read_own(known.clone()),
    };
    take(new);
    update(schema, realm, writer, versions, old, new, &mut entries);
    entry::cap(&mut entries);
    if !entries.is_empty() && new["metadata"].is_object() {
        new["metadata"]["managedFields"] = entry::write(entries);
    }
}

/// Whether a client asks to forget who owns what.
fn is_reset(claimed: &Value) -> bool {
    match claimed.as_array().map(Vec::as_slice) {
        Some([]) => true,
        Some([only]) => only.as_object().is_some_and(serde_json::Map::is_empty),
        _ => false,
    }
}

/// Gives the writer what differs between two objects, and takes it from all others.
///
/// An object whose fields are not tracked stays so, until something is applied to it.
fn update(
    schema: &Schema,
    realm: Realm,
    writer: &Writer<'_>,
    versions: &InVersion<'_>,
    old: Option<&Value>,
    new: &Value,
    entries: &mut Vec<Entry>,
) {
    if entries.is_empty() && old.is_some() {
        return;
    }
    let mut comparison = Comparison::new(schema, realm, writer.api_version, versions, old, new);
    if comparison.is_empty() {
        return;
    }
    entries.retain_mut(|entry| {
        // What is of a version that is gone is nobody's any more.
        let Some((touched, removed)) = comparison.of(&entry.api_version) else { return false };
        entry.fields.subtract(removed);
        if !writer.owns(Operation::Update, entry) {
            entry.fields.subtract(touched);
        }
        true
    });
    let (touched, _) = comparison.own;
    if !touched.is_empty() {
        match entries.iter_mut().find(|entry| writer.owns(Operation::Update, entry)) {
            Some(own) => {
                own.fields.union(touched);
                writer.now.clone_into(&mut own.time);
            }
            None => entries.push(writer.entry(Operation::Update, touched)),
        }
    }
    entries.retain(|entry| !entry.fields.is_empty());
}
