//! Clients that want to wear the server out, on connections in memory.

use super::*;
use crate::limits::{
    HEADER_BYTES_MAX, HEADER_TIME_MAX, IDLE_TIME_MAX, PING_INTERVAL, PING_TIME_MAX, REQUEST_TIME_MAX, STREAMS_MAX,
    URI_BYTES_MAX,
};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Bytes on the way in each direction.
const PIPE_BYTES: usize = 64 * 1024;
/// Far beyond every limit of time of the server.
const LONG: Duration = Duration::from_secs(3600);
/// Types of HTTP/2 frames.
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GO_AWAY: u8 = 7;
const CONTINUATION: u8 = 9;
/// Flags of HEADERS.
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// Error codes.
const REFUSED_STREAM: u32 = 7;
const ENHANCE_YOUR_CALM: u32 = 11;

/// An administrator's connection, behind TLS.
fn connect(kit: &Kit) -> DuplexStream {
    let (near, far) = tokio::io::duplex(PIPE_BYTES);
    let (pem, _) = kit.pki.issue_client("me", &["system:masters"]).unwrap();
    let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap().to_vec();
    let peer = ([127, 0, 0, 1], 1).into();
    let serving = kit.server.serve_connection(Box::new(far), vec![certificate], peer, kit.tasks.clone());
    kit.tasks.spawn("connection", serving);
    near
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

fn opening() -> Vec<u8> {
    [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()
}

/// HPACK of a GET, without Huffman.
fn get(path: &str) -> Vec<u8> {
    let mut block = vec![0x82, 0x87, 0x04, path.len() as u8];
    block.extend(path.as_bytes());
    block.extend([0x01, 4]);
    block.extend(b"host");
    block
}

/// All frames that come until the server ends the connection or nothing more comes: kind, stream and payload.
async fn frames(stream: &mut DuplexStream) -> Vec<(u8, u32, Vec<u8>)> {
    let mut frames = Vec::new();
    loop {
        let mut head = [0; 9];
        let read = runtime_base::clock::within(Duration::from_secs(5), stream.read_exact(&mut head)).await;
        if !matches!(read, Some(Ok(_))) {
            return frames;
        }
        let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        stream.read_exact(&mut payload).await.unwrap();
        frames.push((head[3], u32::from_be_bytes([head[5], head[6], head[7], head[8]]), payload));
    }
}

fn code(payload: &[u8]) -> u32 {
    u32::from_be_bytes(payload[payload.len().min(8) - 4..][..4].try_into().unwrap())
}

/// Sends a request over HTTP/1.1 and returns the code of the answer.
async fn ask(kit: &Kit, request: String) -> u16 {
    let mut stream = connect(kit);
    let (mut reader, mut writer) = tokio::io::split(&mut stream);
    let mut answer = [0; 12];
    // The server may close before it has read all.
    let (_, read) = tokio::join!(writer.write_all(request.as_bytes()), reader.read_exact(&mut answer));
    read.unwrap();
    std::str::from_utf8(&answer[9..]).unwrap().parse().unwrap()
}

#[tokio::test]
async fn headers_and_urls_have_a_longest_length() {
    let kit = kit().await;
    let with = |path: &str, header: usize| {
        format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nx-much: {}\r\n\r\n", "a".repeat(header))
    };
    assert_eq!(ask(&kit, with("/version", HEADER_BYTES_MAX / 2)).await, 200);
    assert_eq!(ask(&kit, with("/version", HEADER_BYTES_MAX)).await, 431);
    let long = "a".repeat(URI_BYTES_MAX + 1);
    assert_eq!(ask(&kit, with(&format!("/{long}"), 0)).await, 414);
    assert_eq!(ask(&kit, with(&format!("/version?x={long}"), 0)).await, 414);
}

/// Sends `start`, then one more byte of `drip` each second: how long until the server hangs up.
async fn endured(kit: &Kit, start: &[u8], drip: &[u8]) -> Duration {
    let mut stream = connect(kit);
    stream.write_all(start).await.unwrap();
    let began = Clock::system().monotonic();
    let (mut reader, mut writer) = tokio::io::split(&mut stream);
    let trickle = async {
        for byte in drip {
            runtime_base::clock::sleep(Duration::from_secs(1)).await;
            if writer.write_all(&[*byte]).await.is_err() {
                break;
            }
        }
        std::future::pending::<()>().await;
    };
    let ended = async {
        let mut rest = Vec::new();
        // It may say why before it closes.
        let _ = reader.read_to_end(&mut rest).await;
    };
    tokio::select! {
        () = trickle => unreachable!("it never ends"),
        ended = runtime_base::clock::within(LONG, ended) => assert!(ended.is_some(), "held for ever"),
    }
    began.elapsed()
}

#[tokio::test]
async fn slow_clients_are_cut_off() {
    let kit = kit().await;
    tokio::time::pause();
    let (limit, slack) = (HEADER_TIME_MAX, Duration::from_secs(1));
    let cases: [(&[u8], &[u8], Duration); 6] = [
        (b"", b"", limit),
        (b"PRI * HT", b"", limit),
        (b"", PREFACE, limit),
        (b"GET /version HTTP/1.1\r\nhost: x\r\n", b"", limit),
        (b"G", b"ET /version HTTP/1.1\r\nhost: localhost\r\n", limit),
        (PREFACE, b"", PING_INTERVAL + PING_TIME_MAX),
    ];
    for (start, drip, most) in cases {
        let took = endured(&kit, start, drip).await;
        assert!(took <= most + slack, "{:?} took {took:?}", String::from_utf8_lossy(start));
    }
}

#[tokio::test]
async fn streams_beyond_the_limit_are_refused() {
    let kit = kit().await;
    let mut stream = connect(&kit);
    let mut bytes = opening();
    let beyond = 10;
    for index in 0..STREAMS_MAX + beyond {
        bytes.extend(frame(HEADERS, END_STREAM | END_HEADERS, 2 * index + 1, &get(&format!("{MAPS}?watch=1"))));
    }
    stream.write_all(&bytes).await.unwrap();
    tokio::time::pause();
    let frames = frames(&mut stream).await;
    let refused = frames.iter().filter(|(kind, _, payload)| *kind == RESET && code(payload) == REFUSED_STREAM).count();
    let served = frames.iter().filter(|(kind, _, _)| *kind == HEADERS).count();
    assert_eq!((served, refused), (STREAMS_MAX as usize, beyond as usize));
}

/// Sends frames until the server hangs up; the code of its GOAWAY.
async fn flooded(kit: &Kit, flood: impl Fn(u32) -> Vec<u8>) -> Option<u32> {
    let mut stream = connect(kit);
    stream.write_all(&opening()).await.unwrap();
    let (mut reader, mut writer) = tokio::io::split(&mut stream);
    let mut answer = Vec::new();
    let writing = async {
        for index in 0..100_000 {
            if writer.write_all(&flood(index)).await.is_err() {
                return;
            }
        }
        panic!("all of the flood was taken");
    };
    let (_, read) = tokio::join!(writing, reader.read_to_end(&mut answer));
    read.unwrap();
    let (mut rest, mut last) = (&answer[..], None);
    while rest.len() >= 9 {
        let length = u32::from_be_bytes([0, rest[0], rest[1], rest[2]]) as usize;
        if rest[3] == GO_AWAY {
            last = Some(code(&rest[9..9 + length]));
        }
        rest = &rest[9 + length..];
    }
    last
}

#[tokio::test]
async fn floods_end_the_connection_and_nobody_elses() {
    let kit = kit().await;
    let resets = |index: u32| {
        // In bursts, as the server looks at what has come as soon as it can.
        let pair = |index: u32| {
            let ask = frame(HEADERS, END_STREAM | END_HEADERS, 2 * index + 1, &get("/version"));
            [ask, frame(RESET, 0, 2 * index + 1, &8_u32.to_be_bytes())].concat()
        };
        (0..100).flat_map(|step| pair(100 * index + step)).collect()
    };
    assert_eq!(flooded(&kit, resets).await, Some(ENHANCE_YOUR_CALM));
    let endless = |index: u32| match index {
        0 => frame(HEADERS, END_STREAM, 1, &get("/version")),
        _ => frame(CONTINUATION, 0, 1, &[0, 1, b'a', 1, b'b'].repeat(100)),
    };
    assert!(flooded(&kit, endless).await.is_some());
    assert_eq!(ask(&kit, "GET /version HTTP/1.1\r\nhost: localhost\r\n\r\n".into()).await, 200);
}

#[tokio::test]
async fn a_client_that_wants_answers_and_never_reads_is_not_read_either() {
    let kit = kit().await;
    let ping = frame(PING, 0, 0, &[0; 8]);
    // SETTINGS_INITIAL_WINDOW_SIZE, which changes each time.
    let settings =
        [frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 255, 255]), frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 127, 255])].concat();
    let empty = frame(SETTINGS, 0, 0, &[]);
    tokio::time::pause();
    for asked in [ping, settings, empty] {
        let mut stream = connect(&kit);
        stream.write_all(&opening()).await.unwrap();
        let many = asked.repeat(1000);
        let mut sent = 0;
        let flood = async {
            while stream.write_all(&many).await.is_ok() {
                sent += many.len();
                assert!(sent < 16 * PIPE_BYTES, "the answers to {asked:?} pile up");
            }
        };
        // It either waits or is cut off; never are more answers kept than the pipes hold.
        runtime_base::clock::within(Duration::from_secs(10), flood).await;
    }
}

#[tokio::test]
async fn settings_are_answered_one_by_one_and_end_nothing() {
    let kit = kit().await;
    let mut stream = connect(&kit);
    stream.write_all(&opening()).await.unwrap();
    let count = 2000;
    let flood = frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 255, 255]).repeat(count);
    let asked = frame(HEADERS, END_STREAM | END_HEADERS, 1, &get("/version"));
    let (mut reader, mut writer) = tokio::io::split(&mut stream);
    let writing = async {
        writer.write_all(&flood).await.unwrap();
        writer.write_all(&asked).await.unwrap();
    };
    let reading = async {
        let (mut acknowledged, mut served) = (0, false);
        while acknowledged < count || !served {
            let mut head = [0; 9];
            reader.read_exact(&mut head).await.unwrap();
            let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
            reader.read_exact(&mut payload).await.unwrap();
            acknowledged += usize::from(head[3] == SETTINGS && head[4] == 1);
            served |= head[3] == HEADERS;
            assert_ne!(head[3], GO_AWAY);
        }
    };
    tokio::join!(writing, reading);
}

/// The value of a line of `/metrics`.
async fn metric(kit: &Kit, line: &str) -> u64 {
    let (_, text) = kit.get("/metrics").await;
    let found = text.as_str().unwrap().lines().find_map(|one| one.strip_prefix(line)).map(str::trim);
    found.and_then(|number| number.parse().ok()).unwrap_or_default()
}

const MUTATING: &str = "apiserver_current_inflight_requests{request_kind=\"mutating\"}";

#[tokio::test]
async fn a_body_that_trickles_is_cut_and_gives_its_seat_back() {
    let kit = kit().await;
    let head = format!(
        "POST {MAPS} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n"
    );
    tokio::time::pause();
    let took = endured(&kit, head.as_bytes(), &[b' '; 3000]).await;
    assert!(took <= REQUEST_TIME_MAX + Duration::from_secs(2), "{took:?}");
    assert_eq!(metric(&kit, MUTATING).await, 0);
    // Over HTTP/2 the stream ends, the connection may go on.
    let mut stream = connect(&kit);
    let mut block = get(MAPS);
    block[0] = 0x83;
    stream.write_all(&[opening(), frame(HEADERS, END_HEADERS, 1, &block)].concat()).await.unwrap();
    let (mut reader, mut writer) = tokio::io::split(&mut stream);
    let drip = async {
        loop {
            runtime_base::clock::sleep(Duration::from_secs(1)).await;
            if writer.write_all(&frame(0, 0, 1, b" ")).await.is_err() {
                return;
            }
        }
    };
    let ended = async {
        loop {
            let mut head = [0; 9];
            reader.read_exact(&mut head).await.unwrap();
            let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
            reader.read_exact(&mut payload).await.unwrap();
            if head[3] == HEADERS || head[3] == RESET {
                return;
            }
        }
    };
    let began = Clock::system().monotonic();
    tokio::select! {
        () = drip => panic!("the connection was closed"),
        ended = runtime_base::clock::within(LONG, ended) => assert!(ended.is_some(), "held for ever"),
    }
    assert!(began.elapsed() <= REQUEST_TIME_MAX + Duration::from_secs(2));
    assert_eq!(metric(&kit, MUTATING).await, 0);
}

#[tokio::test]
async fn idle_connections_are_closed_and_busy_ones_are_not() {
    let kit = kit().await;
    tokio::time::pause();
    let mut idle: Vec<DuplexStream> = (0..200).map(|_| connect(&kit)).collect();
    for (index, stream) in idle.iter_mut().enumerate() {
        match index % 2 {
            0 => stream.write_all(b"GET /version HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap(),
            _ => stream
                .write_all(&[opening(), frame(HEADERS, END_STREAM | END_HEADERS, 1, &get("/version"))].concat())
                .await
                .unwrap(),
        }
    }
    let mut busy = connect(&kit);
    let watch = format!("GET {MAPS}?watch=1&timeoutSeconds=3000 HTTP/1.1\r\nhost: localhost\r\n\r\n");
    busy.write_all(watch.as_bytes()).await.unwrap();
    let began = Clock::system().monotonic();
    for stream in &mut idle {
        // An HTTP/2 client answers pings, or it is cut for that.
        let closed = async {
            let mut bytes = vec![0; 4096];
            while let Ok(count @ 1..) = stream.read(&mut bytes).await {
                if bytes[3] == PING && bytes[4] == 0 && count >= 17 {
                    let _ = stream.write_all(&frame(PING, 1, 0, &bytes[9..17])).await;
                }
            }
        };
        assert!(runtime_base::clock::within(LONG, closed).await.is_some(), "held for ever");
    }
    assert!(began.elapsed() <= 2 * IDLE_TIME_MAX + Duration::from_secs(2), "{:?}", began.elapsed());
    let mut bytes = vec![0; 1 << 16];
    while let Some(read) = runtime_base::clock::within(Duration::from_millis(1), busy.read(&mut bytes)).await {
        assert!(read.unwrap() > 0, "a watch that is under way was closed");
    }
}

#[tokio::test]
async fn a_watcher_that_never_reads_holds_little_and_is_told_the_end() {
    let kit = kit().await;
    kit.post(MAPS, config_map("a", "0")).await;
    let start = kit.store.revision();
    let mut stream = connect(&kit);
    let watch = format!("GET {MAPS}?watch=1&resourceVersion={start} HTTP/1.1\r\nhost: localhost\r\n\r\n");
    stream.write_all(watch.as_bytes()).await.unwrap();
    let mut first = [0; 12];
    stream.read_exact(&mut first).await.unwrap();
    let large = "x".repeat(900_000);
    let many = crate::limits::RECENT_BYTES_MAX / large.len() + 4;
    for n in 0..many {
        assert_eq!(kit.put(&format!("{MAPS}/a"), config_map("a", &format!("{n}{large}"))).await.0, 200);
        tokio::task::yield_now().await;
    }
    let sent = "apiserver_watch_events_total{group=\"\",version=\"v1\",kind=\"ConfigMap\"}";
    assert!(metric(&kit, sent).await <= 4, "what it did not read was made all the same");
    // Meanwhile the store has forgotten where it stood: once it reads, it is told.
    kit.store.compact(kit.store.revision() - 1).await.unwrap();
    let mut rest = Vec::new();
    let read = async {
        let mut bytes = vec![0; 1 << 16];
        while !rest.ends_with(b"\r\n0\r\n\r\n") {
            let count = stream.read(&mut bytes).await.unwrap();
            assert!(count > 0, "the answer was cut off");
            rest.extend(&bytes[..count]);
        }
    };
    assert!(runtime_base::clock::within(Duration::from_secs(60), read).await.is_some(), "it never ends");
    let text = String::from_utf8_lossy(&rest);
    let last = text.lines().rfind(|line| line.starts_with('{')).unwrap();
    assert!(last.contains("\"ERROR\"") && last.contains("\"Expired\""), "{last:.200}");
    let events = text.matches("\"MODIFIED\"").count();
    assert!(events < many, "{events}");
}
