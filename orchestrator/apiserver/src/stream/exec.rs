//! `pods/NAME/exec` and `pods/NAME/attach`.
//!
//! The node speaks the channels of a WebSocket. A client that does so too is connected with it
//! byte by byte; a client of SPDY/3.1 or of an older protocol is translated for.

use super::kubelet::Target;
use super::log::{boolean, container};
use super::query::{encode, pairs};
use super::relay::{self, Dialect};
use super::upgrade::{Agreed, agree, splice};
use super::{StreamContext, remote};
use crate::audit::Hold;
use crate::body::{Request, Response, full};
use bytes::Bytes;
use http::header::{CONNECTION, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE};
use http::{HeaderValue, StatusCode};
use hyper::body::Incoming;
use orchestrator_apimachinery::ApiError;
use serde_json::Value;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;

/// The protocols of WebSockets, the best first; "" is that of clients that name none. In v5 a client
/// can end its input. Nodes speak the first two.
const SOCKETS: [&str; 6] = [
    "v5.channel.k8s.io",
    "v4.channel.k8s.io",
    "v4.base64.channel.k8s.io",
    "channel.k8s.io",
    "base64.channel.k8s.io",
    "",
];
/// Those of SPDY.
const SPDY: [&str; 4] = ["v4.channel.k8s.io", "v3.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io"];

/// What a client wants of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemoteCommand {
    /// A new process.
    Exec,
    /// The process that runs already.
    Attach,
}

/// `core/v1 PodExecOptions` and `PodAttachOptions`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Options {
    container: String,
    command: Vec<String>,
    pub stdin: bool,
    pub stdout: bool,
    pub stderr: bool,
    pub tty: bool,
}

impl Options {
    fn parse(query: &str, action: RemoteCommand) -> Result<Self, ApiError> {
        let mut options = Options::default();
        for (key, value) in pairs(query) {
            match key.as_str() {
                "container" => options.container = value,
                "command" => options.command.push(value),
                "stdin" => options.stdin = boolean(&value),
                "stdout" => options.stdout = boolean(&value),
                "stderr" => options.stderr = boolean(&value),
                "tty" => options.tty = boolean(&value),
                _ => {}
            }
        }
        // A terminal has one output.
        options.stderr &= !options.tty;
        if !(options.stdin || options.stdout || options.stderr) {
            return Err(ApiError::bad_request("you must specify at least 1 of stdin, stdout, stderr"));
        }
        if action == RemoteCommand::Exec && options.command.is_empty() {
            return Err(ApiError::bad_request("you must specify a command to execute"));
        }
        Ok(options)
    }

    /// The node's path.
    fn path(&self, action: RemoteCommand, target: &Target, container: &str) -> String {
        let verb = match action {
            RemoteCommand::Exec => "exec",
            RemoteCommand::Attach => "attach",
        };
        let Options { stdin, stdout, stderr, tty, .. } = self;
        let command: String = match action {
            RemoteCommand::Exec => self.command.iter().map(|word| format!("command={}&", encode(word))).collect(),
            RemoteCommand::Attach => String::new(),
        };
        let (namespace, pod) = (&target.namespace, &target.pod);
        format!(
            "/{verb}/{namespace}/{pod}/{container}?{command}stdin={stdin}&stdout={stdout}&stderr={stderr}&tty={tty}"
        )
    }
}

/// Answers with an upgrade that leads to a process in a container of `pod`.
pub async fn remote_command(
    ctx: &StreamContext<'_>,
    pod: &Value,
    action: RemoteCommand,
    mut request: Request,
) -> Result<Response, ApiError> {
    let options = Options::parse(request.uri().query().unwrap_or(""), action)?;
    let container = container(pod, &options.container)?;
    let target = Target::bound(ctx, pod)?;
    let agreed = agree(&request, &SOCKETS, &SPDY)?;
    let path = options.path(action, &target, container);
    let (hold, client) = (Hold::of(&request), hyper::upgrade::on(&mut request));
    let fresh = || HeaderValue::from_str(&generate_key()).expect("base64 is a header value");
    match &agreed {
        Agreed::Socket { protocol, key } => match Dialect::of(protocol) {
            None => {
                let node = open(&target, &path, protocol, key.clone()).await?;
                splice(ctx.tasks, client, hyper::upgrade::on(node), hold);
            }
            Some(dialect) => {
                let node = hyper::upgrade::on(open(&target, &path, SOCKETS[1], fresh()).await?);
                ctx.tasks.spawn("remote command", async move {
                    let _hold = hold;
                    match tokio::try_join!(client, node) {
                        Ok((client, node)) => relay::serve(client, node, dialect).await,
                        Err(error) => tracing::debug!(%error, "an upgrade failed"),
                    }
                });
            }
        },
        Agreed::Spdy(protocol) => {
            let protocol = *protocol;
            let node = hyper::upgrade::on(open(&target, &path, SOCKETS[0], fresh()).await?);
            ctx.tasks.spawn("remote command", async move {
                let _hold = hold;
                match tokio::try_join!(client, node) {
                    Ok((client, node)) => remote::serve(client, node, options, protocol).await,
                    Err(error) => tracing::debug!(%error, "an upgrade failed"),
                }
            });
        }
    }
    Ok(agreed.response())
}

/// Opens the node's WebSocket.
async fn open(
    target: &Target,
    path: &str,
    protocol: &'static str,
    key: HeaderValue,
) -> Result<http::Response<Incoming>, ApiError> {
    let request = http::Request::get(path)
        .header(CONNECTION, "Upgrade")
        .header(UPGRADE, "websocket")
        .header(SEC_WEBSOCKET_VERSION, "13")
        .header(SEC_WEBSOCKET_KEY, key)
        .header(SEC_WEBSOCKET_PROTOCOL, protocol)
        .body(full(Bytes::new()))
        .expect("names of a stored Pod and an encoded query make a valid path");
    let answer = target.ask(request).await?;
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(target.refusal(answer).await);
    }
    if answer.headers().get(SEC_WEBSOCKET_PROTOCOL).is_none_or(|agreed| agreed != protocol) {
        return Err(ApiError::new(502, "", format!("node {:?} does not speak {protocol}", target.node)));
    }
    Ok(answer)
}
