//! Many clients at once, and whether all that they saw fits one order of changes.
//!
//! The order is that of revisions, as the watch log tells it. Each operation is put at the
//! earliest revision that it fits and that is no older than any operation that had ended before it
//! began; if there is none for one of them, the history is not linearizable.

use super::{delete, put};
use crate::{Compare, Entry, Event, Outcome, Revision, Store, Txn};
use futures::StreamExt;
use runtime_base::{Rng, Tasks};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const KEYS: u64 = 3;
const WRITERS: u64 = 4;
const READERS: u64 = 3;
const OPERATIONS: usize = 40;

/// What a client saw.
#[derive(Clone, Debug)]
enum Seen {
    /// Its change was committed.
    Wrote(Revision),
    /// The `mod_revision` of a key, 0 when it was not there.
    Key(String, Revision),
    /// All keys with their `mod_revision`, at a revision.
    All(BTreeMap<String, Revision>, Revision),
    /// The newest revision.
    Newest(Revision),
}

#[derive(Clone, Debug)]
struct Operation {
    began: u64,
    ended: u64,
    seen: Seen,
}

/// Counts the moments at which operations begin and end.
#[derive(Default)]
struct Recorder {
    moments: AtomicU64,
    operations: Mutex<Vec<Operation>>,
}

impl Recorder {
    async fn record(&self, operation: impl Future<Output = Seen>) {
        let began = self.moments.fetch_add(1, Ordering::SeqCst);
        let seen = operation.await;
        let ended = self.moments.fetch_add(1, Ordering::SeqCst);
        self.operations.lock().unwrap().push(Operation { began, ended, seen });
    }
}

fn key(n: u64) -> String {
    format!("/linear/{n}")
}

fn revision_of(entry: Option<&Entry>) -> Revision {
    entry.map_or(0, |entry| entry.mod_revision)
}

/// Reads a key, and writes or removes it if nobody was faster.
async fn write(store: &dyn Store, recorder: &Recorder, rng: &Rng, text: &str) {
    let key = key(rng.below(KEYS));
    let mut known = 0;
    recorder
        .record(async {
            known = revision_of(store.get(&key).await.unwrap().as_ref());
            Seen::Key(key.clone(), known)
        })
        .await;
    let change = if known > 0 && rng.below(5) == 0 { delete(&key) } else { put(&key, text) };
    let compare = vec![Compare { key: key.as_str().into(), mod_revision: known }];
    recorder
        .record(async {
            match store.txn(Txn { compare, ops: vec![change] }).await.unwrap() {
                Outcome::Committed(revision) => Seen::Wrote(revision),
                Outcome::Conflict { current, .. } => Seen::Key(key.clone(), revision_of(current.as_ref())),
            }
        })
        .await;
}

async fn read(store: &dyn Store, recorder: &Recorder, rng: &Rng) {
    recorder
        .record(async {
            match rng.below(3) {
                0 => {
                    let key = key(rng.below(KEYS));
                    let entry = store.get(&key).await.unwrap();
                    Seen::Key(key, revision_of(entry.as_ref()))
                }
                1 => {
                    let page = store.list("/linear/", None, 0, None).await.unwrap();
                    let entries = page.entries.iter().map(|entry| (entry.key.to_string(), entry.mod_revision));
                    Seen::All(entries.collect(), page.revision)
                }
                _ => Seen::Newest(store.fresh_revision().await.unwrap()),
            }
        })
        .await;
}

pub(crate) async fn histories_of_many_clients_are_linearizable(store: Arc<dyn Store>) {
    let (recorder, tasks) = (Arc::new(Recorder::default()), Tasks::new());
    let start = store.revision();
    for client in 0..WRITERS + READERS {
        let (store, recorder) = (store.clone(), recorder.clone());
        let rng = Rng::seeded(client);
        tasks.spawn_to_end("client", async move {
            for step in 0..OPERATIONS {
                match client < WRITERS {
                    true => write(&*store, &recorder, &rng, &format!("{client}-{step}")).await,
                    false => read(&*store, &recorder, &rng).await,
                }
            }
        });
    }
    assert!(tasks.stop(Duration::from_secs(60)).await);
    let operations = recorder.operations.lock().unwrap().clone();
    assert_eq!(operations.len(), OPERATIONS * (2 * WRITERS + READERS) as usize);
    let written = operations.iter().filter(|operation| matches!(operation.seen, Seen::Wrote(_))).count();
    assert!(written > OPERATIONS / 2, "{written} of the writes were committed");
    let changes: Vec<Event> =
        store.watch("/linear/", start).await.unwrap().take(written).map(Result::unwrap).collect().await;
    if let Err(why) = check(&changes, operations) {
        panic!("{why}");
    }
}

/// The revisions at which each key changed, with the `mod_revision` from then on.
fn timelines(changes: &[Event]) -> BTreeMap<String, BTreeMap<Revision, Revision>> {
    let mut timelines: BTreeMap<String, BTreeMap<Revision, Revision>> = BTreeMap::new();
    for n in 0..KEYS {
        timelines.entry(key(n)).or_default().insert(0, 0);
    }
    for event in changes {
        let after = revision_of(event.entry.as_ref());
        timelines.entry(event.key.to_string()).or_default().insert(event.revision, after);
    }
    timelines
}

/// Why the operations fit no order.
fn check(changes: &[Event], mut operations: Vec<Operation>) -> Result<(), String> {
    let timelines = timelines(changes);
    operations.sort_by_key(|operation| operation.began);
    // What is placed already: when it ended, and where.
    let mut placed: Vec<(u64, Revision)> = Vec::new();
    for operation in &operations {
        let before = placed.iter().filter(|(ended, _)| *ended < operation.began);
        let oldest = before.map(|(_, revision)| *revision).max().unwrap_or(0);
        let fits = match &operation.seen {
            Seen::Wrote(revision) => Some(*revision).filter(|revision| *revision > oldest),
            Seen::Newest(revision) => Some(*revision).filter(|revision| *revision >= oldest),
            Seen::All(entries, revision) => {
                let then = timelines.iter().filter_map(|(key, timeline)| {
                    let (_, now) = timeline.range(..=*revision).next_back()?;
                    (*now > 0).then(|| (key.clone(), *now))
                });
                Some(*revision).filter(|revision| *revision >= oldest && then.collect::<BTreeMap<_, _>>() == *entries)
            }
            Seen::Key(key, found) => first_fit(&timelines[key], *found, oldest),
        };
        let Some(revision) = fits else { return Err(format!("{operation:?} fits nowhere after revision {oldest}")) };
        placed.push((operation.ended, revision));
    }
    // Nobody sees what was asked for only later.
    let begun = operations.iter().filter_map(|operation| match operation.seen {
        Seen::Wrote(revision) => Some((revision, operation.began)),
        _ => None,
    });
    let begun: BTreeMap<Revision, u64> = begun.collect();
    for (operation, (ended, revision)) in operations.iter().zip(&placed) {
        let future = begun.range(..=*revision).any(|(_, began)| began > ended);
        if future && !matches!(operation.seen, Seen::Wrote(_)) {
            return Err(format!("{operation:?} saw a change before it was asked for"));
        }
    }
    Ok(())
}

/// The first revision from `oldest` on at which a key has the `mod_revision` that was found.
fn first_fit(timeline: &BTreeMap<Revision, Revision>, found: Revision, oldest: Revision) -> Option<Revision> {
    let mut spans = timeline.iter().peekable();
    while let Some((from, value)) = spans.next() {
        let until = spans.peek().map_or(Revision::MAX, |(next, _)| **next);
        if *value == found && until > oldest {
            return Some((*from).max(oldest));
        }
    }
    None
}

#[test]
fn what_is_not_linearizable_is_found() {
    let entry = |revision| Entry { key: key(0).into(), value: "v".into(), create_revision: 2, mod_revision: revision };
    let change = |revision| Event { revision, key: key(0).into(), entry: Some(entry(revision)), previous: None };
    let operation = |began, ended, seen| Operation { began, ended, seen };
    let wrote = [operation(0, 1, Seen::Wrote(2)), operation(4, 7, Seen::Wrote(3))];
    let with = |more: &[Operation]| {
        let all = wrote.iter().chain(more).cloned().collect();
        check(&[change(2), change(3)], all).is_ok()
    };
    let read = |began, ended, revision| operation(began, ended, Seen::Key(key(0), revision));
    assert!(with(&[read(2, 3, 2), read(5, 6, 2), read(8, 9, 3)]));
    assert!(with(&[read(5, 6, 3)]), "while it is written it may be seen");
    assert!(!with(&[read(8, 9, 2)]), "a stale read");
    assert!(!with(&[read(2, 3, 3)]), "a read of the future");
    assert!(!with(&[read(4, 5, 3), read(6, 7, 2)]), "what was seen is not unseen");
    assert!(!with(&[operation(8, 9, Seen::Newest(2))]));
    let all = |revision, found| Seen::All(BTreeMap::from([(key(0), found)]), revision);
    assert!(with(&[operation(8, 9, all(3, 3))]));
    assert!(!with(&[operation(8, 9, all(3, 2))]), "a list of another revision");
}
