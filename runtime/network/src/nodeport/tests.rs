use crate::fixture::{Fixture, accept, ask, at, echo, ip, on, service, stream, tables, target};
use crate::{ServiceEntry, Target};
use runtime_base::clock::within;
use runtime_spec::{AcceptedStream, NetError, TcpListener};
use std::future::poll_fn;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener as HostListener, TcpStream};

const PORT: u16 = 30080;

fn web(targets: Vec<Target>) -> ServiceEntry {
    let mut entry = service("web", "10.96.0.5", targets);
    entry.ports[0].node_port = Some(PORT);
    entry
}

async fn accept_stream(listener: &dyn TcpListener) -> Result<AcceptedStream, NetError> {
    poll_fn(|cx| listener.poll_accept_stream(cx)).await
}

fn address(f: &Fixture) -> SocketAddr {
    SocketAddr::new(f.host, PORT)
}

async fn call(f: &Fixture, text: &[u8]) -> std::io::Result<String> {
    ask(TcpStream::connect(address(f)).await?, text).await
}

#[tokio::test]
async fn a_node_port_leads_to_a_pod_in_both_ways_of_accepting() {
    let f = Fixture::new();
    let a = f.pod("a");
    f.switch.set_tables(&tables(vec![web(vec![target(on(&a, 80))])]));
    let listener = a.listen(at("0.0.0.0:80"), 16).unwrap();
    let (answer, ()) = tokio::join!(call(&f, b"raw"), async {
        let mut raw = accept_stream(&*listener).await.unwrap();
        assert_eq!((raw.local, raw.peer.ip()), (on(&a, 80), ip("10.244.0.1")));
        let mut text = String::new();
        raw.stream.read_to_string(&mut text).await.unwrap();
        raw.stream.write_all(text.to_uppercase().as_bytes()).await.unwrap();
    });
    assert_eq!(answer.unwrap(), "RAW");
    echo(&f.tasks, listener, "a:");
    let long = vec![b'x'; 3 << 20];
    assert_eq!(call(&f, &long).await.unwrap().len(), long.len() + 2);
    // The gateway's address has the NodePorts too.
    let from = f.pod("b").connect(None, at("10.244.0.1:30080")).await.unwrap();
    assert_eq!(ask(stream(from), b"b").await.unwrap(), "a:b");
}

#[tokio::test]
async fn a_node_port_skips_dead_endpoints_and_resets_without_any() {
    let f = Fixture::new();
    let (a, b) = (f.pod("a"), f.pod("b"));
    let targets = vec![target(on(&a, 80)), target(on(&b, 80)), target(at("10.244.0.99:80"))];
    f.switch.set_tables(&tables(vec![web(targets)]));
    assert!(call(&f, b"").await.is_err());
    echo(&f.tasks, b.listen(at("0.0.0.0:80"), 128).unwrap(), "b");
    for _ in 0..30 {
        assert_eq!(call(&f, b"").await.unwrap(), "b");
    }
    f.switch.set_tables(&tables(vec![web(vec![])]));
    assert!(call(&f, b"").await.is_err());
}

#[tokio::test]
async fn a_busy_endpoint_makes_callers_wait() {
    let f = Fixture::new();
    let a = f.pod("a");
    f.switch.set_tables(&tables(vec![web(vec![target(on(&a, 80))])]));
    let listener = a.listen(at("0.0.0.0:80"), 1).unwrap();
    let mut calls = Vec::new();
    for _ in 0..5 {
        calls.push(TcpStream::connect(address(&f)).await.unwrap());
    }
    echo(&f.tasks, listener, "a");
    for call in calls {
        assert_eq!(ask(call, b"!").await.unwrap(), "a!");
    }
}

#[tokio::test]
async fn node_ports_open_and_close_with_the_tables_and_say_what_fails() {
    let f = Fixture::new();
    let a = f.pod("a");
    echo(&f.tasks, a.listen(at("0.0.0.0:80"), 128).unwrap(), "a");
    let taken = HostListener::bind(address(&f)).await.unwrap();
    let with = tables(vec![web(vec![target(on(&a, 80))])]);
    f.switch.set_tables(&with);
    let errors = f.switch.node_port_errors();
    assert_eq!((errors.len(), errors[0].port, &*errors[0].service), (1, PORT, "default/web:80"));
    drop(taken);
    f.switch.set_tables(&with);
    assert_eq!(f.switch.node_port_errors(), []);
    assert_eq!(call(&f, b"").await.unwrap(), "a");
    let open = TcpStream::connect(address(&f)).await.unwrap();
    for _ in 0..3 {
        f.switch.set_tables(&tables(vec![]));
        assert!(call(&f, b"").await.is_err());
        f.switch.set_tables(&with);
        assert_eq!(f.switch.node_port_errors(), []);
        assert_eq!(call(&f, b"").await.unwrap(), "a");
    }
    drop(open);
    f.tasks.stop(Duration::from_secs(5)).await;
    HostListener::bind(address(&f)).await.unwrap();
}

#[tokio::test]
async fn a_detached_pod_breaks_its_callers_sockets() {
    let f = Fixture::new();
    let a = f.pod("a");
    f.switch.set_tables(&tables(vec![web(vec![target(on(&a, 80))])]));
    let listener = a.listen(at("0.0.0.0:80"), 16).unwrap();
    let mut first = TcpStream::connect(address(&f)).await.unwrap();
    let bridged = accept(&*listener).await.unwrap();
    let mut second = TcpStream::connect(address(&f)).await.unwrap();
    let mut raw = accept_stream(&*listener).await.unwrap();
    let mut third = TcpStream::connect(address(&f)).await.unwrap();
    third.write_all(b"never accepted").await.unwrap();
    let (read, ()) = tokio::join!(raw.stream.read_u8(), async { f.switch.detach("uid-a") });
    assert!(read.is_err());
    drop(raw);
    assert!(first.read_u8().await.is_err());
    assert!(second.read_u8().await.is_err());
    assert!(stream(bridged).read_u8().await.is_err());
}

#[tokio::test]
async fn pods_and_node_ports_reach_hosts_outside() {
    let f = Fixture::new();
    let a = f.pod("a");
    // The only "outside" that a test may touch is this machine: an address of its own.
    let Ok(outside) = HostListener::bind("0.0.0.0:0").await else { return };
    let port = outside.local_addr().unwrap().port();
    let Some(own) = own_address() else { return };
    let outer = SocketAddr::new(own, port);
    f.tasks.spawn("outside", async move {
        while let Ok((mut socket, _)) = outside.accept().await {
            let mut text = Vec::new();
            socket.read_to_end(&mut text).await.unwrap();
            socket.write_all(&text).await.unwrap();
        }
    });
    let connection = a.connect(None, outer).await.unwrap();
    assert_eq!((connection.local.ip(), connection.peer), (ip("10.244.0.2"), outer));
    assert_eq!(ask(stream(connection), b"out").await.unwrap(), "out");
    f.switch.set_tables(&tables(vec![web(vec![target(outer)])]));
    assert_eq!(call(&f, b"through").await.unwrap(), "through");
    let closed = SocketAddr::new(own, 1);
    assert_eq!(a.connect(None, closed).await.map(|_| ()), Err(NetError::ConnectionRefused(closed)));
    let held = a.connect(None, outer).await.unwrap();
    f.switch.detach("uid-a");
    let mut held = stream(held);
    let read = within(Duration::from_secs(10), held.read_u8()).await;
    assert!(read.expect("a cut connection fails at once").is_err());
}

/// The address that this machine would use towards the outside; no packet is sent.
fn own_address() -> Option<std::net::IpAddr> {
    let probe = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    probe.connect("192.0.2.1:9").ok()?;
    Some(probe.local_addr().ok()?.ip()).filter(|ip| !ip.is_loopback())
}

#[tokio::test]
async fn a_caller_that_waits_at_a_pod_that_goes_is_served_by_another() {
    let f = Fixture::new();
    let (a, b) = (f.pod("a"), f.pod("b"));
    f.switch.set_tables(&tables(vec![web(vec![target(on(&a, 80))])]));
    let waits_at = a.listen(at("0.0.0.0:80"), 2).unwrap();
    let mut calls = Vec::new();
    for _ in 0..4 {
        // The first two are queued, the others wait for room.
        calls.push(TcpStream::connect(address(&f)).await.unwrap());
    }
    let taken = accept_stream(&*waits_at).await.unwrap();
    echo(&f.tasks, b.listen(at("0.0.0.0:80"), 128).unwrap(), "b");
    f.switch.set_tables(&tables(vec![web(vec![target(on(&b, 80))])]));
    drop(waits_at);
    f.switch.detach("uid-a");
    drop(taken);
    let answers = futures::future::join_all(calls.into_iter().map(|call| ask(call, b"!"))).await;
    // Only the one that was accepted went with its Pod.
    assert_eq!(answers.iter().filter(|answer| answer.as_deref().ok() == Some("b!")).count(), 3, "{answers:?}");
}
