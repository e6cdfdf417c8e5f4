//! Power failures and killed processes.

use super::*;
use rand::{Rng as _, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

/// After a power failure any part of what was not synced is there, in any order; everything that
/// was acknowledged is there whole.
#[tokio::test]
async fn a_power_failure_at_any_moment_loses_nothing_that_was_acknowledged() {
    let seeds: u64 = std::env::var("CORACLE_POWER_FAILURES").ok().and_then(|n| n.parse().ok()).unwrap_or(120);
    for seed in 0..seeds {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let disk = Disk::default();
        let store = on_disk(&disk, Retention { events: 6, ..Retention::default() });
        let before = work(&store, 0, random.random_range(0..4)).await;
        // The failure comes at some operation of the next commits.
        disk.fail_at(random.random_range(0..40));
        let done = work(&store, before, before + 4).await;
        drop(store);
        let image = disk.after_power_failure(|| random.random());
        let store = on_disk(&image, Retention::default());
        let count = store.list("/log/", None, 0, None).await.unwrap().entries.len() as u64;
        assert!(count == done || count == done + 1, "seed {seed}: {count} of {done}");
        let [left, right] = [store.get("/left").await.unwrap(), store.get("/right").await.unwrap()];
        assert_eq!(left.as_ref().map(|e| &e.value), right.as_ref().map(|e| &e.value), "seed {seed}");
        assert_eq!(left.map(|e| e.value), (count > 0).then(|| (count - 1).to_string().into()), "seed {seed}");
        assert_eq!(store.revision(), count + 1, "seed {seed}");
        let retained = store.watch("/log/", store.shared.compacted()).await.unwrap();
        let expected = (store.revision() - store.shared.compacted()) as usize;
        assert_eq!(retained.take(expected).filter(|e| futures::future::ready(e.is_ok())).count().await, expected);
        assert_eq!(work(&store, count, count + 2).await, count + 2);
    }
}

/// Set for the process that is killed: the path of its store.
const KILLED: &str = "CORACLE_TEST_STORE_TO_BE_KILLED";

/// Not a test by itself: the process that the next test starts and kills. It writes for ever and
/// prints a line for each write that was acknowledged.
#[tokio::test]
async fn a_process_that_is_killed() {
    let Some(path) = std::env::var_os(KILLED) else { return };
    let store = RedbStore::open(Path::new(&path), options()).unwrap();
    let mut out = std::io::stdout();
    for n in 0u64.. {
        let writes = (0..4).map(|writer| {
            let ops =
                vec![put(&format!("/{writer}"), &n.to_string()), put(&format!("/big/{writer}"), &"x".repeat(9000))];
            store.txn(Txn { compare: vec![], ops })
        });
        for (writer, outcome) in futures::future::join_all(writes).await.into_iter().enumerate() {
            let Outcome::Committed(revision) = outcome.unwrap() else { panic!("no condition was given") };
            // One write of the whole line: a kill does not cut it.
            out.write_all(format!("\nack {writer} {n} {revision}\n").as_bytes()).unwrap();
        }
        out.flush().unwrap();
    }
}

#[tokio::test]
async fn a_killed_process_loses_nothing_that_it_acknowledged() {
    let kills: u32 = std::env::var("CORACLE_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(20);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.redb");
    let mut newest = 0;
    for kill in 0..kills {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "redb_store::tests::crash::a_process_that_is_killed", "--nocapture"]);
        let mut child = command.env(KILLED, &path).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let acknowledged = |line: String| -> Option<[u64; 3]> {
            let numbers: Vec<u64> = line.strip_prefix("ack ")?.split(' ').filter_map(|n| n.parse().ok()).collect();
            numbers.try_into().ok()
        };
        let first = lines.by_ref().map_while(Result::ok).find_map(acknowledged).expect("the process writes");
        // A moment that no one chose; there is nothing to wait for.
        std::thread::park_timeout(Duration::from_micros(rand::rng().random_range(0..30_000)));
        child.kill().unwrap();
        child.wait().unwrap();
        let mut last = vec![first];
        last.extend(lines.map_while(Result::ok).filter_map(acknowledged));
        assert!(first[2] > newest, "kill {kill}: revision {} was given out twice", first[2]);

        let store = RedbStore::open(&path, options()).unwrap();
        newest = store.revision();
        for writer in 0..4 {
            let Some([_, n, revision]) = last.iter().rev().find(|ack| ack[0] == writer) else { continue };
            let entry = store.get(&format!("/{writer}")).await.unwrap().unwrap();
            let value: u64 = std::str::from_utf8(&entry.value).unwrap().parse().unwrap();
            assert!(entry.mod_revision > *revision || (entry.mod_revision, value) == (*revision, *n), "kill {kill}");
            assert!(newest >= *revision, "kill {kill}");
        }
        store.close().await;
    }
}
