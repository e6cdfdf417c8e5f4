//! Client certificates: the common name is the user, the organizations are the groups.

use super::AUTHENTICATED;
use crate::identity::Identity;
use rustls::RootCertStore;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls_pki_types::{CertificateDer, UnixTime};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Checks client certificates against the cluster's CA.
pub(super) struct Certificates {
    verifier: Arc<dyn ClientCertVerifier>,
}

impl Certificates {
    pub(super) fn new(roots: Arc<RootCertStore>) -> Result<Self, rustls::server::VerifierBuilderError> {
        let verifier = WebPkiClientVerifier::builder_with_provider(roots, crate::pki::provider()).build()?;
        Ok(Certificates { verifier })
    }

    /// Who showed `chain` (DER, the leaf first), if the CA vouches for it at `now`. TLS has seen
    /// that the client holds the key; a connection may be older than the certificate's last day,
    /// so each request asks again.
    pub(super) fn identify(&self, chain: &[Vec<u8>], now: SystemTime) -> Result<Identity, String> {
        let (leaf, rest) = chain.split_first().ok_or("no certificate")?;
        let leaf = CertificateDer::from(leaf.as_slice());
        let rest: Vec<CertificateDer<'_>> = rest.iter().map(|der| CertificateDer::from(der.as_slice())).collect();
        let since = now.duration_since(SystemTime::UNIX_EPOCH).map_err(|error| error.to_string())?;
        self.verifier
            .verify_client_cert(&leaf, &rest, UnixTime::since_unix_epoch(since))
            .map_err(|error| format!("client certificate: {error}"))?;
        subject(&leaf)
    }
}

fn subject(leaf: &CertificateDer<'_>) -> Result<Identity, String> {
    let (_, certificate) = X509Certificate::from_der(leaf).map_err(|_| "client certificate cannot be parsed")?;
    let subject = certificate.subject();
    let text = |part: Option<&x509_parser::x509::AttributeTypeAndValue<'_>>| {
        part.and_then(|part| part.as_str().ok()).unwrap_or("").to_owned()
    };
    let name = text(subject.iter_common_name().next());
    if name.is_empty() {
        return Err("client certificate has no common name".into());
    }
    let mut groups: Vec<String> =
        subject.iter_organization().map(|part| text(Some(part))).filter(|group| !group.is_empty()).collect();
    if !groups.iter().any(|group| group == AUTHENTICATED) {
        groups.push(AUTHENTICATED.into());
    }
    let mut extra = BTreeMap::new();
    use sha2::Digest;
    let id = format!("X509SHA256={}", hex::encode(sha2::Sha256::digest(leaf)));
    extra.insert("authentication.kubernetes.io/credential-id".to_owned(), vec![id]);
    Ok(Identity { name, groups, extra, ..Identity::default() })
}
