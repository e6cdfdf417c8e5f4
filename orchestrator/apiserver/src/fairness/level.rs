//! Priority levels: seats, and queues of requests that wait for some.
//!
//! A level may always use its own seats, and those of others that are lent and idle. Each flow is
//! dealt a hand of queues and waits in the shortest, so that a flood fills few of another's; the
//! queue that was served least comes next, and levels that wait for lent seats take turns. A
//! request may need more than one seat: then those behind it wait until there are enough.

use super::counts::{Counts, Refusal};
use crate::limits;
use http::header::HeaderValue;
use orchestrator_apimachinery::meta;
use runtime_base::clock::within;
use serde_json::Value;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// The place of a level among all; it stays as long as a request of the level runs or waits.
pub(super) type LevelId = usize;

/// All levels of a server.
pub(super) struct Levels {
    seats: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    levels: Vec<Level>,
    /// The level that is served first when one gives seats back.
    next: LevelId,
}

#[derive(Default)]
struct Level {
    name: String,
    /// Whether there is an object of this name.
    configured: bool,
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
    /// Seats that its requests were given.
    served: u64,
    waiting: VecDeque<Waiter>,
}

struct Waiter {
    width: usize,
    turn: oneshot::Sender<Seat>,
}

/// Places among the requests that run; dropping it gives them on.
pub(crate) struct Seat {
    /// `None` once they are given back.
    levels: Option<Arc<Levels>>,
    level: LevelId,
    width: usize,
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(levels) = self.levels.take() {
            levels.release(self.level, self.width);
        }
    }
}

enum Place {
    Now(Seat),
    Later(oneshot::Receiver<Seat>),
    Never(Refusal),
}

/// What `/metrics` tells of a level.
pub(super) struct Nominal {
    pub name: String,
    pub seats: usize,
}

impl Levels {
    pub fn new(seats: usize) -> Arc<Self> {
        Arc::new(Levels { seats, state: Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The configured level of this name, its uid, and how many seats one of its requests may need.
    pub fn find(&self, name: &str) -> Option<(LevelId, Option<HeaderValue>, usize)> {
        let state = self.lock();
        let found = state.levels.iter().position(|level| level.configured && level.name == name)?;
        let level = &state.levels[found];
        let share = (level.nominal * limits::WIDTH_PERCENT_MAX).div_ceil(100);
        Some((found, level.uid.clone(), share.clamp(1, limits::WIDTH_MAX)))
    }

    /// The seats of each configured level.
    pub fn nominal(&self) -> Vec<Nominal> {
        let state = self.lock();
        let configured = state.levels.iter().filter(|level| level.configured);
        configured.map(|level| Nominal { name: level.name.clone(), seats: level.nominal }).collect()
    }

    /// Takes the configurations over; requests that run or wait stay where they are.
    pub fn configure(self: &Arc<Self>, objects: &[Value]) {
        let shares = |object: &Value| match object["spec"]["type"] == "Exempt" {
            true => number(&object["spec"]["exempt"]["nominalConcurrencyShares"], 0),
            false => number(&object["spec"]["limited"]["nominalConcurrencyShares"], 30),
        };
        let total: usize = objects.iter().map(shares).sum::<usize>().max(1);
        let mut state = self.lock();
        state.levels.iter_mut().for_each(|level| level.configured = false);
        for object in objects {
            let name = meta::name(object);
            let known = state.levels.iter().position(|level| level.name == name);
            let free = || state.levels.iter().position(|level| !level.configured && level.used + level.waiting == 0);
            let place = known.or_else(free).unwrap_or_else(|| {
                state.levels.push(Level::default());
                state.levels.len() - 1
            });
            let nominal = (self.seats * shares(object)).div_ceil(total);
            state.levels[place].configure(object, nominal, self.seats);
        }
        self.serve_all(&mut state);
    }

    /// Seats of a level for a request of a flow, or why there are none.
    pub async fn seat(
        self: &Arc<Self>,
        level: LevelId,
        flow: u64,
        width: usize,
        counts: &Counts,
    ) -> Result<Seat, Refusal> {
        match self.place(level, flow, width) {
            Place::Now(seat) => Ok(seat),
            Place::Never(why) => Err(why),
            Place::Later(turn) => {
                let waiting = counts.waiting();
                let seat = within(limits::TURN_TIME_MAX, turn).await;
                waiting.over();
                match seat {
                    Some(Ok(seat)) => Ok(seat),
                    // Its queue is no more.
                    Some(Err(_)) => Err(Refusal::Limit),
                    None => Err(Refusal::TimeOut),
                }
            }
        }
    }

    /// Seats of a level when they are free and nobody waits for them.
    pub fn at_once(self: &Arc<Self>, level: LevelId, width: usize) -> Option<Seat> {
        self.take(&mut self.lock(), level, width)
    }

    fn take(self: &Arc<Self>, state: &mut State, id: LevelId, width: usize) -> Option<Seat> {
        let level = state.levels.get(id)?;
        let free = level.exempt || (level.waiting == 0 && may_run(&state.levels, id, width, self.seats));
        free.then(|| {
            state.levels[id].used += width;
            Seat { levels: Some(self.clone()), level: id, width }
        })
    }

    fn place(self: &Arc<Self>, id: LevelId, flow: u64, width: usize) -> Place {
        let mut state = self.lock();
        if let Some(seat) = self.take(&mut state, id, width) {
            return Place::Now(seat);
        }
        let Some(level) = state.levels.get_mut(id) else { return Place::Never(Refusal::Limit) };
        let hand = deal(flow, level.queues.len(), level.hand);
        let live = |queue: &Queue| queue.waiting.iter().filter(|waiter| !waiter.turn.is_closed()).count();
        let Some(index) = hand.into_iter().min_by_key(|index| live(&level.queues[*index])) else {
            return Place::Never(Refusal::Limit);
        };
        let queue = &mut level.queues[index];
        let before = queue.waiting.len();
        // Who gave up no longer waits.
        queue.waiting.retain(|waiter| !waiter.turn.is_closed());
        level.waiting -= before - queue.waiting.len();
        if queue.waiting.len() >= level.queue_length {
            return Place::Never(Refusal::QueueFull);
        }
        if queue.waiting.is_empty() {
            queue.served = queue.served.max(level.virtual_time);
        }
        let (sender, turn) = oneshot::channel();
        queue.waiting.push_back(Waiter { width, turn: sender });
        level.waiting += 1;
        self.serve_waiting(&mut state, id);
        Place::Later(turn)
    }

    fn release(self: &Arc<Self>, id: LevelId, width: usize) {
        let mut state = self.lock();
        if let Some(level) = state.levels.get_mut(id) {
            level.used = level.used.saturating_sub(width);
        }
        self.serve_waiting(&mut state, id);
        // What this level does not need, another may borrow.
        if state.levels.iter().any(|level| level.waiting > 0) {
            self.serve_all(&mut state);
        }
    }

    /// Gives free seats to whoever waits, beginning with another level each time.
    fn serve_all(self: &Arc<Self>, state: &mut State) {
        let count = state.levels.len().max(1);
        state.next = (state.next + 1) % count;
        for step in 0..state.levels.len() {
            let id = (state.next + step) % count;
            self.serve_waiting(state, id);
        }
    }

    /// Gives free seats to those that wait, the queue that was served least first.
    fn serve_waiting(self: &Arc<Self>, state: &mut State, id: LevelId) {
        while let Some(level) = state.levels.get_mut(id).filter(|level| level.waiting > 0) {
            let waiting = level.queues.iter().enumerate().filter(|(_, queue)| !queue.waiting.is_empty());
            let Some((index, queue)) = waiting.min_by_key(|(_, queue)| queue.served) else {
                level.waiting = 0;
                return;
            };
            let first = queue.waiting.front().filter(|waiter| !waiter.turn.is_closed());
            let Some(width) = first.map(|waiter| waiter.width) else {
                level.queues[index].waiting.pop_front();
                level.waiting -= 1;
                continue;
            };
            if !may_run(&state.levels, id, width, self.seats) {
                return;
            }
            let level = &mut state.levels[id];
            let queue = &mut level.queues[index];
            let Some(waiter) = queue.waiting.pop_front() else { return };
            level.waiting -= 1;
            level.virtual_time = queue.served;
            queue.served += width as u64;
            level.used += width;
            if let Err(mut unused) = waiter.turn.send(Seat { levels: Some(self.clone()), level: id, width }) {
                // The request gave up this moment; its seats must not be released under the lock.
                unused.levels = None;
                level.used -= width;
            }
        }
    }
}

fn number(value: &Value, default: u64) -> usize {
    value.as_u64().unwrap_or(default) as usize
}

impl Level {
    fn configure(&mut self, object: &Value, nominal: usize, seats: usize) {
        let spec = &object["spec"];
        let (limited, exempt) = (&spec["limited"], spec["type"] == "Exempt");
        let part = |percent: usize| nominal * percent / 100;
        let queuing = &limited["limitResponse"]["queuing"];
        let rejects = exempt || limited["limitResponse"]["type"] != "Queue";
        let queues = if rejects { 0 } else { number(&queuing["queues"], 64).clamp(1, limits::QUEUES_MAX) };
        let lendable = if exempt { &spec["exempt"]["lendablePercent"] } else { &limited["lendablePercent"] };
        if self.queues.len() != queues {
            // Those that wait in queues that are no more are refused, and try again on their own.
            self.queues = (0..queues).map(|_| Queue::default()).collect();
            (self.waiting, self.virtual_time) = (0, 0);
        }
        meta::name(object).clone_into(&mut self.name);
        self.configured = true;
        self.uid = object["metadata"]["uid"].as_str().and_then(|uid| HeaderValue::from_str(uid).ok());
        self.exempt = exempt;
        self.nominal = nominal;
        self.lendable = part(number(lendable, 0).min(100));
        self.borrowable = limited["borrowingLimitPercent"].as_u64().map_or(seats, |percent| part(percent as usize));
        self.hand = number(&queuing["handSize"], 8).clamp(1, queues.max(1));
        self.queue_length = number(&queuing["queueLengthLimit"], 50).max(1);
    }
}

/// Whether a level may let one more request of this width run. One that is wider than all of its
/// level runs alone.
fn may_run(levels: &[Level], id: LevelId, width: usize, seats: usize) -> bool {
    let Some(level) = levels.get(id) else { return false };
    let after = level.used + width;
    if level.exempt || after <= level.nominal || (level.used == 0 && level.nominal > 0) {
        return true;
    }
    if after > level.nominal + level.borrowable {
        return false;
    }
    let (mut lent, mut borrowed, mut used) = (0, after.saturating_sub(level.nominal), after);
    for (other, level) in levels.iter().enumerate() {
        if other != id {
            // What exempt requests use is taken from nobody.
            used += if level.exempt { 0 } else { level.used };
            borrowed += if level.exempt { 0 } else { level.used.saturating_sub(level.nominal) };
            lent += level.lendable.min(level.nominal.saturating_sub(level.used));
        }
    }
    used <= seats && borrowed <= lent
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
