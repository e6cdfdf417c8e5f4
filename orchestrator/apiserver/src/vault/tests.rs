use super::*;
use orchestrator_store::{RedbOptions, RedbStore};
use runtime_base::Clock;
use std::path::Path;

const KEY: &str = "/registry/core/secrets/default/s";
const PLAIN: &[u8] = b"\x01\x00\x05\x00\x00\x00{\"data\":\"hidden\"}";

fn rng() -> Rng {
    Rng::seeded(7)
}

fn keys(dir: &Path) -> Keys {
    Keys::load_or_create(&dir.join("keys"), &rng()).unwrap()
}

fn put(key: &str) -> Txn {
    Txn { compare: Vec::new(), ops: vec![Op::Put { key: key.into(), value: Bytes::from_static(PLAIN) }] }
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[tokio::test]
async fn secrets_are_sealed_in_the_file_and_plain_to_readers() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("store.redb");
    let inner = RedbStore::open(&file, RedbOptions { clock: Clock::system() }).unwrap();
    let vault = Vault::new(inner.clone(), keys(dir.path()), rng());
    let mut events = vault.watch("/registry/", vault.revision()).await.unwrap();
    vault.txn(put(KEY)).await.unwrap();
    assert_eq!(&*vault.get(KEY).await.unwrap().unwrap().value, PLAIN);
    assert_eq!(&*vault.list(KEY, None, 0, None).await.unwrap().entries[0].value, PLAIN);
    assert_eq!(&*events.next().await.unwrap().unwrap().entry.unwrap().value, PLAIN);
    assert!(!contains(&inner.get(KEY).await.unwrap().unwrap().value, "hidden"));
    vault.close().await;
    let bytes = std::fs::read(&file).unwrap();
    assert!(contains(&bytes, "/registry/core/secrets/default/s") && !contains(&bytes, "hidden"));
}

#[test]
fn a_value_opens_in_its_own_place_with_its_own_key_only() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let keys = keys(dir.path());
    let sealed = keys.seal(KEY, PLAIN, &rng());
    assert_eq!(keys.open(KEY, &sealed).as_deref(), Some(PLAIN));
    assert_eq!(keys.open("/registry/core/secrets/default/t", &sealed), None);
    let strange = Keys::load_or_create(&other.path().join("keys"), &Rng::seeded(8)).unwrap();
    assert_eq!(strange.open(KEY, &sealed), None);
    // Byte 1 names the key; as 0 it would say that the value is plain, which then is no JSON.
    for at in (0..sealed.len()).filter(|at| *at != 1) {
        let mut broken = sealed.to_vec();
        broken[at] ^= 1;
        assert_eq!(keys.open(KEY, &broken.into()), None, "byte {at}");
    }
    assert_eq!(keys.open(KEY, &Bytes::from_static(PLAIN)).as_deref(), Some(PLAIN));
}

#[tokio::test]
async fn a_rotation_seals_everything_anew() {
    let dir = tempfile::tempdir().unwrap();
    let inner = RedbStore::in_memory(RedbOptions { clock: Clock::system() }).unwrap();
    let vault = Vault::new(inner.clone(), keys(dir.path()), rng());
    for index in 0..5 {
        vault.txn(put(&format!("{KEY}{index}"))).await.unwrap();
    }
    inner.txn(put(KEY)).await.unwrap();
    assert_eq!(Keys::rotate(&dir.path().join("keys"), &Rng::seeded(9)).unwrap(), 2);
    let vault = Vault::new(inner.clone(), keys(dir.path()), rng());
    assert_eq!(vault.renew().await.unwrap(), 6);
    assert_eq!(vault.renew().await.unwrap(), 0);
    for entry in inner.list(KEY, None, 0, None).await.unwrap().entries {
        assert_eq!(entry.value[1], 2);
        assert_eq!(&*vault.get(&entry.key).await.unwrap().unwrap().value, PLAIN);
    }
}

#[tokio::test]
async fn what_cannot_be_opened_stops_nothing_else() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let inner = RedbStore::in_memory(RedbOptions { clock: Clock::system() }).unwrap();
    let vault = Vault::new(inner.clone(), keys(dir.path()), rng());
    let start = vault.revision();
    vault.txn(put(KEY)).await.unwrap();
    let strange = Keys::load_or_create(&other.path().join("keys"), &Rng::seeded(8)).unwrap();
    let strange = Vault::new(inner, strange, rng());
    strange.txn(put("/registry/core/secrets/default/t")).await.unwrap();
    assert_ne!(&*strange.get(KEY).await.unwrap().unwrap().value, PLAIN);
    assert_eq!(&*strange.get("/registry/core/secrets/default/t").await.unwrap().unwrap().value, PLAIN);
    assert_eq!(strange.renew().await.unwrap(), 0);
    assert!(strange.watch("/registry/", start).await.unwrap().next().await.is_some());
}

#[test]
fn a_damaged_key_file_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keys");
    for text in ["", "1", "0 AAAA", "1 AAAA", "x y"] {
        std::fs::write(&path, text).unwrap();
        let error = Keys::load_or_create(&path, &rng()).unwrap_err();
        assert!(error.to_string().contains("damaged at line 1"), "{text}: {error}");
    }
}
