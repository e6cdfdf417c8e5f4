//! Making responses.

use crate::accept::Media;
use crate::body::{Response, full};
use crate::limits::COMPRESS_BYTES_MIN;
use crate::registry::Object;
use bytes::{BufMut, Bytes, BytesMut};
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue,
    RETRY_AFTER, VARY,
};
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Body as _;
use orchestrator_apimachinery::codec::protobuf;
use orchestrator_apimachinery::{ApiError, yaml};
use serde_json::Value;
use std::io::Write;
use std::sync::Arc;

/// The media type of nearly everything.
pub(crate) const JSON: &str = "application/json";

/// A response of bytes at hand.
pub(crate) fn bytes(code: u16, content_type: &'static str, body: impl Into<Bytes>) -> Response {
    let mut response = Response::new(full(body));
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    response
}

/// A JSON response.
pub(crate) fn json(code: u16, value: &Value) -> Response {
    bytes(code, JSON, value.to_string())
}

/// An object in the media type that was agreed on; 406 when it has no such form.
pub(crate) fn object(code: u16, media: Media, value: &Value) -> Result<Response, ApiError> {
    Ok(match media {
        Media::Json => json(code, value),
        Media::Yaml => bytes(code, media.content_type(), yaml::to_string(value)),
        Media::Protobuf => bytes(code, media.content_type(), protobuf::encode(value)?),
    })
}

/// The response that tells a failure.
pub(crate) fn error(error: &ApiError) -> Response {
    error_as(error, Media::Json)
}

/// The response that tells a failure, in the media type that the client asked for.
pub(crate) fn error_as(error: &ApiError, media: Media) -> Response {
    let value = error.to_value();
    let mut response = object(error.code, media, &value).unwrap_or_else(|_| json(error.code, &value));
    if let Some(seconds) = error.retry_after_seconds {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// Adds `Warning:` headers (RFC 7234, code 299), which kubectl prints.
pub(crate) fn warn(headers: &mut HeaderMap, warnings: &[String]) {
    const WARNING: HeaderName = HeaderName::from_static("warning");
    const MOST: usize = 16;
    for text in warnings.iter().take(MOST) {
        let quoted: String = text
            .chars()
            .map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' })
            .flat_map(|c| (matches!(c, '"' | '\\')).then_some('\\').into_iter().chain([c]))
            .collect();
        if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{quoted}\"")) {
            headers.append(WARNING, value);
        }
    }
}

/// A response with warnings.
pub(crate) fn warned(mut response: Response, warnings: &[String]) -> Response {
    warn(response.headers_mut(), warnings);
    response
}

/// Whether a client takes gzip.
pub(crate) fn takes_gzip(headers: &HeaderMap) -> bool {
    headers
        .get_all(ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(','))
        .any(|coding| {
            let mut parts = coding.split(';').map(str::trim);
            let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
            named && !parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
        })
}

/// Compresses a large answer whose bytes are at hand; as upstream with the fastest level, from 128 KiB on.
pub(crate) async fn compress(mut response: Response) -> Response {
    const CHUNK: usize = 128 * 1024;
    let large = response.body().size_hint().exact().is_some_and(|size| size >= COMPRESS_BYTES_MIN);
    if !large || response.status() != StatusCode::OK || response.headers().contains_key(CONTENT_ENCODING) {
        return response;
    }
    let body = std::mem::replace(response.body_mut(), full(Bytes::new()));
    let Ok(plain) = body.collect().await.map(http_body_util::Collected::to_bytes) else { return response };
    let mut encoder = GzEncoder::new(Vec::with_capacity(plain.len() / 8), Compression::fast());
    for chunk in plain.chunks(CHUNK) {
        if encoder.write_all(chunk).is_err() {
            break;
        }
        // Others that this thread serves come first.
        tokio::task::yield_now().await;
    }
    match encoder.finish() {
        Ok(packed) => {
            let headers = response.headers_mut();
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            headers.append(VARY, HeaderValue::from_static("Accept-Encoding"));
            *response.body_mut() = full(packed);
        }
        Err(_) => *response.body_mut() = full(plain),
    }
    response
}

/// Leaves of an answer its head, as HEAD asks: over HTTP/2 clients take a body for a broken stream.
pub(crate) fn without_body(mut response: Response) -> Response {
    if let Some(size) = response.body().size_hint().exact() {
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(size));
    }
    *response.body_mut() = full(Bytes::new());
    response
}

/// Something whose JSON can stand in a list.
pub(crate) trait Item {
    /// The size of its JSON.
    fn size(&self) -> usize;
    /// Puts its JSON.
    fn put(&self, out: &mut BytesMut);
    /// Its JSON.
    fn json(&self) -> Bytes;
}

impl Item for Bytes {
    fn size(&self) -> usize {
        self.len()
    }
    fn put(&self, out: &mut BytesMut) {
        out.put_slice(self);
    }
    fn json(&self) -> Bytes {
        self.clone()
    }
}

impl Item for Arc<Object> {
    fn size(&self) -> usize {
        Object::size(self)
    }
    fn put(&self, out: &mut BytesMut) {
        self.put_at(self.revision, out);
    }
    fn json(&self) -> Bytes {
        self.bytes()
    }
}

/// The JSON of a list around the JSON of its items.
pub(crate) fn list<'i>(
    api_version: &str,
    kind: &str,
    metadata: &Value,
    items: impl Iterator<Item = &'i (impl Item + 'i)> + Clone,
) -> Bytes {
    let size: usize = items.clone().map(|item| item.size() + 1).sum();
    let mut out = BytesMut::with_capacity(size + 256);
    out.put_slice(
        format!("{{\"kind\":\"{kind}List\",\"apiVersion\":\"{api_version}\",\"metadata\":{metadata},\"items\":[")
            .as_bytes(),
    );
    for (index, item) in items.enumerate() {
        if index > 0 {
            out.put_u8(b',');
        }
        item.put(&mut out);
    }
    out.put_slice(b"]}");
    out.freeze()
}
