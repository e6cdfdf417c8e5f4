use crate::fixture::{Fixture, OUTSIDE, accept, ask, at, echo, ip, on, pod, service, stream, tables, target};
use crate::limits::{CONNECT_TIME_MAX, EPHEMERAL_FIRST, EPHEMERAL_LAST, POD_LISTENERS_MAX};
use crate::{DnsConfig, NetworkError, ServiceEntry};
use runtime_base::clock::within;
use runtime_spec::{NetError, PodNetwork};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

mod names;
mod services;

/// Connects `from` to `remote` and returns the first word of who answers.
async fn call(from: &Arc<dyn PodNetwork>, remote: SocketAddr) -> Result<String, NetError> {
    let connection = from.connect(None, remote).await?;
    assert_eq!(connection.peer, remote);
    Ok(ask(stream(connection), b"").await.unwrap())
}

fn serve(f: &Fixture, network: &Arc<dyn PodNetwork>, address: &str, word: &'static str) {
    echo(&f.tasks, network.listen(at(address), 16).unwrap(), word);
}

#[tokio::test]
async fn pods_talk_to_each_other_and_to_themselves() {
    let f = Fixture::new();
    let (a, b) = (f.pod("a"), f.pod("b"));
    assert_eq!((a.addresses(), b.addresses()), (vec![ip("10.244.0.2")], vec![ip("10.244.0.3")]));
    let listener = b.listen(at("0.0.0.0:80"), 16).unwrap();
    let near = a.connect(None, on(&b, 80)).await.unwrap();
    let far = accept(&*listener).await.unwrap();
    assert_eq!((near.local, far.local, near.peer), (far.peer, on(&b, 80), on(&b, 80)));
    assert_eq!(near.local.ip(), ip("10.244.0.2"));
    assert!((EPHEMERAL_FIRST..=EPHEMERAL_LAST).contains(&near.local.port()));
    echo(&f.tasks, listener, "b:");
    assert_eq!(ask(stream(b.connect(None, on(&b, 80)).await.unwrap()), b"me").await.unwrap(), "b:me");
}

#[tokio::test]
async fn localhost_is_the_pods_own() {
    let f = Fixture::new();
    let (a, b) = (f.pod("a"), f.pod("b"));
    serve(&f, &a, "127.0.0.1:80", "a");
    serve(&f, &b, "127.0.0.1:80", "b");
    assert_eq!(call(&a, at("127.0.0.1:80")).await.unwrap(), "a");
    assert_eq!(call(&b, at("127.0.0.1:80")).await.unwrap(), "b");
    assert_eq!(call(&a, at("[::1]:80")).await.unwrap(), "a");
    assert_eq!(call(&a, on(&b, 80)).await, Err(NetError::ConnectionRefused(on(&b, 80))));
    assert_eq!(call(&a, on(&a, 80)).await, Err(NetError::ConnectionRefused(on(&a, 80))));
    let back = a.connect(None, at("0.0.0.0:80")).await.unwrap();
    assert_eq!((back.local.ip(), back.peer), (ip("127.0.0.1"), at("127.0.0.1:80")));
}

#[tokio::test]
async fn an_ipv6_wildcard_serves_the_pods_address_and_the_most_specific_listener_wins() {
    let f = Fixture::new();
    let a = f.pod("a");
    serve(&f, &a, "[::]:80", "six");
    assert_eq!(call(&a, on(&a, 80)).await.unwrap(), "six");
    assert_eq!(call(&a, at("127.0.0.1:80")).await.unwrap(), "six");
    serve(&f, &a, "0.0.0.0:80", "four");
    assert_eq!(call(&a, on(&a, 80)).await.unwrap(), "four");
    assert_eq!(call(&a, at("[::1]:80")).await.unwrap(), "six");
    serve(&f, &a, "127.0.0.2:81", "two");
    assert_eq!(call(&a, at("127.0.0.2:81")).await.unwrap(), "two");
    assert!(call(&a, at("127.0.0.1:81")).await.is_err());
    assert_eq!(a.connect(None, at("[::ffff:127.0.0.2]:81")).await.unwrap().peer, at("127.0.0.2:81"));
}

#[tokio::test]
async fn bound_ports_conflict_as_on_linux() {
    let f = Fixture::new();
    let (a, b) = (f.pod("a"), f.pod("b"));
    let listen = |address: &str| a.listen(at(address), 1).map(|listener| (listener.local(), listener));
    let in_use = |address: &str| {
        assert_eq!(listen(address).map(|_| ()), Err(NetError::AddressInUse(at(address))), "{address}");
    };
    let wildcard = listen("0.0.0.0:80").unwrap();
    in_use("0.0.0.0:80");
    in_use("127.0.0.1:80");
    in_use("10.244.0.2:80");
    let _six = listen("[::]:80").unwrap();
    in_use("[::1]:80");
    drop(wildcard);
    let _specific = (listen("127.0.0.1:80").unwrap(), listen("10.244.0.2:80").unwrap());
    in_use("0.0.0.0:80");
    b.listen(at("0.0.0.0:80"), 1).unwrap();
    for foreign in ["10.244.0.3:80", "192.0.2.1:80", "10.244.0.1:80"] {
        assert_eq!(listen(foreign).map(|_| ()), Err(NetError::AddressNotBindable(at(foreign))));
    }
}

#[tokio::test]
async fn port_zero_is_chosen_and_listeners_are_bounded() {
    let f = Fixture::new();
    let a = f.pod("a");
    let mut listeners = Vec::new();
    for _ in 0..POD_LISTENERS_MAX {
        let listener = a.listen(at("0.0.0.0:0"), 1).unwrap();
        assert!((EPHEMERAL_FIRST..=EPHEMERAL_LAST).contains(&listener.local().port()));
        listeners.push(listener);
    }
    assert_eq!(a.listen(at("0.0.0.0:0"), 1).map(|_| ()), Err(NetError::TooManySockets));
    listeners.pop();
    a.listen(at("0.0.0.0:0"), 1).unwrap();
}

#[tokio::test]
async fn a_caller_may_name_its_own_address_only() {
    let f = Fixture::new();
    let (a, b) = (f.pod("a"), f.pod("b"));
    serve(&f, &b, "0.0.0.0:80", "b");
    let from = |local: &str| {
        let local = at(local);
        let (a, remote) = (a.clone(), on(&b, 80));
        async move { a.connect(Some(local), remote).await.map(|connection| connection.local) }
    };
    assert_eq!(from("0.0.0.0:4000").await, Ok(at("10.244.0.2:4000")));
    assert_eq!(from("10.244.0.2:4001").await, Ok(at("10.244.0.2:4001")));
    for foreign in ["10.244.0.3:1", "127.0.0.1:1"] {
        assert_eq!(from(foreign).await, Err(NetError::AddressNotBindable(at(foreign))));
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_backlog_makes_callers_wait_and_then_time_out() {
    let f = Fixture::new();
    let (a, b) = (f.pod("a"), f.pod("b"));
    let listener = b.listen(at("0.0.0.0:80"), 2).unwrap();
    let _first = (a.connect(None, on(&b, 80)).await.unwrap(), a.connect(None, on(&b, 80)).await.unwrap());
    let start = tokio::time::Instant::now();
    assert_eq!(a.connect(None, on(&b, 80)).await.map(|_| ()), Err(NetError::Timeout(on(&b, 80))));
    assert!(start.elapsed() >= CONNECT_TIME_MAX);
    let (third, fourth, accepted) = tokio::join!(a.connect(None, on(&b, 80)), a.connect(None, on(&b, 80)), async {
        [accept(&*listener).await, accept(&*listener).await]
    });
    assert!(third.is_ok() && fourth.is_ok() && accepted.iter().all(Result::is_ok));
    assert!(within(Duration::from_secs(1), a.connect(None, on(&b, 80))).await.is_none());
    listener.set_backlog(3);
    a.connect(None, on(&b, 80)).await.unwrap();
}

#[tokio::test]
async fn dropping_a_listener_refuses_those_who_wait() {
    let f = Fixture::new();
    let (a, b) = (f.pod("a"), f.pod("b"));
    let listener = b.listen(at("0.0.0.0:80"), 1).unwrap();
    let queued = a.connect(None, on(&b, 80)).await.unwrap();
    let (waiting, ()) = tokio::join!(a.connect(None, on(&b, 80)), async { drop(listener) });
    assert_eq!(waiting.map(|_| ()), Err(NetError::ConnectionRefused(on(&b, 80))));
    assert!(stream(queued).read_u8().await.is_err());
    assert!(a.connect(None, on(&b, 80)).await.is_err());
    b.listen(at("0.0.0.0:80"), 1).unwrap();
}

#[tokio::test]
async fn addresses_without_a_pod_are_unreachable_and_the_gateway_refuses() {
    let f = Fixture::new();
    let a = f.pod("a");
    for (remote, error) in [
        ("10.244.0.77:80", NetError::Unreachable(at("10.244.0.77:80"))),
        ("10.244.0.255:80", NetError::Unreachable(at("10.244.0.255:80"))),
        ("255.255.255.255:80", NetError::Unreachable(at("255.255.255.255:80"))),
        ("224.0.0.1:80", NetError::Unreachable(at("224.0.0.1:80"))),
        ("10.244.0.1:80", NetError::ConnectionRefused(at("10.244.0.1:80"))),
        ("10.96.0.50:80", NetError::ConnectionRefused(at("10.96.0.50:80"))),
    ] {
        assert_eq!(call(&a, at(remote)).await, Err(error));
    }
}

#[tokio::test]
async fn a_detached_pod_leaves_nothing_behind() {
    let f = Fixture::new();
    let (a, b) = (f.pod("a"), f.pod("b"));
    let listener = b.listen(at("0.0.0.0:80"), 16).unwrap();
    let near = a.connect(None, on(&b, 80)).await.unwrap();
    let _far = accept(&*listener).await.unwrap();
    let back = a.listen(at("0.0.0.0:81"), 16).unwrap();
    let _out = b.connect(None, on(&a, 81)).await.unwrap();
    let far_out = accept(&*back).await.unwrap();
    f.switch.detach("uid-b");
    assert!(stream(near).read_u8().await.is_err());
    assert!(stream(far_out).write_all(b"x").await.is_err());
    assert!(accept(&*listener).await.is_err());
    assert_eq!(call(&a, on(&b, 80)).await, Err(NetError::Unreachable(on(&b, 80))));
    assert_eq!(call(&b, on(&a, 81)).await, Err(NetError::Unreachable(on(&a, 81))));
    assert!(b.listen(at("0.0.0.0:90"), 1).is_err());
    f.switch.detach("uid-b");
    assert_ne!(f.pod("c").addresses(), b.addresses());
}

#[tokio::test]
async fn a_pod_keeps_its_address_over_a_restart() {
    let f = Fixture::new();
    let addresses: Vec<IpAddr> = ["a", "b", "c"].iter().map(|name| f.pod(name).addresses()[0]).collect();
    assert_eq!(f.pod("b").addresses()[0], addresses[1]);
    f.switch.detach("uid-a");
    f.switch.flush().await;
    f.pod("d");
    assert!(f.tasks.stop(Duration::from_secs(10)).await);
    let again = Fixture::at(f.dir.clone(), "10.244.0.0/24").unwrap();
    assert_eq!(again.pod("c").addresses()[0], addresses[2]);
    assert_eq!(again.pod("d").addresses()[0], ip("10.244.0.5"));
    assert_eq!(again.pod("b").addresses()[0], addresses[1]);
    assert_eq!(again.pod("a").addresses()[0], ip("10.244.0.6"));
}

#[tokio::test]
async fn a_full_node_says_so_and_overlapping_ranges_are_refused() {
    let dir = Arc::new(tempfile::tempdir().unwrap());
    let f = Fixture::at(dir.clone(), "10.244.0.0/30").unwrap();
    f.pod("a");
    let dns = DnsConfig::cluster_first("default", "cluster.local");
    let error = f.switch.attach(&pod("b"), "b", dns).map(|_| ()).unwrap_err();
    assert!(matches!(error, NetworkError::Exhausted { pods: 1, .. }), "{error}");
    f.switch.detach("uid-a");
    f.pod("b");
    assert!(matches!(Fixture::at(dir, "10.100.0.0/24"), Err(NetworkError::CidrOverlap { .. })));
}

#[tokio::test]
async fn the_host_dials_pods_and_appears_as_the_gateway() {
    let f = Fixture::new();
    let a = f.pod("a");
    let open = a.listen(at("0.0.0.0:80"), 16).unwrap();
    let local = a.listen(at("127.0.0.1:81"), 16).unwrap();
    let own = a.listen(at("10.244.0.2:82"), 16).unwrap();
    let _dialled = (
        f.switch.dial(on(&a, 80)).await.unwrap(),
        f.switch.dial_pod("uid-a", 81).await.unwrap(),
        f.switch.dial_pod("uid-a", 82).await.unwrap(),
    );
    for (listener, peer) in [(open, "10.244.0.1"), (local, "127.0.0.1"), (own, "10.244.0.1")] {
        assert_eq!(accept(&*listener).await.unwrap().peer.ip(), ip(peer));
    }
    let error = |result: Result<_, NetError>| result.map(|_: runtime_base::ByteStream| ()).unwrap_err();
    assert_eq!(error(f.switch.dial(on(&a, 81)).await), NetError::ConnectionRefused(on(&a, 81)));
    assert_eq!(error(f.switch.dial_pod("uid-a", 90).await), NetError::ConnectionRefused(on(&a, 90)));
    assert_eq!(error(f.switch.dial_pod("uid-x", 80).await), NetError::Unreachable(at("127.0.0.1:80")));
    let outside = SocketAddr::new(OUTSIDE, 80);
    assert_eq!(error(f.switch.dial(outside).await), NetError::Unreachable(outside));
}

#[tokio::test]
async fn calls_to_the_api_go_to_its_acceptor() {
    let f = Fixture::new();
    let a = f.pod("a");
    let api = at("10.96.0.1:443");
    f.switch.set_tables(&tables(vec![service("kubernetes", "10.96.0.1", vec![target(at("10.244.0.1:6443"))])]));
    let (tasks, peers) = (f.tasks.clone(), Arc::new(Mutex::new(Vec::new())));
    let seen = peers.clone();
    f.switch.set_api_acceptor(
        vec![api, at("10.244.0.1:6443")],
        Arc::new(move |mut stream, peer| {
            seen.lock().unwrap().push(peer.ip());
            tasks.spawn("api", async move {
                let _ = stream.write_all(b"api").await;
            });
        }),
    );
    assert_eq!(call(&a, api).await.unwrap(), "api");
    assert_eq!(call(&a, at("10.244.0.1:6443")).await.unwrap(), "api");
    assert_eq!(call(&a, at("10.96.0.1:80")).await.unwrap(), "api");
    assert_eq!(call(&a, at("10.96.0.1:81")).await, Err(NetError::ConnectionRefused(at("10.96.0.1:81"))));
    assert_eq!(*peers.lock().unwrap(), vec![ip("10.244.0.2"); 3]);
}
