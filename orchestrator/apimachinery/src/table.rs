//! `meta.k8s.io/v1` Table and PartialObjectMetadata: what `kubectl get` shows.

use crate::kind::Kind;
use serde_json::{Value, json};

/// What a row carries of its object (`includeObject`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum IncludeObject {
    /// PartialObjectMetadata.
    #[default]
    Metadata,
    /// The whole object.
    Object,
    /// Nothing.
    None,
}

/// `columnDefinitions` of the kind.
pub fn columns(kind: &Kind) -> Value {
    kind.columns
        .iter()
        .map(|column| {
            json!({
                "name": column.name,
                "type": column.type_,
                "format": column.format,
                "description": column.description,
                "priority": column.priority,
            })
        })
        .collect()
}

/// One row: `{"cells": […], "object": …}`; `now` is seconds since 1970.
pub fn row(kind: &Kind, object: &Value, include: IncludeObject, now: i64) -> Value {
    let cells = kind.cells(object, now);
    match include {
        IncludeObject::Metadata => json!({"cells": cells, "object": partial_metadata(object)}),
        IncludeObject::Object => json!({"cells": cells, "object": object}),
        IncludeObject::None => json!({"cells": cells, "object": null}),
    }
}

/// A Table around rows; `list_metadata` is the list's metadata (resourceVersion, continue).
/// `with_columns` is false for all but the first watch event.
pub fn table(kind: &Kind, rows: Vec<Value>, list_metadata: Value, with_columns: bool) -> Value {
    json!({
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": list_metadata,
        "columnDefinitions": if with_columns { columns(kind) } else { Value::Null },
        "rows": rows,
    })
}

/// The object cut down to apiVersion and kind of PartialObjectMetadata and its metadata.
pub fn partial_metadata(object: &Value) -> Value {
    json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"]})
}

/// The same, from an object's JSON to JSON; what is in the metadata is not looked at. `None` when it
/// is no object with metadata.
pub fn partial_metadata_json(object: &[u8]) -> Option<Vec<u8>> {
    #[derive(serde::Deserialize)]
    struct Partial<'a> {
        #[serde(borrow)]
        metadata: &'a serde_json::value::RawValue,
    }
    const START: &str = "{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"meta.k8s.io/v1\",\"metadata\":";
    let metadata = serde_json::from_slice::<Partial<'_>>(object).ok()?.metadata.get();
    Some([START, metadata, "}"].concat().into_bytes())
}

/// Upstream's short age: `5s`, `3m12s`, `4h5m`, `2d3h`, `35d`, `2y10d`.
pub fn human_duration(seconds: i64) -> String {
    const MINUTE: i64 = 60;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    const YEAR: i64 = 365 * DAY;
    let two = |large: (i64, &str), small: (i64, &str)| match seconds % large.0 / small.0 {
        0 => format!("{}{}", seconds / large.0, large.1),
        rest => format!("{}{}{rest}{}", seconds / large.0, large.1, small.1),
    };
    match seconds {
        ..-1 => "<invalid>".to_owned(),
        -1 => "0s".to_owned(),
        0..120 => format!("{seconds}s"),
        120..600 => two((MINUTE, "m"), (1, "s")),
        600..10_800 => format!("{}m", seconds / MINUTE),
        10_800..28_800 => two((HOUR, "h"), (MINUTE, "m")),
        28_800..172_800 => format!("{}h", seconds / HOUR),
        172_800..691_200 => two((DAY, "d"), (HOUR, "h")),
        691_200..63_072_000 => format!("{}d", seconds / DAY),
        63_072_000..252_288_000 => two((YEAR, "y"), (DAY, "d")),
        _ => format!("{}y", seconds / YEAR),
    }
}

#[cfg(test)]
mod tests;
