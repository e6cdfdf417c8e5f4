//! A stored value: format version, encryption key id (none so far), and the object as JSON
//! without its resourceVersion, which is its place in the store.
//!
//! Four bytes before the JSON tell where in it a resourceVersion belongs, so that the cache puts
//! it in without parsing.

use bytes::{BufMut, Bytes, BytesMut};
use orchestrator_apimachinery::ApiError;
use orchestrator_store::Revision;
use serde_json::Value;
use std::fmt::Write;

const FORMAT: u8 = 1;
/// The length of the id of the key that the rest is encrypted with.
const NO_KEY: u8 = 0;
const HEADER: usize = 6;

/// The value to store for an object. Its metadata must hold at least a name.
pub(crate) fn seal(object: &Value) -> Result<Bytes, ApiError> {
    let fields = object.as_object().ok_or_else(|| ApiError::internal("an object to store is no JSON object"))?;
    let mut bytes = BytesMut::with_capacity(1024);
    bytes.put_slice(&[FORMAT, NO_KEY, 0, 0, 0, 0]);
    let mut place = None;
    for (index, (field, value)) in fields.iter().enumerate() {
        bytes.put_u8(if index == 0 { b'{' } else { b',' });
        let mut writer = (&mut bytes).writer();
        serde_json::to_writer(&mut writer, field).map_err(ApiError::internal)?;
        writer.get_mut().put_u8(b':');
        if field == "metadata" {
            place = Some(writer.get_ref().len() + 1 - HEADER);
        }
        serde_json::to_writer(&mut writer, value).map_err(ApiError::internal)?;
    }
    bytes.put_u8(b'}');
    let place = place.and_then(|place| u32::try_from(place).ok());
    let place = place.ok_or_else(|| ApiError::internal("an object to store has no metadata"))?;
    bytes[2..HEADER].copy_from_slice(&place.to_le_bytes());
    // The store and the caches keep these very bytes: no more room than they need.
    Ok(Bytes::copy_from_slice(&bytes))
}

/// The JSON of a stored value and where its resourceVersion belongs; `None` when it is none of ours.
pub(crate) fn split(value: &Bytes) -> Option<(Bytes, usize)> {
    let header = value.get(..HEADER)?;
    if header[..2] != [FORMAT, NO_KEY] {
        return None;
    }
    let place = u32::from_le_bytes(header[2..].try_into().ok()?) as usize;
    let json = value.slice(HEADER..);
    (place < json.len()).then_some((json, place))
}

/// The object of a stored value, without resourceVersion.
pub(crate) fn open(value: &Bytes) -> Result<Value, ApiError> {
    let (json, _) = split(value).ok_or_else(|| ApiError::internal("a stored object has an unknown format"))?;
    serde_json::from_slice(&json).map_err(|error| ApiError::internal(format!("a stored object is damaged: {error}")))
}

const FIELD: &[u8] = b"\"resourceVersion\":\"";

/// The JSON of a stored value with its resourceVersion.
pub(crate) fn publish(value: &Bytes, revision: Revision) -> Option<Bytes> {
    let (json, place) = split(value)?;
    let mut bytes = BytesMut::with_capacity(published_size(&json, revision));
    put_published(&json, place, revision, &mut bytes);
    Some(bytes.freeze())
}

/// How many bytes [`put_published`] puts.
pub(crate) fn published_size(json: &[u8], revision: Revision) -> usize {
    json.len() + FIELD.len() + revision.checked_ilog10().unwrap_or_default() as usize + 3
}

/// Puts the JSON of a stored value, with its resourceVersion in `place`.
pub(crate) fn put_published(json: &[u8], place: usize, revision: Revision, out: &mut BytesMut) {
    out.put_slice(&json[..place]);
    out.put_slice(FIELD);
    // Writing to bytes in memory cannot fail.
    let _ = write!(out, "{revision}");
    out.put_slice(if json[place] == b'}' { b"\"" } else { b"\"," });
    out.put_slice(&json[place..]);
}
