//! Whole bodies in protobuf: objects, lists, watch events.

use super::wire::{Fault, Writer};
use super::writer;
use crate::schema::types::Type;
use crate::status::ApiError;
use bytes::Bytes;
use serde_json::Value;

const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
const LIST_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta";
const META_VERSION: &str = "meta.k8s.io/v1";
const PARTIAL: &str = "PartialObjectMetadata";

/// What an object looks like on the wire.
#[derive(Clone, Copy)]
enum Shape {
    Message(&'static Type),
    /// Its metadata as field 1.
    Partial,
}

fn shape(api_version: &str, kind: &str) -> Option<Shape> {
    if kind == PARTIAL && api_version == META_VERSION {
        return Some(Shape::Partial);
    }
    crate::schema::builtin_of_kind(api_version, kind).map(Shape::Message)
}

/// Whether objects of this apiVersion and kind have a protobuf form. Custom resources and Tables have none.
pub fn is_known(api_version: &str, kind: &str) -> bool {
    shape(api_version, kind).is_some()
}

fn internal(fault: Fault) -> ApiError {
    ApiError::internal(format!("an object cannot be written as protobuf: {fault}"))
}

fn write(shape: Shape, object: &Value, out: &mut Writer) -> Result<(), Fault> {
    let not_an_object = || Fault::new("it is no object");
    match shape {
        Shape::Message(shape) => writer::fields(shape, object.as_object().ok_or_else(not_an_object)?, 0, out),
        Shape::Partial => meta(OBJECT_META, &object["metadata"], out),
    }
}

/// Metadata as field 1.
fn meta(name: &str, metadata: &Value, out: &mut Writer) -> Result<(), Fault> {
    let (Some(shape), Some(metadata)) = (crate::schema::builtin_type(name), metadata.as_object()) else {
        return Ok(());
    };
    out.message(1, |out| writer::fields(shape, metadata, 0, out))
}

fn texts(object: &Value) -> (&str, &str) {
    (object["apiVersion"].as_str().unwrap_or_default(), object["kind"].as_str().unwrap_or_default())
}

/// The body of an object of a kind that [`is_known`], or of a list of such objects; 406 for any other.
pub fn encode(object: &Value) -> Result<Bytes, ApiError> {
    let (api_version, kind) = texts(object);
    if let Some(shape) = shape(api_version, kind) {
        let mut out = Writer::with_capacity(1024);
        write(shape, object, &mut out).map_err(internal)?;
        return Ok(writer::envelope(api_version, kind, &out.into_bytes()).into());
    }
    let (Some(items), Some(item_kind)) = (object["items"].as_array(), kind.strip_suffix("List")) else {
        return Err(ApiError::not_acceptable(crate::codec::WITHOUT_PROTOBUF));
    };
    let mut list = List::start(api_version, item_kind, &object["metadata"])?;
    items.iter().try_for_each(|item| list.push(item))?;
    Ok(list.finish())
}

/// [`encode`] of an object that is at hand as JSON.
pub fn encode_json(json: &[u8]) -> Result<Bytes, ApiError> {
    encode(&serde_json::from_slice(json).map_err(ApiError::internal)?)
}

/// A list under construction; each item is written as it comes.
pub struct List {
    api_version: String,
    kind: String,
    shape: Shape,
    out: Writer,
}

impl List {
    /// A list of objects of this apiVersion and kind, which must be one that [`is_known`]; else 406.
    pub fn start(api_version: &str, item_kind: &str, metadata: &Value) -> Result<Self, ApiError> {
        let found = shape(api_version, item_kind);
        let shape = found.ok_or_else(|| ApiError::not_acceptable(crate::codec::WITHOUT_PROTOBUF))?;
        let mut out = Writer::with_capacity(16 * 1024);
        meta(LIST_META, metadata, &mut out).map_err(internal)?;
        Ok(List { api_version: api_version.to_owned(), kind: format!("{item_kind}List"), shape, out })
    }

    /// Adds an object.
    pub fn push(&mut self, item: &Value) -> Result<(), ApiError> {
        let shape = self.shape;
        self.out.message(2, |out| write(shape, item, out)).map_err(internal)
    }

    /// Adds an object that is at hand as JSON.
    pub fn push_json(&mut self, json: &[u8]) -> Result<(), ApiError> {
        self.push(&serde_json::from_slice(json).map_err(ApiError::internal)?)
    }

    /// The body.
    pub fn finish(self) -> Bytes {
        writer::envelope(&self.api_version, &self.kind, &self.out.into_bytes()).into()
    }
}

/// One event of a watch in `application/vnd.kubernetes.protobuf;stream=watch`: its length in four
/// bytes, then `WatchEvent` with the type and the object's body, magic and envelope included.
pub fn frame(type_: &str, object: &Value) -> Result<Bytes, ApiError> {
    let body = encode(object)?;
    let mut out = Writer::with_capacity(body.len() + 32);
    out.raw(&[0; 4]);
    out.bytes(1, type_.as_bytes());
    out.message(2, |out| {
        out.bytes(1, &body);
        Ok(())
    })
    .map_err(internal)?;
    let mut bytes = out.into_bytes();
    let length = u32::try_from(bytes.len() - 4).map_err(ApiError::internal)?;
    bytes[..4].copy_from_slice(&length.to_be_bytes());
    Ok(bytes.into())
}
