//! The file gives room back.

use super::*;
use std::time::Duration;

const KIB: usize = 1024;

#[tokio::test]
async fn the_file_shrinks_once_its_history_is_forgotten() {
    let clock = Clock::simulated(SystemTime::UNIX_EPOCH);
    tokio::time::pause();
    let disk = Disk::default();
    let retention = Retention { age_seconds: 60, file_bytes: 3 << 20, ..Retention::default() };
    let store = RedbStore::start(disk.opener(), "disk".into(), RedbOptions { clock }, retention).unwrap();
    let value = "x".repeat(100 * KIB);
    for n in 0..24 {
        change(&store, vec![put("/big", &value), put(&format!("/small/{n}"), "kept")]).await;
    }
    let large = disk.len_now();
    assert!(large > 4800 * KIB, "{large}");
    let good = texts(&store, "/small/", None).await;

    tokio::time::advance(Duration::from_secs(61)).await;
    change(&store, vec![delete("/big")]).await;
    tokio::time::advance(Duration::from_secs(61)).await;
    change(&store, vec![put("/a", "1")]).await;
    // It happens when nothing waits for the writer; the answer to the last write does not wait for it.
    for n in 0..200 {
        if disk.len_now() < 2500 * KIB {
            break;
        }
        change(&store, vec![put("/a", &(n + 2).to_string())]).await;
    }
    assert!(disk.len_now() < 2500 * KIB, "{} of {large} bytes are left", disk.len_now());
    assert_eq!(texts(&store, "/small/", None).await, good);
    let mut watch = store.watch("/", store.shared.compacted()).await.unwrap();
    assert!(take(&mut watch, 1).await[0].ends_with("/a ->1"), "the history is read on");
    store.close().await;
    assert_eq!(texts(&on_disk(&disk, Retention::default()), "/small/", None).await, good);
}

#[tokio::test]
async fn a_failure_while_it_shrinks_loses_nothing() {
    tokio::time::pause();
    let mut failures = 0;
    for n in (0..60).step_by(3) {
        let disk = Disk::default();
        let store = on_disk(&disk, Retention { bytes: 100 * KIB as u64, file_bytes: 2 << 20, ..Retention::default() });
        for _ in 0..3 {
            change(&store, vec![put("/big", &"x".repeat(400 * KIB))]).await;
        }
        change(&store, vec![put("/small", "kept"), delete("/big")]).await;
        disk.fail_at(n);
        let _ = store.txn(Txn { compare: vec![], ops: vec![put("/a", "1")] }).await;
        let _ = store.txn(Txn { compare: vec![], ops: vec![put("/a", "2")] }).await;
        assert_eq!(texts(&store, "/small", None).await, ["/small=kept"], "failure at {n}");
        failures += u32::from(disk.is_broken());
        disk.heal();
        tokio::time::advance(limits::REOPEN_DELAY).await;
        change(&store, vec![put("/b", "healed")]).await;
        store.close().await;
        let store = on_disk(&disk, Retention::default());
        assert_eq!(texts(&store, "/small", None).await, ["/small=kept"], "failure at {n}");
        assert_eq!(texts(&store, "/b", None).await, ["/b=healed"], "failure at {n}");
    }
    assert!(failures > 8, "only {failures} operations could fail");
}
