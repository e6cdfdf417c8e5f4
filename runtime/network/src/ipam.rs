//! Which Pod has which address of the node's range, kept in a file.

use crate::switch::NetworkError;
use ipnet::Ipv4Net;
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::net::Ipv4Addr;
use std::path::Path;
use std::{fs, io};

/// What the file holds.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct State {
    cidr: String,
    /// The first address that was never given.
    fresh: Ipv4Addr,
    /// Pod uid to address.
    pods: BTreeMap<String, Ipv4Addr>,
    /// Given back, the longest ago first.
    freed: VecDeque<Ipv4Addr>,
}

/// The addresses of one node.
///
/// An address that was given back rests until all the others were used: who still connects to
/// the old Pod should not meet a new one. A Pod that is known from the file but not attached
/// keeps its address unless the range is full.
#[derive(Debug)]
pub(crate) struct Ipam {
    cidr: Ipv4Net,
    state: State,
    owners: HashSet<Ipv4Addr>,
    attached: HashSet<String>,
    /// Grows with each change of `state`.
    pub(crate) generation: u64,
}

impl Ipam {
    /// An empty range. The first address is the gateway's.
    pub(crate) fn new(cidr: Ipv4Net) -> Result<Self, NetworkError> {
        let cidr = cidr.trunc();
        if cidr.prefix_len() > 30 {
            return Err(NetworkError::CidrTooSmall(cidr));
        }
        let state =
            State { cidr: cidr.to_string(), fresh: first_pod(cidr), pods: BTreeMap::new(), freed: VecDeque::new() };
        Ok(Ipam { cidr, state, owners: HashSet::new(), attached: HashSet::new(), generation: 0 })
    }

    /// The range as the file at `path` has it, empty when there is none. Addresses outside
    /// `cidr` (it was changed) are forgotten.
    pub(crate) fn load(path: &Path, cidr: Ipv4Net) -> Result<Self, NetworkError> {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Self::new(cidr),
            Err(source) => return Err(NetworkError::StateRead { path: path.to_owned(), source }),
        };
        let broken = |reason: String| NetworkError::StateBroken { path: path.to_owned(), reason };
        let state: State = serde_json::from_slice(&bytes).map_err(|error| broken(error.to_string()))?;
        Self::restore(state, cidr).map_err(|error| match error {
            NetworkError::StateBroken { reason, .. } => broken(reason),
            other => other,
        })
    }

    /// The range with what `state` says.
    pub(crate) fn restore(state: State, cidr: Ipv4Net) -> Result<Self, NetworkError> {
        let mut ipam = Self::new(cidr)?;
        let same = state.cidr == ipam.state.cidr;
        for (uid, address) in state.pods {
            if !ipam.is_for_pods(address) {
                continue;
            }
            if !ipam.owners.insert(address) {
                let reason = format!("two Pods have address {address}");
                return Err(NetworkError::StateBroken { path: Default::default(), reason });
            }
            ipam.state.pods.insert(uid, address);
        }
        if same {
            ipam.state.fresh = state.fresh.max(ipam.state.fresh);
            let mut seen = HashSet::new();
            ipam.state.freed = state.freed;
            let (range, fresh, owners) = (ipam.cidr, ipam.state.fresh, &ipam.owners);
            ipam.state.freed.retain(|a| *a >= first_pod(range) && *a < fresh && !owners.contains(a) && seen.insert(*a));
        }
        Ok(ipam)
    }

    pub(crate) fn gateway(&self) -> Ipv4Addr {
        next(self.cidr.network())
    }

    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    fn is_for_pods(&self, address: Ipv4Addr) -> bool {
        address >= first_pod(self.cidr) && address < self.cidr.broadcast()
    }

    /// The address of `uid`: the one it has, else a new one.
    pub(crate) fn attach(&mut self, uid: &str) -> Result<Ipv4Addr, NetworkError> {
        if let Some(address) = self.state.pods.get(uid).copied() {
            self.attached.insert(uid.to_owned());
            return Ok(address);
        }
        let address = match self.take_fresh().or_else(|| self.state.freed.pop_front()) {
            Some(address) => address,
            None => self.take_unattached()?,
        };
        self.owners.insert(address);
        self.state.pods.insert(uid.to_owned(), address);
        self.attached.insert(uid.to_owned());
        self.generation += 1;
        Ok(address)
    }

    fn take_fresh(&mut self) -> Option<Ipv4Addr> {
        while self.is_for_pods(self.state.fresh) {
            let address = self.state.fresh;
            self.state.fresh = next(address);
            if !self.owners.contains(&address) {
                return Some(address);
            }
        }
        None
    }

    fn take_unattached(&mut self) -> Result<Ipv4Addr, NetworkError> {
        let uid = self.state.pods.keys().find(|uid| !self.attached.contains(*uid)).cloned();
        uid.and_then(|uid| self.state.pods.remove(&uid))
            .ok_or(NetworkError::Exhausted { cidr: self.cidr, pods: self.state.pods.len() })
    }

    /// Gives the address of `uid` back.
    pub(crate) fn release(&mut self, uid: &str) -> Option<Ipv4Addr> {
        self.attached.remove(uid);
        let address = self.state.pods.remove(uid)?;
        self.owners.remove(&address);
        self.state.freed.push_back(address);
        self.generation += 1;
        Some(address)
    }

    /// Gives back the addresses of Pods that are neither attached nor `wanted`.
    pub(crate) fn release_unwanted(&mut self, wanted: impl Fn(&str) -> bool) {
        let uids = self.state.pods.keys().filter(|uid| !self.attached.contains(*uid) && !wanted(uid));
        for uid in uids.cloned().collect::<Vec<_>>() {
            self.release(&uid);
        }
    }
}

fn next(address: Ipv4Addr) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(address).saturating_add(1))
}

fn first_pod(cidr: Ipv4Net) -> Ipv4Addr {
    next(next(cidr.network()))
}

#[cfg(test)]
mod tests;
