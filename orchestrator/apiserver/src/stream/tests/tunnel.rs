//! A SPDY client in memory, tunnelled in a WebSocket as kubectl's, and bare.

use super::frames::Packer;
use super::world::{server, soon, websocket};
use crate::stream::spdy;
use futures::{SinkExt, StreamExt};
use runtime_base::Tasks;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio_tungstenite::tungstenite::Message;

trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// What the server says: control frames by type, data by stream.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Control(u16, Vec<u8>),
    Data(u32, String, bool),
}

struct Client<W> {
    wire: W,
    packer: Packer,
}

impl<W: Wire> Client<W> {
    async fn send(&mut self, bytes: &[u8]) {
        self.wire.write_all(bytes).await.unwrap();
    }

    /// Opens the two streams of connection `id`, numbered 4 id + 1 (errors) and 4 id + 3 (data).
    async fn connect(&mut self, id: u32, port: &str) {
        for (stream, kind) in [(4 * id + 1, "error"), (4 * id + 3, "data")] {
            let request = id.to_string();
            let frame = self.packer.open(stream, &[("streamtype", kind), ("port", port), ("requestid", &request)]);
            self.send(&frame).await;
            if kind == "error" {
                self.send(&spdy::data(stream, b"", true)).await;
            }
        }
    }

    async fn next(&mut self) -> Option<Said> {
        let mut head = [0; 8];
        soon("a frame", self.wire.read_exact(&mut head)).await.ok()?;
        let length = u32::from_be_bytes([0, head[5], head[6], head[7]]) as usize;
        let mut payload = vec![0; length];
        soon("a payload", self.wire.read_exact(&mut payload)).await.ok()?;
        let word = u32::from_be_bytes([head[0], head[1], head[2], head[3]]);
        Some(match word >> 31 {
            1 => Said::Control(word as u16, payload),
            _ => Said::Data(word, String::from_utf8(payload).unwrap(), head[4] == 1),
        })
    }

    /// Data frames up to `count` ends of streams, joined by stream: `stream:text`, `.` for an end.
    async fn transcript(&mut self, mut count: usize) -> Vec<String> {
        let mut lines: std::collections::BTreeMap<u32, String> = Default::default();
        while count > 0 {
            match self.next().await.expect("the server hung up") {
                Said::Data(stream, text, fin) => {
                    let line = lines.entry(stream).or_default();
                    line.push_str(&text);
                    if fin {
                        line.push('.');
                        count -= 1;
                    }
                }
                Said::Control(2, _) => {}
                other => panic!("{other:?}"),
            }
        }
        lines.into_iter().map(|(stream, text)| format!("{stream}:{text}")).collect()
    }
}

/// The client's end of a tunnel: bytes cut at odd points into messages.
async fn tunnelled(tasks: &Tasks) -> Client<DuplexStream> {
    let (mut sink, mut source) = websocket(tasks, "", "SPDY/3.1+portforward.k8s.io, v5.channel.k8s.io").await.split();
    let (ours, theirs) = tokio::io::duplex(1024);
    let (mut read, mut write) = tokio::io::split(theirs);
    tasks.spawn("client up", async move {
        let mut buffer = vec![0; 7];
        while let Ok(count @ 1..) = read.read(&mut buffer).await {
            sink.send(Message::binary(buffer[..count].to_vec())).await.unwrap();
        }
        let _ = sink.close().await;
    });
    tasks.spawn("client down", async move {
        while let Some(Ok(Message::Binary(bytes))) = source.next().await {
            if write.write_all(&bytes).await.is_err() {
                return;
            }
        }
        let _ = write.shutdown().await;
    });
    Client { wire: ours, packer: Packer::new() }
}

#[tokio::test]
async fn connections_are_carried_through_the_tunnel() {
    let tasks = Tasks::new();
    let mut client = tunnelled(&tasks).await;
    client.connect(0, "7").await;
    client.connect(1, "8").await;
    client.send(&spdy::data(3, b"hello ", false)).await;
    client.send(&spdy::data(7, &[b'x'; 1000], false)).await;
    client.send(&spdy::data(3, b"world", true)).await;
    client.send(&spdy::data(7, &[b'y'; 500], true)).await;
    let seen = client.transcript(4).await;
    assert_eq!(seen, ["1:.", "3:hello world0.", "5:.", "7:1500."], "input may end before output");
    client.connect(2, "9").await;
    assert_eq!(client.next().await, Some(Said::Control(2, spdy::reply(9, false)[8..].to_vec())));
    client.next().await;
    assert_eq!(client.next().await, Some(Said::Data(11, "0".into(), false)));
    assert_eq!(client.next().await, Some(Said::Data(11, String::new(), true)));
    // kubectl resets what it does not need any more, and waits for the end of the error stream.
    client.send(&spdy::reset(11, spdy::Reset::Refused)).await;
    assert_eq!(client.next().await, Some(Said::Data(9, String::new(), true)));
    tasks.cancel();
}

#[tokio::test]
async fn a_port_that_refuses_is_told_on_the_error_stream() {
    let tasks = Tasks::new();
    let mut client = tunnelled(&tasks).await;
    client.connect(0, "81").await;
    let text = "1:error forwarding port 81 to pod web_shop, uid u-1: connection refused.";
    assert_eq!(client.transcript(2).await, [text, "3:."]);
    client.connect(1, "7").await;
    client.send(&spdy::data(7, b"still here", true)).await;
    assert_eq!(client.transcript(2).await, ["5:.", "7:still here0."]);
    tasks.cancel();
}

#[tokio::test]
async fn pings_are_echoed_and_bad_streams_refused() {
    let tasks = Tasks::new();
    let mut client = tunnelled(&tasks).await;
    client.send(&spdy::pong(1)).await;
    assert_eq!(client.next().await, Some(Said::Control(6, vec![0, 0, 0, 1])));
    for (stream, headers) in [
        (1, vec![("streamtype", "data")]),
        (3, vec![("port", "80")]),
        (5, vec![("port", "0"), ("streamtype", "data")]),
        (7, vec![("port", "65536"), ("streamtype", "error")]),
        (9, vec![("port", "80"), ("streamtype", "other")]),
    ] {
        let frame = client.packer.open(stream, &headers);
        client.send(&frame).await;
        assert_eq!(client.next().await, Some(Said::Control(3, [stream.to_be_bytes(), 1u32.to_be_bytes()].concat())));
    }
    let back = client.packer.open(3, &[]);
    client.send(&back).await;
    assert!(matches!(client.next().await, Some(Said::Control(7, _))), "stream numbers only grow");
    assert_eq!(client.next().await, None);
    tasks.cancel();
}

#[tokio::test]
async fn spdy_without_a_websocket_works_too() {
    let tasks = Tasks::new();
    let mut wire = server(&tasks);
    let head = "POST /portforward HTTP/1.1\r\nHost: s\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\
                X-Stream-Protocol-Version: portforward.k8s.io\r\nContent-Length: 0\r\n\r\n";
    wire.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(soon("the answer", wire.read_u8()).await.unwrap());
    }
    let answer = String::from_utf8(answer).unwrap().to_lowercase();
    assert!(answer.starts_with("http/1.1 101") && answer.contains("x-stream-protocol-version: portforward.k8s.io"));
    let mut client = Client { wire, packer: Packer::new() };
    client.connect(0, "7").await;
    client.send(&spdy::data(3, b"bare", true)).await;
    assert_eq!(client.transcript(2).await, ["1:.", "3:bare0."]);
    tasks.cancel();
}

#[tokio::test]
async fn much_goes_through_without_being_held() {
    let tasks = Tasks::new();
    let mut wire = tunnelled(&tasks).await;
    wire.connect(0, "8").await;
    for _ in 0..64 {
        wire.send(&spdy::data(3, &[b'z'; 4096], false)).await;
    }
    wire.send(&spdy::data(3, b"", true)).await;
    assert_eq!(wire.transcript(2).await, ["1:.", "3:262144."]);
    tasks.cancel();
}
