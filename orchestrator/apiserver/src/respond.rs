//! Making responses.

use crate::body::{Response, full};
use bytes::{BufMut, Bytes, BytesMut};
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use http::{HeaderMap, StatusCode};
use hyper::body::Body as _;
use orchestrator_apimachinery::ApiError;
use serde_json::Value;

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

/// The response that tells a failure.
pub(crate) fn error(error: &ApiError) -> Response {
    let mut response = json(error.code, &error.to_value());
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

/// Leaves of an answer its head, as HEAD asks: over HTTP/2 clients take a body for a broken stream.
pub(crate) fn without_body(mut response: Response) -> Response {
    if let Some(size) = response.body().size_hint().exact() {
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(size));
    }
    *response.body_mut() = full(Bytes::new());
    response
}

/// The JSON of a list around the JSON of its items.
pub(crate) fn list<'i>(
    api_version: &str,
    kind: &str,
    metadata: &Value,
    items: impl Iterator<Item = &'i Bytes> + Clone,
) -> Bytes {
    let size: usize = items.clone().map(|item| item.len() + 1).sum();
    let mut out = BytesMut::with_capacity(size + 256);
    out.put_slice(
        format!("{{\"kind\":\"{kind}List\",\"apiVersion\":\"{api_version}\",\"metadata\":{metadata},\"items\":[")
            .as_bytes(),
    );
    for (index, item) in items.enumerate() {
        if index > 0 {
            out.put_u8(b',');
        }
        out.put_slice(item);
    }
    out.put_slice(b"]}");
    out.freeze()
}
