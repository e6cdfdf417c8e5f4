//! `wasi:sockets` 0.2 over a Pod's place in the virtual network: no kernel socket anywhere.
//!
//! Differences to sockets of an operating system:
//! - A bind takes the port at once, with a listener of backlog 0 until `start-listen`; a network
//!   that knows no such backlog lets one caller wait.
//! - Keep-alive, hop limit and buffer sizes are kept and answered, and change nothing.
//! - UDP sockets cannot be made: `not-supported`.

mod address;
pub(crate) mod dns;
mod streams;
pub(crate) mod tcp;
pub(crate) mod udp;

use runtime_spec::{NetError, PodNetwork};
use std::sync::Arc;
use wasmtime::component::{HasData, Linker, Resource, ResourceTable, ResourceTableError};
use wasmtime_wasi::TrappableError;

/// Code generated from wit/host.wit.
#[allow(missing_docs, clippy::all)]
pub(crate) mod bindings {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "coracle:host/network",
        imports: { default: trappable },
        require_store_data_send: true,
        with: {
            "wasi:io": wasmtime_wasi::p2::bindings::io,
            "wasi:clocks": wasmtime_wasi::p2::bindings::clocks,
            "wasi:sockets/network.network": super::Network,
            "wasi:sockets/tcp.tcp-socket": super::tcp::TcpSocket,
            "wasi:sockets/ip-name-lookup.resolve-address-stream": super::dns::Lookup,
            "wasi:sockets/udp.udp-socket": super::udp::NoSocket,
            "wasi:sockets/udp.incoming-datagram-stream": super::udp::NoIncoming,
            "wasi:sockets/udp.outgoing-datagram-stream": super::udp::NoOutgoing,
        },
        trappable_error_type: { "wasi:sockets/network.error-code" => super::SocketError },
    });
}

use bindings::wasi::sockets as api;
pub(crate) use bindings::wasi::sockets::network::ErrorCode;

/// An error code for the guest, or a trap.
pub type SocketError = TrappableError<ErrorCode>;
type SocketResult<T> = Result<T, SocketError>;

/// The capability that guests pass around; there is one network per Pod, so it says nothing.
pub struct Network;

/// What the host functions work on.
pub(crate) struct NetView<'a> {
    pub(crate) table: &'a mut ResourceTable,
    pub(crate) network: &'a Arc<dyn PodNetwork>,
}

struct HasNet;

impl HasData for HasNet {
    type Data<'a> = NetView<'a>;
}

/// Puts all interfaces of `wasi:sockets` in place of those that `linker` has.
pub(crate) fn add_to_linker<T: Send + 'static>(
    linker: &mut Linker<T>,
    view: fn(&mut T) -> NetView<'_>,
) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    api::network::add_to_linker::<T, HasNet>(linker, view)?;
    api::instance_network::add_to_linker::<T, HasNet>(linker, view)?;
    api::ip_name_lookup::add_to_linker::<T, HasNet>(linker, view)?;
    api::tcp::add_to_linker::<T, HasNet>(linker, view)?;
    api::tcp_create_socket::add_to_linker::<T, HasNet>(linker, view)?;
    api::udp::add_to_linker::<T, HasNet>(linker, view)?;
    api::udp_create_socket::add_to_linker::<T, HasNet>(linker, view)?;
    linker.allow_shadowing(false);
    Ok(())
}

impl api::network::Host for NetView<'_> {
    fn convert_error_code(&mut self, error: SocketError) -> wasmtime::Result<ErrorCode> {
        error.downcast()
    }
}

impl api::network::HostNetwork for NetView<'_> {
    fn drop(&mut self, network: Resource<Network>) -> wasmtime::Result<()> {
        self.table.delete(network)?;
        Ok(())
    }
}

impl api::instance_network::Host for NetView<'_> {
    fn instance_network(&mut self) -> wasmtime::Result<Resource<Network>> {
        Ok(self.table.push(Network)?)
    }
}

/// A full table is the guest's limit; anything else is a broken handle and ends it.
fn table<T>(result: Result<T, ResourceTableError>) -> SocketResult<T> {
    result.map_err(|error| match error {
        ResourceTableError::Full => ErrorCode::NewSocketLimit.into(),
        error => SocketError::trap(error),
    })
}

impl From<NetError> for ErrorCode {
    fn from(error: NetError) -> Self {
        match error {
            NetError::AddressInUse(_) => ErrorCode::AddressInUse,
            NetError::AddressNotBindable(_) => ErrorCode::AddressNotBindable,
            NetError::ConnectionRefused(_) => ErrorCode::ConnectionRefused,
            NetError::Unreachable(_) => ErrorCode::RemoteUnreachable,
            NetError::Timeout(_) => ErrorCode::Timeout,
            NetError::AccessDenied(_) => ErrorCode::AccessDenied,
            NetError::TooManySockets => ErrorCode::NewSocketLimit,
            NetError::NameUnresolvable(_) => ErrorCode::NameUnresolvable,
            NetError::ResolverFailure(_) => ErrorCode::TemporaryResolverFailure,
            NetError::Unsupported(_) => ErrorCode::NotSupported,
            NetError::Io(_) => ErrorCode::Unknown,
        }
    }
}

#[cfg(test)]
mod tests;
