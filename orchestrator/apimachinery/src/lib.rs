//! Kubernetes' shapes: kinds, schemas, defaults, validation, patches, tables, selectors, codecs.
//!
//! In: bytes and [`serde_json::Value`]s. Out: the same, checked, defaulted, converted, or a
//! [`status::ApiError`]. Must not touch: I/O, tokio, clocks, requests, any other crate of the
//! workspace. Everything here is pure.

#![allow(clippy::result_large_err, reason = "an ApiError is made once for each refused request, never in a hot loop")]

pub mod apply;
pub mod cel;
pub mod codec;
pub mod crd;
pub mod discovery;
pub mod field;
pub mod kind;
pub mod kinds;
pub mod limits;
pub mod meta;
pub mod openapi;
pub mod patch;
mod place;
pub mod quantity;
pub mod schema;
pub mod selector;
pub mod status;
pub mod table;
pub mod yaml;

pub use kind::{Catalog, Convert, Kind, Scope, Stored, Strategy, Verb};
pub use status::ApiError;
