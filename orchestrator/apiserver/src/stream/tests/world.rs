//! A node in memory, and the server in front of it.

use crate::body::{Request, Response, full};
use crate::node::NodeDialer;
use crate::stream::{StreamContext, log, port_forward};
use async_trait::async_trait;
use bytes::Bytes;
use http::StatusCode;
use http::header::{CONNECTION, UPGRADE};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use orchestrator_apimachinery::ApiError;
use runtime_base::{ByteStream, Tasks, clock};
use serde_json::{Value, json};
use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

/// A node `n1` whose Pods echo on port 7, answer once all input has come on port 8, close at once on
/// port 9, and refuse every other one.
pub struct Node(pub Tasks);

#[async_trait]
impl NodeDialer for Node {
    async fn dial(&self, node: &str) -> io::Result<ByteStream> {
        match node {
            "n1" => {}
            "broken" => return Err(io::ErrorKind::ConnectionRefused.into()),
            _ => return Err(io::ErrorKind::NotFound.into()),
        }
        let (client, server) = tokio::io::duplex(64 * 1024);
        let tasks = self.0.clone();
        self.0.spawn("kubelet", async move {
            let service = service_fn(move |request| kubelet(request, tasks.clone()));
            let http = hyper::server::conn::http1::Builder::new();
            let _ = http.serve_connection(TokioIo::new(server), service).with_upgrades().await;
        });
        Ok(Box::new(client))
    }
}

async fn kubelet(mut request: http::Request<Incoming>, tasks: Tasks) -> Result<Response, Infallible> {
    let text = |status: StatusCode, text: String| {
        let mut response = Response::new(full(text));
        *response.status_mut() = status;
        Ok(response)
    };
    let uri = request.uri().to_string();
    if uri.starts_with("/containerLogs/") {
        return match uri.contains("/waiting?") {
            true => text(StatusCode::BAD_REQUEST, "container \"waiting\" is waiting to start\n".into()),
            false => text(StatusCode::OK, uri),
        };
    }
    let port: u16 = uri.split_once("port=").unwrap().1.parse().unwrap();
    if !(7..=9).contains(&port) {
        return text(StatusCode::INTERNAL_SERVER_ERROR, "connection refused".into());
    }
    let upgrade = hyper::upgrade::on(&mut request);
    tasks.spawn("port", async move {
        let mut io = TokioIo::new(upgrade.await.unwrap());
        let mut buffer = vec![0; 4096];
        let mut all = Vec::new();
        while port != 9
            && let Ok(count @ 1..) = io.read(&mut buffer).await
        {
            match port {
                7 => io.write_all(&buffer[..count]).await.unwrap(),
                _ => all.extend_from_slice(&buffer[..count]),
            }
        }
        let _ = io.write_all(format!("{}", all.len()).as_bytes()).await;
        let _ = io.shutdown().await;
    });
    let switching = http::Response::builder().status(101).header(CONNECTION, "Upgrade").header(UPGRADE, "coracle-tcp");
    Ok(switching.body(full(Bytes::new())).unwrap())
}

pub fn pod(node: &str) -> Value {
    json!({
        "metadata": {"name": "web", "namespace": "shop", "uid": "u-1"},
        "spec": {"nodeName": node, "containers": [{"name": "main"}]},
    })
}

/// The answer to a log request: status, text.
pub async fn ask_log(pod: &Value, query: &str) -> (u16, String) {
    let tasks = Tasks::new();
    let dialer: Arc<dyn NodeDialer> = Arc::new(Node(tasks.clone()));
    let answer = log(&StreamContext { dialer: &dialer, tasks: &tasks }, pod, query).await;
    match answer {
        Ok(response) => {
            let status = response.status().as_u16();
            let body = response.into_body().collect().await.unwrap().to_bytes();
            (status, String::from_utf8(body.to_vec()).unwrap())
        }
        Err(error) => (error.code, format!("{}: {}", error.reason, error.message)),
    }
}

/// A connection to a server that forwards ports of the Pod.
pub fn server(tasks: &Tasks) -> DuplexStream {
    let (client, server) = tokio::io::duplex(64 * 1024);
    let (tasks, dialer) = (tasks.clone(), Arc::new(Node(tasks.clone())) as Arc<dyn NodeDialer>);
    tasks.clone().spawn("server", async move {
        let service = service_fn(move |request: http::Request<Incoming>| {
            let (tasks, dialer) = (tasks.clone(), dialer.clone());
            async move {
                let request: Request = request.map(|body| body.map_err(Into::into).boxed_unsync());
                let ctx = StreamContext { dialer: &dialer, tasks: &tasks };
                Ok::<_, Infallible>(port_forward(&ctx, &pod("n1"), request).await.unwrap_or_else(refusal))
            }
        });
        let http = hyper::server::conn::http1::Builder::new();
        let _ = http.serve_connection(TokioIo::new(server), service).with_upgrades().await;
    });
    client
}

fn refusal(error: ApiError) -> Response {
    let mut response = Response::new(full(error.message));
    *response.status_mut() = StatusCode::from_u16(error.code).unwrap();
    response
}

/// A WebSocket to that server.
pub async fn websocket(tasks: &Tasks, query: &str, protocol: &str) -> tokio_tungstenite::WebSocketStream<DuplexStream> {
    use tokio_tungstenite::tungstenite::client::IntoClientRequest;
    let mut request = format!("ws://server/portforward?{query}").into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", protocol.parse().unwrap());
    let (socket, answer) = tokio_tungstenite::client_async(request, server(tasks)).await.unwrap();
    assert!(protocol.contains(answer.headers()["sec-websocket-protocol"].to_str().unwrap()));
    socket
}

/// `future`'s output; a test that hangs fails.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    clock::within(Duration::from_secs(20), future).await.unwrap_or_else(|| panic!("waited too long for {what}"))
}
