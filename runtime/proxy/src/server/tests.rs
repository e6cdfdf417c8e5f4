use super::*;
use crate::fixture::{Fixture, NODE_PORT, Program, at, attach, on, serve_in, web};
use runtime_spec::pipe::PipeStream;
use runtime_spec::{PodNetwork, limits};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn open(from: &Arc<dyn PodNetwork>, to: &Arc<dyn PodNetwork>) -> PipeStream {
    let connection = from.connect(None, on(to, 80)).await.unwrap();
    PipeStream::new(connection.reader, connection.writer)
}

/// The status line and the last line of what the server answers to `request`.
#[track_caller]
fn check(answer: &str, status: &str, last: &str) {
    let first = answer.lines().next().unwrap_or_default();
    assert_eq!((first, answer.lines().last().unwrap_or_default()), (status, last), "{answer}");
}

async fn raw(f: &Fixture, request: &str) -> String {
    let mut stream = open(&f.client, &f.server).await;
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn the_program_sees_absolute_uris() {
    let f = Fixture::new();
    let _server = f.serve(80, Program::Describe);
    for (request, line) in [
        ("GET /a?b=c HTTP/1.1\r\nHost: web:8080\r\n", "GET http://web:8080/a?b=c"),
        ("GET http://other/x HTTP/1.1\r\nHost: web\r\n", "GET http://other/x"),
        ("DELETE / HTTP/1.0\r\n", "DELETE http://10.244.0.2/"),
        ("OPTIONS * HTTP/1.1\r\nHost: web\r\n", "OPTIONS http://web*"),
    ] {
        let answer = raw(&f, &format!("{request}Connection: close\r\n\r\n")).await;
        let got = answer.lines().last().unwrap_or_default();
        let line = line.replace("10.244.0.2", &on(&f.server, 80).to_string());
        assert_eq!(got, line, "{request}");
    }
}

#[tokio::test]
async fn bad_requests_are_refused_and_do_not_reach_the_program() {
    let f = Fixture::new();
    let _server = f.serve(80, Program::Describe);
    for (request, status, last) in [
        ("GET / HTTP/1.1\r\n", "HTTP/1.1 400 Bad Request", "no Host field"),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n", "HTTP/1.1 400 Bad Request", "more than one Host field"),
        ("GET / HTTP/1.1\r\nHost: a b\r\n", "HTTP/1.1 400 Bad Request", "the Host field is not a host"),
        ("CONNECT a:80 HTTP/1.1\r\nHost: a\r\n", "HTTP/1.1 501 Not Implemented", "CONNECT is not supported"),
        ("nonsense\r\n", "HTTP/1.1 400 Bad Request", ""),
    ] {
        check(&raw(&f, &format!("{request}Connection: close\r\n\r\n")).await, status, last);
    }
    let many = "X: y\r\n".repeat(HEADERS_MAX + 1);
    let answer = raw(&f, &format!("GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    let long = "y".repeat(HEAD_BYTES_MAX);
    let answer = raw(&f, &format!("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX: {long}\r\n\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
}

#[tokio::test]
async fn failures_of_the_program_have_their_status() {
    let f = Fixture::new();
    for (error, status) in [
        (HttpError::Program("trapped".to_owned()), "HTTP/1.1 500 Internal Server Error"),
        (HttpError::Overloaded("busy".to_owned()), "HTTP/1.1 503 Service Unavailable"),
        (HttpError::Timeout("late".to_owned()), "HTTP/1.1 504 Gateway Timeout"),
        (HttpError::ConnectionRefused("web".to_owned()), "HTTP/1.1 502 Bad Gateway"),
        (HttpError::Denied("web".to_owned()), "HTTP/1.1 403 Forbidden"),
    ] {
        let last = error.to_string();
        let server = f.serve(80, Program::Fail(error));
        check(&raw(&f, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await, status, &last);
        assert!(server.stop(Duration::from_secs(5)).await);
    }
}

#[tokio::test]
async fn bodies_stream_in_both_directions() {
    let f = Fixture::new();
    let _server = f.serve(80, Program::Echo);
    let mut stream = open(&f.client, &f.server).await;
    stream.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n").await.unwrap();
    let mut seen = Vec::new();
    while !seen.ends_with(b"3\r\none\r\n") {
        stream.read_buf(&mut seen).await.unwrap();
    }
    // The first part came back before the last one was sent.
    stream.write_all(b"3\r\ntwo\r\n0\r\n\r\n").await.unwrap();
    while !seen.ends_with(b"3\r\ntwo\r\n0\r\n\r\n") {
        stream.read_buf(&mut seen).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_connection_is_closed_in_time() {
    let f = Fixture::new();
    let _server = f.serve(80, Program::Describe);
    let start = tokio::time::Instant::now();
    let mut silent = open(&f.client, &f.server).await;
    let mut rest = Vec::new();
    let _ = silent.read_to_end(&mut rest).await;
    assert!(start.elapsed() >= REQUEST_HEAD_TIME_MAX && rest.is_empty());
    let mut idle = open(&f.client, &f.server).await;
    idle.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let start = tokio::time::Instant::now();
    let _ = idle.read_to_end(&mut rest).await;
    assert!(start.elapsed() >= REQUEST_HEAD_TIME_MAX);
    check(&String::from_utf8(rest).unwrap(), "HTTP/1.1 200 OK", "GET http://a/");
}

#[tokio::test]
async fn connections_above_the_bound_wait() {
    let f = Fixture::new();
    let listener = f.server.listen(at("0.0.0.0:80"), limits::LISTEN_BACKLOG).unwrap();
    let config = ServeConfig { connections_max: 1, ..ServeConfig::default() };
    let _server = HttpServer::serve(listener, Arc::new(Program::Describe), &f.tasks, config);
    let (mut first, mut second) = (open(&f.client, &f.server).await, open(&f.client, &f.server).await);
    let request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    first.write_all(request).await.unwrap();
    second.write_all(request).await.unwrap();
    assert!(first.read_u8().await.is_ok());
    tokio::select! {
        biased;
        _ = second.read_u8() => panic!("answered above the bound"),
        () = tokio::task::yield_now() => {}
    }
    drop(first);
    assert!(second.read_u8().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn stopping_answers_what_was_asked_and_cuts_the_rest_after_the_grace() {
    let f = Fixture::new();
    let (program, gate) = Program::gated();
    let server = f.serve(80, program);
    let request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let (mut busy, mut idle) = (open(&f.client, &f.server).await, open(&f.client, &f.server).await);
    idle.write_all(request).await.unwrap();
    gate.add_permits(1);
    idle.read_exact(&mut [0; 15]).await.unwrap();
    busy.write_all(request).await.unwrap();
    // Connected before the stop, asks after it.
    let mut late = open(&f.client, &f.server).await;
    // Asked before the stop, not accepted yet.
    let mut queued = open(&f.client, &f.server).await;
    queued.write_all(request).await.unwrap();
    let stopped = async {
        let stop = server.stop(Duration::from_secs(30));
        let release = async {
            runtime_base::clock::sleep(Duration::from_secs(1)).await;
            gate.add_permits(3);
        };
        let ask = async {
            runtime_base::clock::sleep(DRAIN_SETTLE_TIME / 2).await;
            late.write_all(request).await.unwrap();
        };
        tokio::join!(stop, release, ask).0
    };
    assert!(stopped.await);
    assert!(f.client.connect(None, on(&f.server, 80)).await.is_err());
    for mut stream in [busy, queued, late] {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        check(&answer, "HTTP/1.1 200 OK", "gated");
    }

    let (program, _gate) = Program::gated();
    let server = f.serve(80, program);
    let mut stuck = open(&f.client, &f.server).await;
    stuck.write_all(request).await.unwrap();
    runtime_base::clock::sleep(Duration::from_millis(1)).await;
    assert!(!server.stop(Duration::from_secs(1)).await);
    let mut rest = Vec::new();
    let _ = stuck.read_to_end(&mut rest).await;
    assert!(rest.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replacing_the_pod_behind_a_node_port_fails_no_call() {
    let f = Fixture::new();
    let address = SocketAddr::new(f.host, NODE_PORT);
    let call = async || {
        let mut stream = tokio::net::TcpStream::connect(address).await?;
        stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer:?}");
        std::io::Result::Ok(())
    };
    let (answered, mut progress) = watch::channel(0);
    let (stop, stopped) = watch::channel(false);
    let callers = (0..8).map(|_| async {
        while !*stopped.borrow() {
            call().await.unwrap();
            answered.send_modify(|count| *count += 1);
        }
    });
    let rollouts = async {
        let mut server = f.serve(80, Program::Describe);
        let mut uid = "uid-server".to_owned();
        for round in 1..=5 {
            progress.wait_for(|count| *count >= round * 200).await.unwrap();
            let name = format!("server-{round}");
            let network = attach(&f.switch, &name);
            let next = serve_in(&network, 80, Program::Describe, &f.tasks);
            f.switch.set_tables(&web(&network));
            assert!(server.stop(Duration::from_secs(20)).await);
            f.switch.detach(&uid);
            (server, uid) = (next, format!("uid-{name}"));
        }
        stop.send_replace(true);
        server
    };
    tokio::join!(rollouts, futures::future::join_all(callers));
}
