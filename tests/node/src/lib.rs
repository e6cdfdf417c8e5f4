//! A kubelet for tests: it speaks the API server's HTTP/1.1 paths on any byte stream, and its
//! containers are processes of the host.
//!
//! In: connections, as a dialer would open them. Out: what `exec`, `attach`, logs and forwarded ports
//! need. Must not touch: the API server, which it does not know.

#![expect(clippy::expect_used, reason = "a test's node may panic as the test may")]

mod log;
mod process;

use bytes::Bytes;
use futures::StreamExt;
use http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, UPGRADE};
use http::{Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use runtime_base::{ByteStream, Tasks};
use std::convert::Infallible;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

/// Bytes in memory between the two ends of a connection.
const CONNECTION_BYTES: usize = 64 * 1024;
/// The process that `attach` leads to.
const MAIN: &str = "/bin/sh";

type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// A container whose main process ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Its Pod's namespace.
    pub namespace: String,
    /// Its Pod.
    pub pod: String,
    /// Its name.
    pub container: String,
    /// The exit code.
    pub code: i32,
}

/// A node: the logs of its containers, and who is told when one ends.
#[derive(Clone)]
pub struct Node {
    tasks: Tasks,
    logs: Arc<log::Logs>,
    ended: Option<mpsc::Sender<Ended>>,
}

impl Node {
    /// A node whose work belongs to `tasks`.
    pub fn new(tasks: Tasks, ended: Option<mpsc::Sender<Ended>>) -> Self {
        Node { tasks, logs: Arc::default(), ended }
    }

    /// A new connection to its kubelet.
    pub fn dial(&self) -> ByteStream {
        let (client, server) = tokio::io::duplex(CONNECTION_BYTES);
        let node = self.clone();
        self.tasks.spawn("kubelet", async move {
            let service = service_fn(move |request| serve(request, node.clone()));
            let http = hyper::server::conn::http1::Builder::new();
            // The other end may go at any time.
            let _ = http.serve_connection(TokioIo::new(server), service).with_upgrades().await;
        });
        Box::new(client)
    }
}

/// A new connection to a kubelet of its own, whose work belongs to `tasks`.
pub fn dial(tasks: &Tasks) -> ByteStream {
    Node::new(tasks.clone(), None).dial()
}

fn text(status: StatusCode, text: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(text.into()).boxed_unsync());
    *answer.status_mut() = status;
    answer
}

async fn serve(request: Request<Incoming>, node: Node) -> Result<Answer, Infallible> {
    let uri = request.uri().clone();
    let parts: Vec<&str> = uri.path().trim_start_matches('/').split('/').collect();
    let query = pairs(uri.query().unwrap_or_default());
    Ok(match parts.as_slice() {
        ["exec" | "attach", _, _, "gone"] => text(StatusCode::NOT_FOUND, "container \"gone\" is not running"),
        ["exec" | "attach", _, _, "sealed"] => text(StatusCode::NOT_IMPLEMENTED, "this container runs no commands"),
        ["exec", _, _, _] => run(request, &query, &node, None),
        ["attach", namespace, pod, container] => {
            let mut query = query;
            query.push(("command".into(), MAIN.into()));
            let [namespace, pod, container] = [namespace, pod, container].map(ToString::to_string);
            run(request, &query, &node, Some(Ended { namespace, pod, container, code: 0 }))
        }
        ["portForward", _, _] => forward(request, &query, &node.tasks).await,
        ["containerLogs", _, pod, container] => {
            let follows = query.iter().any(|(key, value)| key == "follow" && value == "true");
            logged(&node, pod, container, follows)
        }
        ["healthz"] => text(StatusCode::OK, "ok"),
        _ => echo(request).await,
    })
}

/// What a container's main processes have said; when it follows, also what they say from now on.
fn logged(node: &Node, pod: &str, container: &str, follows: bool) -> Answer {
    let log = node.logs.of(pod, container);
    if !follows {
        return text(StatusCode::OK, log.borrow().clone());
    }
    let frames = log::followed(log).map(|bytes| Ok(Frame::data(bytes)));
    Response::new(StreamBody::new(frames).boxed_unsync())
}

/// Answers what was asked, for proxies.
async fn echo(request: Request<Incoming>) -> Answer {
    let head = format!("{} {}\n", request.method(), request.uri());
    let body = request.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    text(StatusCode::OK, [head.as_bytes(), &body].concat())
}

fn pairs(query: &str) -> Vec<(String, String)> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(key, value)| (key.to_owned(), decode(value))).collect()
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits: String = rest.by_ref().take(2).map(char::from).collect();
            bytes.push(u8::from_str_radix(&digits, 16).expect("the server encodes well"));
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Runs a command; of a container's main process it is told what it says and how it ends.
fn run(mut request: Request<Incoming>, query: &[(String, String)], node: &Node, main: Option<Ended>) -> Answer {
    let flag = |name: &str| query.iter().any(|(key, value)| key == name && value == "true");
    let command = query.iter().filter(|(key, _)| key == "command").map(|(_, word)| word.clone()).collect();
    let wish = process::Wish {
        command,
        stdin: flag("stdin"),
        stdout: flag("stdout"),
        stderr: flag("stderr"),
        tty: flag("tty"),
    };
    let header = |name| request.headers().get(name).cloned();
    let (Some(key), Some(protocol)) = (header(SEC_WEBSOCKET_KEY), header(SEC_WEBSOCKET_PROTOCOL)) else {
        return text(StatusCode::BAD_REQUEST, "a WebSocket is required");
    };
    let upgrade = hyper::upgrade::on(&mut request);
    let (node, tasks) = (node.clone(), node.tasks.clone());
    tasks.spawn("process", async move {
        let Ok(upgraded) = upgrade.await else { return };
        let socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await;
        let log = main.as_ref().map(|main| node.logs.writer(&main.pod, &main.container));
        let code = process::serve(socket, wish, log).await;
        if let (Some(main), Some(code), Some(ended)) = (main, code, node.ended) {
            // Whoever wanted to know may be gone.
            let _ = ended.send(Ended { code, ..main }).await;
        }
    });
    let switching = Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(CONNECTION, "Upgrade")
        .header(UPGRADE, "websocket")
        .header(SEC_WEBSOCKET_ACCEPT, derive_accept_key(key.as_bytes()))
        .header(SEC_WEBSOCKET_PROTOCOL, protocol);
    switching.body(Full::default().boxed_unsync()).expect("the headers are fine")
}

/// Connects to a port of the host.
async fn forward(mut request: Request<Incoming>, query: &[(String, String)], tasks: &Tasks) -> Answer {
    let port = query.iter().find(|(key, _)| key == "port").and_then(|(_, port)| port.parse::<u16>().ok());
    let mut stream = match TcpStream::connect(("127.0.0.1", port.unwrap_or(0))).await {
        Ok(stream) => stream,
        Err(error) => return text(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    };
    let upgrade = hyper::upgrade::on(&mut request);
    tasks.spawn("forwarded port", async move {
        let Ok(upgraded) = upgrade.await else { return };
        // Either side may go at any time.
        let _ = tokio::io::copy_bidirectional(&mut TokioIo::new(upgraded), &mut stream).await;
    });
    let switching = Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(CONNECTION, "Upgrade")
        .header(UPGRADE, "coracle-tcp");
    switching.body(Full::default().boxed_unsync()).expect("the headers are fine")
}
