//! Answers a Pod's names: its own table, the cluster's zone, then the host's resolver.

use crate::dns::{HostLookupError, below};
use crate::limits::{ALIASES_MAX, HOST_LOOKUP_TIME_MAX, NAME_BYTES_MAX};
use crate::pod::Pod;
use crate::service::Answer;
use crate::switch::Switch;
use runtime_base::clock::within;
use runtime_spec::NetError;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

impl Switch {
    /// The addresses of `name` as `pod` means it.
    pub(crate) async fn resolve(&self, pod: &Pod, name: &str) -> Result<Vec<IpAddr>, NetError> {
        let missing = || NetError::NameUnresolvable(name.to_owned());
        if let Ok(ip) = name.parse::<IpAddr>() {
            return Ok(vec![ip.to_canonical()]);
        }
        let lower = name.to_ascii_lowercase();
        let plain = lower.strip_suffix('.').unwrap_or(&lower);
        if plain.is_empty() || plain.len() > NAME_BYTES_MAX || plain.split('.').any(str::is_empty) {
            return Err(missing());
        }
        if plain == "localhost" || plain.ends_with(".localhost") {
            return Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
        }
        let fixed = pod.dns.fixed(plain);
        if !fixed.is_empty() {
            return Ok(fixed);
        }
        if plain == pod.hostname.to_ascii_lowercase() {
            return Ok(vec![pod.ip.into()]);
        }
        for candidate in pod.dns.candidates(&lower) {
            let found = self.ask(pod, candidate).await?;
            if !found.is_empty() {
                return Ok(found);
            }
        }
        Err(missing())
    }

    /// The addresses of one absolute name, through aliases; none when it does not exist.
    async fn ask(&self, pod: &Pod, mut name: String) -> Result<Vec<IpAddr>, NetError> {
        for _ in 0..=ALIASES_MAX {
            let Some(rest) = below(&name, &self.config.cluster_domain) else {
                return self.ask_host(&name).await;
            };
            if !pod.dns.cluster {
                return Ok(Vec::new());
            }
            match self.index.load().lookup(rest, &self.config.rng) {
                Answer::Addresses(found) => return Ok(found),
                Answer::Nothing => return Ok(Vec::new()),
                Answer::Alias(other) => {
                    if let Ok(ip) = other.parse::<IpAddr>() {
                        return Ok(vec![ip]);
                    }
                    name = format!("{}.", other.trim_end_matches('.').to_ascii_lowercase());
                }
            }
        }
        Err(NetError::ResolverFailure(name))
    }

    async fn ask_host(&self, name: &str) -> Result<Vec<IpAddr>, NetError> {
        let question = async {
            // The semaphore is never closed.
            let _permit = self.lookups.acquire().await.ok()?;
            Some(self.config.resolver.lookup(name).await)
        };
        match within(HOST_LOOKUP_TIME_MAX, question).await.flatten() {
            Some(Ok(found)) => Ok(found.into_iter().map(|ip| ip.to_canonical()).collect()),
            Some(Err(HostLookupError::NotFound)) => Ok(Vec::new()),
            Some(Err(HostLookupError::Failed(_))) | None => Err(NetError::ResolverFailure(name.to_owned())),
        }
    }
}
