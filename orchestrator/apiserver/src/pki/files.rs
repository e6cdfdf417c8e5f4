//! The key directory: what is there is checked, what is missing is made.

use super::{Authority, Pki, PkiError, PkiNames, RENEW_BEFORE, issue};
use rcgen::{Issuer, KeyPair};
use runtime_base::Clock;
use runtime_base::path::{create_dir, write_atomic};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use std::{fs, io};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// A longer file is no key and no certificate of ours.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// The files of the cluster's authority.
const AUTHORITY: &str = "ca";

/// See [`Pki::load_or_create`].
pub(super) fn load_or_create(dir: &Path, names: &PkiNames, clock: Clock) -> Result<Pki, PkiError> {
    create_dir(dir, 0o700).map_err(|source| PkiError::Io { path: dir.into(), source })?;
    let files = Files { dir, now: clock.now() };
    let ca = files.authority(AUTHORITY, "kubernetes")?;
    let (serving_certificate, serving_key) = files.serving(&ca, names)?;
    let service_account_key = match files.key("sa.key")? {
        Some(key) => key,
        None => files.new_key("sa.key", "service account tokens")?,
    };
    let front_proxy = files.authority("front-proxy-ca", "front-proxy-ca")?;
    Ok(Pki { dir: dir.into(), clock, ca, front_proxy, serving_certificate, serving_key, service_account_key })
}

struct Files<'a> {
    dir: &'a Path,
    now: SystemTime,
}

impl Files<'_> {
    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn damaged(&self, name: &str, why: impl ToString) -> PkiError {
        PkiError::Damaged { path: self.path(name), dir: self.dir.into(), why: why.to_string().replace('\n', " ") }
    }

    /// A file's text; `None` when there is no such file.
    fn read(&self, name: &str) -> Result<Option<String>, PkiError> {
        let path = self.path(name);
        let bytes = match fs::metadata(&path) {
            Ok(about) if about.len() > FILE_BYTES_MAX => return Err(self.damaged(name, "it is too long")),
            Ok(_) => fs::read(&path).map_err(|source| PkiError::Io { path, source })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(PkiError::Io { path, source }),
        };
        String::from_utf8(bytes).map(Some).map_err(|_| self.damaged(name, "it is not text"))
    }

    fn write(&self, name: &str, text: &str) -> Result<(), PkiError> {
        let path = self.path(name);
        write_atomic(&path, text.as_bytes(), 0o600).map_err(|source| PkiError::Io { path, source })
    }

    fn key(&self, name: &str) -> Result<Option<KeyPair>, PkiError> {
        let Some(text) = self.read(name)? else { return Ok(None) };
        let key = KeyPair::from_pem_and_sign_algo(&text, &rcgen::PKCS_ECDSA_P256_SHA256)
            .map_err(|_| self.damaged(name, "it holds no P-256 private key in PKCS #8 PEM"))?;
        Ok(Some(key))
    }

    fn new_key(&self, name: &str, subject: &str) -> Result<KeyPair, PkiError> {
        let key = issue::key(subject)?;
        self.write(name, &key.serialize_pem())?;
        Ok(key)
    }

    fn certificate(&self, name: &str) -> Result<Option<(String, CertificateDer<'static>)>, PkiError> {
        let Some(text) = self.read(name)? else { return Ok(None) };
        let der = CertificateDer::from_pem_slice(text.as_bytes())
            .map_err(|_| self.damaged(name, "it holds no certificate in PEM"))?;
        self.parse(name, &der)?;
        Ok(Some((text, der)))
    }

    fn parse<'d>(&self, name: &str, der: &'d CertificateDer<'_>) -> Result<X509Certificate<'d>, PkiError> {
        match X509Certificate::from_der(der) {
            Ok(([], parsed)) => Ok(parsed),
            _ => Err(self.damaged(name, "its certificate cannot be parsed")),
        }
    }

    /// A key without a certificate is what a crash between the two leaves: the certificate
    /// follows. A certificate without a key cannot be mended.
    fn authority(&self, name: &str, common_name: &str) -> Result<Authority, PkiError> {
        let (key_file, file) = (&*format!("{name}.key"), &*format!("{name}.crt"));
        let (key, certificate) = (self.key(key_file)?, self.certificate(file)?);
        let Some((pem, der)) = certificate else {
            for orphan in ["apiserver.crt", "sa.key"] {
                if name == AUTHORITY && self.path(orphan).exists() {
                    return Err(PkiError::Missing { path: self.path(file), dir: self.dir.into() });
                }
            }
            let key = match key {
                Some(key) => key,
                None => self.new_key(key_file, "the certificate authority")?,
            };
            let ca = issue::authority(key, common_name, self.now)?;
            self.write(file, &ca.pem)?;
            return Ok(ca);
        };
        let key = key.ok_or_else(|| PkiError::Missing { path: self.path(key_file), dir: self.dir.into() })?;
        let parsed = self.parse(file, &der)?;
        if !parsed.is_ca() {
            return Err(self.damaged(file, "its certificate is not one of a certificate authority"));
        }
        if !holds_key(&parsed, &key) {
            return Err(self.damaged(file, format!("it does not belong to {key_file}")));
        }
        let validity = parsed.validity();
        if seconds(self.now) > validity.not_after.timestamp() {
            let (path, when) = (self.path(file), validity.not_after.to_string());
            return Err(PkiError::Expired { path, dir: self.dir.into(), when });
        }
        if seconds(self.now) < validity.not_before.timestamp() {
            return Err(PkiError::NotYetValid { path: self.path(file), when: validity.not_before.to_string() });
        }
        let issuer = Issuer::from_ca_cert_der(&der, key).map_err(|error| self.damaged(file, error))?;
        Ok(Authority { pem, der, issuer })
    }

    fn serving(&self, ca: &Authority, names: &PkiNames) -> Result<(CertificateDer<'static>, KeyPair), PkiError> {
        let key = match self.key("apiserver.key")? {
            Some(key) => key,
            None if self.path("apiserver.crt").exists() => {
                return Err(PkiError::Missing { path: self.path("apiserver.key"), dir: self.dir.into() });
            }
            None => self.new_key("apiserver.key", "the server")?,
        };
        if let Some((_, der)) = self.certificate("apiserver.crt")? {
            let parsed = self.parse("apiserver.crt", &der)?;
            if !holds_key(&parsed, &key) {
                return Err(self.damaged("apiserver.crt", "it does not belong to apiserver.key"));
            }
            let issuer = self.parse("ca.crt", &ca.der)?;
            if parsed.verify_signature(Some(issuer.public_key())).is_err() {
                return Err(self.damaged("apiserver.crt", "it was not signed by ca.crt"));
            }
            let enough = seconds(self.now + RENEW_BEFORE) <= parsed.validity().not_after.timestamp();
            let begun = seconds(self.now) >= parsed.validity().not_before.timestamp();
            if enough && begun && same_names(&parsed, names) {
                return Ok((der, key));
            }
            tracing::info!(path = %self.path("apiserver.crt").display(), "renewed the serving certificate");
        }
        let certificate = issue::serving(ca, names, &key, self.now)?;
        self.write("apiserver.crt", &certificate.pem())?;
        Ok((issue::der(&certificate), key))
    }
}

fn holds_key(certificate: &X509Certificate<'_>, key: &KeyPair) -> bool {
    certificate.public_key().subject_public_key.data.as_ref() == key.public_key_raw()
}

fn same_names(certificate: &X509Certificate<'_>, names: &PkiNames) -> bool {
    let Ok(Some(found)) = certificate.subject_alternative_name() else { return false };
    let (mut dns, mut ips) = (BTreeSet::new(), BTreeSet::new());
    for name in &found.value.general_names {
        match name {
            GeneralName::DNSName(name) => drop(dns.insert(*name)),
            GeneralName::IPAddress(bytes) => drop(ips.insert(address(bytes))),
            _ => return false,
        }
    }
    dns == names.dns.iter().map(String::as_str).collect() && ips == names.ips.iter().copied().map(Some).collect()
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
        _ => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
    }
}

/// Seconds since 1970.
fn seconds(time: SystemTime) -> i64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64)
}
