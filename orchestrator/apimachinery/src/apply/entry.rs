//! `metadata.managedFields`: who owns which fields.
//!
//! Source: <https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/object-meta/>

use super::set::FieldSet;
use crate::limits::UPDATE_MANAGERS_MAX;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

const FIELDS_TYPE: &str = "FieldsV1";
/// The manager that old Update entries are merged into.
const ANCIENT: &str = "ancient-changes";

/// How a manager came to own its fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// By server-side apply.
    Apply,
    /// By any other write.
    Update,
}

impl Operation {
    fn as_str(self) -> &'static str {
        match self {
            Operation::Apply => "Apply",
            Operation::Update => "Update",
        }
    }
}

/// One entry of `metadata.managedFields`.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The manager's name.
    pub manager: String,
    /// How it wrote.
    pub operation: Operation,
    /// The version that the fields are of.
    pub api_version: String,
    /// The subresource that was written, "" for the object itself.
    pub subresource: String,
    /// When, as RFC 3339 in seconds; may be empty.
    pub time: String,
    /// What it owns.
    pub fields: FieldSet,
}

/// Who writes, and when.
#[derive(Clone, Copy, Debug)]
pub struct Writer<'a> {
    /// The manager's name.
    pub manager: &'a str,
    /// The version of the object as it is written.
    pub api_version: &'a str,
    /// The subresource, "" for the object itself.
    pub subresource: &'a str,
    /// The time as RFC 3339 in seconds.
    pub now: &'a str,
}

impl Writer<'_> {
    /// Whether an entry is the writer's own. Appliers are the same in every version.
    pub(super) fn owns(&self, operation: Operation, entry: &Entry) -> bool {
        let version = operation == Operation::Apply || entry.api_version == self.api_version;
        entry.operation == operation
            && version
            && entry.manager == self.manager
            && entry.subresource == self.subresource
    }

    pub(super) fn entry(&self, operation: Operation, fields: FieldSet) -> Entry {
        Entry {
            manager: self.manager.to_owned(),
            operation,
            api_version: self.api_version.to_owned(),
            subresource: self.subresource.to_owned(),
            time: self.now.to_owned(),
            fields,
        }
    }
}

/// Reads `managedFields`; `None` when an entry is not as it must be.
pub fn read(value: Value) -> Option<Vec<Entry>> {
    let Value::Array(list) = value else { return None };
    let mut entries: Vec<Entry> = Vec::with_capacity(list.len());
    for value in list {
        let mut entry = open(value)?;
        let fields = std::mem::take(&mut entry.fields);
        entry.fields = FieldSet::parse(fields.into_value())?;
        // Of two entries of one manager the last counts.
        entries.retain(|known| identity(known) != identity(&entry));
        entries.push(entry);
    }
    Some(entries)
}

/// Reads `managedFields` that was written here.
pub(super) fn read_own(value: Value) -> Vec<Entry> {
    let Value::Array(list) = value else { return Vec::new() };
    list.into_iter().filter_map(open).collect()
}

fn open(value: Value) -> Option<Entry> {
    let Value::Object(mut map) = value else { return None };
    let mut text = |name: &str| match map.remove(name) {
        Some(Value::String(text)) => Some(text),
        None | Some(Value::Null) => Some(String::new()),
        Some(_) => None,
    };
    let operation = match text("operation")?.as_str() {
        "Apply" => Operation::Apply,
        "Update" => Operation::Update,
        _ => return None,
    };
    let (manager, api_version, time) = (text("manager")?, text("apiVersion")?, text("time")?);
    let subresource = text("subresource")?;
    if api_version.is_empty() || text("fieldsType")? != FIELDS_TYPE {
        return None;
    }
    let fields = match map.remove("fieldsV1") {
        Some(Value::Object(fields)) => FieldSet(fields),
        None | Some(Value::Null) => FieldSet::default(),
        Some(_) => return None,
    };
    Some(Entry { manager, operation, api_version, subresource, time, fields })
}

fn identity(entry: &Entry) -> (&str, Operation, &str, &str) {
    let version = if entry.operation == Operation::Apply { "" } else { &entry.api_version };
    (&entry.manager, entry.operation, version, &entry.subresource)
}

/// The value of `managedFields`, in upstream's order: appliers first, then by age and name.
pub(super) fn write(mut entries: Vec<Entry>) -> Value {
    entries.sort_by(|one, other| {
        let order = |entry: &'_ Entry| (entry.operation, entry.time.clone());
        order(one).cmp(&order(other)).then_with(|| {
            let names =
                |entry: &'_ Entry| (entry.manager.clone(), entry.api_version.clone(), entry.subresource.clone());
            names(one).cmp(&names(other))
        })
    });
    Value::Array(entries.into_iter().map(close).collect())
}

fn close(entry: Entry) -> Value {
    let mut map = Map::new();
    let texts = [
        ("manager", entry.manager),
        ("operation", entry.operation.as_str().to_owned()),
        ("apiVersion", entry.api_version),
        ("time", entry.time),
        ("fieldsType", FIELDS_TYPE.to_owned()),
        ("subresource", entry.subresource),
    ];
    for (name, text) in texts {
        if !text.is_empty() {
            map.insert(name.to_owned(), Value::String(text));
        }
    }
    map.insert("fieldsV1".to_owned(), entry.fields.into_value());
    Value::Object(map)
}

/// Merges the oldest Update entries of a version into one, until there are not too many.
pub(super) fn cap(entries: &mut Vec<Entry>) {
    let updates = entries.iter().filter(|entry| entry.operation == Operation::Update).count();
    if updates <= UPDATE_MANAGERS_MAX {
        return;
    }
    let (mut updates, appliers): (Vec<Entry>, Vec<Entry>) =
        entries.drain(..).partition(|entry| entry.operation == Operation::Update);
    updates.sort_by(|one, other| (&one.time, &one.manager).cmp(&(&other.time, &other.manager)));
    let mut count = updates.len();
    let mut kept: Vec<Entry> = Vec::with_capacity(UPDATE_MANAGERS_MAX);
    // The oldest entry of each version waits for a second one to be merged with.
    let mut oldest: BTreeMap<String, usize> = BTreeMap::new();
    for entry in updates {
        match oldest.get(&entry.api_version) {
            Some(&first) if count > UPDATE_MANAGERS_MAX => {
                let bucket = &mut kept[first];
                (bucket.manager, bucket.subresource) = (ANCIENT.to_owned(), String::new());
                bucket.time = entry.time;
                bucket.fields.union(entry.fields);
                count -= 1;
            }
            Some(_) => kept.push(entry),
            None => {
                oldest.insert(entry.api_version.clone(), kept.len());
                kept.push(entry);
            }
        }
    }
    *entries = appliers;
    entries.extend(kept);
}

/// Whether two values of `managedFields` differ in nothing but times.
pub fn same_but_times(one: &Value, other: &Value) -> bool {
    let (Some(one), Some(other)) = (one.as_array(), other.as_array()) else { return one == other };
    let key = |entry: &&Value| {
        let text = |field: &str| entry[field].as_str().unwrap_or_default().to_owned();
        (text("operation"), text("manager"), text("apiVersion"), text("subresource"))
    };
    let sorted = |list: &[Value]| -> Vec<usize> {
        let mut order: Vec<usize> = (0..list.len()).collect();
        order.sort_by_key(|index| key(&&list[*index]));
        order
    };
    one.len() == other.len()
        && sorted(one).into_iter().zip(sorted(other)).all(|(left, right)| {
            let (left, right) = (&one[left], &other[right]);
            key(&left) == key(&right)
                && left["fieldsType"] == right["fieldsType"]
                && left["fieldsV1"] == right["fieldsV1"]
        })
}
