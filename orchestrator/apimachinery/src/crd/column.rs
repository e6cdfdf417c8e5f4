//! Printer columns.

use super::path::JsonPath;
use crate::kind::Column;
use crate::kinds::cells;
use serde_json::{Value, json};

const NAME: &str = "Name must be unique within a namespace. Is required when creating resources, although some resources \
                    may allow a client to request the generation of an appropriate name automatically.";
const AGE: &str = "CreationTimestamp is a timestamp representing the server time when this object was created.";

/// Where the cells of a column come from.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    type_: String,
    path: Option<JsonPath>,
}

/// The columns of a version, and where their cells come from; the first is the name.
pub(super) fn columns(version: &Value) -> (Vec<Column>, Vec<Source>) {
    let age = json!([{"name": "Age", "type": "date", "description": AGE, "jsonPath": ".metadata.creationTimestamp"}]);
    let listed = version["additionalPrinterColumns"].as_array().filter(|listed| !listed.is_empty());
    let listed = listed.or(age.as_array()).cloned().unwrap_or_default();
    let text = |column: &Value, key: &str| column[key].as_str().unwrap_or_default().to_owned();
    let first = Column {
        name: "Name".into(),
        type_: "string".into(),
        format: "name".into(),
        description: NAME.into(),
        priority: 0,
    };
    let column = |column: &Value| Column {
        name: text(column, "name").into(),
        type_: text(column, "type").into(),
        format: text(column, "format").into(),
        description: match text(column, "description") {
            empty if empty.is_empty() => {
                format!("Custom resource definition column (in JSONPath format): {}", text(column, "jsonPath")).into()
            }
            description => description.into(),
        },
        priority: column["priority"].as_i64().and_then(|priority| i32::try_from(priority).ok()).unwrap_or(0),
    };
    let source =
        |column: &Value| Source { type_: text(column, "type"), path: JsonPath::parse(&text(column, "jsonPath")).ok() };
    (std::iter::once(first).chain(listed.iter().map(column)).collect(), listed.iter().map(source).collect())
}

impl Source {
    /// The cell of an object.
    pub fn cell(&self, object: &Value, now: i64) -> Value {
        let found = self.path.as_ref().and_then(|path| path.find(object).into_iter().next());
        let Some(value) = found else { return Value::Null };
        match (&*self.type_, value) {
            ("string", Value::String(_)) => value.clone(),
            ("string", Value::Null) => Value::Null,
            ("string", other) => Value::String(other.to_string()),
            ("integer", Value::Number(number)) => match number.as_i64() {
                Some(whole) => json!(whole),
                #[allow(clippy::cast_possible_truncation, reason = "a column of integers shows no fraction")]
                None => json!(number.as_f64().unwrap_or(0.0) as i64),
            },
            ("number", Value::Number(_)) | ("boolean", Value::Bool(_)) => value.clone(),
            ("date", Value::String(_)) => match cells::seconds(value) {
                Some(_) => cells::since(value, now).into(),
                None => "<invalid>".into(),
            },
            _ => Value::Null,
        }
    }
}
