use super::fault::Disk;
use super::file::Retention;
use super::*;
use crate::{Compare, Op};
use bytes::Bytes;
use futures::{FutureExt, StreamExt};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::SystemTime;

fn options() -> RedbOptions {
    RedbOptions { clock: Clock::simulated(SystemTime::UNIX_EPOCH) }
}

fn put(key: &str, value: &str) -> Op {
    Op::Put { key: key.into(), value: Bytes::copy_from_slice(value.as_bytes()) }
}

fn delete(key: &str) -> Op {
    Op::Delete { key: key.into() }
}

async fn change(store: &dyn Store, ops: Vec<Op>) -> Revision {
    match store.txn(Txn { compare: vec![], ops }).await.unwrap() {
        Outcome::Committed(revision) => revision,
        conflict => panic!("{conflict:?}"),
    }
}

async fn texts(store: &dyn Store, prefix: &str, at: Option<Revision>) -> Vec<String> {
    let page = store.list(prefix, None, 0, at).await.unwrap();
    page.entries.iter().map(|e| format!("{}={}", e.key, String::from_utf8_lossy(&e.value))).collect()
}

fn describe(event: &Event) -> String {
    let text = |entry: &Option<Entry>| match entry {
        Some(entry) => String::from_utf8_lossy(&entry.value).into_owned(),
        None => "-".into(),
    };
    format!("{} {} {}>{}", event.revision, event.key, text(&event.previous), text(&event.entry))
}

async fn take(watch: &mut BoxStream<'static, Result<Event, StoreError>>, count: usize) -> Vec<String> {
    let mut seen = Vec::new();
    while seen.len() < count {
        seen.push(describe(&watch.next().await.unwrap().unwrap()));
    }
    seen
}

fn on_disk(disk: &Disk, retention: Retention) -> RedbStore {
    RedbStore::start(disk.opener(), "disk".into(), options(), retention).unwrap()
}

#[tokio::test]
async fn a_transaction_happens_whole_at_one_revision() {
    let store = RedbStore::in_memory(options()).unwrap();
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

#[tokio::test]
async fn a_condition_that_does_not_hold_stops_everything_and_tells_what_is_there() {
    let store = RedbStore::in_memory(options()).unwrap();
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

#[tokio::test]
async fn lists_come_in_pages_and_from_the_past() {
    let store = RedbStore::in_memory(options()).unwrap();
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

#[tokio::test]
async fn a_watch_starts_at_any_revision_that_is_kept() {
    let store = RedbStore::in_memory(options()).unwrap();
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
    let gone = store.watch("/a/", 2).await.err();
    assert!(matches!(gone, Some(StoreError::Compacted { requested: 2, oldest: 3 })), "{gone:?}");
    assert!(matches!(store.list("/a/", None, 0, Some(2)).await, Err(StoreError::Compacted { .. })));
    assert_eq!(texts(&*store, "/a/", Some(3)).await, ["/a/1=y"]);
    store.compact(2).await.unwrap();
    assert!(store.compact(9).await.is_err());
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.redb");
    let store = RedbStore::open(&path, options()).unwrap();
    change(&*store, vec![put("/a", "1"), put("/b", "1")]).await;
    change(&*store, vec![put("/a", "2"), delete("/b")]).await;
    store.close().await;
    assert!(matches!(store.txn(Txn::default()).await, Err(StoreError::Unavailable(_))));

    let store = RedbStore::open(&path, options()).unwrap();
    assert_eq!(store.revision(), 3);
    assert_eq!(texts(&*store, "/", None).await, ["/a=2"]);
    assert_eq!(texts(&*store, "/", Some(2)).await, ["/a=1", "/b=1"]);
    let mut watch = store.watch("/", 1).await.unwrap();
    assert_eq!(take(&mut watch, 4).await, ["2 /a ->1", "2 /b ->1", "3 /a 1>2", "3 /b 1>-"]);
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn a_file_in_use_or_damaged_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.redb");
    let store = RedbStore::open(&path, options()).unwrap();
    change(&*store, vec![put("/a", "1")]).await;
    let error = RedbStore::open(&path, options()).err().unwrap().to_string();
    assert!(error.contains("is used by another coracle server"), "{error}");
    store.close().await;

    let junk = dir.path().join("junk");
    std::fs::write(&junk, b"these bytes are somebody's letter, not a store".repeat(300)).unwrap();
    let before = std::fs::read(&junk).unwrap();
    let error = RedbStore::open(&junk, options()).err().unwrap().to_string();
    assert!(error.contains("junk is damaged") && error.contains("restore it from a backup"), "{error}");
    assert_eq!(std::fs::read(&junk).unwrap(), before);
    let missing = dir.path().join("no/such/dir/store");
    let error = RedbStore::open(&missing, options()).err().unwrap().to_string();
    assert!(error.starts_with("cannot open"), "{error}");
}

#[tokio::test]
async fn old_history_is_forgotten_as_commits_go_on() {
    let clock = Clock::simulated(SystemTime::UNIX_EPOCH);
    tokio::time::pause();
    let retention = Retention { age_seconds: 60, events: 5, bytes: 1 << 20 };
    let store =
        RedbStore::start(file::memory_opener(), "m".into(), RedbOptions { clock: clock.clone() }, retention).unwrap();
    let store: &dyn Store = &store;
    for n in 0..8 {
        change(store, vec![put("/a", &n.to_string())]).await;
    }
    // Five events are kept: 5..=9.
    assert!(matches!(store.watch("/", 3).await.err(), Some(StoreError::Compacted { oldest: 4, .. })));
    assert!(store.watch("/", 4).await.is_ok());
    tokio::time::advance(std::time::Duration::from_secs(61)).await;
    change(store, vec![put("/a", "later")]).await;
    assert!(matches!(store.watch("/", 8).await.err(), Some(StoreError::Compacted { oldest: 9, .. })));
    let mut watch = store.watch("/", 9).await.unwrap();
    assert_eq!(take(&mut watch, 1).await, ["10 /a 7>later"]);
}

#[tokio::test]
async fn a_watcher_that_does_not_read_is_ended() {
    let store = RedbStore::in_memory(options()).unwrap();
    let mut slow = store.watch("/", 1).await.unwrap();
    let mut other = store.watch("/other", 1).await.unwrap();
    for n in 0..=limits::WATCH_QUEUE_MAX {
        change(&*store, vec![put("/a", &n.to_string())]).await;
    }
    for _ in 0..limits::WATCH_QUEUE_MAX {
        assert!(slow.next().await.unwrap().is_ok());
    }
    assert!(matches!(slow.next().await, Some(Err(StoreError::Lagged))));
    assert!(slow.next().await.is_none());
    change(&*store, vec![put("/other", "still served")]).await;
    assert_eq!(take(&mut other, 1).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_writers_share_commits_and_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = RedbStore::open(&dir.path().join("s"), options()).unwrap();
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

/// The fixed work of the fault tests: value `n` is in both keys of transaction `n`, or in none.
async fn work(store: &dyn Store, from: u64, until: u64) -> u64 {
    for n in from..until {
        let text = n.to_string();
        let ops = vec![put("/left", &text), put("/right", &text), put(&format!("/log/{n}"), &text.repeat(500))];
        if store.txn(Txn { compare: vec![], ops }).await.is_err() {
            return n;
        }
    }
    until
}

/// A crash after a failure at any operation leaves everything acknowledged, and nothing halved.
#[tokio::test]
async fn a_failure_at_any_operation_loses_nothing_that_was_acknowledged() {
    let mut failures = 0;
    for n in 0.. {
        let disk = Disk::default();
        let store = on_disk(&disk, Retention { events: 8, ..Retention::default() });
        disk.fail_at(n);
        let done = work(&store, 0, 6).await;
        let shown = store.revision();
        let left = store.get("/left").await.unwrap().map(|e| e.value);
        assert_eq!(left, (done > 0).then(|| Bytes::from((done - 1).to_string())), "reads go on");
        drop(store);
        if !disk.is_broken() {
            assert_eq!(done, 6);
            break;
        }
        failures += 1;
        let image = disk.copy();
        let store = on_disk(&image, Retention::default());
        assert!(store.revision() == shown || store.revision() == shown + 1, "failure at {n}");
        let pair = [store.get("/left").await.unwrap(), store.get("/right").await.unwrap()];
        assert_eq!(pair[0].as_ref().map(|e| &e.value), pair[1].as_ref().map(|e| &e.value), "failure at {n}");
        let count = store.list("/log/", None, 0, None).await.unwrap().entries.len() as u64;
        assert!(count == done || count == done + 1, "failure at {n}: {count} of {done}");
        assert_eq!(work(&store, count, count + 2).await, count + 2);
    }
    assert!(failures > 20, "only {failures} operations could fail");
}

/// A full disk that gets room again: writes are refused, reads and watches go on, then all heals.
#[tokio::test]
async fn writes_go_on_once_the_disk_has_healed() {
    for n in 0..40 {
        let disk = Disk::default();
        let store = on_disk(&disk, Retention::default());
        let mut watch = store.watch("/log/", 1).await.unwrap();
        tokio::time::pause();
        disk.fail_at(n);
        let done = work(&store, 0, 3).await;
        if disk.is_broken() && done < 3 {
            let error = store.txn(Txn { compare: vec![], ops: vec![put("/x", "y")] }).await.unwrap_err();
            assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
            assert_eq!(store.list("/log/", None, 0, None).await.unwrap().entries.len() as u64, done);
        }
        disk.heal();
        tokio::time::advance(limits::REOPEN_DELAY).await;
        change(&store, vec![put("/log/healed", "yes")]).await;
        let entries = store.list("/log/", None, 0, None).await.unwrap().entries.len();
        // What became durable although its commit failed is shown too, and nothing twice.
        let seen = take(&mut watch, entries).await;
        assert!(seen.last().unwrap().contains("healed"), "{seen:?}");
        assert!(entries as u64 == done + 1 || entries as u64 == done + 2);
        assert!(watch.next().now_or_never().is_none());
        tokio::time::resume();
    }
}

/// A flipped byte is found, or harmless; it never shows as other data. (Opening checks all pages.)
#[tokio::test]
async fn flipped_bytes_are_noticed() {
    let disk = Disk::default();
    let store = on_disk(&disk, Retention::default());
    work(&store, 0, 4).await;
    let good = texts(&store, "/", None).await;
    store.close().await;
    let (mut refused, step) = (0, disk.len_now() / 120);
    for at in (0..disk.len_now()).step_by(step) {
        let copy = disk.copy();
        copy.flip(at);
        let image = copy.clone();
        let opener: file::Opener =
            Box::new(move || file::builder().set_check_integrity_on_open(true).create_with_backend(image.clone()));
        match RedbStore::start(opener, "disk".into(), options(), Retention::default()) {
            Ok(store) => assert_eq!(texts(&store, "/", None).await, good, "byte {at}"),
            Err(StoreError::Broken(text)) => {
                refused += 1;
                assert!(text.starts_with("disk is damaged") || text.starts_with("cannot"), "{text}");
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert!(refused > 0);
}

#[test]
fn rows_of_any_bytes_are_read_or_refused() {
    let entry = |text: &str| {
        Some(Entry { key: "/k".into(), value: text.to_owned().into(), create_revision: 3, mod_revision: 7 })
    };
    for (new, previous) in [(entry("a"), None), (None, entry("b")), (entry("a"), entry("b"))] {
        let event = Event { revision: 9, key: "/k".into(), entry: new, previous };
        let row = rows::encode_event(&event);
        assert_eq!(rows::decode_event(9, &row), Some(event));
        for cut in 0..row.len() {
            assert_eq!(rows::decode_event(9, &row[..cut]), None);
            rows::fuzz(&row[cut..]);
        }
    }
    rows::fuzz(&[0xff; 64]);
}

/// One step of the random histories.
#[derive(Clone, Debug)]
enum Step {
    Txn { compare: Vec<(u8, bool)>, ops: Vec<(u8, Option<u8>)> },
    Compact { back: u64 },
    Restart,
    Watch { back: u64 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
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
                    let created = next.get(key).map_or(revision + 1, |entry| entry.1);
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

async fn replay(steps: Vec<Step>) {
    let disk = Disk::default();
    let mut store = on_disk(&disk, Retention::default());
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
                store = on_disk(&disk, Retention::default());
                for (after, mut watch) in watchers.drain(..) {
                    let expected = model.after(after);
                    assert_eq!(take(&mut watch, expected.len()).await, expected);
                    assert!(watch.next().await.unwrap().is_err());
                }
            }
            Step::Watch { back } => {
                let after = store.revision().saturating_sub(back);
                match store.watch("/", after).await {
                    Ok(mut watch) => {
                        let expected = model.after(after);
                        assert_eq!(take(&mut watch, expected.len()).await, expected);
                        watchers.push((store.revision(), watch));
                    }
                    Err(StoreError::Compacted { .. }) => assert!(after < model.compacted),
                    Err(other) => panic!("{other}"),
                }
            }
        }
        let (&revision, now) = model.states.last_key_value().unwrap();
        assert_eq!(store.revision(), revision);
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Any history of transactions, compactions, restarts and watches agrees with a model.
    #[test]
    fn any_history_agrees_with_the_model(steps in steps()) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(replay(steps));
    }
}
