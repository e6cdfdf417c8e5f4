//! `GET` and `POST pods/NAME/portforward`: which protocol the client speaks.

use super::kubelet::Target;
use super::limits::PORTS_MAX;
use super::query::pairs;
use super::{StreamContext, channels, session, websocket};
use crate::body::{Request, Response, full};
use bytes::Bytes;
use http::header::{
    CONNECTION, HeaderName, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION,
    UPGRADE,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use hyper_util::rt::TokioIo;
use orchestrator_apimachinery::{ApiError, meta};
use serde_json::Value;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// SPDY/3.1 tunnelled in a WebSocket: what kubectl asks for.
const TUNNEL: &str = "SPDY/3.1+portforward.k8s.io";
const CHANNELS: [&str; 2] = ["v5.channel.k8s.io", "v4.channel.k8s.io"];
/// What is spoken inside SPDY.
const FORWARD: &str = "portforward.k8s.io";
const STREAM_PROTOCOL: HeaderName = HeaderName::from_static("x-stream-protocol-version");

/// What the client and the server agreed on.
enum Protocol {
    Spdy,
    Tunnel,
    Channels { ports: Vec<u16>, can_close: bool },
}

/// Answers with an upgrade after which each of the client's connections is carried to a port of `pod`.
pub async fn port_forward(ctx: &StreamContext<'_>, pod: &Value, mut request: Request) -> Result<Response, ApiError> {
    let target = Target::new(ctx, pod)
        .ok_or_else(|| ApiError::bad_request(format!("pod {} does not have a host assigned", meta::name(pod))))?;
    let (protocol, headers) = agree(&request)?;
    let upgrade = hyper::upgrade::on(&mut request);
    ctx.tasks.spawn("port-forward", async move {
        let upgraded = match upgrade.await {
            Ok(upgraded) => upgraded,
            Err(error) => return tracing::debug!(%error, "a client's upgrade failed"),
        };
        match protocol {
            Protocol::Spdy => session::serve(Box::new(TokioIo::new(upgraded)), target).await,
            Protocol::Tunnel => {
                let (stream, carrying) = websocket::tunnel(websocket::open(upgraded).await);
                tokio::join!(session::serve(stream, target), carrying);
            }
            Protocol::Channels { ports, can_close } => {
                channels::serve(websocket::open(upgraded).await, ports, can_close, target).await;
            }
        }
    });
    let mut response = Response::new(full(Bytes::new()));
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    *response.headers_mut() = headers;
    Ok(response)
}

/// The words of a header that lists them, in all its lines.
fn words<'r>(request: &'r Request, name: &HeaderName) -> impl Iterator<Item = &'r str> {
    let lines = request.headers().get_all(name).iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim).filter(|word| !word.is_empty())
}

fn agree(request: &Request) -> Result<(Protocol, HeaderMap), ApiError> {
    let upgrades = words(request, &CONNECTION).any(|word| word.eq_ignore_ascii_case("upgrade"));
    let wanted = words(request, &UPGRADE).next().unwrap_or("").to_ascii_lowercase();
    match wanted.as_str() {
        "websocket" if upgrades => websocket(request),
        "spdy/3.1" if upgrades => spdy(request),
        _ => Err(ApiError::bad_request("Upgrade request required")),
    }
}

fn spdy(request: &Request) -> Result<(Protocol, HeaderMap), ApiError> {
    if !words(request, &STREAM_PROTOCOL).any(|word| word == FORWARD) {
        let offered = words(request, &STREAM_PROTOCOL).collect::<Vec<_>>().join(" ");
        let text = format!(
            "unable to upgrade: unable to negotiate protocol: client supports [{offered}], server accepts [{FORWARD}]"
        );
        return Err(ApiError::new(403, "Forbidden", text));
    }
    let mut headers = switching("SPDY/3.1");
    headers.insert(STREAM_PROTOCOL, HeaderValue::from_static(FORWARD));
    Ok((Protocol::Spdy, headers))
}

fn websocket(request: &Request) -> Result<(Protocol, HeaderMap), ApiError> {
    let header = |name: HeaderName| request.headers().get(name).map(HeaderValue::as_bytes);
    let Some(key) = header(SEC_WEBSOCKET_KEY) else {
        return Err(ApiError::bad_request("the WebSocket handshake has no Sec-WebSocket-Key"));
    };
    if request.method() != Method::GET || header(SEC_WEBSOCKET_VERSION) != Some(b"13") {
        return Err(ApiError::bad_request("a WebSocket of version 13 opened by GET is required"));
    }
    let known = |word: &&str| *word == TUNNEL || CHANNELS.contains(word);
    let Some(agreed) = words(request, &SEC_WEBSOCKET_PROTOCOL).find(known) else {
        let text = format!("one of these WebSocket subprotocols is required: {TUNNEL}, {}", CHANNELS.join(", "));
        return Err(ApiError::bad_request(text));
    };
    let protocol = if agreed == TUNNEL {
        Protocol::Tunnel
    } else {
        Protocol::Channels { ports: ports(request.uri().query().unwrap_or(""))?, can_close: agreed == CHANNELS[0] }
    };
    let mut headers = switching("websocket");
    let proof = HeaderValue::from_str(&derive_accept_key(key)).expect("base64 is a header value");
    headers.insert(SEC_WEBSOCKET_ACCEPT, proof);
    let agreed = HeaderValue::from_str(agreed).expect("it is one of our own names");
    headers.insert(SEC_WEBSOCKET_PROTOCOL, agreed);
    Ok((protocol, headers))
}

fn switching(to: &'static str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static(to));
    headers
}

/// The ports of a query: `ports=80,81`, or the parameter several times.
fn ports(query: &str) -> Result<Vec<u16>, ApiError> {
    let mut ports = Vec::new();
    for (_, value) in pairs(query).iter().filter(|(key, _)| key == "ports") {
        for text in value.split(',').map(str::trim).filter(|text| !text.is_empty()) {
            let port = text.parse::<u16>().ok().filter(|port| *port > 0);
            ports.push(port.ok_or_else(|| ApiError::bad_request(format!("unable to parse {text:?} as a port")))?);
        }
    }
    match ports.len() {
        0 => Err(ApiError::bad_request("query parameter \"ports\" is required")),
        1..=PORTS_MAX => Ok(ports),
        _ => Err(ApiError::bad_request(format!("at most {PORTS_MAX} ports may be forwarded at once"))),
    }
}
