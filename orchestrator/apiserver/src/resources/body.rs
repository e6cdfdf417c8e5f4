//! Bodies of requests: read within their limit, decoded, and of the kind that the path names.

use crate::body::Request;
use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http_body_util::BodyExt;
use orchestrator_apimachinery::codec::{self, Decoded, Format};
use orchestrator_apimachinery::field::{Errors, Path};
use orchestrator_apimachinery::limits::BODY_BYTES_MAX;
use orchestrator_apimachinery::patch::PatchType;
use orchestrator_apimachinery::{ApiError, Kind, meta, schema};
use serde_json::Value;

/// Where upstream keeps its built-in kinds, which it tells with each kind that is none of them.
const SCHEME: &str = "k8s.io/kubernetes/pkg/api/legacyscheme/scheme.go:30";

/// A request's body with its media type; refused when too large, if possible before it is read.
pub(crate) async fn read_body(request: Request) -> Result<(Option<String>, Bytes), ApiError> {
    let too_large = || ApiError::too_large(format!("Request entity too large: limit is {BODY_BYTES_MAX}"));
    let (head, mut body) = request.into_parts();
    let header = |name| head.headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok());
    let content_type = header(CONTENT_TYPE).map(str::to_owned);
    let announced = header(CONTENT_LENGTH).and_then(|text| text.parse::<u64>().ok());
    if announced.is_some_and(|size| size > BODY_BYTES_MAX as u64) {
        return Err(too_large());
    }
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| ApiError::bad_request(format!("cannot read the body: {error}")))?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > BODY_BYTES_MAX {
            return Err(too_large());
        }
        bytes.extend_from_slice(&data);
    }
    Ok((content_type, bytes.freeze()))
}

/// A request's body as an object of this kind.
pub(crate) async fn read_object(request: Request, kind: &str) -> Result<Decoded, ApiError> {
    let (content_type, body) = read_body(request).await?;
    decode(Format::from_content_type(content_type.as_deref())?, kind, &body)
}

fn decode(format: Format, kind: &str, body: &[u8]) -> Result<Decoded, ApiError> {
    let unrecognized = |error: ApiError| codec::unrecognized(format, kind, body, &error);
    let decoded = codec::decode(format, body, &|api_version, kind| schema::of_kind(api_version, kind));
    let decoded = decoded.map_err(unrecognized)?;
    match codec::not_an_object(&decoded.value) {
        Some(error) => Err(unrecognized(error)),
        None => Ok(decoded),
    }
}

/// A request's body as an object of the kind that its path names.
pub(crate) async fn read_own(request: Request, kind: &Kind) -> Result<Decoded, ApiError> {
    let (content_type, body) = read_body(request).await?;
    let format = Format::from_content_type(content_type.as_deref())?;
    if kind.custom.is_some() && format == Format::Protobuf {
        return Err(ApiError::unsupported_media_type(codec::WITHOUT_PROTOBUF));
    }
    let decoded = decode(format, &kind.kind, &body)?;
    is_of(kind, &decoded.value)?;
    Ok(decoded)
}

/// Checks what a body says of itself; what it does not say is as the path says.
fn is_of(kind: &Kind, value: &Value) -> Result<(), ApiError> {
    let expected = kind.api_version();
    let text = |field: &str| value[field].as_str().filter(|text| !text.is_empty());
    let (version, name) = (text("apiVersion").unwrap_or(&expected), text("kind").unwrap_or(&kind.kind));
    if version == expected && name == kind.kind {
        return Ok(());
    }
    let other_version = || {
        let why =
            format!("the API version in the data ({version}) does not match the expected API version ({expected})");
        Err(ApiError::bad_request(why))
    };
    if kind.custom.is_some() {
        if version != expected {
            return other_version();
        }
        let mut errors = Errors::default();
        errors.invalid(&Path::new("kind"), name, &format!("must be {}", kind.kind));
        return Err(ApiError::invalid(&kind.group, &kind.kind, meta::name(value), &errors));
    }
    let bare = version.rsplit('/').next().unwrap_or_default();
    let unfit = |why: String| {
        let text = format!("{name} in version {bare:?} cannot be handled as a {}: {why}", kind.kind);
        Err(ApiError::bad_request(text))
    };
    if schema::of_kind(version, name).is_none() {
        return unfit(format!("no kind {name:?} is registered for version {version:?} in scheme {SCHEME:?}"));
    }
    if name != kind.kind {
        let internal = kind.group.split('.').next().filter(|group| !group.is_empty()).unwrap_or("core");
        return unfit(format!("converting ({bare}.{name}) to ({internal}.{}): unknown conversion", kind.kind));
    }
    other_version()
}

/// A patch's type and content.
pub(crate) async fn read_patch(request: Request) -> Result<(PatchType, Value), ApiError> {
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let type_ = PatchType::from_content_type(content_type.as_deref())?;
    let (_, body) = read_body(request).await?;
    let decoded = codec::decode(Format::Json, &body, &|_, _| None).map_err(|error| match type_ {
        PatchType::Merge => ApiError::bad_request(format!("error decoding patch: {}", error.message)),
        _ => error,
    });
    Ok((type_, decoded?.value))
}
