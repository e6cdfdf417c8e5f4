//! Pods that wait for a Node: ready ones by priority, failed ones in back-off, unschedulable
//! ones until something changes.
//!
//! Source: Kubernetes, "Scheduling Framework", queue sorting.

use crate::limits::{POD_BACKOFF_INITIAL, POD_BACKOFF_MAX, UNSCHEDULABLE_MAX};
use crate::plugins::ClusterEvent;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use runtime_base::Backoff;
use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use tokio::time::Instant;

const BACKOFF: Backoff = Backoff::doubling(POD_BACKOFF_INITIAL, POD_BACKOFF_MAX);

type Rank = (Reverse<i32>, Option<Timestamp>, String);

struct Waiting {
    pod: Arc<Pod>,
    tries: u32,
    /// Who refused it; only their events wake it.
    refused_by: Vec<&'static str>,
    /// The end of its back-off, once it was refused.
    not_before: Option<Instant>,
    place: Place,
}

#[derive(Clone, PartialEq, Eq)]
enum Place {
    Active(Rank),
    BackingOff(Instant),
    Unschedulable(Instant),
    InFlight,
}

/// The queue; pure but for the times that it is given.
#[derive(Default)]
pub struct Queue {
    pods: HashMap<String, Waiting>,
    active: BTreeSet<(Rank, String)>,
    timed: BTreeSet<(Instant, String)>,
}

fn rank(pod: &Pod) -> Rank {
    let priority = pod.spec.as_ref().and_then(|spec| spec.priority).unwrap_or(0);
    let created = pod.metadata.creation_timestamp.as_ref().map(|time| time.0);
    (Reverse(priority), created, format!("{}/{}", pod.namespace().unwrap_or_default(), pod.name_any()))
}

fn uid(pod: &Pod) -> String {
    pod.metadata.uid.clone().unwrap_or_default()
}

impl Queue {
    fn place(&mut self, uid: &str, place: Place) {
        let Some(waiting) = self.pods.get_mut(uid) else { return };
        match &waiting.place {
            Place::Active(rank) => {
                self.active.remove(&(rank.clone(), uid.to_owned()));
            }
            Place::BackingOff(due) | Place::Unschedulable(due) => {
                self.timed.remove(&(*due, uid.to_owned()));
            }
            Place::InFlight => {}
        }
        match &place {
            Place::Active(rank) => {
                self.active.insert((rank.clone(), uid.to_owned()));
            }
            Place::BackingOff(due) | Place::Unschedulable(due) => {
                self.timed.insert((*due, uid.to_owned()));
            }
            Place::InFlight => {}
        }
        waiting.place = place;
    }

    /// Adds a Pod, or takes note of its change; an unschedulable Pod that was changed is tried again
    /// after its back-off.
    pub fn put(&mut self, pod: Arc<Pod>) {
        let uid = uid(&pod);
        let rank = rank(&pod);
        match self.pods.get_mut(&uid) {
            None => {
                let place = Place::InFlight;
                self.pods
                    .insert(uid.clone(), Waiting { pod, tries: 0, refused_by: Vec::new(), not_before: None, place });
                self.place(&uid, Place::Active(rank));
            }
            Some(waiting) => {
                let respecified = waiting.pod.spec != pod.spec || waiting.pod.labels() != pod.labels();
                waiting.pod = pod;
                if respecified {
                    self.retry(&uid);
                }
            }
        }
    }

    /// Has an unschedulable Pod tried once its back-off is over, which may be already.
    fn retry(&mut self, uid: &str) {
        let Some(waiting) = self.pods.get(uid) else { return };
        if let (Place::Unschedulable(_), Some(due)) = (&waiting.place, waiting.not_before) {
            self.place(uid, Place::BackingOff(due));
        }
    }

    /// Forgets a Pod: it is bound, finished or gone.
    pub fn remove(&mut self, uid: &str) {
        self.place(uid, Place::InFlight);
        self.pods.remove(uid);
    }

    /// The next Pod to try. It stays known, in flight, until [`Queue::remove`] or [`Queue::refuse`].
    pub fn pop(&mut self, now: Instant) -> Option<Arc<Pod>> {
        self.promote(now);
        let (_, uid) = self.active.first().cloned()?;
        self.place(&uid, Place::InFlight);
        let waiting = self.pods.get_mut(&uid)?;
        waiting.tries += 1;
        Some(waiting.pod.clone())
    }

    /// When [`Queue::pop`] may have something though nothing is added.
    pub fn next_due(&self) -> Option<Instant> {
        self.timed.first().map(|(due, _)| *due)
    }

    fn promote(&mut self, now: Instant) {
        while let Some((due, uid)) = self.timed.first() {
            if *due > now {
                return;
            }
            let uid = uid.clone();
            let Some(rank) = self.pods.get(&uid).map(|waiting| rank(&waiting.pod)) else {
                self.timed.pop_first();
                continue;
            };
            self.place(&uid, Place::Active(rank));
        }
    }

    /// Puts back a Pod that no Node takes; `refused_by` are the plugins that said no.
    pub fn refuse(&mut self, uid: &str, refused_by: Vec<&'static str>, now: Instant) {
        if let Some(waiting) = self.pods.get_mut(uid) {
            waiting.refused_by = refused_by;
            waiting.not_before = Some(now + BACKOFF.delay(waiting.tries.saturating_sub(1)));
            self.place(uid, Place::Unschedulable(now + UNSCHEDULABLE_MAX));
        }
    }

    /// Puts back a Pod that failed for another reason; it is tried again after its back-off.
    pub fn fail(&mut self, uid: &str, now: Instant) {
        if let Some(tries) = self.pods.get(uid).map(|waiting| waiting.tries) {
            self.place(uid, Place::BackingOff(now + BACKOFF.delay(tries.saturating_sub(1))));
        }
    }

    /// Something changed: Pods that were refused by a plugin that `wakes` are tried again after their back-off.
    pub fn wake(&mut self, event: ClusterEvent, wakes: impl Fn(&str, ClusterEvent) -> bool) {
        let refused = |waiting: &Waiting| waiting.refused_by.iter().any(|plugin| wakes(plugin, event));
        let woken: Vec<String> =
            self.pods.iter().filter(|(_, waiting)| refused(waiting)).map(|(uid, _)| uid.clone()).collect();
        woken.iter().for_each(|uid| self.retry(uid));
    }

    /// How many Pods are known.
    pub fn len(&self) -> usize {
        self.pods.len()
    }

    /// Whether no Pod is known.
    pub fn is_empty(&self) -> bool {
        self.pods.is_empty()
    }
}

#[cfg(test)]
mod tests;
