//! TLS with these keys.

use super::{Pki, PkiError};
use rustls::RootCertStore;
use rustls::crypto::{CryptoProvider, ring};
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::sync::Arc;

/// The protocols that the server speaks, the preferred one first.
const ALPN: [&[u8]; 2] = [b"h2", b"http/1.1"];

impl Pki {
    /// What the listener needs: the serving certificate; a client may show a certificate of
    /// the CA (another one ends the handshake) or none. HTTP/2 and HTTP/1.1 by ALPN.
    ///
    /// Who the client is, and whether its certificate is still good, is asked anew for each request
    /// (`auth::Authenticator`).
    pub fn server_config(&self) -> Result<Arc<rustls::ServerConfig>, PkiError> {
        let provider = provider();
        let failed = |error| PkiError::Tls(self.dir.clone(), error);
        let verifier = WebPkiClientVerifier::builder_with_provider(self.roots()?, provider.clone())
            .allow_unauthenticated()
            .build()
            .map_err(|error| failed(rustls::Error::General(error.to_string())))?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.serving_key.serialize_der()));
        let chain = vec![self.serving_certificate.clone(), self.ca.der.clone()];
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(failed)?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key)
            .map_err(failed)?;
        config.alpn_protocols = ALPN.iter().map(|name| name.to_vec()).collect();
        Ok(Arc::new(config))
    }

    /// The CA as the only root of trust.
    pub fn roots(&self) -> Result<Arc<RootCertStore>, PkiError> {
        let mut roots = RootCertStore::empty();
        roots.add(self.ca.der.clone()).map_err(|error| PkiError::Tls(self.dir.clone(), error))?;
        Ok(Arc::new(roots))
    }
}

/// The cryptography of every TLS connection.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}
