//! `wasi:sockets/udp`: there is no UDP in the virtual network yet, so no socket is ever made and
//! the operations on one cannot be reached.

use super::api::network::{IpAddressFamily, IpSocketAddress};
use super::api::udp::{
    Host, HostIncomingDatagramStream, HostOutgoingDatagramStream, HostUdpSocket, IncomingDatagram, OutgoingDatagram,
};
use super::{ErrorCode, NetView, Network, SocketError, SocketResult, api};
use wasmtime::component::{Resource, ResourceTable};
use wasmtime_wasi::p2::DynPollable;

/// A UDP socket, of which there is none.
pub enum NoSocket {}
/// A stream of received datagrams, of which there is none.
pub enum NoIncoming {}
/// A stream of datagrams to send, of which there is none.
pub enum NoOutgoing {}

impl api::udp_create_socket::Host for NetView<'_> {
    fn create_udp_socket(&mut self, _: IpAddressFamily) -> SocketResult<Resource<NoSocket>> {
        Err(ErrorCode::NotSupported.into())
    }
}

impl Host for NetView<'_> {}

/// Always an error: the table holds no such thing.
fn absent<T: Send + 'static, R>(
    table: &ResourceTable,
    item: &Resource<T>,
    never: impl FnOnce(&T) -> R,
) -> wasmtime::Result<R> {
    Ok(never(table.get(item)?))
}

type Streams = (Resource<NoIncoming>, Resource<NoOutgoing>);

impl HostUdpSocket for NetView<'_> {
    fn start_bind(&mut self, s: Resource<NoSocket>, _: Resource<Network>, _: IpSocketAddress) -> SocketResult<()> {
        absent(self.table, &s, |s| match *s {}).map_err(SocketError::trap)
    }
    fn finish_bind(&mut self, s: Resource<NoSocket>) -> SocketResult<()> {
        absent(self.table, &s, |s| match *s {}).map_err(SocketError::trap)
    }
    fn stream(&mut self, s: Resource<NoSocket>, _: Option<IpSocketAddress>) -> SocketResult<Streams> {
        absent(self.table, &s, |s| match *s {}).map_err(SocketError::trap)
    }
    fn local_address(&mut self, s: Resource<NoSocket>) -> SocketResult<IpSocketAddress> {
        absent(self.table, &s, |s| match *s {}).map_err(SocketError::trap)
    }
    fn remote_address(&mut self, s: Resource<NoSocket>) -> SocketResult<IpSocketAddress> {
        absent(self.table, &s, |s| match *s {}).map_err(SocketError::trap)
    }
    fn address_family(&mut self, s: Resource<NoSocket>) -> wasmtime::Result<IpAddressFamily> {
        absent(self.table, &s, |s| match *s {})
    }
    fn unicast_hop_limit(&mut self, s: Resource<NoSocket>) -> SocketResult<u8> {
        absent(self.table, &s, |s| match *s {}).map_err(SocketError::trap)
    }
    fn set_unicast_hop_limit(&mut self, s: Resource<NoSocket>, _: u8) -> SocketResult<()> {
        absent(self.table, &s, |s| match *s {}).map_err(SocketError::trap)
    }
    fn receive_buffer_size(&mut self, s: Resource<NoSocket>) -> SocketResult<u64> {
        absent(self.table, &s, |s| match *s {}).map_err(SocketError::trap)
    }
    fn set_receive_buffer_size(&mut self, s: Resource<NoSocket>, _: u64) -> SocketResult<()> {
        absent(self.table, &s, |s| match *s {}).map_err(SocketError::trap)
    }
    fn send_buffer_size(&mut self, s: Resource<NoSocket>) -> SocketResult<u64> {
        absent(self.table, &s, |s| match *s {}).map_err(SocketError::trap)
    }
    fn set_send_buffer_size(&mut self, s: Resource<NoSocket>, _: u64) -> SocketResult<()> {
        absent(self.table, &s, |s| match *s {}).map_err(SocketError::trap)
    }
    fn subscribe(&mut self, s: Resource<NoSocket>) -> wasmtime::Result<Resource<DynPollable>> {
        absent(self.table, &s, |s| match *s {})
    }
    fn drop(&mut self, s: Resource<NoSocket>) -> wasmtime::Result<()> {
        absent(self.table, &s, |s| match *s {})
    }
}

impl HostIncomingDatagramStream for NetView<'_> {
    fn receive(&mut self, s: Resource<NoIncoming>, _: u64) -> SocketResult<Vec<IncomingDatagram>> {
        absent(self.table, &s, |s| match *s {}).map_err(SocketError::trap)
    }
    fn subscribe(&mut self, s: Resource<NoIncoming>) -> wasmtime::Result<Resource<DynPollable>> {
        absent(self.table, &s, |s| match *s {})
    }
    fn drop(&mut self, s: Resource<NoIncoming>) -> wasmtime::Result<()> {
        absent(self.table, &s, |s| match *s {})
    }
}

impl HostOutgoingDatagramStream for NetView<'_> {
    fn check_send(&mut self, s: Resource<NoOutgoing>) -> SocketResult<u64> {
        absent(self.table, &s, |s| match *s {}).map_err(SocketError::trap)
    }
    fn send(&mut self, s: Resource<NoOutgoing>, _: Vec<OutgoingDatagram>) -> SocketResult<u64> {
        absent(self.table, &s, |s| match *s {}).map_err(SocketError::trap)
    }
    fn subscribe(&mut self, s: Resource<NoOutgoing>) -> wasmtime::Result<Resource<DynPollable>> {
        absent(self.table, &s, |s| match *s {})
    }
    fn drop(&mut self, s: Resource<NoOutgoing>) -> wasmtime::Result<()> {
        absent(self.table, &s, |s| match *s {})
    }
}
