use super::graph::{Decision, Doubt, FOREGROUND, Fate, Graph, Node, ORPHAN};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

fn owner(uid: &str, blocks: bool) -> OwnerReference {
    let block_owner_deletion = Some(blocks);
    OwnerReference { uid: uid.into(), name: uid.into(), block_owner_deletion, ..OwnerReference::default() }
}

/// An object of namespace `n`; an owner written as `!x` blocks the deletion of `x`.
fn node(uid: &str, owners: &[&str]) -> Node {
    let reference = |text: &&str| match text.strip_prefix('!') {
        Some(uid) => owner(uid, true),
        None => owner(text, false),
    };
    Node {
        kind: ("v1".to_owned(), "ConfigMap".to_owned()).into(),
        namespace: "n".into(),
        name: uid.into(),
        uid: uid.into(),
        version: "1".into(),
        owners: owners.iter().map(reference).collect(),
        finalizers: vec![],
        deleting: false,
    }
}

fn deleting(mut node: Node, finalizer: &str) -> Node {
    node.deleting = true;
    node.finalizers = vec![finalizer.into()];
    node
}

fn graph(nodes: &[Node]) -> Graph {
    let mut graph = Graph::default();
    nodes.iter().cloned().for_each(|node| drop(graph.put(node)));
    graph
}

fn doubt(absent: &[&str], waiting: &[&str]) -> Doubt {
    let of = |uids: &[&str]| uids.iter().map(|uid| (*uid).to_owned()).collect();
    Doubt { absent: of(absent), waiting: of(waiting), ..Doubt::default() }
}

#[track_caller]
fn check(nodes: &[Node], uid: &str, expected: Decision) {
    let (looked_at, decision) = graph(nodes).decide(uid).unwrap();
    assert_eq!(looked_at.uid, uid);
    assert_eq!(decision, expected);
}

#[test]
fn decisions() {
    let plain = || node("a", &[]);
    let foreground = || deleting(node("a", &[]), FOREGROUND);
    let orphaning = || deleting(node("a", &[]), ORPHAN);
    check(&[plain()], "a", Decision::Keep);
    check(&[plain(), node("b", &["a"])], "b", Decision::Keep);
    check(&[node("b", &["a"])], "b", Decision::CheckOwners(doubt(&["a"], &[])));
    check(&[plain(), node("b", &["a", "x"])], "b", Decision::CheckOwners(doubt(&["x"], &[])));
    check(&[foreground()], "a", Decision::Release(FOREGROUND));
    check(&[foreground(), node("b", &["!a"])], "a", Decision::Keep);
    check(&[foreground(), node("b", &["a"])], "a", Decision::Release(FOREGROUND));
    check(&[foreground(), node("b", &["!a"])], "b", Decision::CheckOwners(doubt(&[], &["a"])));
    check(&[orphaning(), node("b", &["!a"])], "a", Decision::ReleaseDependents(vec![node("b", &["!a"])]));
    check(&[orphaning(), node("b", &["!a"])], "b", Decision::Keep);
    check(&[deleting(node("b", &["a"]), "else/where")], "b", Decision::Keep);
    let ending = deleting(node("b", &["!a"]), "else/where");
    check(&[foreground(), ending.clone()], "a", Decision::Keep);
    check(&[foreground(), ending], "b", Decision::Keep);
    assert_eq!(graph(&[]).decide("a"), None);
}

#[test]
fn an_owner_of_another_namespace_is_none() {
    let mut far = deleting(node("a", &[]), FOREGROUND);
    far.namespace = "far".into();
    check(&[far.clone(), node("b", &["!a"])], "b", Decision::CheckOwners(doubt(&["a"], &[])));
    check(&[far.clone(), node("b", &["!a"])], "a", Decision::Release(FOREGROUND));
    far.namespace = String::new();
    check(&[far, node("b", &["!a"])], "a", Decision::Keep);
}

#[track_caller]
fn check_fate(of: &Node, doubt: &Doubt, gone: &[&str], expected: Fate) {
    let gone: Vec<String> = gone.iter().map(|uid| (*uid).to_owned()).collect();
    assert_eq!(doubt.fate(of, &gone), expected);
}

#[test]
fn fates() {
    let delete = |policy| Fate::Delete { policy, unblocked: None };
    let one = node("b", &["a"]);
    let two = node("b", &["a", "x"]);
    check_fate(&one, &doubt(&["a"], &[]), &[], Fate::Keep);
    check_fate(&one, &doubt(&["a"], &[]), &["a"], delete("Background"));
    check_fate(&one, &doubt(&[], &["a"]), &[], delete("Background"));
    check_fate(&two, &doubt(&["x"], &[]), &["x"], Fate::Disown(vec![owner("a", false)]));
    check_fate(&two, &doubt(&[], &["a"]), &[], Fate::Disown(vec![owner("x", false)]));
    check_fate(&two, &doubt(&["x"], &["a"]), &["x"], delete("Background"));
    let mut keeps_dependents = one.clone();
    keeps_dependents.finalizers = vec![ORPHAN.into()];
    check_fate(&keeps_dependents, &doubt(&["a"], &[]), &["a"], delete("Orphan"));
    let parent = Doubt { has_dependents: true, ..doubt(&[], &["a"]) };
    check_fate(&one, &parent, &[], delete("Foreground"));
    let circle = Doubt { is_circle: true, ..parent };
    let unblocked = Some(vec![owner("a", false)]);
    check_fate(&node("b", &["!a"]), &circle, &[], Fate::Delete { policy: "Foreground", unblocked });
}

#[test]
fn changes_wake_those_whom_they_concern() {
    let mut graph = graph(&[node("a", &[]), node("b", &["a"])]);
    assert_eq!(graph.put(node("c", &["a"])), ["a", "c"]);
    assert_eq!(graph.put(node("c", &[])), ["a"], "the lost owner may go now");
    assert_eq!(graph.put(deleting(node("a", &[]), FOREGROUND)), ["a", "b"]);
    assert_eq!(graph.remove("b"), ["a"]);
    graph.put(node("b", &["a"]));
    assert_eq!(graph.remove("a"), ["b"]);
    assert_eq!(graph.remove("unknown"), Vec::<String>::new());
}

/// A server of objects by uid, with a collector that never sleeps.
#[derive(Default)]
struct Server {
    objects: BTreeMap<String, Node>,
    graph: Graph,
    queue: BTreeSet<String>,
}

impl Server {
    fn put(&mut self, node: Node) {
        self.objects.insert(node.uid.clone(), node.clone());
        self.queue.extend(self.graph.put(node));
    }

    fn delete(&mut self, uid: &str, policy: &str) {
        let Some(mut node) = self.objects.get(uid).cloned() else { return };
        node.deleting = true;
        match policy {
            "Foreground" => node.finalizers.push(FOREGROUND.into()),
            "Orphan" => node.finalizers.push(ORPHAN.into()),
            _ => {}
        }
        self.settle(node);
    }

    /// Stores a change; what is deleted and held by no finalizer goes.
    fn settle(&mut self, node: Node) {
        if node.deleting && node.finalizers.is_empty() {
            self.objects.remove(&node.uid);
            self.queue.extend(self.graph.remove(&node.uid));
        } else {
            self.put(node);
        }
    }

    fn release(&mut self, mut node: Node, finalizer: &str) {
        node.finalizers.retain(|name| name != finalizer);
        self.settle(node);
    }

    /// Collects until nothing is to be looked at.
    fn collect(&mut self) {
        for _ in 0..10_000 {
            let Some(uid) = self.queue.pop_first() else { return };
            let Some((node, decision)) = self.graph.decide(&uid) else { continue };
            match decision {
                Decision::Keep => {}
                Decision::Release(finalizer) => self.release(node, finalizer),
                Decision::ReleaseDependents(dependents) => {
                    for mut dependent in dependents {
                        dependent.owners.retain(|owner| owner.uid != uid);
                        self.settle(dependent);
                    }
                    self.release(node, ORPHAN);
                }
                Decision::CheckOwners(doubt) => self.check_owners(node, &doubt),
            }
        }
        panic!("the collector finds no end: {:?}", self.queue);
    }

    fn check_owners(&mut self, mut node: Node, doubt: &Doubt) {
        let gone: Vec<String> =
            doubt.absent.iter().filter(|owner| !self.objects.contains_key(*owner)).cloned().collect();
        match doubt.fate(&node, &gone) {
            Fate::Keep => {}
            Fate::Disown(owners) => {
                node.owners = owners;
                self.put(node);
            }
            Fate::Delete { policy, unblocked } => {
                if let Some(owners) = unblocked {
                    node.owners = owners;
                    self.put(node.clone());
                }
                self.delete(&node.uid, policy);
            }
        }
    }

    fn uids(&self) -> Vec<&str> {
        self.objects.keys().map(String::as_str).collect()
    }
}

fn server(nodes: &[Node]) -> Server {
    let mut server = Server::default();
    nodes.iter().cloned().for_each(|node| server.put(node));
    server.collect();
    server
}

#[test]
fn a_tree_goes_leaves_first_in_the_foreground() {
    let mut server = server(&[node("a", &[]), node("b", &["!a"]), node("c", &["!b"]), node("d", &[])]);
    let mut held = server.objects["c"].clone();
    held.finalizers = vec!["else/where".into()];
    server.put(held);
    server.delete("a", "Foreground");
    server.collect();
    assert_eq!(server.uids(), ["a", "b", "c", "d"], "they wait for c");
    let last = server.objects["c"].clone();
    assert!(last.deleting);
    server.release(last, "else/where");
    server.collect();
    assert_eq!(server.uids(), ["d"]);
}

#[test]
fn a_dependent_with_another_owner_stays() {
    for policy in ["Foreground", "Background"] {
        let mut server = server(&[node("a", &[]), node("b", &[]), node("c", &["!a", "b"])]);
        server.delete("a", policy);
        server.collect();
        assert_eq!(server.uids(), ["b", "c"], "{policy}");
        assert_eq!(server.objects["c"].owners, [owner("b", false)]);
    }
}

#[test]
fn orphans_stay_without_their_owner() {
    let mut server = server(&[node("a", &[]), node("b", &["!a"]), node("c", &["!b"])]);
    server.delete("a", "Orphan");
    server.collect();
    assert_eq!(server.uids(), ["b", "c"]);
    assert!(server.objects["b"].owners.is_empty());
}

#[test]
fn a_circle_deleted_in_the_foreground_does_not_wait_for_itself() {
    let mut server = server(&[node("a", &["!c"]), node("b", &["!a"]), node("c", &["!b"])]);
    server.delete("a", "Foreground");
    server.collect();
    assert_eq!(server.uids(), Vec::<&str>::new());
}

/// Objects that are reached from a root: they have owners, and all of them lead to it.
fn reached(nodes: &[Node], root: &str) -> BTreeSet<String> {
    let mut reached = BTreeSet::from([root.to_owned()]);
    for _ in nodes {
        let belongs = |node: &&Node| !node.owners.is_empty() && node.owners.iter().all(|o| reached.contains(&o.uid));
        let more: Vec<String> = nodes.iter().filter(belongs).map(|node| node.uid.clone()).collect();
        reached.extend(more);
    }
    reached
}

proptest! {
    #[test]
    fn what_belonged_only_to_a_deleted_root_goes_and_all_else_stays(
        edges in proptest::collection::vec(proptest::collection::vec((0..8usize, any::<bool>()), 0..3), 1..9),
        policy in 0..3usize,
        root in 0..8usize,
    ) {
        let policy = ["Foreground", "Background", "Orphan"][policy];
        // Owners come before their dependents, so that there is no circle.
        let nodes: Vec<Node> = edges.iter().enumerate().map(|(index, owners)| {
            let mut new = node(&index.to_string(), &[]);
            let earlier: BTreeMap<usize, bool> = owners.iter().copied().filter(|(owner, _)| *owner < index).collect();
            new.owners = earlier.into_iter().map(|(uid, blocks)| owner(&uid.to_string(), blocks)).collect();
            new
        }).collect();
        let root = (root % nodes.len()).to_string();
        let mut server = server(&nodes);
        prop_assert_eq!(server.objects.len(), nodes.len(), "nothing goes by itself");
        server.delete(&root, policy);
        server.collect();
        let lost = if policy == "Orphan" { BTreeSet::from([root.clone()]) } else { reached(&nodes, &root) };
        for node in &nodes {
            prop_assert_eq!(server.objects.contains_key(&node.uid), !lost.contains(&node.uid), "{}", node.uid);
        }
        for left in server.objects.values() {
            prop_assert!(!left.deleting && left.owners.iter().all(|owner| owner.uid != root), "{:?}", left);
        }
        // Looking at everything again changes nothing.
        let before = server.objects.clone();
        server.queue = server.objects.keys().cloned().collect();
        server.collect();
        prop_assert_eq!(before, server.objects);
    }
}
