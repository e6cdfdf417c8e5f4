use super::fault::Disk;
use super::file::Retention;
use super::*;
use crate::suite::{self, change, delete, put, take, texts};
use bytes::Bytes;
use futures::{FutureExt, StreamExt};
use proptest::prelude::*;
use std::time::SystemTime;

mod crash;
mod shrink;

suite::store_suite!(async {
    let dir = tempfile::tempdir().unwrap();
    (RedbStore::open(&dir.path().join("store.redb"), options()).unwrap(), dir)
});

fn options() -> RedbOptions {
    RedbOptions { clock: Clock::simulated(SystemTime::UNIX_EPOCH) }
}

fn on_disk(disk: &Disk, retention: Retention) -> RedbStore {
    RedbStore::start(disk.opener(), "disk".into(), options(), retention).unwrap()
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
    let retention = Retention { age_seconds: 60, events: 5, bytes: 1 << 20, ..Retention::default() };
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

/// What waits while a commit runs is the next commit: two syncs for all of it, one for each phase.
#[tokio::test]
async fn transactions_that_wait_together_cost_two_syncs() {
    let disk = Disk::default();
    let store = on_disk(&disk, Retention::default());
    let (before, mut revision) = (disk.syncs(), store.revision());
    change(&store, vec![put("/a", "1")]).await;
    assert_eq!(disk.syncs() - before, 2);
    for _ in 0..5 {
        let (before, many) = (disk.syncs(), 200);
        let writes = (0..many).map(|n| change(&store, vec![put(&format!("/{n}"), "v")]).boxed());
        revision = futures::future::join_all(writes).await.into_iter().max().unwrap();
        // The first of them may have been taken alone, the file may have grown.
        assert!(disk.syncs() - before <= 20, "{} syncs for {many} writes", disk.syncs() - before);
    }
    assert_eq!(store.revision(), revision);
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
        // Reads go on; what became durable although its commit failed may be there.
        let shows = |done: u64| left == (done > 0).then(|| Bytes::from((done - 1).to_string()));
        assert!(shows(done) || (disk.is_broken() && shows(done + 1)), "failure at {n}: {left:?} of {done}");
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
            assert!(matches!(&error, StoreError::Full(text) if text.contains("free some space")), "{error}");
            let shown = store.list("/log/", None, 0, None).await.unwrap();
            assert!(shown.entries.len() as u64 == done || shown.entries.len() as u64 == done + 1);
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
        let open = move || file::builder().set_check_integrity_on_open(true).create_with_backend(image.clone());
        let opener = file::Opener { open: Box::new(open), size: Box::new(|| 0) };
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Any history of transactions, compactions, restarts and watches agrees with a model.
    #[test]
    fn any_history_agrees_with_the_model(steps in suite::steps()) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let disk = Disk::default();
            suite::replay(steps, async || Arc::new(on_disk(&disk, Retention::default())) as Arc<dyn Store>).await;
        });
    }
}
