//! The kubelet's HTTP API: logs and port-forward.

use crate::kubelet::{Shared, lock};
use crate::limits::API_HEADERS_MAX;
use crate::logs::read::LogOptions;
use crate::pod::{after, pod_ref};
use bytes::Bytes;
use futures::StreamExt;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use k8s_openapi::api::core::v1::{ContainerStatus, Pod, PodStatus};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use runtime_base::ByteStream;
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tracing::debug;

/// The protocol of an upgraded port-forward connection.
const TCP_UPGRADE: &str = "coracle-tcp";

type Body = UnsyncBoxBody<Bytes, Infallible>;
type Reply = Result<Response<Body>, (StatusCode, String)>;

/// Serves one connection until it ends.
pub(crate) async fn serve(shared: Arc<Shared>, stream: ByteStream) {
    let service = service_fn(move |request| {
        let shared = shared.clone();
        async move { Ok::<_, Infallible>(answer(&shared, request).await) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .max_headers(API_HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    if let Err(error) = connection.await {
        debug!(%error, "connection to the kubelet broke");
    }
}

async fn answer(shared: &Arc<Shared>, request: Request<Incoming>) -> Response<Body> {
    let path = request.uri().path().to_owned();
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let reply = match parts.as_slice() {
        ["healthz"] => Ok(text(StatusCode::OK, "ok")),
        ["containerLogs", namespace, pod, container] => {
            logs(shared, namespace, pod, container, request.uri().query().unwrap_or(""))
        }
        ["portForward", namespace, pod] => port_forward(shared, namespace, pod, request).await,
        _ => Err((StatusCode::NOT_FOUND, "404 page not found".to_owned())),
    };
    reply.unwrap_or_else(|(status, message)| text(status, message))
}

fn text(status: StatusCode, message: impl Into<Bytes>) -> Response<Body> {
    let body = Full::new(message.into()).boxed_unsync();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let kind = header::HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// The Pod of this name on this node.
fn find(shared: &Shared, namespace: &str, name: &str) -> Result<Arc<Pod>, (StatusCode, String)> {
    let missing = || (StatusCode::NOT_FOUND, format!("pod \"{name}\" not found"));
    shared.pods.get(namespace, name).ok_or_else(missing)
}

fn logs(shared: &Arc<Shared>, namespace: &str, name: &str, container: &str, query: &str) -> Reply {
    let pod = find(shared, namespace, name)?;
    let bad = |message: String| (StatusCode::BAD_REQUEST, message);
    let query = parse_query(query);
    let options = log_options(&query, shared.now()).map_err(bad)?;
    let me = pod_ref(&pod);
    let shown = shared.workers().get(&me.uid).map(|handle| handle.status.clone());
    let status = match shown {
        Some(shown) => lock(&shown).clone(),
        None => pod.status.clone().unwrap_or_default(),
    };
    let previous = query.get("previous").is_some_and(|value| is_true(value));
    let attempt = log_attempt(&status, name, container, previous).map_err(bad)?;
    let Some(reader) = shared.logs.reader(&me, container, attempt) else {
        return Err((StatusCode::NOT_FOUND, format!("the log of container \"{container}\" is gone")));
    };
    let (sender, mut receiver) = mpsc::channel(4);
    let label = format!("{me}/{container}");
    shared.tasks.spawn("log-reader", async move {
        if let Err(error) = reader.run(options, sender).await {
            debug!(container = label, %error, "log not read to its end");
        }
    });
    let frames = futures::stream::poll_fn(move |cx| receiver.poll_recv(cx)).map(|bytes| Ok(Frame::data(bytes)));
    let mut response = text(StatusCode::OK, Bytes::new());
    *response.body_mut() = StreamBody::new(frames).boxed_unsync();
    Ok(response)
}

fn parse_query(query: &str) -> HashMap<String, String> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let decode = |text: &str| {
        let bytes = text.replace('+', " ").into_bytes();
        let mut out = Vec::with_capacity(bytes.len());
        let mut rest = bytes.as_slice();
        while let Some((first, tail)) = rest.split_first() {
            let hex = tail.get(..2).and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
            match (first, hex) {
                (b'%', Some(byte)) => {
                    out.push(byte);
                    rest = &tail[2..];
                }
                _ => {
                    out.push(*first);
                    rest = tail;
                }
            }
        }
        String::from_utf8_lossy(&out).into_owned()
    };
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        })
        .collect()
}

fn is_true(value: &str) -> bool {
    matches!(value, "true" | "1" | "True" | "t")
}

fn log_options(query: &HashMap<String, String>, now: Timestamp) -> Result<LogOptions, String> {
    let number = |name: &str| -> Result<Option<u64>, String> {
        match query.get(name).filter(|value| !value.is_empty()) {
            Some(value) => value.parse().map(Some).map_err(|_| format!("invalid value \"{value}\" for {name}")),
            None => Ok(None),
        }
    };
    let since = match (number("sinceSeconds")?, query.get("sinceTime").filter(|value| !value.is_empty())) {
        (Some(seconds), _) => {
            now.checked_sub(SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX))).ok()
        }
        (None, Some(time)) => {
            Some(time.parse::<Timestamp>().map_err(|_| format!("invalid value \"{time}\" for sinceTime"))?)
        }
        (None, None) => None,
    };
    let flag = |name: &str| query.get(name).is_some_and(|value| is_true(value));
    Ok(LogOptions {
        follow: flag("follow"),
        tail_lines: number("tailLines")?,
        since: since.map(|since| after(since, Duration::ZERO)),
        timestamps: flag("timestamps"),
        limit_bytes: number("limitBytes")?,
    })
}

/// Which run's log is meant; the error is upstream's text.
fn log_attempt(status: &PodStatus, pod: &str, container: &str, previous: bool) -> Result<u32, String> {
    let all = [&status.init_container_statuses, &status.container_statuses, &status.ephemeral_container_statuses];
    let found = all.into_iter().flatten().flatten().find(|status| status.name == container);
    let Some(found) = found else {
        return Err(format!("container {container} is not valid for pod {pod}"));
    };
    let count = u32::try_from(found.restart_count).unwrap_or(0);
    let state = found.state.clone().unwrap_or_default();
    let last = found.last_state.as_ref().and_then(|state| state.terminated.as_ref());
    if previous {
        return match (last, state.waiting.is_some()) {
            // In back-off the run that ended last is the previous one.
            (Some(_), true) => Ok(count),
            (Some(_), false) if count > 0 => Ok(count - 1),
            _ => Err(format!("previous terminated container \"{container}\" in pod \"{pod}\" not found")),
        };
    }
    if state.running.is_some() || state.terminated.is_some() || last.is_some() {
        return Ok(count);
    }
    Err(format!("container \"{container}\" in pod \"{pod}\" is waiting to start: {}", waiting_text(found)))
}

fn waiting_text(status: &ContainerStatus) -> String {
    let waiting = status.state.as_ref().and_then(|state| state.waiting.as_ref());
    match waiting.and_then(|waiting| waiting.reason.as_deref()) {
        Some("ErrImagePull") => "image can't be pulled".to_owned(),
        Some("ImagePullBackOff") => "trying and failing to pull image".to_owned(),
        Some(reason) => reason.to_owned(),
        None => "ContainerCreating".to_owned(),
    }
}

/// Turns the connection into one TCP connection to the Pod.
async fn port_forward(shared: &Arc<Shared>, namespace: &str, name: &str, mut request: Request<Incoming>) -> Reply {
    let pod = find(shared, namespace, name)?;
    let bad = |message: &str| (StatusCode::BAD_REQUEST, message.to_owned());
    let query = parse_query(request.uri().query().unwrap_or(""));
    let me = pod_ref(&pod);
    if query.get("uid").is_some_and(|uid| !uid.is_empty() && *uid != me.uid) {
        return Err((StatusCode::NOT_FOUND, format!("pod \"{name}\" not found")));
    }
    let port = query.get("port").and_then(|port| port.parse::<u16>().ok()).filter(|port| *port != 0);
    let port = port.ok_or_else(|| bad("port must be a number from 1 to 65535"))?;
    let upgrade = request.headers().get(header::UPGRADE).and_then(|value| value.to_str().ok());
    if upgrade != Some(TCP_UPGRADE) {
        return Err((StatusCode::UPGRADE_REQUIRED, format!("Upgrade: {TCP_UPGRADE} is needed")));
    }
    let target = shared.machine.networks.dial_pod(&me, port).await;
    let mut target =
        target.map_err(|error| (StatusCode::BAD_GATEWAY, format!("dial port {port} of pod {me}: {error}")))?;
    let upgraded = hyper::upgrade::on(&mut request);
    shared.tasks.spawn("port-forward", async move {
        match upgraded.await {
            Ok(upgraded) => {
                let mut upgraded = TokioIo::new(upgraded);
                // An error is one of the two hanging up.
                let _ = tokio::io::copy_bidirectional(&mut upgraded, &mut target).await;
            }
            Err(error) => debug!(%error, "port-forward not upgraded"),
        }
    });
    let mut response = text(StatusCode::SWITCHING_PROTOCOLS, Bytes::new());
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_TYPE);
    headers.insert(header::CONNECTION, header::HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, header::HeaderValue::from_static(TCP_UPGRADE));
    Ok(response)
}

#[cfg(test)]
mod tests;
