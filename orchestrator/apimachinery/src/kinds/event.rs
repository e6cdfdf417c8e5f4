//! Event of the core group.

use super::cells::since;
use super::fields::{int, text};
use super::{NAME, cells, columns, namespaced, texts};
use crate::field::{Errors, Path};
use crate::kind::{Kind, Strategy};
use serde_json::Value;

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
        strategy: strategy(),
        ..namespaced("", "Event", "events")
    }
}

fn strategy() -> Strategy {
    Strategy { validate, cells: row, field_text, ..Strategy::default() }
}

fn validate(object: &Value, errors: &mut Errors) {
    let (namespace, about) = (crate::meta::namespace(object), text(&object["involvedObject"], "namespace"));
    let fits = if about.is_empty() { ["", "default"].contains(&namespace) } else { namespace == about };
    if !fits {
        errors.invalid(&Path::new("involvedObject").child("namespace"), about, "does not match event.namespace");
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
