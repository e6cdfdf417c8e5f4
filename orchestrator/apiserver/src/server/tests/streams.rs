use super::*;
use crate::stream::tests::frames::Packer;
use futures::{SinkExt, StreamExt};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::collections::BTreeMap;
use std::convert::Infallible;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

pub(super) const PODS: &str = "/api/v1/namespaces/default/pods";

pub(super) async fn pod(kit: &Kit, name: &str, containers: &[&str]) {
    let containers: Vec<Value> = containers.iter().map(|name| json!({"name": name, "image": "i:1"})).collect();
    kit.post(PODS, json!({"metadata": {"name": name}, "spec": {"containers": containers}})).await;
    let binding = json!({"target": {"kind": "Node", "name": "here"}});
    assert_eq!(kit.post(&format!("{PODS}/{name}/binding"), binding).await.0, 201);
}

/// A connection to the server, as the administrator's.
pub(super) fn wire(kit: &Kit) -> DuplexStream {
    let (client, server) = tokio::io::duplex(64 * 1024);
    let api = kit.server.clone();
    kit.tasks.spawn("server", async move {
        let service = service_fn(move |request: http::Request<Incoming>| {
            let api = api.clone();
            async move {
                let request = request.map(|body| body.map_err(Into::into).boxed_unsync());
                Ok::<_, Infallible>(api.handle(admin(), request).await)
            }
        });
        let http = hyper::server::conn::http1::Builder::new();
        let _ = http.serve_connection(TokioIo::new(server), service).with_upgrades().await;
    });
    client
}

fn query(command: &[&str], flags: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-".contains(&byte);
    let encoded = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02x}") };
    let word = |word: &&str| format!("command={}&", word.bytes().map(encoded).collect::<String>());
    command.iter().map(word).collect::<String>() + flags
}

pub(super) type Socket = tokio_tungstenite::WebSocketStream<DuplexStream>;

pub(super) async fn socket(kit: &Kit, path: &str, protocol: &str) -> Socket {
    let mut request = format!("ws://server{path}").into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", protocol.parse().unwrap());
    tokio_tungstenite::client_async(request, wire(kit)).await.unwrap().0
}

/// Everything until the end, by channel.
pub(super) async fn all(socket: &mut Socket) -> BTreeMap<u8, String> {
    let mut seen = BTreeMap::<u8, Vec<u8>>::new();
    while let Some(Ok(message)) = socket.next().await {
        if let Message::Binary(bytes) = message {
            seen.entry(bytes[0]).or_default().extend(&bytes[1..]);
        }
    }
    seen.into_iter().map(|(channel, bytes)| (channel, String::from_utf8(bytes).unwrap())).collect()
}

#[tokio::test]
async fn a_command_has_its_channels_and_its_exit_code() {
    let kit = kit().await;
    pod(&kit, "web", &["main"]).await;
    let path = format!(
        "{PODS}/web/exec?{}",
        query(&["/bin/sh", "-c", "echo out; echo err >&2; exit 7"], "stdout=true&stderr=true")
    );
    let seen = all(&mut socket(&kit, &path, "v4.channel.k8s.io").await).await;
    assert_eq!((&*seen[&1], &*seen[&2]), ("out\n", "err\n"));
    let status: Value = serde_json::from_str(&seen[&3]).unwrap();
    assert_eq!(status["details"]["causes"][0], json!({"reason": "ExitCode", "message": "7"}));
}

#[tokio::test]
async fn input_ends_when_the_client_says_so() {
    let kit = kit().await;
    pod(&kit, "web", &["main"]).await;
    let path = format!("{PODS}/web/exec?{}", query(&["cat"], "stdin=true&stdout=true&stderr=false"));
    let mut socket = socket(&kit, &path, "v5.channel.k8s.io, v4.channel.k8s.io").await;
    socket.send(Message::binary(b"\x00hello".to_vec())).await.unwrap();
    socket.send(Message::binary(vec![255, 0])).await.unwrap();
    let seen = all(&mut socket).await;
    assert_eq!(seen[&1], "hello");
    assert!(seen[&3].contains("Success"), "{seen:?}");
}

#[tokio::test]
async fn an_attached_terminal_has_a_size() {
    let kit = kit().await;
    pod(&kit, "web", &["main"]).await;
    let mut socket =
        socket(&kit, &format!("{PODS}/web/attach?stdin=1&stdout=1&stderr=1&tty=1"), "v5.channel.k8s.io").await;
    socket.send(Message::binary(b"\x04{\"Width\":80,\"Height\":24}".to_vec())).await.unwrap();
    socket.send(Message::binary(b"\x00echo from the main process; exit 0\n".to_vec())).await.unwrap();
    let seen = all(&mut socket).await;
    assert!(seen[&1].contains("size 80x24\n") && seen[&1].contains("from the main process\n"), "{seen:?}");
    assert!(!seen.contains_key(&2));
}

#[tokio::test]
async fn containers_are_named_and_refusals_are_told() {
    let kit = kit().await;
    pod(&kit, "web", &["main", "sealed", "gone"]).await;
    let headers = [
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-websocket-protocol", "v5.channel.k8s.io"),
    ];
    let path = format!("{PODS}/web/exec?command=ls&stdout=true");
    let ask = async |more: &str| kit.send("GET", &format!("{path}{more}"), &headers, Value::Null).await;
    let several = "a container name must be specified for pod web, choose one of: [main sealed gone]";
    check(&ask("").await, 400, several);
    check(&ask("&container=x").await, 400, "container x is not valid for pod web");
    check(&ask("&container=gone").await, 404, "container \"gone\" is not running");
    check(&ask("&container=sealed").await, 501, "this container runs no commands");
    let bare = kit.get(&format!("{path}&container=main")).await;
    check(&bare, 400, "Upgrade request required");
    let spdy = [("connection", "Upgrade"), ("upgrade", "SPDY/3.1"), ("x-stream-protocol-version", "v9.channel.k8s.io")];
    let new = kit.send("POST", &format!("{path}&container=main"), &spdy, Value::Null).await;
    check(&new, 403, "server accepts [v4.channel.k8s.io v3.channel.k8s.io v2.channel.k8s.io channel.k8s.io]");
}

fn data(stream: u32, bytes: &[u8], fin: bool) -> Vec<u8> {
    let mut frame = stream.to_be_bytes().to_vec();
    frame.extend((bytes.len() as u32 | u32::from(fin) << 24).to_be_bytes());
    frame.extend(bytes);
    frame
}

/// The payload of data frames by stream, until the connection ends.
async fn spdy_data(wire: &mut DuplexStream) -> BTreeMap<u32, String> {
    let mut seen = BTreeMap::<u32, String>::new();
    let mut head = [0; 8];
    while wire.read_exact(&mut head).await.is_ok() {
        let mut payload = vec![0; u32::from_be_bytes([0, head[5], head[6], head[7]]) as usize];
        wire.read_exact(&mut payload).await.unwrap();
        let word = u32::from_be_bytes([head[0], head[1], head[2], head[3]]);
        if word >> 31 == 0 {
            let line = seen.entry(word).or_default();
            line.push_str(std::str::from_utf8(&payload).unwrap());
            line.push_str(if head[4] == 1 { "." } else { "" });
        }
    }
    seen
}

/// Everything until the end, as older clients see it: texts of the channels by their number.
async fn old(kit: &Kit, path: &str, protocol: &str) -> BTreeMap<u8, String> {
    use base64::Engine;
    let mut request = format!("ws://server{path}").into_client_request().unwrap();
    if !protocol.is_empty() {
        request.headers_mut().insert("sec-websocket-protocol", protocol.parse().unwrap());
    }
    let (mut socket, answer) = tokio_tungstenite::client_async(request, wire(kit)).await.unwrap();
    let agreed = answer.headers().get("sec-websocket-protocol").map(|value| value.to_str().unwrap());
    assert_eq!(agreed.unwrap_or_default(), protocol);
    let input =
        if protocol.contains("base64") { Message::text("0aGVsbG8K") } else { Message::binary(b"\x00hello\n".to_vec()) };
    socket.send(input).await.unwrap();
    let mut seen = BTreeMap::<u8, String>::new();
    while let Some(Ok(message)) = socket.next().await {
        let (channel, bytes) = match message {
            Message::Binary(bytes) => (bytes[0], bytes[1..].to_vec()),
            Message::Text(text) => {
                let (channel, data) = text.split_at(1);
                (channel.as_bytes()[0] - b'0', base64::prelude::BASE64_STANDARD.decode(data).unwrap())
            }
            _ => continue,
        };
        seen.entry(channel).or_default().push_str(std::str::from_utf8(&bytes).unwrap());
    }
    seen
}

#[tokio::test]
async fn older_websocket_protocols_are_spoken() {
    let kit = kit().await;
    pod(&kit, "web", &["main"]).await;
    let path = |script: &str| {
        format!("{PODS}/web/exec?{}", query(&["/bin/sh", "-c", script], "stdin=true&stdout=true&stderr=true"))
    };
    let (fails, works) = (path("read line; echo $line; echo err >&2; exit 7"), path("read line; echo $line"));
    for protocol in ["channel.k8s.io", "base64.channel.k8s.io", "v4.base64.channel.k8s.io", ""] {
        let seen = old(&kit, &fails, protocol).await;
        assert_eq!((&*seen[&1], &*seen[&2]), ("hello\n", "err\n"), "{protocol}");
        let status = protocol.starts_with("v4");
        assert_eq!(seen[&3].contains("ExitCode"), status, "{protocol}: {}", seen[&3]);
        assert_eq!(seen[&3].starts_with("command terminated with"), !status, "{protocol}: {}", seen[&3]);
        let seen = old(&kit, &works, protocol).await;
        assert_eq!(&*seen[&1], "hello\n", "{protocol}");
        assert_eq!(seen.get(&3).is_some_and(|text| text.contains("Success")), status, "{protocol}: {seen:?}");
    }
}

/// Runs a command over SPDY with these streams: what comes on each.
async fn over_spdy(kit: &Kit, words: &str, protocol: &str, streams: &[(u32, &str)]) -> BTreeMap<u32, String> {
    let mut wire = wire(kit);
    let head = format!(
        "POST {PODS}/web/exec?{words} HTTP/1.1\r\nHost: s\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\
         X-Stream-Protocol-Version: {protocol}\r\n\r\n"
    );
    wire.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(wire.read_u8().await.unwrap());
    }
    let answer = String::from_utf8(answer).unwrap().to_lowercase();
    assert!(answer.contains(&format!("x-stream-protocol-version: {protocol}\r")), "{answer}");
    let mut packer = Packer::new();
    for (stream, type_) in streams {
        wire.write_all(&packer.open(*stream, &[("streamtype", type_)])).await.unwrap();
    }
    spdy_data(&mut wire).await
}

#[tokio::test]
async fn older_versions_over_spdy_tell_texts_and_know_no_sizes() {
    let kit = kit().await;
    pod(&kit, "web", &["main"]).await;
    let words = query(&["/bin/sh", "-c", "echo out; exit 3"], "stdout=true&stderr=true");
    let streams = [(1, "error"), (3, "stdout"), (5, "stderr")];
    for protocol in ["v4.channel.k8s.io", "v3.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io"] {
        let seen = over_spdy(&kit, &words, protocol, &streams).await;
        assert_eq!((&*seen[&3], &*seen[&5]), ("out\n.", "."), "{protocol}");
        assert_eq!(seen[&1].contains("ExitCode"), protocol.starts_with("v4"), "{protocol}: {}", seen[&1]);
        assert!(seen[&1].contains("exit code") && seen[&1].ends_with('.'), "{protocol}: {}", seen[&1]);
        let success = query(&["true"], "stdout=true&stderr=true");
        let seen = over_spdy(&kit, &success, protocol, &streams).await;
        assert_eq!(seen[&1] == ".", !protocol.starts_with("v4"), "{protocol}: {}", seen[&1]);
    }
    // A terminal: v3 has a stream for its size, v2 has none and runs without.
    let words = query(&["/bin/sh", "-c", "exit 0"], "stdout=true&tty=true");
    over_spdy(&kit, &words, "v3.channel.k8s.io", &[(1, "error"), (3, "stdout"), (5, "resize")]).await;
    over_spdy(&kit, &words, "v2.channel.k8s.io", &[(1, "error"), (3, "stdout")]).await;
}

#[tokio::test]
async fn spdy_is_translated() {
    let kit = kit().await;
    pod(&kit, "web", &["main"]).await;
    let mut wire = wire(&kit);
    let words = query(&["/bin/sh", "-c", "cat; echo err >&2; exit 3"], "stdin=true&stdout=true&stderr=true");
    let head = format!(
        "POST {PODS}/web/exec?{words} HTTP/1.1\r\nHost: s\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\
         X-Stream-Protocol-Version: v4.channel.k8s.io\r\nX-Stream-Protocol-Version: v3.channel.k8s.io\r\n\r\n"
    );
    wire.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(wire.read_u8().await.unwrap());
    }
    let answer = String::from_utf8(answer).unwrap().to_lowercase();
    assert!(answer.starts_with("http/1.1 101") && answer.contains("x-stream-protocol-version: v4.channel"), "{answer}");
    let mut packer = Packer::new();
    for (stream, type_) in [(1, "error"), (3, "stdin"), (5, "stdout"), (7, "stderr"), (9, "resize")] {
        wire.write_all(&packer.open(stream, &[("streamtype", type_)])).await.unwrap();
    }
    wire.write_all(&data(1, b"", true)).await.unwrap();
    wire.write_all(&data(3, b"hello", true)).await.unwrap();
    let seen = spdy_data(&mut wire).await;
    assert_eq!((&*seen[&5], &*seen[&7], &*seen[&3]), ("hello.", "err\n.", "."));
    assert!(seen[&1].contains("\"message\":\"3\"") && seen[&1].ends_with('.'), "{seen:?}");
}
