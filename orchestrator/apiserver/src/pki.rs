//! The cluster's keys and certificates. All keys are P-256, tokens ES256.
//!
//! They live in one directory: `ca.crt` and `ca.key` (also the CA of client certificates),
//! `apiserver.crt` and `apiserver.key` (served by TLS), `sa.key` (signs service account
//! tokens). What is there is never overwritten, but for a serving certificate that is to be
//! renewed.

mod files;
mod issue;
mod tls;

#[cfg(test)]
pub(crate) mod tests;

pub(crate) use tls::provider;

use runtime_base::Clock;
use rustls_pki_types::CertificateDer;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long the CA is good for.
const CA_LIFETIME: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
/// How long serving and client certificates are good for.
const LEAF_LIFETIME: Duration = Duration::from_secs(365 * 24 * 3600);
/// A serving certificate with less than this left is made anew when the keys are loaded.
const RENEW_BEFORE: Duration = Duration::from_secs(30 * 24 * 3600);
/// How far certificates reach into the past, for clients whose clocks are behind.
const SKEW: Duration = Duration::from_secs(3600);

/// The names that the serving certificate is good for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PkiNames {
    /// DNS names.
    pub dns: Vec<String>,
    /// Addresses.
    pub ips: Vec<IpAddr>,
}

impl PkiNames {
    /// The names under which Pods and this machine reach the server, with `host` (its host name)
    /// and the addresses `more`: the Service's address, a gateway, a listening address.
    pub fn standard(host: &str, more: &[IpAddr]) -> Self {
        let service = ["kubernetes", "kubernetes.default", "kubernetes.default.svc"];
        let mut dns: Vec<String> = service.iter().map(ToString::to_string).collect();
        dns.extend(["kubernetes.default.svc.cluster.local".to_owned(), "localhost".to_owned()]);
        if !host.is_empty() && !dns.iter().any(|name| name == host) {
            dns.push(host.to_owned());
        }
        let mut ips: Vec<IpAddr> = vec![[127, 0, 0, 1].into(), std::net::Ipv6Addr::LOCALHOST.into()];
        for ip in more {
            if !ip.is_unspecified() && !ips.contains(ip) {
                ips.push(*ip);
            }
        }
        PkiNames { dns, ips }
    }
}

/// Why the keys cannot be used. Each text is one line that names the file and the mend.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// A file cannot be read or written.
    #[error("cannot access {path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file does not hold what it should.
    #[error(
        "{path} is damaged ({why}): restore it from a backup, or move the directory {dir} away to start with new keys \
         (every client then needs the new kubeconfig)"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Its directory.
        dir: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A file is missing whose counterpart is there.
    #[error(
        "{path} is missing: restore it from a backup, or move the directory {dir} away to start with new keys \
         (every client then needs the new kubeconfig)"
    )]
    Missing {
        /// The file.
        path: PathBuf,
        /// Its directory.
        dir: PathBuf,
    },
    /// The CA's time is over.
    #[error(
        "the certificate authority {path} expired on {when}: move the directory {dir} away to start with new keys \
         (every client then needs the new kubeconfig)"
    )]
    Expired {
        /// The file.
        path: PathBuf,
        /// Its directory.
        dir: PathBuf,
        /// Its last moment.
        when: String,
    },
    /// The CA's time has not come: the clock is wrong.
    #[error("the certificate authority {path} is not valid before {when}: set this machine's clock")]
    NotYetValid {
        /// The file.
        path: PathBuf,
        /// Its first moment.
        when: String,
    },
    /// A certificate could not be made; `0` says which.
    #[error("cannot make a certificate for {0}")]
    Make(String, #[source] rcgen::Error),
    /// A certificate subject has more organizations than can be written.
    #[error("a client certificate holds at most two organizations, not {0}")]
    Organizations(usize),
    /// TLS refused the keys.
    #[error("cannot serve TLS with the keys in {0}")]
    Tls(PathBuf, #[source] rustls::Error),
}

/// The cluster's keys, loaded.
pub struct Pki {
    dir: PathBuf,
    clock: Clock,
    ca: Authority,
    /// Signs what this server shows to extension servers.
    front_proxy: Authority,
    serving_certificate: CertificateDer<'static>,
    serving_key: rcgen::KeyPair,
    service_account_key: rcgen::KeyPair,
}

/// A CA certificate with its key.
struct Authority {
    pem: String,
    der: CertificateDer<'static>,
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
}

impl Pki {
    /// The keys in `dir`; they are made when the directory holds none. The serving certificate
    /// is made anew when `names` changed or its time is nearly over.
    pub fn load_or_create(dir: &Path, names: &PkiNames, clock: Clock) -> Result<Self, PkiError> {
        files::load_or_create(dir, names, clock)
    }

    /// The CA's certificate as PEM: what clients trust, and what Pods get as `ca.crt`.
    pub fn ca_pem(&self) -> &str {
        &self.ca.pem
    }

    /// The certificate of the authority by which extension servers know this server, as PEM: the
    /// `requestheader-client-ca-file`.
    pub fn front_proxy_ca_pem(&self) -> &str {
        &self.front_proxy.pem
    }

    /// The CA's certificate as DER.
    pub fn ca_der(&self) -> &CertificateDer<'static> {
        &self.ca.der
    }

    /// The key that signs service account tokens.
    pub(crate) fn service_account_key(&self) -> &rcgen::KeyPair {
        &self.service_account_key
    }
}

impl std::fmt::Debug for Pki {
    /// Names the directory and no key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pki({})", self.dir.display())
    }
}
