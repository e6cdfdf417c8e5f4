//! Addresses between WIT and the standard library.

use super::ErrorCode;
use super::api::network::{IpAddress, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress, Ipv6SocketAddress};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

pub(super) fn from_wit(address: IpSocketAddress) -> SocketAddr {
    match address {
        IpSocketAddress::Ipv4(v4) => {
            let (a, b, c, d) = v4.address;
            SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), v4.port).into()
        }
        IpSocketAddress::Ipv6(v6) => {
            let (a, b, c, d, e, f, g, h) = v6.address;
            SocketAddrV6::new(Ipv6Addr::new(a, b, c, d, e, f, g, h), v6.port, v6.flow_info, v6.scope_id).into()
        }
    }
}

pub(super) fn to_wit(address: SocketAddr) -> IpSocketAddress {
    match address {
        SocketAddr::V4(v4) => {
            let [a, b, c, d] = v4.ip().octets();
            IpSocketAddress::Ipv4(Ipv4SocketAddress { port: v4.port(), address: (a, b, c, d) })
        }
        SocketAddr::V6(v6) => {
            let [a, b, c, d, e, f, g, h] = v6.ip().segments();
            IpSocketAddress::Ipv6(Ipv6SocketAddress {
                port: v6.port(),
                flow_info: v6.flowinfo(),
                address: (a, b, c, d, e, f, g, h),
                scope_id: v6.scope_id(),
            })
        }
    }
}

pub(super) fn ip_to_wit(address: IpAddr) -> IpAddress {
    match to_wit(SocketAddr::new(address, 0)) {
        IpSocketAddress::Ipv4(v4) => IpAddress::Ipv4(v4.address),
        IpSocketAddress::Ipv6(v6) => IpAddress::Ipv6(v6.address),
    }
}

pub(super) fn family(address: SocketAddr) -> IpAddressFamily {
    if address.is_ipv4() { IpAddressFamily::Ipv4 } else { IpAddressFamily::Ipv6 }
}

/// An address that a socket of `of` may be bound to or connect to: same family, one host, not
/// an IPv4 address in IPv6 clothes (sockets are never dual-stack in WASI).
pub(super) fn checked(address: IpSocketAddress, of: IpAddressFamily) -> Result<SocketAddr, ErrorCode> {
    let address = from_wit(address);
    let one_host = match address.ip() {
        IpAddr::V4(v4) => !v4.is_multicast() && !v4.is_broadcast(),
        IpAddr::V6(v6) => !v6.is_multicast() && v6.to_ipv4_mapped().is_none(),
    };
    if one_host && family(address) == of { Ok(address) } else { Err(ErrorCode::InvalidArgument) }
}
