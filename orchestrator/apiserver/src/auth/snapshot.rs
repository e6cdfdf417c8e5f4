//! All Roles and bindings compiled to what each user and group may do.

use super::Rule;
use super::limits::AGGREGATION_DEPTH_MAX;
use crate::identity::Identity;
use crate::registry::reader::ObjectReader;
use bytes::Bytes;
use orchestrator_apimachinery::meta;
use orchestrator_apimachinery::selector::LabelSelector;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// The API group of Roles and bindings.
pub(super) const GROUP: &str = "rbac.authorization.k8s.io";
/// The kinds that a snapshot is made of.
pub(super) const PLURALS: [&str; 4] = ["clusterroles", "roles", "clusterrolebindings", "rolebindings"];

/// What one binding gives to one subject.
#[derive(Clone)]
pub(super) struct Grant {
    /// The only namespace in which it holds; `None` for everywhere.
    namespace: Option<String>,
    /// `ClusterRoleBinding "a" of ClusterRole "b" to User "c"`
    pub source: Arc<str>,
    /// The role's rules, or that there is no such role.
    pub rules: Result<Arc<[Rule]>, Arc<str>>,
}

/// The state of all rules at one moment.
#[derive(Default)]
pub(super) struct Snapshot {
    /// The change counters that it was made from, in the order of [`PLURALS`].
    pub versions: [u64; 4],
    users: HashMap<String, Vec<Grant>>,
    groups: HashMap<String, Vec<Grant>>,
    /// By namespace ("" for ClusterRoles) and name.
    roles: HashMap<(String, String), Arc<[Rule]>>,
}

impl Snapshot {
    /// Reads and compiles everything. Take `versions` before the call.
    pub fn compile(objects: &dyn ObjectReader, versions: [u64; 4]) -> Self {
        let [cluster_roles, roles, cluster_bindings, bindings] =
            PLURALS.map(|plural| decode(objects.list(GROUP, plural, None)));
        let mut snapshot = Snapshot { versions, ..Self::default() };
        for role in &roles {
            let key = (meta::namespace(role).to_owned(), meta::name(role).to_owned());
            snapshot.roles.insert(key, Rule::all_of(role).into());
        }
        for role in &cluster_roles {
            let key = (String::new(), meta::name(role).to_owned());
            snapshot.roles.insert(key, aggregated(role, &cluster_roles).into());
        }
        for binding in cluster_bindings.iter().chain(&bindings) {
            snapshot.add(binding);
        }
        snapshot
    }

    fn add(&mut self, binding: &Value) {
        let namespace = meta::namespace(binding);
        let rules = self.referenced(&binding["roleRef"], namespace);
        let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
        let quoted = match namespace {
            "" => format!("{:?}", meta::name(binding)),
            namespace => format!("\"{}/{namespace}\"", meta::name(binding)),
        };
        let role = &binding["roleRef"];
        let source =
            format!("{} {quoted} of {} {:?}", text(&binding["kind"]), text(&role["kind"]), text(&role["name"]));
        let home = (!namespace.is_empty()).then(|| namespace.to_owned());
        for subject in binding["subjects"].as_array().into_iter().flatten() {
            let name = subject["name"].as_str().unwrap_or("");
            let (index, key) = match subject["kind"].as_str() {
                Some("User") => (&mut self.users, name.to_owned()),
                Some("Group") => (&mut self.groups, name.to_owned()),
                Some("ServiceAccount") => {
                    let home = subject["namespace"].as_str().filter(|text| !text.is_empty()).unwrap_or(namespace);
                    (&mut self.users, format!("system:serviceaccount:{home}:{name}"))
                }
                _ => continue,
            };
            let kind = text(&subject["kind"]);
            let shown = match kind.as_str() {
                "ServiceAccount" => format!("{kind} \"{name}/{}\"", text(&subject["namespace"])),
                _ => format!("{kind} {name:?}"),
            };
            let source = format!("{source} to {shown}").into();
            index.entry(key).or_default().push(Grant { namespace: home.clone(), source, rules: rules.clone() });
        }
    }

    /// The rules behind a `roleRef` of a binding in `namespace` ("" for a ClusterRoleBinding).
    pub fn referenced(&self, role_ref: &Value, namespace: &str) -> Result<Arc<[Rule]>, Arc<str>> {
        let name = role_ref["name"].as_str().unwrap_or("");
        let (kind, home) = match role_ref["kind"].as_str() {
            Some("Role") => ("role", namespace),
            _ => ("clusterrole", ""),
        };
        let found = self.roles.get(&(home.to_owned(), name.to_owned())).cloned();
        found.ok_or_else(|| format!("{kind}.{GROUP} {name:?} not found").into())
    }

    /// All that `who` was given and that holds in `namespace` ("" for cluster-wide requests).
    pub fn grants<'s>(&'s self, who: &'s Identity, namespace: &'s str) -> impl Iterator<Item = &'s Grant> {
        let own = self.users.get(&who.name).into_iter().flatten();
        let shared = who.groups.iter().filter_map(|group| self.groups.get(group)).flatten();
        own.chain(shared).filter(move |grant| grant.namespace.as_deref().is_none_or(|home| home == namespace))
    }

    /// The rules of those grants.
    pub fn rules(&self, who: &Identity, namespace: &str) -> Vec<Rule> {
        let found = self.grants(who, namespace).filter_map(|grant| grant.rules.as_ref().ok());
        found.flat_map(|rules| rules.iter().cloned()).collect()
    }
}

fn decode(list: Vec<Bytes>) -> Vec<Value> {
    list.iter().filter_map(|bytes| serde_json::from_slice(bytes).ok()).collect()
}

/// A ClusterRole's rules; with an aggregationRule those of the roles that it selects instead.
fn aggregated(role: &Value, all: &[Value]) -> Vec<Rule> {
    let mut rules = BTreeMap::new();
    let mut visited = Vec::new();
    collect(role, all, &mut visited, 0, &mut rules);
    let mut ordered: Vec<(usize, Rule)> = rules.into_iter().map(|(rule, position)| (position, rule)).collect();
    ordered.sort();
    ordered.into_iter().map(|(_, rule)| rule).collect()
}

fn collect<'v>(
    role: &'v Value,
    all: &'v [Value],
    visited: &mut Vec<&'v str>,
    depth: usize,
    rules: &mut BTreeMap<Rule, usize>,
) {
    if depth > AGGREGATION_DEPTH_MAX || visited.contains(&meta::name(role)) {
        return;
    }
    visited.push(meta::name(role));
    let Some(selectors) = role["aggregationRule"]["clusterRoleSelectors"].as_array() else {
        for rule in Rule::all_of(role) {
            let position = rules.len();
            rules.entry(rule).or_insert(position);
        }
        return;
    };
    let selectors: Vec<LabelSelector> =
        selectors.iter().filter_map(|selector| LabelSelector::from_object(selector).ok()).collect();
    for other in all {
        if selectors.iter().any(|selector| selector.matches_object(other)) {
            collect(other, all, visited, depth + 1, rules);
        }
    }
}
