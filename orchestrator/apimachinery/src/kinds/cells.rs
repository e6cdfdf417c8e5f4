//! Pieces of `kubectl get` cells that several kinds share.

use super::fields::{entries, list, text};
use crate::table::human_duration;
use serde_json::{Value, json};

/// Shown for something that is not set.
pub const NONE: &str = "<none>";
/// Shown for something that nobody knows.
pub const UNKNOWN: &str = "<unknown>";

/// Seconds since 1970 of a time as the API writes it.
pub fn seconds(time: &Value) -> Option<i64> {
    time.as_str()?.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_second)
}

/// Time since `time`, in short; `<unknown>` when there is none.
pub fn since(time: &Value, now: i64) -> String {
    seconds(time).map_or_else(|| UNKNOWN.to_owned(), |then| human_duration(now - then))
}

/// The name.
pub fn name(object: &Value) -> Value {
    object["metadata"]["name"].clone()
}

/// Time since creation.
pub fn age(object: &Value, now: i64) -> Value {
    since(&object["metadata"]["creationTimestamp"], now).into()
}

/// A number, nought when absent.
pub fn number(value: &Value) -> Value {
    json!(value.as_i64().unwrap_or(0))
}

/// The text, or `otherwise` when it is empty.
pub fn or<'a>(text: &'a str, otherwise: &'a str) -> &'a str {
    if text.is_empty() { otherwise } else { text }
}

/// The texts with commas between, at most three and then how many more.
pub fn first_three(texts: &[String], otherwise: &str) -> String {
    match texts.len() {
        0 => otherwise.to_owned(),
        1..=3 => texts.join(","),
        all => format!("{} + {} more...", texts[..3].join(","), all - 3),
    }
}

/// `a=b,c=d` of a map of labels, `<none>` when there are none.
pub fn labels(value: &Value, key: &str) -> String {
    let pairs: Vec<String> =
        entries(value, key).map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or(""))).collect();
    if pairs.is_empty() { NONE.to_owned() } else { pairs.join(",") }
}

/// A LabelSelector in its string form, `<none>` when it selects everything.
pub fn selector(selector: &Value) -> String {
    let mut parts: Vec<(String, String)> = entries(selector, "matchLabels")
        .map(|(key, value)| (key.clone(), format!("{key}={}", value.as_str().unwrap_or(""))))
        .collect();
    for expression in list(selector, "matchExpressions") {
        let key = text(expression, "key");
        let mut values: Vec<&str> = list(expression, "values").iter().filter_map(Value::as_str).collect();
        values.sort_unstable();
        let shown = match text(expression, "operator") {
            "In" => format!("{key} in ({})", values.join(",")),
            "NotIn" => format!("{key} notin ({})", values.join(",")),
            "DoesNotExist" => format!("!{key}"),
            _ => key.to_owned(),
        };
        parts.push((key.to_owned(), shown));
    }
    parts.sort_by(|a, b| a.0.cmp(&b.0));
    let shown: Vec<String> = parts.into_iter().map(|(_, shown)| shown).collect();
    if shown.is_empty() { NONE.to_owned() } else { shown.join(",") }
}

/// Names and images of the containers of `spec.template`, and the selector.
pub fn template(object: &Value) -> [Value; 3] {
    let containers = list(&object["spec"]["template"]["spec"], "containers");
    let all = |key| containers.iter().map(|container| text(container, key)).collect::<Vec<_>>().join(",");
    [all("name").into(), all("image").into(), selector(&object["spec"]["selector"]).into()]
}

/// Whether a condition of this type is true.
pub fn condition_is_true(object: &Value, type_: &str) -> bool {
    list(&object["status"], "conditions")
        .iter()
        .any(|condition| text(condition, "type") == type_ && text(condition, "status") == "True")
}
