//! IP addresses and networks in objects.

use ipnet::IpNet;
use std::net::IpAddr;

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

fn is_mapped(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(ip) if ip.to_ipv4_mapped().is_some())
}

fn canonical(text: &str, form: &str) -> Vec<String> {
    if text == form { Vec::new() } else { vec![format!("must be in canonical form ({form:?})")] }
}

#[cfg(test)]
mod tests;
