//! Random writes of several managers against a model that knows sets of names alone.

use super::*;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const MANAGERS: [&str; 3] = ["ann", "bob", "cid"];

/// What a write says of the environment of a container: names, each with a value or without.
type Said = BTreeMap<u8, Option<u8>>;

#[derive(Clone, Debug)]
enum Write {
    Apply {
        manager: usize,
        said: Said,
        force: bool,
    },
    /// Sets these values and removes those names.
    Update {
        manager: usize,
        set: Said,
        remove: BTreeSet<u8>,
    },
}

/// A field of the model: an item, or its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Field {
    Item(u8),
    Value(u8),
}

type Owner = (usize, bool);

#[derive(Clone, Debug, Default)]
struct Model {
    values: Said,
    /// By manager and whether it applied.
    owners: BTreeMap<Owner, BTreeSet<Field>>,
}

fn fields(said: &Said) -> BTreeSet<Field> {
    let values = said.iter().filter(|(_, value)| value.is_some()).map(|(name, _)| Field::Value(*name));
    said.keys().map(|name| Field::Item(*name)).chain(values).collect()
}

impl Model {
    /// Writes if nobody is in the way; whether it did.
    fn write(&mut self, write: &Write) -> bool {
        let mut next = self.values.clone();
        let (owner, force) = match write {
            Write::Apply { manager, said, force } => {
                for (name, value) in said {
                    let known = next.entry(*name).or_default();
                    *known = value.or(*known);
                }
                let last = self.owners.get(&(*manager, true)).cloned().unwrap_or_default();
                let mut managed = fields(said);
                for (_, others) in self.owners.iter().filter(|(owner, _)| **owner != (*manager, true)) {
                    managed.extend(others);
                }
                let dropped = |field: Field| last.contains(&field) && !managed.contains(&field);
                next.retain(|name, _| !dropped(Field::Item(*name)));
                for (name, value) in &mut next {
                    if dropped(Field::Value(*name)) {
                        *value = None;
                    }
                }
                ((*manager, true), *force)
            }
            Write::Update { manager, set, remove } => {
                next.retain(|name, _| !remove.contains(name));
                for (name, value) in set {
                    next.insert(*name, *value);
                }
                ((*manager, false), true)
            }
        };
        let (before, after) = (fields(&self.values), fields(&next));
        let differs = |name: &u8| self.values.get(name).copied().flatten() != next.get(name).copied().flatten();
        let touched: BTreeSet<Field> = after
            .iter()
            .filter(|field| !before.contains(field) || matches!(field, Field::Value(name) if differs(name)))
            .copied()
            .collect();
        let others = || self.owners.iter().filter(|(other, _)| **other != owner);
        if !force && others().any(|(_, owned)| !owned.is_disjoint(&touched)) {
            return false;
        }
        for (other, owned) in &mut self.owners {
            owned.retain(|field| after.contains(field) && (*other == owner || !touched.contains(field)));
        }
        let own = self.owners.entry(owner).or_default();
        match write {
            Write::Apply { said, .. } => *own = fields(said),
            Write::Update { .. } => own.extend(&touched),
        }
        self.owners.retain(|_, owned| !owned.is_empty());
        self.values = next;
        true
    }
}

fn environment(said: &Said) -> Value {
    let item = |(name, value): (&u8, &Option<u8>)| match value {
        Some(value) => json!({"name": format!("n{name}"), "value": format!("v{value}")}),
        None => json!({"name": format!("n{name}")}),
    };
    said.iter().map(item).collect()
}

fn pod(said: &Said) -> Value {
    json!({"spec": {"containers": [{"name": "c", "env": environment(said)}]}})
}

/// The environment of the real object.
fn values(pod: &Value) -> Said {
    let number = |value: &Value| value.as_str().map(|text| text[1..].parse::<u8>().unwrap());
    let items = pod["spec"]["containers"][0]["env"].as_array().cloned().unwrap_or_default();
    items.iter().map(|item| (number(&item["name"]).unwrap(), number(&item["value"]))).collect()
}

fn owners(pod: &Value) -> BTreeMap<Owner, BTreeSet<Field>> {
    let mut owners = BTreeMap::new();
    for (index, manager) in MANAGERS.iter().enumerate() {
        for (applied, operation) in [(true, "Apply"), (false, "Update")] {
            let set = owned(pod, manager, operation);
            let items = &set["f:spec"]["f:containers"][r#"k:{"name":"c"}"#]["f:env"];
            let mut fields = BTreeSet::new();
            for (element, below) in items.as_object().into_iter().flatten().filter(|(element, _)| *element != ".") {
                let name: Value = serde_json::from_str(&element[2..]).unwrap();
                let name = name["name"].as_str().unwrap()[1..].parse::<u8>().unwrap();
                if below.get(".").is_some() {
                    fields.insert(Field::Item(name));
                }
                if below.get("f:value").is_some() {
                    fields.insert(Field::Value(name));
                }
            }
            if !fields.is_empty() {
                owners.insert((index, applied), fields);
            }
        }
    }
    owners
}

fn said() -> impl Strategy<Value = Said> {
    btree_map(0..5u8, proptest::option::weighted(0.8, 0..3u8), 0..4)
}

fn write() -> impl Strategy<Value = Write> {
    let apply = (0..MANAGERS.len(), said(), any::<bool>()).prop_map(|(manager, said, force)| Write::Apply {
        manager,
        said,
        force,
    });
    let update = (0..MANAGERS.len(), said(), proptest::collection::btree_set(0..5u8, 0..3))
        .prop_map(|(manager, set, remove)| Write::Update { manager, set, remove });
    prop_oneof![2 => apply, 1 => update]
}

fn desk_of_pods() -> Desk {
    desk("io.k8s.api.core.v1.Pod", "v1")
}

/// Does a write; the object is as before when others are in the way.
fn perform(desk: &Desk, live: &Value, write: &Write) -> Option<Value> {
    match write {
        Write::Apply { manager, said, force } => {
            desk.apply_with(MANAGERS[*manager], Some(live), pod(said), *force).ok()
        }
        Write::Update { manager, set, remove } => Some(desk.update(MANAGERS[*manager], live, |pod| {
            let mut all = values(pod);
            all.retain(|name, _| !remove.contains(name));
            all.extend(set.clone());
            pod["spec"]["containers"][0]["env"] = environment(&all);
        })),
    }
}

/// A set of fields that may be written by anyone.
fn fields_v1() -> impl Strategy<Value = Value> {
    let element = prop_oneof![
        "[a-z.]{1,3}".prop_map(|name| format!("f:{name}")),
        "[a-z\"]{0,2}".prop_map(|name| format!("k:{}", json!({"name": name, "port": 1}))),
        "[a-z]{0,2}".prop_map(|text| format!("v: {}", json!(text))),
        (0..9u32).prop_map(|index| format!("i:{index}")),
        Just(".".to_owned()),
    ];
    let leaf = Just(json!({})).boxed();
    leaf.prop_recursive(4, 32, 4, move |below| {
        btree_map(element.clone(), below, 0..4).prop_map(|map| {
            let entries =
                map.into_iter().map(|(name, value)| if name == "." { (name, json!({})) } else { (name, value) });
            Value::Object(entries.collect())
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn fields_are_owned_as_in_the_model(writes in vec(write(), 1..12)) {
        let desk = desk_of_pods();
        let mut live = desk.create("maker", pod(&Said::new()));
        let mut model = Model::default();
        for (index, write) in writes.iter().enumerate() {
            let written = perform(&desk, &live, write);
            prop_assert_eq!(model.write(write), written.is_some(), "write {}: {:?}", index, write);
            live = written.unwrap_or(live);
            prop_assert_eq!(&values(&live), &model.values, "write {}: {:?}", index, write);
            prop_assert_eq!(&owners(&live), &model.owners, "write {}: {:?}\n{}", index, write, live);
        }
    }

    #[test]
    fn to_apply_twice_is_to_apply_once(writes in vec(write(), 0..8), last in said(), force in any::<bool>()) {
        let desk = desk_of_pods();
        let mut live = desk.create("maker", pod(&Said::new()));
        for write in &writes {
            live = perform(&desk, &live, write).unwrap_or(live);
        }
        let write = Write::Apply { manager: 0, said: last, force };
        if let Some(once) = perform(&desk, &live, &write) {
            let later = Desk { now: LATER, ..desk_of_pods() };
            prop_assert_eq!(perform(&later, &once, &write), Some(once));
        }
    }

    #[test]
    fn sets_are_read_back_as_written(value in fields_v1(), other in fields_v1()) {
        fuzz(value.to_string().as_bytes());
        let (one, other) = (FieldSet::parse(value).unwrap(), FieldSet::parse(other).unwrap());
        let mut union = one.clone();
        union.union(other.clone());
        let mut rest = union.clone();
        rest.subtract(&other);
        let mut again = rest.clone();
        again.union(other.clone());
        prop_assert_eq!(&again, &union);
        prop_assert_eq!(rest.intersection(&other), FieldSet::default());
        prop_assert_eq!(one.intersection(&union), one);
    }

    #[test]
    fn arbitrary_bytes_do_no_harm(bytes in vec(any::<u8>(), 0..64)) {
        fuzz(&bytes);
    }
}
