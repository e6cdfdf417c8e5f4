//! Label and field selectors.

use crate::status::ApiError;
use serde_json::Value;

/// A label selector in its string form: `a=b,c!=d,e in (f,g),h,!i`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelSelector {}

impl LabelSelector {
    /// Parses `labelSelector=…`; the empty text selects everything.
    pub fn parse(text: &str) -> Result<Self, ApiError> {
        let _ = text;
        todo!()
    }
    /// From a `metav1.LabelSelector` object (`matchLabels`, `matchExpressions`); `null` selects nothing, `{}` everything.
    pub fn from_object(selector: &Value) -> Result<Self, ApiError> {
        let _ = selector;
        todo!()
    }
    /// Whether a label getter satisfies it.
    pub fn matches(&self, label: &dyn Fn(&str) -> Option<String>) -> bool {
        let _ = label;
        todo!()
    }
    /// Whether an object's `metadata.labels` satisfy it.
    pub fn matches_object(&self, object: &Value) -> bool {
        self.matches(&|key| object["metadata"]["labels"][key].as_str().map(str::to_owned))
    }
    /// Whether it selects everything.
    pub fn is_empty(&self) -> bool {
        todo!()
    }
}

/// A field selector: `metadata.name=x,status.phase!=Running`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSelector {}

impl FieldSelector {
    /// Parses `fieldSelector=…`.
    pub fn parse(text: &str) -> Result<Self, ApiError> {
        let _ = text;
        todo!()
    }
    /// The paths it speaks of, to be checked against the kind's selectable fields.
    pub fn paths(&self) -> Vec<&str> {
        todo!()
    }
    /// Whether a field getter satisfies it; absent fields are "".
    pub fn matches(&self, field: &dyn Fn(&str) -> String) -> bool {
        let _ = field;
        todo!()
    }
    /// The value that `path` must equal, if the selector says so (`metadata.name` for single-object watches).
    pub fn exact(&self, path: &str) -> Option<&str> {
        let _ = path;
        todo!()
    }
    /// Whether it selects everything.
    pub fn is_empty(&self) -> bool {
        todo!()
    }
}

/// The text of an object's field at a dotted path, as field selectors compare it ("" when absent; booleans and numbers printed).
pub fn field_text(object: &Value, path: &str) -> String {
    let _ = (object, path);
    todo!()
}
