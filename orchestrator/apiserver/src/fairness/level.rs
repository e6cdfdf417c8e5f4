//! Priority levels: seats, and queues of requests that wait for one.
//!
//! A level may always use its own seats, and those of others that are lent and idle. Each flow is
//! dealt a hand of queues and waits in the shortest, so that a flood fills few of another's; the
//! queue that was served least comes next.

use crate::limits;
use http::header::HeaderValue;
use orchestrator_apimachinery::meta;
use runtime_base::clock::within;
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// All levels of a server.
pub(super) struct Levels {
    seats: usize,
    state: Mutex<BTreeMap<String, Level>>,
}

struct Level {
    spec: Value,
    uid: Option<HeaderValue>,
    exempt: bool,
    /// Own seats, those of them that others may use, and how many of others' it may use.
    nominal: usize,
    lendable: usize,
    borrowable: usize,
    used: usize,
    hand: usize,
    queue_length: usize,
    queues: Vec<Queue>,
    /// What the last served queue had been served.
    virtual_time: u64,
    waiting: usize,
}

#[derive(Default)]
struct Queue {
    served: u64,
    waiting: VecDeque<oneshot::Sender<Seat>>,
}

/// A place among the requests that run; dropping it gives it on.
pub(crate) struct Seat {
    of: Option<(Arc<Levels>, String)>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some((levels, name)) = self.of.take() {
            levels.release(&name);
        }
    }
}

enum Place {
    Now(Seat),
    Later(oneshot::Receiver<Seat>),
    Never,
}

impl Levels {
    pub fn new(seats: usize) -> Arc<Self> {
        Arc::new(Levels { seats, state: Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Level>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn has(&self, name: &str) -> bool {
        self.lock().contains_key(name)
    }

    /// Takes the configurations over; requests that run or wait stay where they are.
    pub fn configure(self: &Arc<Self>, objects: &[Value]) {
        let number = |value: &Value, default: u64| value.as_u64().unwrap_or(default) as usize;
        let shares = |object: &Value| match object["spec"]["type"] == "Exempt" {
            true => number(&object["spec"]["exempt"]["nominalConcurrencyShares"], 0),
            false => number(&object["spec"]["limited"]["nominalConcurrencyShares"], 30),
        };
        let total: usize = objects.iter().map(shares).sum::<usize>().max(1);
        let mut state = self.lock();
        state.retain(|name, level| {
            level.used > 0 || level.waiting > 0 || objects.iter().any(|object| meta::name(object) == name)
        });
        for object in objects {
            let spec = &object["spec"];
            let (limited, exempt) = (&spec["limited"], spec["type"] == "Exempt");
            let nominal = (self.seats * shares(object)).div_ceil(total);
            let part = |percent: usize| nominal * percent / 100;
            let queuing = &limited["limitResponse"]["queuing"];
            let rejects = exempt || limited["limitResponse"]["type"] != "Queue";
            let queues = if rejects { 0 } else { number(&queuing["queues"], 64).clamp(1, limits::QUEUES_MAX) };
            let lendable = if exempt { &spec["exempt"]["lendablePercent"] } else { &limited["lendablePercent"] };
            let old = state.remove(meta::name(object));
            let (used, waiting, kept) = match old {
                Some(old) if old.queues.len() == queues => {
                    (old.used, old.waiting, Some((old.queues, old.virtual_time)))
                }
                // Those that wait in queues that are no more try again on their own.
                Some(old) => (old.used, 0, None),
                None => (0, 0, None),
            };
            let fresh = || ((0..queues).map(|_| Queue::default()).collect(), 0);
            let (lines, virtual_time) = kept.unwrap_or_else(fresh);
            let level = Level {
                spec: spec.clone(),
                uid: object["metadata"]["uid"].as_str().and_then(|uid| HeaderValue::from_str(uid).ok()),
                exempt,
                nominal,
                lendable: part(number(lendable, 0).min(100)),
                borrowable: limited["borrowingLimitPercent"]
                    .as_u64()
                    .map_or(self.seats, |percent| part(percent as usize)),
                used,
                hand: number(&queuing["handSize"], 8).clamp(1, queues.max(1)),
                queue_length: number(&queuing["queueLengthLimit"], 50).max(1),
                queues: lines,
                virtual_time,
                waiting,
            };
            state.insert(meta::name(object).to_owned(), level);
        }
        let names: Vec<String> = state.keys().cloned().collect();
        names.iter().for_each(|name| self.serve_waiting(&mut state, name));
    }

    /// A seat of a level for a request of a flow, and the level's uid; none when all are taken for long.
    pub async fn seat(self: &Arc<Self>, name: &str, flow: u64) -> (Option<Seat>, Option<HeaderValue>) {
        let (place, uid) = self.place(name, flow);
        let seat = match place {
            Place::Now(seat) => Some(seat),
            Place::Never => None,
            Place::Later(turn) => within(limits::TURN_TIME_MAX, turn).await.and_then(Result::ok),
        };
        (seat, uid)
    }

    fn place(self: &Arc<Self>, name: &str, flow: u64) -> (Place, Option<HeaderValue>) {
        let mut state = self.lock();
        let free = may_run(&state, name, self.seats);
        let Some(level) = state.get_mut(name) else { return (Place::Never, None) };
        let uid = level.uid.clone();
        if level.exempt {
            return (Place::Now(Seat { of: None }), uid);
        }
        if free && level.waiting == 0 {
            level.used += 1;
            return (Place::Now(Seat { of: Some((self.clone(), name.to_owned())) }), uid);
        }
        let shortest = deal(flow, level.queues.len(), level.hand)
            .into_iter()
            .min_by_key(|index| level.queues[*index].waiting.iter().filter(|turn| !turn.is_closed()).count());
        let Some(index) = shortest else { return (Place::Never, uid) };
        let (length, virtual_time) = (level.queue_length, level.virtual_time);
        let queue = &mut level.queues[index];
        let before = queue.waiting.len();
        // Who gave up no longer waits.
        queue.waiting.retain(|turn| !turn.is_closed());
        level.waiting -= before - queue.waiting.len();
        if queue.waiting.len() >= length {
            return (Place::Never, uid);
        }
        if queue.waiting.is_empty() {
            queue.served = queue.served.max(virtual_time);
        }
        let (sender, turn) = oneshot::channel();
        queue.waiting.push_back(sender);
        level.waiting += 1;
        self.serve_waiting(&mut state, name);
        (Place::Later(turn), uid)
    }

    fn release(self: &Arc<Self>, name: &str) {
        let mut state = self.lock();
        if let Some(level) = state.get_mut(name) {
            level.used = level.used.saturating_sub(1);
        }
        self.serve_waiting(&mut state, name);
        // What this level does not need, another may borrow.
        let others: Vec<String> =
            state.iter().filter(|(_, level)| level.waiting > 0).map(|(name, _)| name.clone()).collect();
        others.iter().for_each(|name| self.serve_waiting(&mut state, name));
    }

    /// Gives free seats to those that wait, the queue that was served least first.
    fn serve_waiting(self: &Arc<Self>, state: &mut BTreeMap<String, Level>, name: &str) {
        while state.get(name).is_some_and(|level| level.waiting > 0) && may_run(state, name, self.seats) {
            let Some(level) = state.get_mut(name) else { return };
            let next =
                level.queues.iter_mut().filter(|queue| !queue.waiting.is_empty()).min_by_key(|queue| queue.served);
            let Some(queue) = next else {
                level.waiting = 0;
                return;
            };
            let Some(turn) = queue.waiting.pop_front() else { return };
            level.waiting -= 1;
            if turn.is_closed() {
                continue;
            }
            level.virtual_time = queue.served;
            queue.served += 1;
            level.used += 1;
            let seat = Seat { of: Some((self.clone(), name.to_owned())) };
            if let Err(mut unused) = turn.send(seat) {
                // The request gave up this moment; its seat must not be released under the lock.
                unused.of = None;
                level.used -= 1;
            }
        }
    }
}

/// Whether a level may let one more request run.
fn may_run(state: &BTreeMap<String, Level>, name: &str, seats: usize) -> bool {
    let Some(level) = state.get(name) else { return false };
    if level.exempt || level.used < level.nominal {
        return true;
    }
    if level.used >= level.nominal + level.borrowable {
        return false;
    }
    let (mut lent, mut borrowed, mut used) = (0, 0, 0);
    for (other, level) in state {
        used += level.used;
        borrowed += level.used.saturating_sub(level.nominal);
        if other != name {
            lent += level.lendable.min(level.nominal.saturating_sub(level.used));
        }
    }
    used < seats && borrowed < lent
}

/// The queues that a flow is dealt: `hand` different ones of `deck`.
fn deal(mut flow: u64, deck: usize, hand: usize) -> Vec<usize> {
    let mut dealt: Vec<usize> = Vec::with_capacity(hand);
    for index in 0..hand.min(deck) {
        let left = (deck - index) as u64;
        let mut card = (flow % left) as usize;
        flow /= left;
        // Cards that were dealt before are out of the deck.
        let mut sorted = dealt.clone();
        sorted.sort_unstable();
        for before in sorted {
            if card >= before {
                card += 1;
            }
        }
        dealt.push(card);
    }
    dealt
}

impl std::fmt::Debug for Level {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{} used, {} wait, {}", self.used, self.nominal, self.waiting, self.spec["type"])
    }
}
