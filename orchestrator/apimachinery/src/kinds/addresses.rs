//! IP addresses and networks in objects.

use crate::field::Path;
use ipnet::IpNet;
use std::net::{IpAddr, Ipv6Addr};

const NOT_A_NETWORK: &str = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";

/// A network in any form that can be read.
pub fn network(text: &str) -> Vec<String> {
    if text.parse::<IpNet>().is_ok() { Vec::new() } else { vec![NOT_A_NETWORK.to_owned()] }
}

/// A network in its canonical form, without host bits.
pub fn canonical_network(text: &str) -> Vec<String> {
    match text.parse::<IpNet>() {
        Err(_) => vec![NOT_A_NETWORK.to_owned()],
        Ok(network) if network.trunc() != network => vec!["must not have bits set beyond the prefix length".to_owned()],
        Ok(network) if is_mapped(network.addr()) => vec!["must not have an IPv4-mapped IPv6 address".to_owned()],
        Ok(network) => canonical(text, &network.to_string()),
    }
}

/// An address in its canonical form.
pub fn canonical_ip(text: &str) -> Vec<String> {
    match text.parse::<IpAddr>() {
        Err(_) => super::names::ip(text),
        Ok(ip) if is_mapped(ip) => vec!["must not be an IPv4-mapped IPv6 address".to_owned()],
        Ok(ip) => canonical(text, &ip.to_string()),
    }
}

/// An address with the length of its network's prefix.
pub fn interface_address(text: &str) -> Vec<String> {
    match text.parse::<IpNet>() {
        Err(_) => vec!["must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64)".to_owned()],
        Ok(network) => canonical(text, &network.to_string()),
    }
}

/// What is said of an address that is not in its canonical form, where that is allowed.
pub fn warning(text: &str, path: &Path) -> Option<String> {
    let ip = text.parse::<Ipv6Addr>().ok()?.to_string();
    (ip != text).then(|| format!("{path}: IPv6 address {text:?} should be in RFC 5952 canonical format ({ip:?})"))
}

/// The same of a network.
pub fn network_warning(text: &str, path: &Path) -> Option<String> {
    let network = text.parse::<IpNet>().ok()?;
    let canonical = network.trunc().to_string();
    if network.trunc() != network {
        let why = "is ambiguous in this context (should be";
        let address = network.addr();
        return Some(format!(
            "{path}: CIDR value {text:?} {why} {canonical:?} or \"{address}/{}\"?)",
            network.max_prefix_len()
        ));
    }
    let is_odd = network.addr().is_ipv6() && canonical != text;
    is_odd.then(|| format!("{path}: IPv6 CIDR value {text:?} should be in RFC 5952 canonical format ({canonical:?})"))
}

fn is_mapped(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(ip) if ip.to_ipv4_mapped().is_some())
}

fn canonical(text: &str, form: &str) -> Vec<String> {
    if text == form { Vec::new() } else { vec![format!("must be in canonical form ({form:?})")] }
}

#[cfg(test)]
mod tests;
