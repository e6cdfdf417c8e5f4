//! Event of the core group.

use super::cells::since;
use super::fields::{int, text};
use super::{NAME, cells, columns, names, namespaced, texts};
use crate::field::{Errors, Path};
use crate::kind::{Column, Kind, Strategy};
use serde_json::Value;

pub mod v1;

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
        columns: columns_of(),
        strategy: strategy(),
        ..namespaced("", "Event", "events")
    }
}

fn columns_of() -> Vec<Column> {
    columns(&[
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
    ])
}

fn strategy() -> Strategy {
    Strategy { validate, cells: row, field_text, ..Strategy::default() }
}

/// Longest text that says what was done, why, and by which instance.
const WORD_BYTES_MAX: usize = 128;
/// Longest message.
const NOTE_BYTES_MAX: usize = 1024;

fn validate(object: &Value, errors: &mut Errors) {
    validate_named(object, "reportingComponent", errors);
}

/// Checks an Event; who reports it is named as the request's group does.
fn validate_named(object: &Value, reporter: &str, errors: &mut Errors) {
    let (namespace, about) = (crate::meta::namespace(object), text(&object["involvedObject"], "namespace"));
    let old_form = object["eventTime"].is_null();
    let fits = match (old_form, about) {
        (true, "") => ["", "default"].contains(&namespace),
        (true, about) => namespace == about,
        (false, "") => ["default", "kube-system"].contains(&namespace),
        (false, _) => true,
    };
    if !fits {
        errors.invalid(&Path::new("involvedObject").child("namespace"), about, "does not match event.namespace");
    }
    if old_form {
        return;
    }
    let component = text(object, "reportingComponent");
    if component.is_empty() {
        errors.required(&Path::new(reporter), "");
    }
    for wrong in names::qualified(component) {
        errors.invalid(&Path::new(reporter), component, &wrong);
    }
    for field in ["reportingInstance", "action", "reason"] {
        let word = text(object, field);
        if word.is_empty() {
            errors.required(&Path::new(field), "");
        }
        if word.len() > WORD_BYTES_MAX {
            let wrong = format!("can have at most {WORD_BYTES_MAX} characters");
            errors.invalid(&Path::new(field), "", &wrong);
        }
    }
    if text(object, "message").len() > NOTE_BYTES_MAX {
        errors.invalid(&Path::new("message"), "", &format!("can have at most {NOTE_BYTES_MAX} characters"));
    }
}

/// `source` selects by the component.
fn field_text(object: &Value, path: &str) -> Option<String> {
    let component = cells::or(text(&object["source"], "component"), text(object, "reportingComponent"));
    (path == "source").then(|| component.to_owned())
}

fn source(object: &Value) -> String {
    let component = cells::or(text(&object["source"], "component"), text(object, "reportingComponent"));
    match cells::or(text(&object["source"], "host"), text(object, "reportingInstance")) {
        "" => component.to_owned(),
        instance => format!("{component}, {instance}"),
    }
}

fn row(object: &Value, now: i64) -> Vec<Value> {
    let has = |field: &str| object[field].is_string();
    let first = since(if has("firstTimestamp") { &object["firstTimestamp"] } else { &object["eventTime"] }, now);
    let mut last = if has("lastTimestamp") { since(&object["lastTimestamp"], now) } else { first.clone() };
    let mut count = int(object, "count").filter(|count| *count != 0).unwrap_or(1);
    let series = &object["series"];
    if series.is_object() {
        last = since(&series["lastObservedTime"], now);
        count = int(series, "count").unwrap_or(0);
    }
    let about = &object["involvedObject"];
    let kind = text(about, "kind").to_lowercase();
    let target = match text(about, "name") {
        "" => kind,
        name => format!("{kind}/{name}"),
    };
    vec![
        last.into(),
        text(object, "type").into(),
        text(object, "reason").into(),
        target.into(),
        text(about, "fieldPath").into(),
        source(object).into(),
        text(object, "message").trim().into(),
        first.into(),
        count.into(),
        cells::name(object),
    ]
}

#[cfg(test)]
mod tests;
