//! Event of events.k8s.io/v1; stored as an Event of the core group.

use super::{columns_of, row};
use crate::field::{Errors, Path};
use crate::kind::{Convert, Kind, Stored, Strategy};
use crate::kinds::fields::{int, remove, text};
use crate::kinds::metadata::immutable;
use crate::kinds::{namespaced, texts};
use serde_json::Value;

/// Fields of this group and what the core group calls them.
const NAMES: [(&str, &str); 7] = [
    ("note", "message"),
    ("regarding", "involvedObject"),
    ("reportingController", "reportingComponent"),
    ("deprecatedSource", "source"),
    ("deprecatedFirstTimestamp", "firstTimestamp"),
    ("deprecatedLastTimestamp", "lastTimestamp"),
    ("deprecatedCount", "count"),
];

/// The row of Event in events.k8s.io.
pub fn kind() -> Kind {
    Kind {
        short_names: texts(&["ev"]),
        selectable_fields: texts(&[
            "regarding.kind",
            "regarding.namespace",
            "regarding.name",
            "regarding.uid",
            "regarding.apiVersion",
            "regarding.resourceVersion",
            "regarding.fieldPath",
            "reason",
            "reportingController",
            "type",
        ]),
        columns: columns_of(),
        strategy: Strategy {
            validate,
            validate_update,
            cells: |object, now| {
                let mut object = object.clone();
                to_core(&mut object);
                row(&object, now)
            },
            field_text,
            ..Strategy::default()
        },
        stored: Some(Stored {
            group: "".into(),
            version: "v1".into(),
            plural: "events".into(),
            convert: Convert::Functions { to_stored: to_core, from_stored: from_core },
        }),
        ..namespaced("events.k8s.io", "Event", "events")
    }
}

fn rename(object: &mut Value, from: &str, to: &str) {
    if let Some(value) = object.get(from).cloned() {
        remove(object, from);
        object[to] = value;
    }
}

/// From events.k8s.io/v1 to the core group.
pub fn to_core(object: &mut Value) {
    for (ours, core) in NAMES {
        rename(object, ours, core);
    }
}

/// From the core group to events.k8s.io/v1.
pub fn from_core(object: &mut Value) {
    for (ours, core) in NAMES {
        rename(object, core, ours);
    }
}

/// Selects in either form, since objects are kept in that of the core group.
fn field_text(object: &Value, path: &str) -> Option<String> {
    let (first, rest) = path.split_once('.').unwrap_or((path, ""));
    let (_, core) = NAMES.iter().find(|(ours, _)| *ours == first)?;
    if !object[first].is_null() {
        return None;
    }
    let path = if rest.is_empty() { (*core).to_owned() } else { format!("{core}.{rest}") };
    Some(crate::selector::field_text(object, &path))
}

/// Upstream checks the converted object and so names its fields as the core group does, but for
/// `reportingController`.
fn validate(object: &Value, errors: &mut Errors) {
    let mut core = object.clone();
    to_core(&mut core);
    super::validate_named(&core, "reportingController", errors);
    // What follows is asked of new objects only: older ones may come from clients of the core group.
    if !crate::meta::resource_version(object).is_empty() {
        return;
    }
    validate_series(&core, errors);
    if core["eventTime"].is_null() {
        errors.required(&Path::new("eventTime"), "");
    }
    let type_ = text(&core, "type");
    if !["Normal", "Warning"].contains(&type_) {
        errors.invalid(&Path::new("type"), "", &format!("has invalid value: {type_}"));
    }
    let source = &core["source"];
    let old_form = [
        ("firstTimestamp", !core["firstTimestamp"].is_null()),
        ("lastTimestamp", !core["lastTimestamp"].is_null()),
        ("count", int(&core, "count").unwrap_or(0) != 0),
        ("source", !text(source, "component").is_empty() || !text(source, "host").is_empty()),
    ];
    for (field, _) in old_form.into_iter().filter(|(_, is_set)| *is_set) {
        errors.invalid(&Path::new(field), "", "needs to be unset");
    }
}

fn validate_series(core: &Value, errors: &mut Errors) {
    let series = &core["series"];
    if series.is_null() {
        return;
    }
    if int(series, "count").unwrap_or(0) < 2 {
        errors.invalid(&Path::from_text("series.count".into()), "", "should be at least 2");
    }
    if series["lastObservedTime"].is_null() {
        errors.required(&Path::from_text("series.lastObservedTime".into()), "");
    }
}

/// All but the series stays.
fn validate_update(object: &Value, old: &Value, errors: &mut Errors) {
    let (mut new, mut old) = (object.clone(), old.clone());
    to_core(&mut new);
    to_core(&mut old);
    if new["series"] != old["series"] {
        validate_series(&new, errors);
    }
    let fixed = [
        "involvedObject",
        "reason",
        "message",
        "source",
        "firstTimestamp",
        "lastTimestamp",
        "count",
        "type",
        "eventTime",
        "action",
        "related",
    ];
    for field in fixed {
        immutable(&new[field], &old[field], &Path::new(field), errors);
    }
    let path = Path::new("reportingController");
    immutable(&new["reportingComponent"], &old["reportingComponent"], &path, errors);
    immutable(&new["reportingInstance"], &old["reportingInstance"], &Path::new("reportingInstance"), errors);
}
