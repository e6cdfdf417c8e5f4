//! `meta.k8s.io/v1` Table and PartialObjectMetadata: what `kubectl get` shows.

use crate::kind::Kind;
use serde_json::Value;

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
    let _ = kind;
    todo!()
}

/// One row: `{"cells": […], "object": …}`; `now` is seconds since 1970.
pub fn row(kind: &Kind, object: &Value, include: IncludeObject, now: i64) -> Value {
    let _ = (kind, object, include, now);
    todo!()
}

/// A Table around rows; `list_metadata` is the list's metadata (resourceVersion, continue).
/// `with_columns` is false for all but the first watch event.
pub fn table(kind: &Kind, rows: Vec<Value>, list_metadata: Value, with_columns: bool) -> Value {
    let _ = (kind, rows, list_metadata, with_columns);
    todo!()
}

/// The object cut down to apiVersion and kind of PartialObjectMetadata and its metadata.
pub fn partial_metadata(object: &Value) -> Value {
    let _ = object;
    todo!()
}

/// Upstream's short age: `5s`, `3m12s`, `4h5m`, `2d3h`, `35d`, `2y10d`.
pub fn human_duration(seconds: i64) -> String {
    let _ = seconds;
    todo!()
}
