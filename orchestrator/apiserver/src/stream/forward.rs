//! `GET` and `POST pods/NAME/portforward`: which protocol the client speaks.

use super::kubelet::Target;
use super::limits::PORTS_MAX;
use super::query::pairs;
use super::upgrade::{Agreed, agree};
use super::{StreamContext, channels, ports, websocket};
use crate::audit::Hold;
use crate::body::{Request, Response};
use hyper_util::rt::TokioIo;
use orchestrator_apimachinery::ApiError;
use serde_json::Value;

/// SPDY/3.1 tunnelled in a WebSocket: what kubectl asks for.
const TUNNEL: &str = "SPDY/3.1+portforward.k8s.io";
const CLOSING_CHANNELS: &str = "v5.channel.k8s.io";
const CHANNELS: &str = "v4.channel.k8s.io";
/// What is spoken inside SPDY.
const FORWARD: &str = "portforward.k8s.io";

/// How the client's connections come.
enum Protocol {
    Spdy,
    Tunnel,
    Channels { ports: Vec<u16>, can_close: bool },
}

/// Answers with an upgrade after which each of the client's connections is carried to a port of `pod`.
pub async fn port_forward(ctx: &StreamContext<'_>, pod: &Value, mut request: Request) -> Result<Response, ApiError> {
    let target = Target::bound(ctx, pod)?;
    let agreed = agree(&request, &[TUNNEL, CLOSING_CHANNELS, CHANNELS], &[FORWARD])?;
    let protocol = match agreed {
        Agreed::Spdy(_) => Protocol::Spdy,
        Agreed::Socket { protocol: TUNNEL, .. } => Protocol::Tunnel,
        Agreed::Socket { protocol, .. } => Protocol::Channels {
            ports: ports_of(request.uri().query().unwrap_or(""))?,
            can_close: protocol == CLOSING_CHANNELS,
        },
    };
    let (hold, upgrade) = (Hold::of(&request), hyper::upgrade::on(&mut request));
    ctx.tasks.spawn("port-forward", async move {
        let _hold = hold;
        let upgraded = match upgrade.await {
            Ok(upgraded) => upgraded,
            Err(error) => return tracing::debug!(%error, "a client's upgrade failed"),
        };
        match protocol {
            Protocol::Spdy => ports::serve(Box::new(TokioIo::new(upgraded)), target).await,
            Protocol::Tunnel => {
                let (stream, carrying) = websocket::tunnel(websocket::open(upgraded).await);
                tokio::join!(ports::serve(stream, target), carrying);
            }
            Protocol::Channels { ports, can_close } => {
                channels::serve(websocket::open(upgraded).await, ports, can_close, target).await;
            }
        }
    });
    Ok(agreed.response())
}

/// The ports in a parameter: `80,81`, or several values.
pub(crate) fn port_numbers<'t>(values: impl Iterator<Item = &'t str>) -> Result<Vec<u16>, ApiError> {
    let mut ports = Vec::new();
    for text in values.flat_map(|value| value.split(',')).map(str::trim).filter(|text| !text.is_empty()) {
        let port = text.parse::<u16>().ok().filter(|port| *port > 0);
        ports.push(port.ok_or_else(|| ApiError::bad_request(format!("unable to parse {text:?} as a port")))?);
    }
    Ok(ports)
}

/// The ports of a query that names some: `ports=80,81`, or the parameter several times.
fn ports_of(query: &str) -> Result<Vec<u16>, ApiError> {
    let pairs = pairs(query);
    let ports = port_numbers(pairs.iter().filter(|(key, _)| key == "ports").map(|(_, value)| &**value))?;
    match ports.len() {
        0 => Err(ApiError::bad_request("query parameter \"ports\" is required")),
        1..=PORTS_MAX => Ok(ports),
        _ => Err(ApiError::bad_request(format!("at most {PORTS_MAX} ports may be forwarded at once"))),
    }
}
