//! What every store does, as tests that take one: the suite of the redb file and of etcd.

use crate::{Compare, Entry, Event, Op, Outcome, RedbOptions, RedbStore, Revision, Store, StoreError, Txn};
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use proptest::prelude::*;
use runtime_base::Clock;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

mod linearizable;

pub(crate) use linearizable::histories_of_many_clients_are_linearizable;

/// Makes the suite's tests over what `$start` gives: an empty store and what lives as long.
macro_rules! store_suite {
    ($start:expr) => {
        crate::suite::store_suite!($start,
            a_transaction_happens_whole_at_one_revision,
            a_condition_that_does_not_hold_stops_everything_and_tells_what_is_there,
            lists_come_in_pages_and_from_the_past,
            a_watch_starts_at_any_revision_that_is_kept,
            many_writers_share_commits_and_lose_nothing,
            a_fresh_revision_is_no_older_than_any_write,
            watchers_see_every_event_once_in_order_and_whole_while_others_write,
            of_those_who_compare_the_same_revision_one_wins,
            histories_of_many_clients_are_linearizable,
        );
    };
    ($start:expr, $($name:ident,)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let (store, _alive) = $start.await;
                crate::suite::$name(store).await;
            }
        )*
    };
}
pub(crate) use store_suite;

pub(crate) fn redb_in_memory() -> Arc<dyn Store> {
    RedbStore::in_memory(RedbOptions { clock: Clock::simulated(SystemTime::UNIX_EPOCH) }).unwrap()
}

/// The error that a watch begins with, from the call or as its first item.
pub(crate) async fn watch_error(store: &dyn Store, prefix: &str, after: Revision) -> StoreError {
    match store.watch(prefix, after).await {
        Err(error) => error,
        Ok(mut watch) => watch.next().await.expect("an item").expect_err("an error first"),
    }
}

pub(crate) fn put(key: &str, value: &str) -> Op {
    Op::Put { key: key.into(), value: Bytes::copy_from_slice(value.as_bytes()) }
}

pub(crate) fn delete(key: &str) -> Op {
    Op::Delete { key: key.into() }
}

pub(crate) async fn change(store: &dyn Store, ops: Vec<Op>) -> Revision {
    match store.txn(Txn { compare: vec![], ops }).await.unwrap() {
        Outcome::Committed(revision) => revision,
        conflict => panic!("{conflict:?}"),
    }
}

pub(crate) async fn texts(store: &dyn Store, prefix: &str, at: Option<Revision>) -> Vec<String> {
    let page = store.list(prefix, None, 0, at).await.unwrap();
    page.entries.iter().map(|e| format!("{}={}", e.key, String::from_utf8_lossy(&e.value))).collect()
}

pub(crate) fn describe(event: &Event) -> String {
    let text = |entry: &Option<Entry>| match entry {
        Some(entry) => String::from_utf8_lossy(&entry.value).into_owned(),
        None => "-".into(),
    };
    format!("{} {} {}>{}", event.revision, event.key, text(&event.previous), text(&event.entry))
}

pub(crate) async fn take(watch: &mut BoxStream<'static, Result<Event, StoreError>>, count: usize) -> Vec<String> {
    let mut seen = Vec::new();
    while seen.len() < count {
        seen.push(describe(&watch.next().await.unwrap().unwrap()));
    }
    seen
}

pub(crate) async fn a_transaction_happens_whole_at_one_revision(store: Arc<dyn Store>) {
    assert_eq!(store.revision(), 1);
    assert_eq!(change(&*store, vec![put("/a/1", "x"), put("/a/2", "y"), put("/b", "z")]).await, 2);
    assert_eq!(texts(&*store, "/a/", None).await, ["/a/1=x", "/a/2=y"]);
    // The last of several changes of a key counts, what is gone stays gone, nothing is no change.
    assert_eq!(change(&*store, vec![put("/a/1", "1"), delete("/a/1"), delete("/none")]).await, 3);
    assert_eq!(change(&*store, vec![delete("/none")]).await, 3);
    assert_eq!(change(&*store, vec![]).await, 3);
    assert_eq!(store.get("/a/1").await.unwrap(), None);
    let entry = store.get("/a/2").await.unwrap().unwrap();
    assert_eq!((entry.create_revision, entry.mod_revision), (2, 2));
    change(&*store, vec![put("/a/2", "y2")]).await;
    let entry = store.get("/a/2").await.unwrap().unwrap();
    assert_eq!((entry.create_revision, entry.mod_revision), (2, 4));
}

pub(crate) async fn a_condition_that_does_not_hold_stops_everything_and_tells_what_is_there(store: Arc<dyn Store>) {
    let revision = change(&*store, vec![put("/a", "1")]).await;
    let compare = |key: &str, mod_revision| Compare { key: key.into(), mod_revision };
    let txn = Txn { compare: vec![compare("/a", revision), compare("/b", 7)], ops: vec![put("/a", "2")] };
    assert_eq!(store.txn(txn).await.unwrap(), Outcome::Conflict { key: "/b".into(), current: None });
    let txn = Txn { compare: vec![compare("/a", 0)], ops: vec![put("/a", "2")] };
    let Outcome::Conflict { current: Some(current), .. } = store.txn(txn).await.unwrap() else { panic!() };
    assert_eq!(current.value, "1");
    let txn = Txn { compare: vec![compare("/a", revision), compare("/b", 0)], ops: vec![put("/b", "2")] };
    assert_eq!(store.txn(txn).await.unwrap(), Outcome::Committed(revision + 1));
}

pub(crate) async fn lists_come_in_pages_and_from_the_past(store: Arc<dyn Store>) {
    let first = change(&*store, (0..5).map(|n| put(&format!("/p/{n}"), "a")).collect()).await;
    change(&*store, vec![put("/p/1", "b"), delete("/p/2"), put("/p/9", "new"), put("/q", "q")]).await;
    let page = store.list("/p/", None, 2, None).await.unwrap();
    assert_eq!((page.entries.len(), page.more, page.revision), (2, true, 3));
    let page = store.list("/p/", Some("/p/1"), 3, None).await.unwrap();
    assert_eq!(page.entries.iter().map(|e| &*e.key).collect::<Vec<_>>(), ["/p/3", "/p/4", "/p/9"]);
    assert!(!page.more);
    let old = ["/p/0=a", "/p/1=a", "/p/2=a", "/p/3=a", "/p/4=a"];
    assert_eq!(texts(&*store, "/p/", Some(first)).await, old);
    assert_eq!(store.list("/p/", None, 0, Some(first)).await.unwrap().revision, first);
    assert!(texts(&*store, "/p/", Some(1)).await.is_empty());
    let future = store.list("/p/", None, 0, Some(99)).await.unwrap_err();
    assert!(matches!(future, StoreError::Future { requested: 99, newest: 3 }));
}

pub(crate) async fn a_watch_starts_at_any_revision_that_is_kept(store: Arc<dyn Store>) {
    change(&*store, vec![put("/a/1", "x"), put("/b", "z")]).await;
    change(&*store, vec![put("/a/1", "y")]).await;
    let mut early = store.watch("/a/", 1).await.unwrap();
    let mut late = store.watch("/a/", 3).await.unwrap();
    change(&*store, vec![delete("/a/1"), put("/c", "c")]).await;
    change(&*store, vec![put("/a/2", "w")]).await;
    assert_eq!(take(&mut early, 4).await, ["2 /a/1 ->x", "3 /a/1 x>y", "4 /a/1 y>-", "5 /a/2 ->w"]);
    assert_eq!(take(&mut late, 2).await, ["4 /a/1 y>-", "5 /a/2 ->w"]);
    assert!(matches!(store.watch("/a/", 6).await.err(), Some(StoreError::Future { .. })));

    store.compact(3).await.unwrap();
    let mut at_the_edge = store.watch("/a/", 3).await.unwrap();
    assert_eq!(take(&mut at_the_edge, 2).await, ["4 /a/1 y>-", "5 /a/2 ->w"]);
    let gone = watch_error(&*store, "/a/", 2).await;
    assert!(matches!(gone, StoreError::Compacted { requested: 2, oldest: 3 }), "{gone:?}");
    let gone = store.list("/a/", None, 0, Some(2)).await.unwrap_err();
    assert!(matches!(gone, StoreError::Compacted { requested: 2, oldest: 3 }), "{gone:?}");
    assert_eq!(texts(&*store, "/a/", Some(3)).await, ["/a/1=y"]);
    store.compact(2).await.unwrap();
    assert!(store.compact(9).await.is_err());
}

pub(crate) async fn many_writers_share_commits_and_lose_nothing(store: Arc<dyn Store>) {
    let watch = store.watch("/", 1).await.unwrap();
    let tasks = runtime_base::Tasks::new();
    for writer in 0..16 {
        let store = store.clone();
        tasks.spawn_to_end("writer", async move {
            for n in 0..20 {
                change(&*store, vec![put(&format!("/{writer}/{n}"), "v")]).await;
            }
        });
    }
    let events: Vec<Event> = watch.take(320).map(Result::unwrap).collect().await;
    let revisions: Vec<Revision> = events.iter().map(|event| event.revision).collect();
    assert_eq!(revisions, (2..322).collect::<Vec<_>>());
    assert!(tasks.stop(std::time::Duration::from_secs(10)).await);
}

pub(crate) async fn a_fresh_revision_is_no_older_than_any_write(store: Arc<dyn Store>) {
    for n in 0..20 {
        let written = change(&*store, vec![put("/a", &n.to_string())]).await;
        assert!(store.fresh_revision().await.unwrap() >= written);
        assert!(store.revision() >= written);
        assert_eq!(store.get("/a").await.unwrap().unwrap().mod_revision, written);
    }
}

/// Ordered, unique, atomic, reliable, resumable (etcd.io/docs, "watch guarantees").
pub(crate) async fn watchers_see_every_event_once_in_order_and_whole_while_others_write(store: Arc<dyn Store>) {
    const WRITERS: usize = 4;
    const WRITES: usize = 30;
    let tasks = runtime_base::Tasks::new();
    for writer in 0..WRITERS {
        let store = store.clone();
        tasks.spawn_to_end("writer", async move {
            for n in 0..WRITES {
                // Two keys at one revision; every third time one of them goes.
                let first = if n % 3 == 2 {
                    delete(&format!("/w/{writer}"))
                } else {
                    put(&format!("/w/{writer}"), &n.to_string())
                };
                change(&*store, vec![first, put("/w/shared", &format!("{writer}.{n}"))]).await;
            }
        });
    }
    let total = WRITERS * WRITES * 2;
    let whole: Vec<Event> = store.watch("/w/", 1).await.unwrap().take(total).map(Result::unwrap).collect().await;
    assert!(whole.is_sorted_by_key(|event| event.revision));
    for pair in whole.chunks(2) {
        assert_eq!(pair[0].revision, pair[1].revision, "both keys of a transaction come together");
        assert_ne!(pair[0].key, pair[1].key);
    }
    let mut state: BTreeMap<Arc<str>, Entry> = BTreeMap::new();
    for event in &whole {
        assert_eq!(event.previous, state.get(&event.key).cloned(), "{event:?}");
        match &event.entry {
            Some(entry) => state.insert(event.key.clone(), entry.clone()),
            None => state.remove(&event.key),
        };
    }
    assert_eq!(store.list("/w/", None, 0, None).await.unwrap().entries, state.into_values().collect::<Vec<_>>());
    // From any revision a watch goes on with the very same events.
    for start in [whole[0].revision, whole[total / 2].revision, whole[total - 1].revision] {
        let expected: Vec<&Event> = whole.iter().filter(|event| event.revision > start).collect();
        let watch = store.watch("/w/", start).await.unwrap();
        let seen: Vec<Event> = watch.take(expected.len()).map(Result::unwrap).collect().await;
        assert_eq!(seen.iter().collect::<Vec<_>>(), expected);
    }
    assert!(tasks.stop(std::time::Duration::from_secs(10)).await);
}

pub(crate) async fn of_those_who_compare_the_same_revision_one_wins(store: Arc<dyn Store>) {
    let mut expected = change(&*store, vec![put("/a", "start")]).await;
    for _ in 0..10 {
        let attempts = (0..8).map(|n| {
            let compare = vec![Compare { key: "/a".into(), mod_revision: expected }];
            store.txn(Txn { compare, ops: vec![put("/a", &n.to_string())] })
        });
        let outcomes = futures::future::join_all(attempts).await;
        let won: Vec<Revision> = outcomes
            .into_iter()
            .filter_map(|outcome| match outcome.unwrap() {
                Outcome::Committed(revision) => Some(revision),
                Outcome::Conflict { .. } => None,
            })
            .collect();
        assert_eq!(won.len(), 1);
        expected = won[0];
    }
}

/// One step of the random histories.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Txn { compare: Vec<(u8, bool)>, ops: Vec<(u8, Option<u8>)> },
    Compact { back: u64 },
    Restart,
    Watch { back: u64 },
}

pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let txn = (
        prop::collection::vec((0..6u8, prop::bool::weighted(0.8)), 0..3),
        prop::collection::vec((0..6u8, prop::option::weighted(0.7, any::<u8>())), 0..4),
    )
        .prop_map(|(compare, ops)| Step::Txn { compare, ops });
    prop::collection::vec(
        prop_oneof![
            12 => txn,
            1 => (0..8u64).prop_map(|back| Step::Compact { back }),
            1 => Just(Step::Restart),
            2 => (0..12u64).prop_map(|back| Step::Watch { back }),
        ],
        1..60,
    )
}

/// What the store should hold: every state by its revision.
struct Model {
    states: BTreeMap<Revision, BTreeMap<String, (String, Revision, Revision)>>,
    events: Vec<String>,
    compacted: Revision,
}

impl Model {
    fn txn(&mut self, compare: &[(String, Revision)], ops: &[(String, Option<String>)]) -> Option<Revision> {
        let (&revision, now) = self.states.last_key_value().unwrap();
        if compare.iter().any(|(key, expected)| now.get(key).map_or(0, |entry| entry.2) != *expected) {
            return None;
        }
        let mut next = now.clone();
        let mut keys: Vec<&String> = Vec::new();
        for (key, value) in ops {
            if !keys.contains(&key) {
                keys.push(key);
            }
            match value {
                Some(value) => {
                    let created = now.get(key).map_or(revision + 1, |entry| entry.1);
                    next.insert(key.clone(), (value.clone(), created, revision + 1));
                }
                None => drop(next.remove(key)),
            }
        }
        let text = |state: &BTreeMap<String, (String, _, _)>, key| {
            state.get(key).map_or("-".to_owned(), |entry: &(String, Revision, Revision)| entry.0.clone())
        };
        let changed: Vec<String> = keys
            .into_iter()
            .filter(|key| now.contains_key(*key) || next.contains_key(*key))
            .map(|key| format!("{} {key} {}>{}", revision + 1, text(now, key), text(&next, key)))
            .collect();
        if changed.is_empty() {
            return Some(revision);
        }
        self.events.extend(changed);
        self.states.insert(revision + 1, next);
        Some(revision + 1)
    }

    fn after(&self, revision: Revision) -> Vec<String> {
        let number = |event: &String| event.split(' ').next().and_then(|n| n.parse::<u64>().ok()).unwrap();
        self.events.iter().filter(|event| number(event) > revision).cloned().collect()
    }
}

/// Does the steps on an empty store and on the model; `open` gives the store, anew after each restart.
pub(crate) async fn replay(steps: Vec<Step>, open: impl AsyncFn() -> Arc<dyn Store>) {
    let mut store = open().await;
    let mut model = Model { states: BTreeMap::from([(1, BTreeMap::new())]), events: Vec::new(), compacted: 1 };
    // Watchers with what each has still to see.
    let mut watchers: Vec<(Revision, BoxStream<'static, Result<Event, StoreError>>)> = Vec::new();
    for step in steps {
        match step {
            Step::Txn { compare, ops } => {
                let key = |n: u8| format!("/{n}");
                let now = model.states.last_key_value().unwrap().1;
                let current = |n| now.get(&key(n)).map_or(0, |entry| entry.2);
                let compare: Vec<_> =
                    compare.into_iter().map(|(n, good)| (key(n), if good { current(n) } else { 1 })).collect();
                let ops: Vec<_> = ops.into_iter().map(|(n, v)| (key(n), v.map(|v| v.to_string()))).collect();
                let txn = Txn {
                    compare: compare.iter().map(|(k, r)| Compare { key: (&**k).into(), mod_revision: *r }).collect(),
                    ops: ops.iter().map(|(k, v)| v.as_ref().map_or_else(|| delete(k), |v| put(k, v))).collect(),
                };
                match (model.txn(&compare, &ops), store.txn(txn).await.unwrap()) {
                    (Some(expected), Outcome::Committed(revision)) => assert_eq!(revision, expected),
                    (None, Outcome::Conflict { .. }) => {}
                    (expected, outcome) => panic!("{expected:?} but {outcome:?}"),
                }
            }
            Step::Compact { back } => {
                let revision = store.revision().saturating_sub(back);
                store.compact(revision).await.unwrap();
                model.compacted = model.compacted.max(revision);
            }
            Step::Restart => {
                store.close().await;
                store = open().await;
                for (after, mut watch) in watchers.drain(..) {
                    let expected = model.after(after);
                    assert_eq!(take(&mut watch, expected.len()).await, expected);
                    assert!(watch.next().await.unwrap().is_err());
                }
            }
            Step::Watch { back } => {
                let after = store.revision().saturating_sub(back);
                if after < model.compacted {
                    let gone = watch_error(&*store, "/", after).await;
                    assert!(matches!(gone, StoreError::Compacted { .. }), "{after}: {gone}");
                    continue;
                }
                let mut watch = store.watch("/", after).await.unwrap();
                let expected = model.after(after);
                assert_eq!(take(&mut watch, expected.len()).await, expected);
                watchers.push((store.revision(), watch));
            }
        }
        let (&revision, now) = model.states.last_key_value().unwrap();
        assert_eq!((store.revision(), store.fresh_revision().await.unwrap()), (revision, revision));
        for (&at, state) in model.states.iter().filter(|(at, _)| **at >= model.compacted).rev().take(3) {
            let page = store.list("/", None, 0, Some(at)).await.unwrap();
            let found: BTreeMap<_, _> = page
                .entries
                .iter()
                .map(|e| {
                    let value = String::from_utf8_lossy(&e.value).into_owned();
                    (e.key.to_string(), (value, e.create_revision, e.mod_revision))
                })
                .collect();
            assert_eq!(&found, state, "at {at} of {revision}");
        }
        assert_eq!(store.list("/", None, 0, None).await.unwrap().entries.len(), now.len());
    }
    for (after, mut watch) in watchers {
        let expected = model.after(after);
        assert_eq!(take(&mut watch, expected.len()).await, expected);
        assert!(watch.next().now_or_never().is_none());
    }
}
