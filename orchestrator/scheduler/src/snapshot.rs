//! The Nodes and what is on them, kept up to date change by change.

use crate::limits::{CPU_MILLIS_GUESS, MEMORY_BYTES_GUESS};
use k8s_openapi::api::core::v1::{Container, Node, Pod};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as ApiQuantity;
use kube::ResourceExt;
use orchestrator_apimachinery::quantity::Quantity;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Amounts of resources by name; cpu in thousandths of a core, all else in whole units.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Amounts(pub BTreeMap<String, i64>);

impl Amounts {
    /// From a resource list of the API; what cannot be parsed counts as nothing.
    pub fn of(list: Option<&BTreeMap<String, ApiQuantity>>) -> Self {
        let amount = |(name, quantity): (&String, &ApiQuantity)| {
            let quantity = Quantity::parse(&quantity.0).unwrap_or_default();
            (name.clone(), if name == "cpu" { quantity.millis() } else { quantity.value() })
        };
        Amounts(list.into_iter().flatten().map(amount).collect())
    }

    /// The amount of a resource.
    pub fn get(&self, name: &str) -> i64 {
        self.0.get(name).copied().unwrap_or(0)
    }

    fn add(&mut self, other: &Amounts) {
        for (name, amount) in &other.0 {
            *self.0.entry(name.clone()).or_insert(0) += amount;
        }
    }

    fn subtract(&mut self, other: &Amounts) {
        for (name, amount) in &other.0 {
            *self.0.entry(name.clone()).or_insert(0) -= amount;
        }
    }

    fn raise_to(&mut self, other: &Amounts) {
        for (name, amount) in &other.0 {
            let own = self.0.entry(name.clone()).or_insert(0);
            *own = (*own).max(*amount);
        }
    }
}

/// What a Pod asks for: the sum of its containers, or what its init containers need at most, if
/// that is more; sidecars count from their start on; plus its overhead.
pub fn requests(pod: &Pod) -> Amounts {
    total(pod, asked)
}

/// What scores count for a Pod: its requests, with upstream's guess for a container that asks for
/// no cpu or memory, so that such Pods spread as well.
pub fn estimate(pod: &Pod) -> Amounts {
    total(pod, |container| {
        let mut amounts = asked(container);
        for (name, guess) in [("cpu", CPU_MILLIS_GUESS), ("memory", MEMORY_BYTES_GUESS)] {
            amounts.0.entry(name.into()).or_insert(guess);
        }
        amounts
    })
}

fn asked(container: &Container) -> Amounts {
    Amounts::of(container.resources.as_ref().and_then(|resources| resources.requests.as_ref()))
}

fn total(pod: &Pod, of: impl Fn(&Container) -> Amounts) -> Amounts {
    let Some(spec) = &pod.spec else { return Amounts::default() };
    let mut sum = Amounts::default();
    spec.containers.iter().for_each(|container| sum.add(&of(container)));
    let (mut sidecars, mut highest) = (Amounts::default(), Amounts::default());
    for container in spec.init_containers.iter().flatten() {
        let mut needed = of(container);
        if container.restart_policy.as_deref() == Some("Always") {
            sidecars.add(&needed);
            needed = Amounts::default();
        }
        needed.add(&sidecars);
        highest.raise_to(&needed);
    }
    sum.add(&sidecars);
    sum.raise_to(&highest);
    if let Some(pod_level) = spec.resources.as_ref().and_then(|resources| resources.requests.as_ref()) {
        sum.0.extend(Amounts::of(Some(pod_level)).0);
    }
    sum.add(&Amounts::of(spec.overhead.as_ref()));
    sum
}

/// What the Pods of a Node add up to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// What they asked for.
    pub requested: Amounts,
    /// Their estimates, for scores.
    pub estimated: Amounts,
    /// How many there are.
    pub pods: usize,
}

/// A Node and what is on it.
#[derive(Clone, Debug)]
pub struct NodeInfo {
    /// The Node.
    pub node: Arc<Node>,
    /// What Pods may use.
    pub allocatable: Amounts,
    /// What is used.
    pub load: Load,
}

struct Placed {
    node: String,
    requests: Amounts,
    estimate: Amounts,
    assumed: bool,
}

/// All Nodes.
#[derive(Default)]
pub struct Snapshot {
    nodes: BTreeMap<String, NodeInfo>,
    placed: HashMap<String, Placed>,
    /// Sums of Pods on Nodes that are not known (yet).
    strays: HashMap<String, Load>,
}

impl Snapshot {
    /// Adds or replaces a Node.
    pub fn put_node(&mut self, node: Arc<Node>) {
        let name = node.name_any();
        let allocatable = Amounts::of(node.status.as_ref().and_then(|status| status.allocatable.as_ref()));
        match self.nodes.get_mut(&name) {
            Some(info) => (info.node, info.allocatable) = (node, allocatable),
            None => {
                let load = self.strays.remove(&name).unwrap_or_default();
                self.nodes.insert(name, NodeInfo { node, allocatable, load });
            }
        }
    }

    /// Removes a Node; its Pods are remembered until they go too.
    pub fn remove_node(&mut self, name: &str) {
        if let Some(info) = self.nodes.remove(name).filter(|info| info.load.pods > 0) {
            self.strays.insert(name.to_owned(), info.load);
        }
    }

    /// Counts a Pod on a Node. An assumed Pod becomes a real one; a real one stays where it is.
    pub fn place(&mut self, uid: &str, node: &str, pod: &Pod, assumed: bool) {
        let (requests, estimate) = (requests(pod), estimate(pod));
        if let Some(placed) = self.placed.get_mut(uid) {
            if placed.node == node && placed.requests == requests && placed.estimate == estimate {
                placed.assumed &= assumed;
                return;
            }
            self.remove(uid);
        }
        let load = self.load(node);
        load.requested.add(&requests);
        load.estimated.add(&estimate);
        load.pods += 1;
        self.placed.insert(uid.to_owned(), Placed { node: node.to_owned(), requests, estimate, assumed });
    }

    /// Takes a Pod off its Node.
    pub fn remove(&mut self, uid: &str) {
        let Some(placed) = self.placed.remove(uid) else { return };
        let load = self.load(&placed.node);
        load.requested.subtract(&placed.requests);
        load.estimated.subtract(&placed.estimate);
        load.pods = load.pods.saturating_sub(1);
        if load.pods == 0 {
            self.strays.remove(&placed.node);
        }
    }

    /// Takes a Pod off its Node if it was only assumed to be there.
    pub fn forget(&mut self, uid: &str) {
        if self.placed.get(uid).is_some_and(|placed| placed.assumed) {
            self.remove(uid);
        }
    }

    fn load(&mut self, node: &str) -> &mut Load {
        match self.nodes.get_mut(node) {
            Some(info) => &mut info.load,
            None => self.strays.entry(node.to_owned()).or_default(),
        }
    }

    /// The Nodes, by name.
    pub fn nodes(&self) -> impl Iterator<Item = &NodeInfo> {
        self.nodes.values()
    }

    /// How many Nodes there are.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }
}

#[cfg(test)]
mod tests;
