//! `pods/NAME/proxy`, `services/NAME/proxy` and `nodes/NAME/proxy`: HTTP to what runs in the cluster.

use super::StreamContext;
use super::kubelet::{Target, send};
use super::upgrade::{is_asked, splice};
use crate::audit::Hold;
use crate::auth::strip_credentials;
use crate::body::{Request, Response, full};
use crate::outbound::{CallError, Caller, Trust, secure, tcp};
use bytes::Bytes;
use http::header::{
    CONNECTION, EXPECT, HOST, HeaderName, LOCATION, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use orchestrator_apimachinery::{ApiError, meta};
use runtime_base::ByteStream;
use serde_json::Value;
use std::net::IpAddr;

/// The port at which kubelets listen; the dialer leads to it.
const KUBELET_PORT: &str = "10250";

/// What is reached through a proxy.
pub(crate) struct Behind<'a> {
    /// `pods`, `services` or `nodes`.
    pub plural: &'a str,
    /// The object.
    pub object: &'a Value,
    /// How it was named.
    pub name: Name<'a>,
    /// The rest of the path; "" or with a slash in front, still encoded.
    pub tail: &'a str,
}

/// `SCHEME:NAME:PORT`, `NAME:PORT` or `NAME`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Name<'a> {
    tls: bool,
    /// The object's name.
    pub name: &'a str,
    port: &'a str,
}

impl<'a> Name<'a> {
    /// Reads the name in a path.
    pub fn parse(text: &'a str, plural: &str) -> Result<Self, ApiError> {
        let wrong = || {
            let word = plural.strip_suffix('s').unwrap_or(plural);
            ApiError::bad_request(format!("invalid {word} request {text:?}"))
        };
        let parts: Vec<&str> = text.split(':').collect();
        let (scheme, name, port) = match parts.as_slice() {
            [name] => ("", *name, ""),
            [name, port] => ("", *name, *port),
            [scheme @ ("" | "http" | "https"), name, port] => (*scheme, *name, *port),
            _ => return Err(wrong()),
        };
        if name.is_empty() { Err(wrong()) } else { Ok(Name { tls: scheme == "https", name, port }) }
    }
}

/// Passes a request on, and its answer back.
pub(crate) async fn proxy(
    ctx: &StreamContext<'_>,
    caller: &Caller,
    behind: Behind<'_>,
    mut request: Request,
) -> Result<Response, ApiError> {
    let path = request.uri().path().to_owned();
    if behind.tail.is_empty() && matches!(*request.method(), Method::GET | Method::HEAD) {
        return redirect(request.uri());
    }
    let prefix = path.strip_suffix(behind.tail).unwrap_or(&path).to_owned();
    let upgrades = is_asked(&request);
    let client = (hyper::upgrade::on(&mut request), Hold::of(&request));
    let outgoing = outgoing(request, &behind, &prefix, upgrades)?;
    let unreachable = |why: String| ApiError::unavailable(format!("error trying to reach service: {why}"));
    let answer = if is_kubelet(&behind) {
        Target::of_node(ctx, behind.name.name).ask_patiently(outgoing).await?
    } else {
        let stream = connect(ctx, caller, &behind).await?;
        let stream = match behind.name.tls {
            true => {
                let trust = Trust { insecure: true, ..Trust::default() };
                secure(stream, behind.name.name, &trust).await.map_err(|error| unreachable(error.to_string()))?
            }
            false => stream,
        };
        send(ctx.tasks, stream, outgoing).await.map_err(|error| unreachable(runtime_base::error::chain(&error)))?
    };
    Ok(incoming(ctx, answer, &prefix, client))
}

fn is_kubelet(behind: &Behind<'_>) -> bool {
    behind.plural == "nodes" && matches!(behind.name.port, "" | KUBELET_PORT)
}

/// Relative links work only under a path that ends with a slash.
fn redirect(uri: &Uri) -> Result<Response, ApiError> {
    let query = uri.query().map_or_else(String::new, |query| format!("?{query}"));
    let place = HeaderValue::from_str(&format!("{}/{query}", uri.path())).map_err(ApiError::internal)?;
    let mut response = Response::new(full(Bytes::new()));
    *response.status_mut() = StatusCode::MOVED_PERMANENTLY;
    response.headers_mut().insert(LOCATION, place);
    Ok(response)
}

/// Removes what is said to the next hop alone.
pub(crate) fn strip(headers: &mut HeaderMap) {
    const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    let hop =
        [CONNECTION, KEEP_ALIVE, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE];
    for name in named.into_iter().chain(hop) {
        headers.remove(name);
    }
}

fn outgoing(request: Request, behind: &Behind<'_>, prefix: &str, upgrades: bool) -> Result<Request, ApiError> {
    let (mut head, body) = request.into_parts();
    let tail = if behind.tail.is_empty() { "/" } else { behind.tail };
    let query = head.uri.query().map_or_else(String::new, |query| format!("?{query}"));
    let uri: Uri = format!("{tail}{query}").parse().map_err(|_| ApiError::bad_request("the path is not valid"))?;
    let wanted = head.headers.get(UPGRADE).cloned();
    let host = head.headers.get(HOST).cloned();
    strip(&mut head.headers);
    let private: Vec<HeaderName> =
        head.headers.keys().filter(|name| name.as_str().starts_with("impersonate-")).cloned().collect();
    for name in private.into_iter().chain([EXPECT, HOST]) {
        head.headers.remove(name);
    }
    strip_credentials(&mut head.headers);
    if let Some(protocol) = wanted.filter(|_| upgrades) {
        head.headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        head.headers.insert(UPGRADE, protocol);
    }
    let mut insert = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            head.headers.insert(name, value);
        }
    };
    insert("x-forwarded-uri", &format!("{prefix}{}", behind.tail));
    insert("x-forwarded-proto", "https");
    insert("x-forwarded-host", host.as_ref().and_then(|host| host.to_str().ok()).unwrap_or_default());
    insert("host", &host_of(behind));
    head.uri = uri;
    head.version = http::Version::HTTP_11;
    head.extensions.clear();
    Ok(Request::from_parts(head, body))
}

fn host_of(behind: &Behind<'_>) -> String {
    let name = match behind.plural {
        "services" => format!("{}.{}.svc", behind.name.name, meta::namespace(behind.object)),
        "pods" => behind.object["status"]["podIP"].as_str().unwrap_or(behind.name.name).to_owned(),
        _ => behind.name.name.to_owned(),
    };
    let name = if name.contains(':') { format!("[{name}]") } else { name };
    if behind.name.port.is_empty() { name } else { format!("{name}:{}", behind.name.port) }
}

async fn connect(ctx: &StreamContext<'_>, caller: &Caller, behind: &Behind<'_>) -> Result<ByteStream, ApiError> {
    let Behind { plural, object, name, .. } = behind;
    let unreachable = |why: String| ApiError::unavailable(format!("error trying to reach service: {why}"));
    let called = |error: CallError| match error {
        CallError::NoEndpoint(text) => ApiError::unavailable(text),
        other => unreachable(other.to_string()),
    };
    match *plural {
        "services" => {
            let port = service_port(object, name.port)?;
            caller.connect_service(meta::namespace(object), name.name, port).await.map_err(called)
        }
        "pods" => Target::bound(ctx, object)?.connect(pod_port(object, name)?).await.map_err(unreachable),
        _ => {
            let port = name.port.parse().map_err(|_| invalid_port("node", name))?;
            let addresses = object["status"]["addresses"].as_array().into_iter().flatten();
            let inside = addresses.into_iter().find(|address| address["type"] == "InternalIP");
            let none =
                || ApiError::bad_request(format!("no preferred addresses found; known addresses: {}", name.name));
            let address = inside.and_then(|address| address["address"].as_str()).ok_or_else(none)?;
            if !is_proxyable(address) {
                return Err(ApiError::bad_request("address not allowed"));
            }
            tcp(address, port).await.map_err(called)
        }
    }
}

fn invalid_port(word: &str, name: &Name<'_>) -> ApiError {
    ApiError::bad_request(format!("invalid {word} request {:?}", format!("{}:{}", name.name, name.port)))
}

/// The port of a Pod: the one that was asked for, the first that a container names, or 80.
fn pod_port(pod: &Value, name: &Name<'_>) -> Result<u16, ApiError> {
    if !name.port.is_empty() {
        return name.port.parse().map_err(|_| invalid_port("pod", name));
    }
    let containers = pod["spec"]["containers"].as_array().into_iter().flatten();
    let first = containers.into_iter().find_map(|container| container["ports"][0]["containerPort"].as_u64());
    Ok(first.and_then(|port| u16::try_from(port).ok()).unwrap_or(80))
}

/// Whether an address may be dialled for a client: not one that means the server's own host or link.
fn is_proxyable(address: &str) -> bool {
    match address.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(IpAddr::V4(ip)) => !(ip.is_loopback() || ip.is_unspecified() || ip.is_link_local() || ip.is_multicast()),
        Ok(IpAddr::V6(ip)) => {
            !(ip.is_loopback() || ip.is_unspecified() || ip.is_unicast_link_local() || ip.is_multicast())
        }
        Err(_) => false,
    }
}

/// The number of a Service's port that was asked for by number or name; none means the one without a name.
fn service_port(service: &Value, asked: &str) -> Result<u16, ApiError> {
    // A name outside of the cluster has no endpoints; the server calls nobody on a client's word.
    if service["spec"]["type"] == "ExternalName" {
        let name = meta::name(service);
        return Err(ApiError::unavailable(format!("no endpoints available for service {name:?}")));
    }
    let ports = || service["spec"]["ports"].as_array().into_iter().flatten();
    let number = asked.parse::<u64>().ok();
    let found = ports().find(|port| match number {
        Some(number) => port["port"].as_u64() == Some(number),
        None => port["name"].as_str().unwrap_or_default() == asked,
    });
    let name = meta::name(service);
    let missing = || match (number, asked) {
        (Some(number), _) => ApiError::unavailable(format!("no service port {number} found for service {name:?}")),
        (None, "") => ApiError::unavailable(format!("no endpoints available for service {name:?}")),
        (None, asked) => ApiError::unavailable(format!("no service port {asked:?} found for service {name:?}")),
    };
    let port = found.and_then(|port| port["port"].as_u64()).and_then(|port| u16::try_from(port).ok());
    port.ok_or_else(missing)
}

/// The answer as the client gets it.
fn incoming(
    ctx: &StreamContext<'_>,
    mut answer: http::Response<Incoming>,
    prefix: &str,
    (client, hold): (hyper::upgrade::OnUpgrade, Hold),
) -> Response {
    if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
        let upgrade = hyper::upgrade::on(&mut answer);
        splice(ctx.tasks, client, upgrade, hold);
        return answer.map(|_| full(Bytes::new()));
    }
    strip(answer.headers_mut());
    let place = answer.headers().get(LOCATION).and_then(|place| place.to_str().ok());
    if let Some(place) = place.filter(|place| place.starts_with('/') && !place.starts_with("//"))
        && let Ok(place) = HeaderValue::from_str(&format!("{prefix}{place}"))
    {
        answer.headers_mut().insert(LOCATION, place);
    }
    answer.map(|body| body.map_err(Into::into).boxed_unsync())
}
