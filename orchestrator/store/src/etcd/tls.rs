//! TLS towards etcd, by rustls.

use super::EtcdTls;
use crate::StoreError;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::path::Path;
use std::sync::Arc;
use tokio_rustls::TlsConnector;

fn broken(path: &Path, why: impl std::fmt::Display) -> StoreError {
    StoreError::Broken(format!("cannot use {} for etcd: {why}", path.display()))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, StoreError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).map_err(|error| broken(path, error))?.collect();
    let found = found.map_err(|error| broken(path, error))?;
    if found.is_empty() { Err(broken(path, "it holds no certificate")) } else { Ok(found) }
}

/// How https endpoints are spoken to: with the given CA or the machine's, and the given client certificate.
pub(super) fn connector(options: &EtcdTls) -> Result<TlsConnector, StoreError> {
    let mut roots = RootCertStore::empty();
    match &options.ca_file {
        Some(path) => {
            for certificate in certificates(path)? {
                roots.add(certificate).map_err(|error| broken(path, error))?;
            }
        }
        // None that can be read is found out when an https endpoint is connected to.
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| StoreError::Broken(format!("cannot use TLS for etcd: {error}")))?
        .with_root_certificates(roots);
    let mut config = match (&options.cert_file, &options.key_file) {
        (Some(cert), Some(key)) => {
            let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| broken(key, error))?;
            builder.with_client_auth_cert(certificates(cert)?, secret).map_err(|error| broken(cert, error))?
        }
        (None, None) => builder.with_no_client_auth(),
        _ => {
            return Err(StoreError::Broken("etcd's client certificate needs both a certificate and a key file".into()));
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}
