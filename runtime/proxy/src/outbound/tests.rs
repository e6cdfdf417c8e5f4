use super::*;
use crate::fixture::{Fixture, Program, at, empty, full, on};
use crate::limits::IDLE_PER_HOST_MAX;
use runtime_spec::TcpListener;
use rustls::ServerConfig;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::future::poll_fn;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

async fn accept(listener: &dyn TcpListener) -> PipeStream {
    let connection = poll_fn(|cx| listener.poll_accept(cx)).await.unwrap();
    PipeStream::new(connection.reader, connection.writer)
}

async fn read_head(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        assert_ne!(stream.read_buf(&mut head).await.unwrap(), 0, "closed before a request");
    }
    String::from_utf8(head).unwrap()
}

#[tokio::test]
async fn a_request_reaches_a_program_by_name_and_its_connection_is_used_again() {
    let f = Fixture::new();
    let _server = f.serve(80, Program::Describe);
    let outbound = f.outbound(OutboundConfig::default());
    for uri in ["http://web/a?b", "http://WEB.default/c", "http://web:80/d", "http://10.96.0.5"] {
        let (status, body) = f.send(&outbound, "GET", uri, empty()).await.unwrap();
        assert_eq!((status, body.starts_with("GET http://")), (200, true), "{uri}: {body}");
    }
    assert_eq!(outbound.pool.count(), 3);
}

#[tokio::test]
async fn bodies_stream_both_ways_and_chunked_ones_free_their_connection() {
    let f = Fixture::new();
    let _server = f.serve(80, Program::Echo);
    let outbound = f.outbound(OutboundConfig::default());
    let long = "x".repeat(1 << 20);
    for _ in 0..3 {
        assert_eq!(f.send(&outbound, "POST", "http://web/", full(long.clone())).await, Ok((200, long.clone())));
    }
    let (sender, body) = http_body_util::channel::Channel::<Bytes, HttpError>::new(1);
    let mut sender = sender;
    let request = Request::post("http://web/").body(body.boxed_unsync()).unwrap();
    let (response, ()) = tokio::join!(outbound.send(&f.client, request), async {
        sender.send_data(Bytes::from_static(b"one")).await.unwrap();
    });
    let mut echoed = response.unwrap().into_body();
    assert_eq!(echoed.frame().await.unwrap().unwrap().into_data().unwrap(), "one");
    sender.send_data(Bytes::from_static(b"two")).await.unwrap();
    assert_eq!(echoed.frame().await.unwrap().unwrap().into_data().unwrap(), "two");
    drop(sender);
    assert!(echoed.frame().await.is_none());
    assert_eq!(outbound.pool.count(), 1);
}

#[tokio::test]
async fn requests_are_sent_in_origin_form_without_hop_by_hop_fields() {
    let f = Fixture::new();
    let listener = f.server.listen(at("0.0.0.0:8080"), 8).unwrap();
    let outbound = f.outbound(OutboundConfig::default());
    let request = Request::get("http://server.invalid:1/").body(empty()).unwrap();
    assert_eq!(
        outbound.send(&f.client, request).await.map(|_| ()),
        Err(HttpError::NameUnresolvable("server.invalid".to_owned()))
    );
    let server = f.server.addresses()[0];
    let request = Request::get(format!("http://user:secret@{server}:8080/a?b"))
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("te", "trailers")
        .header("x-kept", "yes")
        .body(empty())
        .unwrap();
    let (response, head) = tokio::join!(outbound.send(&f.client, request), async {
        let mut stream = accept(&*listener).await;
        let head = read_head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
        head
    });
    assert_eq!(response.unwrap().status(), 204);
    assert_eq!(head, format!("GET /a?b HTTP/1.1\r\nx-kept: yes\r\nhost: {server}:8080\r\n\r\n"));
}

#[tokio::test]
async fn a_kept_connection_that_was_closed_costs_only_a_second_try() {
    let f = Fixture::new();
    let listener = f.server.listen(at("0.0.0.0:80"), 8).unwrap();
    let outbound = f.outbound(OutboundConfig::default());
    const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    let server = async {
        let mut first = accept(&*listener).await;
        read_head(&mut first).await;
        first.write_all(OK).await.unwrap();
        // It closes when the next request has reached it.
        read_head(&mut first).await;
        drop(first);
        let mut second = accept(&*listener).await;
        for _ in 0..2 {
            read_head(&mut second).await;
            second.write_all(OK).await.unwrap();
        }
        // A POST that may have been acted on is not sent twice.
        read_head(&mut second).await;
    };
    let client = async {
        for _ in 0..3 {
            assert_eq!(f.send(&outbound, "GET", "http://web/", empty()).await, Ok((200, "ok".to_owned())));
        }
        let lost = f.send(&outbound, "POST", "http://web/", empty()).await;
        assert!(matches!(lost, Err(HttpError::Protocol(_))), "{lost:?}");
    };
    tokio::join!(server, client);
}

#[tokio::test(start_paused = true)]
async fn unused_connections_are_bounded_and_closed_in_time() {
    let f = Fixture::new();
    let (program, gate) = Program::gated();
    let _server = f.serve(80, program);
    let outbound = f.outbound(OutboundConfig::default());
    let calls = (0..IDLE_PER_HOST_MAX + 5).map(|_| f.send(&outbound, "GET", "http://web/", empty()));
    let (answers, ()) = tokio::join!(futures::future::join_all(calls), async {
        runtime_base::clock::sleep(Duration::from_secs(1)).await;
        gate.add_permits(100);
    });
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(outbound.pool.count(), IDLE_PER_HOST_MAX);
    runtime_base::clock::sleep(IDLE_TIME_MAX * 2).await;
    assert_eq!(outbound.pool.count(), 0);
    assert!(f.send(&outbound, "GET", "http://web/", empty()).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn failures_to_connect_or_to_answer_have_their_names() {
    let f = Fixture::new();
    let outbound = f.outbound(OutboundConfig::default());
    let refused = f.send(&outbound, "GET", "http://web/", empty()).await;
    assert_eq!(refused, Err(HttpError::ConnectionRefused("web".to_owned())));
    let gone = f.send(&outbound, "GET", "http://10.244.0.77:81/", empty()).await;
    assert_eq!(gone, Err(HttpError::ConnectionRefused("10.244.0.77:81".to_owned())));
    let (program, _gate) = Program::gated();
    let _server = f.serve(80, program);
    let late = f.send(&outbound, "GET", "http://web/", empty()).await;
    assert_eq!(late, Err(HttpError::Timeout("no response from web".to_owned())));
    for (method, uri) in [("GET", "ftp://web/"), ("GET", "/relative"), ("CONNECT", "web:80")] {
        let invalid = f.send(&outbound, method, uri, empty()).await;
        assert!(matches!(invalid, Err(HttpError::Protocol(_))), "{uri}: {invalid:?}");
    }
}

#[tokio::test]
async fn a_pod_that_goes_takes_its_connections_along() {
    let f = Fixture::new();
    let _server = f.serve(80, Program::Describe);
    let outbound = f.outbound(OutboundConfig::default());
    f.send(&outbound, "GET", "http://web/", empty()).await.unwrap();
    f.switch.detach("uid-client");
    let gone = f.send(&outbound, "POST", "http://web/", empty()).await;
    assert_eq!(gone, Err(HttpError::ConnectionRefused("web".to_owned())));
}

#[tokio::test]
async fn https_trusts_its_roots_only() {
    let f = Fixture::new();
    let certified = rcgen::generate_simple_self_signed(vec!["web".to_owned()]).unwrap();
    let certificate = certified.cert.der().clone();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![certificate.clone()], key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = f.server.listen(at("0.0.0.0:443"), 8).unwrap();
    f.tasks.spawn("tls-server", async move {
        loop {
            let Ok(mut stream) = acceptor.accept(accept(&*listener).await).await else { continue };
            read_head(&mut stream).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nsecret").await.unwrap();
            stream.flush().await.unwrap();
        }
    });
    let trusting =
        f.outbound(OutboundConfig { roots: Roots::Given(vec![certificate.clone()]), ..OutboundConfig::default() });
    assert_eq!(f.send(&trusting, "GET", "https://web/", empty()).await, Ok((200, "secret".to_owned())));
    // The certificate is for another name.
    let other = f.send(&trusting, "GET", "https://web.default/", empty()).await;
    assert!(matches!(other, Err(HttpError::Tls(_))), "{other:?}");
    let there = SocketAddr::new("10.96.0.5".parse().unwrap(), 443);
    for (address, trusted) in [(there, true), (on(&f.server, 443), false)] {
        let private_roots = PrivateRoots::from([(address, vec![certificate.clone()])]);
        let own = f.outbound(OutboundConfig { private_roots, ..OutboundConfig::default() });
        let answer = f.send(&own, "GET", "https://web/", empty()).await;
        assert_eq!(answer.is_ok(), trusted, "trusted at {address} only: {answer:?}");
    }
    let wary = f.outbound(OutboundConfig { roots: Roots::Given(Vec::new()), ..OutboundConfig::default() });
    let unknown = f.send(&wary, "GET", "https://web/", empty()).await;
    assert!(matches!(unknown, Err(HttpError::Tls(_))), "{unknown:?}");
    let system = f.outbound(OutboundConfig::default());
    let unknown = f.send(&system, "GET", "https://web/", empty()).await;
    assert!(matches!(unknown, Err(HttpError::Tls(_))), "{unknown:?}");
}
