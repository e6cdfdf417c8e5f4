//! `wasi:sockets/ip-name-lookup`: names by the Pod's own DNS rules.

use super::address::ip_to_wit;
use super::api::ip_name_lookup::{Host, HostResolveAddressStream, IpAddress};
use super::{ErrorCode, NetView, Network, SocketResult, table};
use crate::limits::NAME_BYTES_MAX;
use futures::FutureExt;
use futures::future::BoxFuture;
use runtime_spec::NetError;
use std::net::IpAddr;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::{DynPollable, Pollable, subscribe};

type Answer = Result<Vec<IpAddr>, NetError>;

/// One lookup, under way or answered.
pub enum Lookup {
    Pending(BoxFuture<'static, Answer>),
    Found(std::vec::IntoIter<IpAddr>),
    Failed(ErrorCode),
}

impl Lookup {
    fn settle(&mut self, answer: Answer) {
        *self = match answer {
            Ok(addresses) if addresses.is_empty() => Lookup::Failed(ErrorCode::NameUnresolvable),
            Ok(addresses) => Lookup::Found(addresses.into_iter()),
            Err(error) => Lookup::Failed(error.into()),
        };
    }
}

#[async_trait::async_trait]
impl Pollable for Lookup {
    async fn ready(&mut self) {
        if let Lookup::Pending(lookup) = self {
            let answer = lookup.await;
            self.settle(answer);
        }
    }
}

impl Host for NetView<'_> {
    fn resolve_addresses(&mut self, _: Resource<Network>, name: String) -> SocketResult<Resource<Lookup>> {
        let lookup = if let Ok(address) = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
            Lookup::Found(vec![address].into_iter())
        } else if name.is_empty() || name.trim_end_matches('.').len() > NAME_BYTES_MAX || !name.is_ascii() {
            return Err(ErrorCode::InvalidArgument.into());
        } else {
            let network = self.network.clone();
            Lookup::Pending(Box::pin(async move { network.resolve(&name).await }))
        };
        table(self.table.push(lookup))
    }
}

impl HostResolveAddressStream for NetView<'_> {
    fn resolve_next_address(&mut self, lookup: Resource<Lookup>) -> SocketResult<Option<IpAddress>> {
        let lookup = table(self.table.get_mut(&lookup))?;
        if let Lookup::Pending(pending) = lookup {
            let Some(answer) = pending.now_or_never() else { return Err(ErrorCode::WouldBlock.into()) };
            lookup.settle(answer);
        }
        match lookup {
            Lookup::Found(addresses) => Ok(addresses.next().map(ip_to_wit)),
            Lookup::Failed(code) => Err((*code).into()),
            Lookup::Pending(_) => Err(ErrorCode::WouldBlock.into()),
        }
    }

    fn subscribe(&mut self, lookup: Resource<Lookup>) -> wasmtime::Result<Resource<DynPollable>> {
        subscribe(self.table, lookup)
    }

    fn drop(&mut self, lookup: Resource<Lookup>) -> wasmtime::Result<()> {
        self.table.delete(lookup)?;
        Ok(())
    }
}
