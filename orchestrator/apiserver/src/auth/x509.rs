//! Client certificates: the common name is the user, the organizations are the groups.

use super::AUTHENTICATED;
use super::limits::CERTIFICATES_VERIFIED_MAX;
use crate::identity::Identity;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rustls::RootCertStore;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls_pki_types::{CertificateDer, UnixTime};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::x509::AttributeTypeAndValue;

/// Checks client certificates against the cluster's CA.
pub(super) struct Certificates {
    verifier: Arc<dyn ClientCertVerifier>,
    /// Who showed chains that were good, by their digest: to check a signature takes as long as to
    /// answer a get. Emptied when full.
    verified: Mutex<HashMap<[u8; 32], Verified>>,
}

/// A chain that the CA vouches for.
struct Verified {
    identity: Identity,
    /// In seconds since 1970: while no certificate of the chain is too young or too old.
    valid: RangeInclusive<u64>,
}

impl Certificates {
    pub(super) fn new(roots: Arc<RootCertStore>) -> Result<Self, rustls::server::VerifierBuilderError> {
        let verifier = WebPkiClientVerifier::builder_with_provider(roots, crate::pki::provider()).build()?;
        Ok(Certificates { verifier, verified: Mutex::default() })
    }

    /// Who showed `chain` (DER, the leaf first), if the CA vouches for it at `now`. TLS has seen
    /// that the client holds the key; a connection may be older than the certificate's last day,
    /// so each request asks again.
    pub(super) fn identify(&self, chain: &[Vec<u8>], now: SystemTime) -> Result<Identity, String> {
        let since = now.duration_since(SystemTime::UNIX_EPOCH).map_err(|error| error.to_string())?;
        let mut digest = Sha256::new();
        for der in chain {
            digest.update((der.len() as u64).to_le_bytes());
            digest.update(der);
        }
        let digest: [u8; 32] = digest.finalize().into();
        if let Some(known) = self.verified().get(&digest)
            && known.valid.contains(&since.as_secs())
        {
            return Ok(known.identity.clone());
        }
        let identity = self.verify(chain, since)?;
        // A certificate that is not needed may be one that cannot be read.
        let Ok(valid) = validity(chain) else { return Ok(identity) };
        let mut verified = self.verified();
        if verified.len() >= CERTIFICATES_VERIFIED_MAX {
            verified.clear();
        }
        verified.insert(digest, Verified { identity: identity.clone(), valid });
        Ok(identity)
    }

    fn verified(&self) -> std::sync::MutexGuard<'_, HashMap<[u8; 32], Verified>> {
        self.verified.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn verify(&self, chain: &[Vec<u8>], since: Duration) -> Result<Identity, String> {
        let (leaf, rest) = chain.split_first().ok_or("no certificate")?;
        let leaf = CertificateDer::from(leaf.as_slice());
        let rest: Vec<CertificateDer<'_>> = rest.iter().map(|der| CertificateDer::from(der.as_slice())).collect();
        self.verifier
            .verify_client_cert(&leaf, &rest, UnixTime::since_unix_epoch(since))
            .map_err(|error| format!("client certificate: {error}"))?;
        subject(&leaf)
    }
}

/// When all certificates of a chain are valid.
fn validity(chain: &[Vec<u8>]) -> Result<RangeInclusive<u64>, String> {
    let (mut from, mut until) = (0, u64::MAX);
    for der in chain {
        let (_, certificate) = X509Certificate::from_der(der).map_err(|_| "client certificate cannot be parsed")?;
        let seconds = |time: x509_parser::time::ASN1Time| u64::try_from(time.timestamp()).unwrap_or_default();
        from = from.max(seconds(certificate.validity().not_before));
        until = until.min(seconds(certificate.validity().not_after));
    }
    Ok(from..=until)
}

fn subject(leaf: &CertificateDer<'_>) -> Result<Identity, String> {
    let (_, certificate) = X509Certificate::from_der(leaf).map_err(|_| "client certificate cannot be parsed")?;
    let subject = certificate.subject();
    let text =
        |part: Option<&AttributeTypeAndValue<'_>>| part.and_then(|part| part.as_str().ok()).unwrap_or("").to_owned();
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
    let id = format!("X509SHA256={}", hex::encode(Sha256::digest(leaf)));
    extra.insert("authentication.kubernetes.io/credential-id".to_owned(), vec![id]);
    Ok(Identity { name, groups, extra, ..Identity::default() })
}

/// What a certificate request asks for.
pub(crate) struct RequestedNames {
    /// The subject's common name, may be empty.
    pub common_name: String,
    /// Its organizations.
    pub organizations: Vec<String>,
}

/// Reads a PKCS#10 request: base64 of PEM, as CertificateSigningRequests hold it; `None` when it is none.
pub(crate) fn request_of_pem(base64: &str) -> Option<RequestedNames> {
    with_request(base64, |request| {
        let subject = &request.certification_request_info.subject;
        let text = |part: &AttributeTypeAndValue<'_>| part.as_str().unwrap_or_default().to_owned();
        RequestedNames {
            common_name: subject.iter_common_name().next().map(text).unwrap_or_default(),
            organizations: subject.iter_organization().map(text).collect(),
        }
    })
}

/// Whether whoever made a PKCS#10 request holds its key: its signature is checked. `None` when the
/// text is no request at all.
pub(crate) fn is_signed_by_its_key(base64: &str) -> Option<bool> {
    with_request(base64, |request| request.verify_signature().is_ok())
}

fn with_request<T>(base64: &str, read: impl FnOnce(&X509CertificationRequest<'_>) -> T) -> Option<T> {
    let pem = BASE64_STANDARD.decode(base64).ok()?;
    let (_, pem) = x509_parser::pem::parse_x509_pem(&pem).ok()?;
    let (_, request) = X509CertificationRequest::from_der(&pem.contents).ok()?;
    Some(read(&request))
}
