use super::*;
use crate::suite::{self, change, put, take, watch_error};
use futures::StreamExt;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use std::time::SystemTime;
use tests_kit::Etcd;

async fn store_of(etcd: &Etcd) -> Arc<dyn Store> {
    EtcdStore::connect(options(&etcd.url())).await.unwrap()
}

fn options(endpoint: &str) -> EtcdOptions {
    let clock = Clock::simulated(SystemTime::UNIX_EPOCH);
    EtcdOptions { endpoints: vec![endpoint.to_owned()], tls: EtcdTls::default(), clock }
}

suite::store_suite!(async {
    let server = Etcd::start(&[]);
    (store_of(&server).await, server)
});

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_history_agrees_with_the_model() {
    let mut runner = TestRunner::deterministic();
    for _ in 0..6 {
        let steps = suite::steps().new_tree(&mut runner).unwrap().current();
        let server = Etcd::start(&["--unsafe-no-fsync"]);
        suite::replay(steps, async || store_of(&server).await).await;
    }
}

#[tokio::test]
async fn writes_of_others_are_seen_and_move_the_fresh_revision() {
    let server = Etcd::start(&[]);
    let (ours, theirs) = (store_of(&server).await, store_of(&server).await);
    let mut watch = ours.watch("", 1).await.unwrap();
    let revision = change(&*theirs, vec![put("/other/prefix", "x")]).await;
    assert!(ours.revision() < revision);
    assert_eq!(ours.fresh_revision().await.unwrap(), revision);
    assert_eq!(take(&mut watch, 1).await, ["2 /other/prefix ->x"]);
    assert_eq!(ours.revision(), revision);
    // Somebody else compacts: a watch behind that is told, as it is here.
    for n in 0..5 {
        change(&*theirs, vec![put("/a", &n.to_string())]).await;
    }
    theirs.compact(5).await.unwrap();
    assert!(matches!(watch_error(&*ours, "/", 3).await, StoreError::Compacted { requested: 3, oldest: 5 }));
    assert!(matches!(ours.list("/", None, 0, Some(4)).await, Err(StoreError::Compacted { requested: 4, oldest: 5 })));
    assert_eq!(suite::texts(&*ours, "/a", Some(5)).await, ["/a=2"]);
}

#[tokio::test]
async fn lists_longer_than_a_page_of_etcd_are_whole() {
    let server = Etcd::start(&["--unsafe-no-fsync"]);
    let store = store_of(&server).await;
    let many = limits::ETCD_PAGE_MAX as usize * 2 + 7;
    for chunk in (0..many).collect::<Vec<_>>().chunks(100) {
        change(&*store, chunk.iter().map(|n| put(&format!("/p/{n:05}"), "v")).collect()).await;
    }
    change(&*store, vec![put("/q", "not in the list")]).await;
    let page = store.list("/p/", None, 0, None).await.unwrap();
    assert_eq!((page.entries.len(), page.more), (many, false));
    let page = store.list("/p/", Some("/p/00003"), 1500, None).await.unwrap();
    assert_eq!((page.entries.len(), page.more, &*page.entries[0].key), (1500, true, "/p/00004"));
}

#[tokio::test]
async fn an_etcd_that_comes_back_is_used_again() {
    let mut server = Etcd::start(&[]);
    let store = store_of(&server).await;
    let written = change(&*store, vec![put("/a", "1")]).await;
    let mut watch = store.watch("/", 1).await.unwrap();
    take(&mut watch, 1).await;
    server.kill();
    assert!(matches!(watch.next().await, Some(Err(StoreError::Unavailable(_)))));
    assert!(watch.next().await.is_none());
    let error = store.fresh_revision().await.unwrap_err().to_string();
    assert!(error.contains("etcd does not answer") && error.contains(&server.url()), "{error}");
    server.restart();
    assert_eq!(store.fresh_revision().await.unwrap(), written);
    let mut watch = store.watch("/", written).await.unwrap();
    change(&*store, vec![put("/a", "2")]).await;
    assert_eq!(take(&mut watch, 1).await, ["3 /a 1>2"]);
}

#[tokio::test]
async fn a_full_etcd_refuses_writes_and_is_read_on() {
    let server = Etcd::start(&["--quota-backend-bytes=1048576", "--unsafe-no-fsync"]);
    let store = store_of(&server).await;
    let write = async |n: usize| {
        store.txn(Txn { compare: vec![], ops: vec![put(&format!("/{n}"), &"x".repeat(200_000))] }).await
    };
    let mut refused = None;
    for n in 0..40 {
        if let Err(error) = write(n).await {
            refused = Some(error);
            break;
        }
    }
    assert!(matches!(&refused, Some(StoreError::Full(text)) if text.contains("etcdctl alarm disarm")), "{refused:?}");
    assert!(store.get("/0").await.unwrap().is_some());
}

#[tokio::test]
async fn what_cannot_be_reached_is_one_clear_error() {
    let error = EtcdStore::connect(options("http://127.0.0.1:1")).await.err().unwrap().to_string();
    assert!(error.contains("http://127.0.0.1:1") && error.contains("refused"), "{error}");
    assert!(EtcdStore::connect(options("127.0.0.1:2379")).await.is_err());
}

#[tokio::test]
async fn https_needs_the_right_authority_and_a_client_certificate() {
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
    let dir = tempfile::tempdir().unwrap();
    let save = |name: &str, text: String| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let ca = save("ca.crt", params.self_signed(&key).unwrap().pem());
    let issuer = Issuer::new(params, key);
    let [(cert, key), (client_cert, client_key)] = ["server", "client"].map(|name| {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        let cert = save(&format!("{name}.crt"), params.signed_by(&key, &issuer).unwrap().pem());
        (cert, save(&format!("{name}.key"), key.serialize_pem()))
    });
    let server = Etcd::start(&[
        &format!("--cert-file={}", cert.display()),
        &format!("--key-file={}", key.display()),
        &format!("--trusted-ca-file={}", ca.display()),
        "--client-cert-auth",
    ]);
    let mut options = options(&server.url());
    let error = EtcdStore::connect(options.clone()).await.err().unwrap().to_string();
    assert!(error.contains("certificate") && error.contains("https://"), "{error}");
    options.tls.ca_file = Some(ca);
    assert!(EtcdStore::connect(options.clone()).await.is_err(), "etcd asks for a certificate");
    options.tls.cert_file = Some(client_cert);
    let error = EtcdStore::connect(options.clone()).await.err().unwrap().to_string();
    assert!(error.contains("both a certificate and a key"), "{error}");
    options.tls.key_file = Some(client_key);
    let store = EtcdStore::connect(options).await.unwrap();
    assert_eq!(change(&*store, vec![put("/a", "1")]).await, 2);
    let mut watch = store.watch("/", 1).await.unwrap();
    assert_eq!(take(&mut watch, 1).await, ["2 /a ->1"]);
}
