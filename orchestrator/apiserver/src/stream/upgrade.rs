//! Which protocol a client switches to, and bytes between two connections that have switched.

use super::limits::FLUSH_TIME_MAX;
use crate::audit::Hold;
use crate::body::{Request, Response, full};
use bytes::Bytes;
use http::header::{
    CONNECTION, HeaderName, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION,
    UPGRADE,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use orchestrator_apimachinery::ApiError;
use runtime_base::{Tasks, clock};
use tokio::io::AsyncWriteExt;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

const STREAM_PROTOCOL: HeaderName = HeaderName::from_static("x-stream-protocol-version");

/// How a browser's token begins, which comes among the protocols.
const TOKEN: &str = "base64url.bearer.authorization.k8s.io.";

/// What the client and the server agreed on.
pub(super) enum Agreed {
    /// A WebSocket with this subprotocol, "" when none was named; the key is the client's.
    Socket { protocol: &'static str, key: HeaderValue },
    /// SPDY/3.1 with this protocol inside.
    Spdy(&'static str),
}

/// The words of a header that lists them, in all its lines.
fn words(request: &Request, name: HeaderName) -> impl Iterator<Item = &str> {
    let lines = request.headers().get_all(name).iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim).filter(|word| !word.is_empty())
}

/// Whether the client wants to switch to another protocol.
pub(crate) fn is_asked(request: &Request) -> bool {
    words(request, CONNECTION).any(|word| word.eq_ignore_ascii_case("upgrade"))
}

/// Chooses the first protocol of the client's that is known here.
pub(super) fn agree(
    request: &Request,
    sockets: &[&'static str],
    inside_spdy: &[&'static str],
) -> Result<Agreed, ApiError> {
    let wanted = words(request, UPGRADE).next().unwrap_or("").to_ascii_lowercase();
    match wanted.as_str() {
        "websocket" if is_asked(request) => socket(request, sockets),
        "spdy/3.1" if is_asked(request) => spdy(request, inside_spdy),
        _ => Err(ApiError::bad_request("Upgrade request required")),
    }
}

fn spdy(request: &Request, known: &[&'static str]) -> Result<Agreed, ApiError> {
    let mut offered = words(request, STREAM_PROTOCOL);
    match offered.find_map(|word| known.iter().find(|one| **one == word)) {
        Some(protocol) => Ok(Agreed::Spdy(protocol)),
        None => {
            let offered = words(request, STREAM_PROTOCOL).collect::<Vec<_>>().join(" ");
            let accepted = known.join(" ");
            Err(ApiError::new(
                403,
                "Forbidden",
                format!(
                    "unable to upgrade: unable to negotiate protocol: client supports [{offered}], server accepts \
                     [{accepted}]"
                ),
            ))
        }
    }
}

fn socket(request: &Request, known: &[&'static str]) -> Result<Agreed, ApiError> {
    let header = |name: HeaderName| request.headers().get(name);
    let Some(key) = header(SEC_WEBSOCKET_KEY) else {
        return Err(ApiError::bad_request("the WebSocket handshake has no Sec-WebSocket-Key"));
    };
    if request.method() != Method::GET || header(SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return Err(ApiError::bad_request("a WebSocket of version 13 opened by GET is required"));
    }
    let mut offered = words(request, SEC_WEBSOCKET_PROTOCOL).filter(|word| !word.starts_with(TOKEN)).peekable();
    let unnamed = offered.peek().is_none().then(|| known.iter().find(|one| one.is_empty())).flatten();
    match unnamed.or_else(|| offered.find_map(|word| known.iter().find(|one| **one == word))) {
        Some(protocol) => Ok(Agreed::Socket { protocol, key: key.clone() }),
        None => {
            let named: Vec<&str> = known.iter().copied().filter(|one| !one.is_empty()).collect();
            let text = format!("one of these WebSocket subprotocols is required: {}", named.join(", "));
            Err(ApiError::bad_request(text))
        }
    }
}

impl Agreed {
    /// The answer after which the protocol is spoken.
    pub fn response(&self) -> Response {
        let mut headers = HeaderMap::new();
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        match self {
            Agreed::Spdy(protocol) => {
                headers.insert(UPGRADE, HeaderValue::from_static("SPDY/3.1"));
                headers.insert(STREAM_PROTOCOL, HeaderValue::from_static(protocol));
            }
            Agreed::Socket { protocol, key } => {
                headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
                let proof = derive_accept_key(key.as_bytes());
                let proof = HeaderValue::from_str(&proof).expect("base64 is a header value");
                headers.insert(SEC_WEBSOCKET_ACCEPT, proof);
                if !protocol.is_empty() {
                    headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(protocol));
                }
            }
        }
        let mut response = Response::new(full(Bytes::new()));
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        *response.headers_mut() = headers;
        response
    }
}

/// Carries bytes both ways once both sides have switched. When one side ends, the other may say
/// its last words.
pub(crate) fn splice(tasks: &Tasks, client: OnUpgrade, node: OnUpgrade, hold: Hold) {
    tasks.spawn("spliced streams", async move {
        let _hold = hold;
        let (client, node) = match tokio::try_join!(client, node) {
            Ok(both) => both,
            Err(error) => return tracing::debug!(%error, "an upgrade failed"),
        };
        let (mut from_client, mut to_client) = tokio::io::split(TokioIo::new(client));
        let (mut from_node, mut to_node) = tokio::io::split(TokioIo::new(node));
        let up = async {
            // The error of a lost connection has nobody left to read it.
            let _ = tokio::io::copy(&mut from_client, &mut to_node).await;
            let _ = to_node.shutdown().await;
        };
        let down = async {
            let _ = tokio::io::copy(&mut from_node, &mut to_client).await;
            let _ = to_client.shutdown().await;
        };
        let (mut up, mut down) = (Box::pin(up), Box::pin(down));
        tokio::select! {
            () = &mut up => drop(clock::within(FLUSH_TIME_MAX, down).await),
            () = &mut down => drop(clock::within(FLUSH_TIME_MAX, up).await),
        }
    });
}
