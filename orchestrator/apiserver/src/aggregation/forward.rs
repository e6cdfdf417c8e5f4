//! Requests that are sent on to extension servers, with who asks in their headers.

use super::{Remote, unreachable};
use crate::audit::Hold;
use crate::auth::strip_credentials;
use crate::body::{Body, Request, Response, full};
use crate::identity::Identity;
use crate::outbound::Caller;
use crate::stream::{is_upgrade, splice, strip_hop};
use bytes::{Bytes, BytesMut};
use futures::FutureExt;
use http::header::{CONNECTION, HeaderName, HeaderValue, UPGRADE};
use http::{HeaderMap, StatusCode, Version};
use http_body_util::BodyExt;
use orchestrator_apimachinery::ApiError;

const USER: &str = "x-remote-user";
const UID: &str = "x-remote-uid";
const GROUP: &str = "x-remote-group";
const EXTRA: &str = "x-remote-extra-";

/// Sends a request on and returns the answer.
pub(crate) async fn forward(
    caller: &Caller,
    remote: &Remote,
    who: &Identity,
    request: Request,
) -> Result<Response, ApiError> {
    if !remote.available {
        return Err(unreachable());
    }
    send(caller, remote, who, request).await
}

/// The same, whether or not the server is known to be reachable.
pub(super) async fn send(
    caller: &Caller,
    remote: &Remote,
    who: &Identity,
    mut request: Request,
) -> Result<Response, ApiError> {
    let path = request.uri().path_and_query().map_or("/", http::uri::PathAndQuery::as_str).to_owned();
    *request.uri_mut() = path.parse().map_err(ApiError::internal)?;
    *request.version_mut() = Version::HTTP_11;
    let wanted = request.headers().get(UPGRADE).cloned().filter(|_| is_upgrade(&request));
    let (hold, client) = (Hold::of(&request), hyper::upgrade::on(&mut request));
    let headers = request.headers_mut();
    strip_hop(headers);
    tell_who(headers, who)?;
    if let Some(protocol) = wanted {
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, protocol);
    }
    let answer = caller.forward(&remote.place, &remote.trust, request).boxed().await;
    let mut answer =
        answer.map_err(|error| ApiError::unavailable(format!("error trying to reach service: {error}")))?;
    if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
        splice(caller.tasks(), client, hyper::upgrade::on(&mut answer), hold);
        return Ok(answer.map(|_| full(Bytes::new())));
    }
    strip_hop(answer.headers_mut());
    Ok(answer)
}

/// The bytes of an answer.
pub(super) async fn collect(mut body: Body, bytes_max: usize) -> Result<Bytes, String> {
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| error.to_string())?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > bytes_max {
            return Err(format!("the answer is over {bytes_max} bytes"));
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes.freeze())
}

/// Takes away what the client said of itself and says who it is.
fn tell_who(headers: &mut HeaderMap, who: &Identity) -> Result<(), ApiError> {
    let foreign =
        |name: &HeaderName| name.as_str().starts_with("x-remote-") || name.as_str().starts_with("impersonate-");
    let names: Vec<HeaderName> = headers.keys().filter(|name| foreign(name)).cloned().collect();
    for name in &names {
        headers.remove(name);
    }
    strip_credentials(headers);
    let mut add = |name: &str, value: &str| -> Result<(), ApiError> {
        let name = HeaderName::try_from(name).map_err(ApiError::internal)?;
        headers.append(name, HeaderValue::try_from(value).map_err(ApiError::internal)?);
        Ok(())
    };
    add(USER, &who.name)?;
    if !who.uid.is_empty() {
        add(UID, &who.uid)?;
    }
    for group in &who.groups {
        add(GROUP, group)?;
    }
    for (key, values) in &who.extra {
        for value in values {
            add(&format!("{EXTRA}{}", escape(key)), value)?;
        }
    }
    Ok(())
}

/// A key as a header's name spells it: what is no letter, digit or dash is percent-encoded.
fn escape(key: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' => char::from(byte).to_string(),
        byte if byte.is_ascii_uppercase() => char::from(byte).to_ascii_lowercase().to_string(),
        byte => format!("%{byte:02x}"),
    };
    key.bytes().map(byte).collect()
}
