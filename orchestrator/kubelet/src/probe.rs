//! Probes: what counts as a pass, and the loops that ask.

use crate::machine::PodNetworks;
use crate::pod::{ProbeTiming, container_reference};
use crate::record::{ProbeKind, Report};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::{Container, HTTPGetAction, Pod, Probe, TCPSocketAction};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use orchestrator_client::Recorder;
use runtime_base::{Clock, clock};
use runtime_spec::NetError;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// What one look told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It passed.
    Success,
    /// It failed, with the text of the Event.
    Failure(String),
    /// This version cannot look that way.
    Unsupported(&'static str),
}

/// Counts looks until they make a verdict; pure.
#[derive(Clone, Debug)]
pub struct ProbeState {
    success_threshold: u32,
    failure_threshold: u32,
    last: Option<bool>,
    in_a_row: u32,
    verdict: Option<bool>,
}

impl ProbeState {
    /// Nothing seen yet; a container counts as alive and as not ready.
    pub fn new(kind: ProbeKind, timing: &ProbeTiming) -> Self {
        let verdict = match kind {
            ProbeKind::Startup => None,
            ProbeKind::Liveness => Some(true),
            ProbeKind::Readiness => Some(false),
        };
        let (success_threshold, failure_threshold) = (timing.success_threshold, timing.failure_threshold);
        ProbeState { success_threshold, failure_threshold, last: None, in_a_row: 0, verdict }
    }

    /// Takes one look in; `Some` when the verdict changed.
    pub fn observe(&mut self, passed: bool) -> Option<bool> {
        self.in_a_row = if self.last == Some(passed) { self.in_a_row + 1 } else { 1 };
        self.last = Some(passed);
        let threshold = if passed { self.success_threshold } else { self.failure_threshold };
        if self.in_a_row < threshold || self.verdict == Some(passed) {
            return None;
        }
        self.verdict = Some(passed);
        Some(passed)
    }
}

/// One run of a container, as its probes see it.
#[derive(Clone)]
pub struct Probed {
    /// The Pod.
    pub pod: Arc<Pod>,
    /// The container in it.
    pub container: Container,
    /// The number of the run.
    pub attempt: u32,
    /// The Pod's address.
    pub address: IpAddr,
    /// How to reach it.
    pub networks: Arc<dyn PodNetworks>,
    /// Time.
    pub clock: Clock,
    /// Where Events go.
    pub recorder: Recorder,
}

/// Probes a container until it ends (the caller drops this future then) or fails for good.
/// `tell` gets each change of a verdict.
pub async fn run(probed: Probed, tell: mpsc::Sender<Report>) {
    let started = probed.clock.monotonic();
    if let Some(startup) = &probed.container.startup_probe
        && !watch(&probed, ProbeKind::Startup, startup, started, &tell).await
    {
        return;
    }
    let one = |kind, probe: Option<Probe>| {
        let (probed, tell) = (&probed, &tell);
        async move {
            if let Some(probe) = probe {
                watch(probed, kind, &probe, started, tell).await;
            }
        }
    };
    tokio::join!(
        one(ProbeKind::Liveness, probed.container.liveness_probe.clone()),
        one(ProbeKind::Readiness, probed.container.readiness_probe.clone()),
    );
}

/// Looks again and again. Ends with true once a startup probe has passed, and with false when
/// there is nothing to look at any more.
async fn watch(probed: &Probed, kind: ProbeKind, probe: &Probe, started: Instant, tell: &mpsc::Sender<Report>) -> bool {
    let timing = ProbeTiming::of(probe);
    let mut state = ProbeState::new(kind, &timing);
    let mut next = started + timing.initial_delay;
    loop {
        probed.clock.sleep_until(next).await;
        next = (next + timing.period).max(probed.clock.monotonic());
        let passed = match look(probed, probe, timing.timeout).await {
            Outcome::Success => true,
            Outcome::Failure(message) => {
                let about = container_reference(&probed.pod, &probed.container.name);
                probed.recorder.warning(&about, "Unhealthy", format!("{} probe failed: {message}", kind.title()));
                false
            }
            Outcome::Unsupported(what) => {
                // Never kill for what was not looked at, and never call it ready.
                let about = container_reference(&probed.pod, &probed.container.name);
                let message = format!("{} probe by {what} is not supported yet", kind.title());
                probed.recorder.warning(&about, "Unhealthy", message);
                if kind == ProbeKind::Startup {
                    report(probed, kind, true, None, tell).await;
                }
                return kind == ProbeKind::Startup;
            }
        };
        let Some(passed) = state.observe(passed) else { continue };
        let grace = probe.termination_grace_period_seconds.and_then(|seconds| u64::try_from(seconds).ok());
        report(probed, kind, passed, grace.map(Duration::from_secs), tell).await;
        match (kind, passed) {
            (ProbeKind::Startup, passed) => return passed,
            (ProbeKind::Liveness, false) => return false,
            _ => {}
        }
    }
}

async fn report(probed: &Probed, kind: ProbeKind, passed: bool, grace: Option<Duration>, tell: &mpsc::Sender<Report>) {
    let (container, attempt) = (probed.container.name.clone(), probed.attempt);
    // A worker that is gone needs no report.
    let _ = tell.send(Report::Probed { container, attempt, kind, passed, grace }).await;
}

async fn look(probed: &Probed, probe: &Probe, timeout: Duration) -> Outcome {
    let (container, networks) = (&probed.container, &*probed.networks);
    if let Some(action) = &probe.http_get {
        return http_get(networks, probed.address, container, action, timeout).await;
    }
    if let Some(action) = &probe.tcp_socket {
        return tcp(networks, probed.address, container, action, timeout).await;
    }
    Outcome::Unsupported(match (&probe.exec, &probe.grpc) {
        (Some(_), _) => "exec",
        (_, Some(_)) => "grpc",
        _ => "nothing",
    })
}

/// The number of a port that is given as a number or by its name in `container`.
pub fn port_number(container: &Container, port: &IntOrString) -> Result<u16, String> {
    let number = match port {
        IntOrString::Int(number) => Some(*number),
        IntOrString::String(name) => container
            .ports
            .iter()
            .flatten()
            .find(|port| port.name.as_deref() == Some(name))
            .map(|port| port.container_port)
            .or_else(|| name.parse().ok()),
    };
    let number = number.ok_or_else(|| format!("couldn't find port: {port:?}"))?;
    u16::try_from(number).ok().filter(|port| *port != 0).ok_or_else(|| format!("invalid port number: {number}"))
}

fn net_error(error: &NetError) -> String {
    match error {
        NetError::ConnectionRefused(remote) => format!("dial tcp {remote}: connect: connection refused"),
        NetError::Unreachable(remote) => format!("dial tcp {remote}: connect: no route to host"),
        NetError::Timeout(remote) => format!("dial tcp {remote}: i/o timeout"),
        other => other.to_string(),
    }
}

/// Connects and hangs up.
pub async fn tcp(
    networks: &dyn PodNetworks,
    address: IpAddr,
    container: &Container,
    action: &TCPSocketAction,
    timeout: Duration,
) -> Outcome {
    if action.host.as_deref().is_some_and(|host| host != address.to_string()) {
        return Outcome::Unsupported("tcpSocket with a host");
    }
    let port = match port_number(container, &action.port) {
        Ok(port) => port,
        Err(message) => return Outcome::Failure(message),
    };
    let remote = SocketAddr::new(address, port);
    match clock::within(timeout, networks.dial(remote)).await {
        Some(Ok(_)) => Outcome::Success,
        Some(Err(error)) => Outcome::Failure(net_error(&error)),
        None => Outcome::Failure(format!("dial tcp {remote}: i/o timeout")),
    }
}

/// Sends one GET request; 200 to 399 is a success.
pub async fn http_get(
    networks: &dyn PodNetworks,
    address: IpAddr,
    container: &Container,
    action: &HTTPGetAction,
    timeout: Duration,
) -> Outcome {
    if action.scheme.as_deref() == Some("HTTPS") {
        return Outcome::Unsupported("httpGet with scheme HTTPS");
    }
    if action.host.as_deref().is_some_and(|host| !host.is_empty() && host != address.to_string()) {
        return Outcome::Unsupported("httpGet with a host");
    }
    let port = match port_number(container, &action.port) {
        Ok(port) => port,
        Err(message) => return Outcome::Failure(message),
    };
    let remote = SocketAddr::new(address, port);
    let path = action.path.as_deref().filter(|path| !path.is_empty()).unwrap_or("/");
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    let url = format!("http://{remote}{path}");
    match clock::within(timeout, get(networks, remote, &path, action)).await {
        Some(Ok(status)) if (200..400).contains(&status) => Outcome::Success,
        Some(Ok(status)) => Outcome::Failure(format!("HTTP probe failed with statuscode: {status}")),
        Some(Err(error)) => Outcome::Failure(format!("Get \"{url}\": {error}")),
        None => Outcome::Failure(format!(
            "Get \"{url}\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
        )),
    }
}

async fn get(
    networks: &dyn PodNetworks,
    remote: SocketAddr,
    path: &str,
    action: &HTTPGetAction,
) -> Result<u16, String> {
    let mut request = http::Request::get(path);
    let mut has = (false, false, false);
    for header in action.http_headers.iter().flatten() {
        has.0 |= header.name.eq_ignore_ascii_case("host");
        has.1 |= header.name.eq_ignore_ascii_case("user-agent");
        has.2 |= header.name.eq_ignore_ascii_case("accept");
        request = request.header(&header.name, &header.value);
    }
    for (given, name, value) in [
        (has.0, "host", remote.to_string()),
        (has.1, "user-agent", "kube-probe/1.36".to_owned()),
        (has.2, "accept", "*/*".to_owned()),
        (false, "connection", "close".to_owned()),
    ] {
        if !given {
            request = request.header(name, value);
        }
    }
    let request = request.body(Empty::<bytes::Bytes>::new()).map_err(|error| error.to_string())?;
    let stream = networks.dial(remote).await.map_err(|error| net_error(&error))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    let exchange = async {
        let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
        let status = response.status().as_u16();
        // Let a small answer come to its end, so that the program sees no reset.
        let mut body = response.into_body();
        let mut left = crate::limits::PROBE_BODY_BYTES_MAX;
        while let Some(Ok(frame)) = body.frame().await {
            left = left.saturating_sub(frame.data_ref().map_or(0, bytes::Bytes::len));
            if left == 0 {
                break;
            }
        }
        Ok(status)
    };
    tokio::pin!(exchange, connection);
    tokio::select! {
        result = &mut exchange => result,
        ended = &mut connection => match exchange.await {
            Ok(status) => Ok(status),
            Err(error) => Err(ended.err().map_or(error, |ended| ended.to_string())),
        },
    }
}

#[cfg(test)]
mod tests;
