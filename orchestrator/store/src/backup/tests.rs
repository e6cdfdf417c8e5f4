use super::*;
use crate::suite::{change, delete, put, redb_in_memory, texts};
use crate::{Compare, Outcome, RedbOptions, RedbStore, Txn};
use runtime_base::Clock;
use std::time::SystemTime;

async fn written(store: &dyn Store) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(store, &mut bytes).await.unwrap();
    bytes
}

#[tokio::test]
async fn a_backup_holds_one_moment_and_is_read_back() {
    let store = redb_in_memory();
    for n in 0..500 {
        change(&*store, vec![put(&format!("/{n:05}"), &"value".repeat(100))]).await;
    }
    let mut bytes = Vec::new();
    let (revision, count) = write(&*store, &mut bytes).await.unwrap();
    assert_eq!((revision, count), (store.revision(), 500));
    change(&*store, vec![delete("/00000")]).await;
    let backup = read(&bytes[..]).unwrap();
    assert_eq!(backup.revision, revision);
    assert_eq!(backup.entries, store.list("", None, 0, Some(revision)).await.unwrap().entries);
}

#[tokio::test]
async fn a_damaged_backup_is_refused() {
    let store = redb_in_memory();
    assert_eq!(read(&written(&*store).await[..]).unwrap(), Backup { revision: 1, entries: vec![] });
    change(&*store, vec![put("/a", "secret"), put("/b", "x")]).await;
    let good = written(&*store).await;
    assert!(matches!(read(&b"PK zip"[..]), Err(BackupError::Foreign)));
    for cut in 0..good.len() {
        let found = read(&good[..cut]);
        assert!(matches!(found, Err(BackupError::Short | BackupError::Foreign)), "{cut}: {found:?}");
        let mut bad = good.clone();
        bad[cut] ^= 0x10;
        assert!(read(&bad[..]).is_err(), "byte {cut}");
        fuzz(&good[cut..]);
    }
    let longer = [&good[..], b"x"].concat();
    assert!(matches!(read(&longer[..]), Err(BackupError::Damaged("bytes follow its end"))));
}

#[tokio::test]
async fn a_restored_store_gives_out_no_revision_twice() {
    let options = || RedbOptions { clock: Clock::simulated(SystemTime::UNIX_EPOCH) };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.redb");
    let store = RedbStore::open(&path, options()).unwrap();
    let kept = change(&*store, vec![put("/a", "kept")]).await;
    let bytes = written(&*store).await;
    let lost = change(&*store, vec![put("/a", "lost"), put("/b", "lost")]).await;
    let backup = read(&bytes[..]).unwrap();
    let in_use = RedbStore::restore(&path, &backup).unwrap_err().to_string();
    assert!(in_use.contains("is used by another coracle server"), "{in_use}");
    store.close().await;

    let revision = RedbStore::restore(&path, &backup).unwrap();
    assert!(revision > lost);
    let store = RedbStore::open(&path, options()).unwrap();
    assert_eq!((store.revision(), texts(&*store, "", None).await), (revision, vec!["/a=kept".to_owned()]));
    for seen in [kept, lost, revision - 1] {
        let gone = store.watch("", seen).await.err();
        assert!(matches!(gone, Some(StoreError::Compacted { .. })), "{seen}: {gone:?}");
    }
    assert!(store.watch("", revision).await.is_ok());
    // What a client knows from after the backup is not what is there.
    let update =
        |mod_revision| Txn { compare: vec![Compare { key: "/a".into(), mod_revision }], ops: vec![put("/a", "2")] };
    assert!(matches!(store.txn(update(lost)).await.unwrap(), Outcome::Conflict { .. }));
    assert_eq!(store.txn(update(kept)).await.unwrap(), Outcome::Committed(revision + 1));
    store.close().await;

    // In place of a file that cannot be read, and of none.
    std::fs::write(&path, b"not a store at all".repeat(500)).unwrap();
    assert!(RedbStore::restore(&path, &backup).unwrap() > backup.revision);
    let old = dir.path().join("store.redb.before-restore");
    assert!(std::fs::read(&old).unwrap().starts_with(b"not a store"));
    std::fs::remove_file(&path).unwrap();
    RedbStore::restore(&path, &backup).unwrap();
    let store = RedbStore::open(&path, options()).unwrap();
    assert_eq!(texts(&*store, "", None).await, ["/a=kept"]);
}
