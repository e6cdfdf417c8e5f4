//! Certificates made by the CA.

use super::{Authority, CA_LIFETIME, LEAF_LIFETIME, Pki, PkiError, PkiNames, SKEW};
use base64::Engine;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SanType,
};
use rustls_pki_types::CertificateDer;
use std::time::{Duration, SystemTime};

/// The object identifier of an organization's name (X.520), for a second one in a subject.
const ORGANIZATION: [u64; 4] = [2, 5, 4, 10];

/// A new P-256 key; `subject` is for the error.
pub(super) fn key(subject: &str) -> Result<KeyPair, PkiError> {
    KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).map_err(|source| PkiError::Make(subject.into(), source))
}

/// A certificate that `key` signs for itself, and the right to sign others.
pub(super) fn authority(key: KeyPair, common_name: &str, now: SystemTime) -> Result<Authority, PkiError> {
    let name = "the certificate authority";
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    valid(&mut params, now, CA_LIFETIME);
    let certificate = params.self_signed(&key).map_err(|source| PkiError::Make(name.into(), source))?;
    Ok(Authority { pem: certificate.pem(), der: certificate.der().clone(), issuer: Issuer::new(params, key) })
}

/// The server's certificate.
pub(super) fn serving(
    ca: &Authority,
    names: &PkiNames,
    key: &KeyPair,
    now: SystemTime,
) -> Result<rcgen::Certificate, PkiError> {
    let failed = |source| PkiError::Make("the server".into(), source);
    let mut params = CertificateParams::new(names.dns.clone()).map_err(failed)?;
    params.subject_alt_names.extend(names.ips.iter().map(|ip| SanType::IpAddress(*ip)));
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    leaf(&mut params, "kube-apiserver", now);
    params.signed_by(key, &ca.issuer).map_err(failed)
}

fn leaf(params: &mut CertificateParams, common_name: &str, now: SystemTime) {
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    valid(params, now, LEAF_LIFETIME);
}

fn valid(params: &mut CertificateParams, now: SystemTime, lifetime: Duration) {
    params.not_before = (now - SKEW).into();
    params.not_after = (now + lifetime).into();
}

impl Pki {
    /// A client certificate and its key, as PEM. `common_name` becomes the user's name,
    /// `organizations` (at most two) the groups.
    pub fn issue_client(&self, common_name: &str, organizations: &[&str]) -> Result<(String, String), PkiError> {
        let key = key(common_name)?;
        let mut params = CertificateParams::default();
        leaf(&mut params, common_name, self.clock.now());
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        match organizations {
            [] => {}
            [first] => params.distinguished_name.push(DnType::OrganizationName, *first),
            [first, second] => {
                params.distinguished_name.push(DnType::OrganizationName, *first);
                params.distinguished_name.push(DnType::CustomDnType(ORGANIZATION.to_vec()), *second);
            }
            more => return Err(PkiError::Organizations(more.len())),
        }
        let certificate =
            params.signed_by(&key, &self.ca.issuer).map_err(|source| PkiError::Make(common_name.into(), source))?;
        Ok((certificate.pem(), key.serialize_pem()))
    }

    /// The certificate and PKCS #8 key with which this server calls extension servers, signed by
    /// the front proxy's authority.
    pub(crate) fn front_proxy_client(&self) -> Result<(Vec<CertificateDer<'static>>, Vec<u8>), PkiError> {
        let name = "front-proxy-client";
        let key = key(name)?;
        let mut params = CertificateParams::default();
        leaf(&mut params, name, self.clock.now());
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&key, &self.front_proxy.issuer);
        let certificate = certificate.map_err(|source| PkiError::Make(name.into(), source))?;
        Ok((vec![der(&certificate)], key.serialize_der()))
    }

    /// A kubeconfig for the user `kubernetes-admin` of the group `kubeadm:cluster-admins`, with
    /// a fresh client certificate in it. It is a secret: write it with mode 0600.
    pub fn admin_kubeconfig(&self, server_url: &str) -> Result<String, PkiError> {
        let (certificate, key) = self.issue_client("kubernetes-admin", &["kubeadm:cluster-admins"])?;
        Ok(self.kubeconfig(server_url, "admin", &certificate, &key))
    }

    /// A kubeconfig for the cluster `coracle` with this client certificate and key (PEM).
    pub fn kubeconfig(&self, server_url: &str, user: &str, certificate: &str, key: &str) -> String {
        let encode = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
        // Quoted as JSON strings, which YAML reads as they are.
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        format!(
            "apiVersion: v1\nkind: Config\nclusters:\n- name: coracle\n  cluster:\n    server: {server}\n    \
             certificate-authority-data: {ca}\nusers:\n- name: {user}\n  user:\n    client-certificate-data: \
             {certificate}\n    client-key-data: {key}\ncontexts:\n- name: coracle\n  context:\n    cluster: coracle\n    \
             user: {user}\ncurrent-context: coracle\npreferences: {{}}\n",
            server = quoted(server_url),
            ca = encode(&self.ca.pem),
            user = quoted(user),
            certificate = encode(certificate),
            key = encode(key),
        )
    }
}

/// The DER of a certificate that was just made.
pub(super) fn der(certificate: &rcgen::Certificate) -> CertificateDer<'static> {
    certificate.der().clone()
}
