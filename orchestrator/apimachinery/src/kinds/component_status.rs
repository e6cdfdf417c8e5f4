//! ComponentStatus: whether the parts of the control plane are well; never stored.

use super::fields::{list, text};
use super::{NAME, cells, cluster, columns, texts};
use crate::kind::{Kind, Strategy, Verb};
use serde_json::Value;

/// The row of ComponentStatus.
pub fn kind() -> Kind {
    Kind {
        short_names: texts(&["cs"]),
        verbs: vec![Verb::Get, Verb::List],
        deprecation: Some("v1 ComponentStatus is deprecated in v1.19+".into()),
        columns: columns(&[
            NAME,
            ("Status", "string", 0, "Healthy, Unhealthy or Unknown."),
            ("Message", "string", 0, "What the component says."),
            ("Error", "string", 0, "Why it could not be asked."),
        ]),
        strategy: Strategy { cells: |object, _| row(object), ..Strategy::default() },
        ..cluster("", "ComponentStatus", "componentstatuses")
    }
}

fn row(object: &Value) -> Vec<Value> {
    let healthy = list(object, "conditions").iter().find(|condition| text(condition, "type") == "Healthy");
    let healthy = healthy.unwrap_or(&Value::Null);
    let status = match text(healthy, "status") {
        "True" => "Healthy",
        "False" => "Unhealthy",
        _ => "Unknown",
    };
    vec![cells::name(object), status.into(), text(healthy, "message").into(), text(healthy, "error").into()]
}

#[cfg(test)]
mod tests;
