use super::world::{server, soon, websocket};
use futures::{SinkExt, StreamExt};
use runtime_base::Tasks;
use std::collections::BTreeMap;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::tungstenite::Message;

/// Everything that comes until the server closes, by channel.
async fn all(
    socket: &mut (impl StreamExt<Item = Result<Message, tokio_tungstenite::tungstenite::Error>> + Unpin),
) -> BTreeMap<u8, Vec<u8>> {
    let mut seen = BTreeMap::<u8, Vec<u8>>::new();
    while let Some(Ok(message)) = soon("a message", socket.next()).await {
        match message {
            Message::Binary(bytes) => seen.entry(bytes[0]).or_default().extend(&bytes[1..]),
            Message::Close(_) => break,
            other => panic!("{other:?}"),
        }
    }
    seen
}

#[tokio::test]
async fn each_port_has_two_channels() {
    let tasks = Tasks::new();
    let mut socket = websocket(&tasks, "ports=8%2C81&ports=9", "v5.channel.k8s.io, v4.channel.k8s.io").await;
    socket.send(Message::binary(b"\x00hello".to_vec())).await.unwrap();
    socket.send(Message::binary(b"\x01ignored".to_vec())).await.unwrap();
    socket.send(Message::binary(b"\x63nobody's".to_vec())).await.unwrap();
    socket.send(Message::binary(vec![255, 0])).await.unwrap();
    socket.send(Message::binary(vec![255, 4])).await.unwrap();
    let seen = all(&mut socket).await;
    assert_eq!(seen[&0], b"\x08\x005");
    assert_eq!(seen[&1], b"\x08\x00");
    assert_eq!(seen[&2], b"\x51\x00");
    assert_eq!(seen[&3], b"\x51\x00error forwarding port 81 to pod web_shop, uid u-1: connection refused");
    assert_eq!((&seen[&4][..], &seen[&5][..]), (&b"\x09\x000"[..], &b"\x09\x00"[..]));
    tasks.cancel();
}

#[tokio::test]
async fn the_older_protocol_echoes() {
    let tasks = Tasks::new();
    let mut socket = websocket(&tasks, "ports=7", "v4.channel.k8s.io").await;
    socket.send(Message::binary(b"\x00ping".to_vec())).await.unwrap();
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"ping") {
        bytes.extend(soon("an echo", socket.next()).await.unwrap().unwrap().into_data());
    }
    socket.close(None).await.unwrap();
    tasks.cancel();
}

#[tokio::test]
async fn what_is_no_port_forward_is_refused() {
    let tasks = Tasks::new();
    let ask = async |query: &str, headers: &str| {
        let mut wire = server(&tasks);
        let head = format!("GET /portforward?{query} HTTP/1.1\r\nHost: s\r\n{headers}Content-Length: 0\r\n\r\n");
        wire.write_all(head.as_bytes()).await.unwrap();
        let mut bytes = vec![0; 4096];
        let count = soon("the answer", wire.read(&mut bytes)).await.unwrap();
        let text = String::from_utf8_lossy(&bytes[..count]).into_owned();
        format!("{} {}", &text[9..12], text.split("\r\n\r\n").nth(1).unwrap())
    };
    let socket = "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let lines = [
        ask("", "").await,
        ask("", "Connection: Upgrade\r\nUpgrade: h2c\r\n").await,
        ask("", "Upgrade: websocket\r\n").await,
        ask("", "Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\n").await,
        ask("", socket).await,
        ask("", "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n").await,
        ask("", &format!("{socket}Sec-WebSocket-Protocol: v4.channel.k8s.io\r\n")).await,
        ask("ports=80,x", &format!("{socket}Sec-WebSocket-Protocol: v4.channel.k8s.io\r\n")).await,
        ask("ports=0", &format!("{socket}Sec-WebSocket-Protocol: v4.channel.k8s.io\r\n")).await,
        ask(&format!("ports={}", "1,".repeat(121)), &format!("{socket}Sec-WebSocket-Protocol: v4.channel.k8s.io\r\n"))
            .await,
    ];
    expect_test::expect![[r#"
        400 Upgrade request required
        400 Upgrade request required
        400 Upgrade request required
        403 unable to upgrade: unable to negotiate protocol: client supports [], server accepts [portforward.k8s.io]
        400 one of these WebSocket subprotocols is required: SPDY/3.1+portforward.k8s.io, v5.channel.k8s.io, v4.channel.k8s.io
        400 the WebSocket handshake has no Sec-WebSocket-Key
        400 query parameter "ports" is required
        400 unable to parse "x" as a port
        400 unable to parse "0" as a port
        400 at most 120 ports may be forwarded at once"#]].assert_eq(&lines.join("\n"));
    tasks.cancel();
}
