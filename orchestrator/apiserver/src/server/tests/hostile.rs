//! Clients that want to wear the server out, on connections in memory.

use super::*;
use crate::limits::{HEADER_BYTES_MAX, HEADER_TIME_MAX, PING_INTERVAL, PING_TIME_MAX, STREAMS_MAX, URI_BYTES_MAX};
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
async fn a_client_that_pings_and_never_reads_is_not_read_either() {
    let kit = kit().await;
    let mut stream = connect(&kit);
    tokio::time::pause();
    stream.write_all(&opening()).await.unwrap();
    let pings = frame(PING, 0, 0, &[0; 8]).repeat(1000);
    let mut sent = 0;
    let flood = async {
        while stream.write_all(&pings).await.is_ok() {
            sent += pings.len();
            assert!(sent < 16 * PIPE_BYTES, "the answers pile up");
        }
    };
    // It either waits or is cut off; never are more answers kept than the pipes hold.
    runtime_base::clock::within(Duration::from_secs(10), flood).await;
}
