//! TLS towards the outside.

use runtime_base::ByteStream;
use runtime_spec::HttpError;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;

/// Whom a program's https requests trust.
#[derive(Clone, Debug, Default)]
pub enum Roots {
    /// The machine's own certificates, read at the first request.
    #[default]
    System,
    /// These.
    Given(Vec<CertificateDer<'static>>),
}

/// Addresses where others are trusted instead, each with its certificates.
pub type PrivateRoots = HashMap<SocketAddr, Vec<CertificateDer<'static>>>;

/// Makes TLS connections; the trusted certificates are read once.
pub(crate) struct Tls {
    roots: Roots,
    private_roots: PrivateRoots,
    config: OnceCell<Arc<ClientConfig>>,
}

impl Tls {
    pub(crate) fn new(roots: Roots, private_roots: PrivateRoots) -> Self {
        Tls { roots, private_roots, config: OnceCell::new() }
    }

    /// `stream`, which leads to `address`, with TLS for `host`, speaking HTTP/1.1 inside.
    pub(crate) async fn connect(
        &self,
        host: &str,
        address: SocketAddr,
        stream: ByteStream,
    ) -> Result<ByteStream, HttpError> {
        let config = match self.private_roots.get(&address) {
            Some(certificates) => trusting(certificates.clone())?,
            None => self.config.get_or_try_init(|| self.load()).await?.clone(),
        };
        let name = ServerName::try_from(host.to_owned()).map_err(|_| failed(format!("{host} is not a server name")))?;
        let connector = TlsConnector::from(config);
        let stream = connector.connect(name, stream).await.map_err(|error| failed(format!("{host}: {error}")))?;
        Ok(Box::new(stream))
    }

    async fn load(&self) -> Result<Arc<ClientConfig>, HttpError> {
        let certificates = match &self.roots {
            Roots::Given(given) => given.clone(),
            // It reads many files.
            Roots::System => tokio::task::spawn_blocking(|| rustls_native_certs::load_native_certs().certs)
                .await
                .map_err(|_| failed("the host's certificates cannot be read".to_owned()))?,
        };
        trusting(certificates)
    }
}

fn trusting(certificates: Vec<CertificateDer<'static>>) -> Result<Arc<ClientConfig>, HttpError> {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(certificates);
    if store.is_empty() {
        return Err(failed("this host has no trusted certificates (package ca-certificates)".to_owned()));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| failed(error.to_string()))?;
    let mut config = builder.with_root_certificates(store).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn failed(reason: String) -> HttpError {
    HttpError::Tls(reason)
}
