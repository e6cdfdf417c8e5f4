use super::*;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};

/// A TLS connection to a listening server, with a client certificate or none.
pub(super) async fn connect(kit: &Kit, port: u16, certificate: Option<(String, String)>, protocol: &str) -> ByteStream {
    use rustls_pki_types::pem::PemObject;
    use rustls_pki_types::{CertificateDer, PrivateKeyDer};
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(kit.pki.roots().unwrap());
    let mut config = match certificate {
        Some((certificate, key)) => builder
            .with_client_auth_cert(
                CertificateDer::pem_slice_iter(certificate.as_bytes()).map(Result::unwrap).collect(),
                PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
            )
            .unwrap(),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    let socket = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    Box::new(connector.connect("localhost".try_into().unwrap(), socket).await.unwrap())
}

/// A kit whose certificates are of now, as TLS looks at the machine's clock.
async fn listening() -> (Kit, u16) {
    listening_to(None).await
}

/// The same, which believes an issuer of ID tokens.
pub(super) async fn listening_to(oidc: Option<crate::auth::OidcConfig>) -> (Kit, u16) {
    let clock = Clock::system();
    let store = RedbStore::in_memory(RedbOptions { clock: clock.clone() }).unwrap();
    let kit = kit_with(store, clock, None, oidc).await;
    kit.post("/api/v1/namespaces", json!({"metadata": {"name": "default"}})).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    kit.server.listen(listener, kit.pki.server_config().unwrap(), &kit.tasks);
    (kit, port)
}

#[tokio::test]
async fn both_versions_of_http_are_spoken_over_tls() {
    let (kit, port) = listening().await;
    let certificate = kit.pki.issue_client("me", &["system:masters"]).unwrap();
    let stream = connect(&kit, port, Some(certificate.clone()), "http/1.1").await;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    let tasks = Tasks::new();
    tasks.spawn("h1", async move { drop(connection.await) });
    let request = http::Request::get(MAPS).header("host", "localhost").body(body::full("")).unwrap();
    assert_eq!(sender.send_request(request).await.unwrap().status(), 200);

    let stream = connect(&kit, port, Some(certificate), "h2").await;
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tasks.spawn("h2", async move { drop(connection.await) });
    let request = http::Request::get(format!("https://localhost{MAPS}?watch=1")).body(body::full("")).unwrap();
    let mut watch = sender.send_request(request).await.unwrap().into_body();
    kit.post(MAPS, config_map("a", "1")).await;
    let event = watch.frame().await.unwrap().unwrap().into_data().unwrap();
    assert!(event.starts_with(b"{\"type\":\"ADDED\""));
    // The server ends the stream and the connection when it stops.
    assert!(kit.tasks.stop(Duration::from_secs(5)).await);
    while let Some(Ok(frame)) = watch.frame().await {
        assert!(frame.data_ref().is_none_or(Bytes::is_empty), "{frame:?}");
    }
}

#[tokio::test]
async fn who_shows_nothing_is_refused_but_for_health() {
    let (kit, port) = listening().await;
    let stream = connect(&kit, port, None, "http/1.1").await;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    kit.tasks.spawn("h1", async move { drop(connection.await) });
    let request = http::Request::get(MAPS).header("host", "localhost").body(body::full("")).unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(response.status(), 401);
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    let status: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!((&status["message"], &status["reason"]), (&json!("Unauthorized"), &json!("Unauthorized")));
    kit.server.bootstrap(&crate::bootstrap::tests::config()).await.unwrap();
    for (path, code) in [
        ("/healthz", 200),
        ("/version", 200),
        ("/api/v1/namespaces/kube-public/configmaps/cluster-info", 200),
        ("/api/v1/namespaces/kube-public/configmaps/other", 401),
        ("/metrics", 401),
        ("/api", 401),
    ] {
        let request = http::Request::get(path).header("host", "localhost").body(body::full("")).unwrap();
        let response = sender.send_request(request).await.unwrap();
        assert_eq!(response.status(), code, "{path}");
        response.into_body().collect().await.unwrap();
    }
}
