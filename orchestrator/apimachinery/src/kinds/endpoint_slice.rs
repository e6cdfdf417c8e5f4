//! EndpointSlice.

use super::{AGE, NAME, columns, namespaced};
use crate::kind::Kind;

/// The row of EndpointSlice.
pub fn kind() -> Kind {
    Kind {
        columns: columns(&[
            NAME,
            ("AddressType", "string", 0, "IPv4, IPv6 or FQDN."),
            ("Ports", "string", 0, "Its ports."),
            ("Endpoints", "string", 0, "Its addresses."),
            AGE,
        ]),
        ..namespaced("discovery.k8s.io", "EndpointSlice", "endpointslices")
    }
}
