//! Names: which questions a Pod's name means, and the host's resolver for the rest.

use crate::limits::{NAME_BYTES_MAX, SEARCHES_MAX};
use async_trait::async_trait;
use std::net::IpAddr;

/// A Pod's DNS rules, after dnsPolicy and dnsConfig were applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsConfig {
    /// Search domains, in order.
    pub searches: Vec<String>,
    /// A name with at least this many dots is first asked as it is.
    pub ndots: u8,
    /// Whether names of the cluster are known (`ClusterFirst`; not with `Default` and `None`).
    pub cluster: bool,
    /// Names with fixed addresses (hostAliases).
    pub hosts: Vec<(IpAddr, Vec<String>)>,
}

impl DnsConfig {
    /// The rules of `dnsPolicy: ClusterFirst` in `namespace`.
    pub fn cluster_first(namespace: &str, cluster_domain: &str) -> Self {
        let searches = vec![
            format!("{namespace}.svc.{cluster_domain}"),
            format!("svc.{cluster_domain}"),
            cluster_domain.to_owned(),
        ];
        DnsConfig { searches, ndots: 5, cluster: true, hosts: Vec::new() }
    }

    /// The names that `name` may mean, the likeliest first (resolv.conf(5)).
    ///
    /// The name as it was given keeps its form, so that the host's own rules apply to it; a
    /// name made with a search domain ends with a dot.
    pub(crate) fn candidates(&self, name: &str) -> Vec<String> {
        if name.ends_with('.') {
            return vec![name.to_owned()];
        }
        let searched = self.searches.iter().take(SEARCHES_MAX).map(|domain| {
            let domain = domain.trim_matches('.').to_ascii_lowercase();
            if domain.is_empty() { format!("{name}.") } else { format!("{name}.{domain}.") }
        });
        let dots = name.bytes().filter(|byte| *byte == b'.').count();
        let mut names: Vec<String> = searched.filter(|name| name.len() <= NAME_BYTES_MAX + 1).collect();
        let place = if dots >= usize::from(self.ndots) { 0 } else { names.len() };
        names.insert(place, name.to_owned());
        names
    }

    /// The addresses that the Pod's own table has for `name`.
    pub(crate) fn fixed(&self, name: &str) -> Vec<IpAddr> {
        let known = |names: &[String]| names.iter().any(|known| known.eq_ignore_ascii_case(name));
        self.hosts.iter().filter(|(_, names)| known(names)).map(|(ip, _)| *ip).collect()
    }
}

/// `name` without the zone, when it is in it: `web.default.svc` of
/// `web.default.svc.cluster.local`, empty for the zone itself. Both are lower case.
pub(crate) fn below<'a>(name: &'a str, zone: &str) -> Option<&'a str> {
    let rest = name.strip_suffix('.').unwrap_or(name).strip_suffix(zone)?;
    if rest.is_empty() { Some(rest) } else { rest.strip_suffix('.') }
}

/// Why the host's resolver gave no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostLookupError {
    /// The name does not exist or has no address.
    #[error("no such name")]
    NotFound,
    /// No resolver answered.
    #[error("resolver failed: {0}")]
    Failed(String),
}

/// Asks for names outside the cluster.
#[async_trait]
pub trait HostResolver: Send + Sync {
    /// The addresses of `name`, which is absolute when it ends with a dot.
    async fn lookup(&self, name: &str) -> Result<Vec<IpAddr>, HostLookupError>;
}

/// The machine's own resolver.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

#[async_trait]
impl HostResolver for SystemResolver {
    async fn lookup(&self, name: &str) -> Result<Vec<IpAddr>, HostLookupError> {
        match tokio::net::lookup_host((name, 0)).await {
            Ok(found) => Ok(found.map(|address| address.ip()).collect()),
            Err(error) => Err(classify(&error.to_string())),
        }
    }
}

/// getaddrinfo's codes reach us as text only; these are the words of glibc and musl for
/// EAI_AGAIN, EAI_FAIL and EAI_SYSTEM. Anything else says that there is no address.
fn classify(text: &str) -> HostLookupError {
    let lower = text.to_ascii_lowercase();
    let failed = ["temporary failure", "try again", "non-recoverable", "unrecoverable", "system error", "os error"];
    if failed.iter().any(|words| lower.contains(words)) {
        HostLookupError::Failed(text.to_owned())
    } else {
        HostLookupError::NotFound
    }
}

#[cfg(test)]
mod tests;
