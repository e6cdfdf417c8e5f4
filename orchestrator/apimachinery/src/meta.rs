//! Reading and changing `metadata` of an object as JSON.

use serde_json::Value;

/// A text field of metadata; "" when absent.
pub fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object["metadata"][field].as_str().unwrap_or("")
}
/// `metadata.name`
pub fn name(object: &Value) -> &str {
    text(object, "name")
}
/// `metadata.namespace`
pub fn namespace(object: &Value) -> &str {
    text(object, "namespace")
}
/// `metadata.uid`
pub fn uid(object: &Value) -> &str {
    text(object, "uid")
}
/// `metadata.resourceVersion`
pub fn resource_version(object: &Value) -> &str {
    text(object, "resourceVersion")
}
/// Whether `metadata.deletionTimestamp` is set.
pub fn is_deleting(object: &Value) -> bool {
    object["metadata"]["deletionTimestamp"].is_string()
}
/// `metadata.finalizers`
pub fn finalizers(object: &Value) -> Vec<&str> {
    object["metadata"]["finalizers"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}
/// Splits `apps/v1` into group and version; the core group is "".
pub fn split_api_version(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}
