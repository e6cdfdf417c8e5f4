use super::*;
use crate::limits::{POD_BACKOFF_INITIAL, POD_BACKOFF_MAX, UNSCHEDULABLE_MAX};
use crate::testing::pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use proptest::prelude::*;
use std::time::Duration;

fn ranked(name: &str, priority: Option<i32>, created: i64) -> Arc<Pod> {
    let mut pod = pod(name, &[]);
    pod.spec.as_mut().unwrap().priority = priority;
    pod.metadata.creation_timestamp = Some(Time(Timestamp::from_second(created).unwrap()));
    Arc::new(pod)
}

fn queue(names: &[&str]) -> Queue {
    let mut queue = Queue::default();
    names.iter().for_each(|name| queue.put(Arc::new(pod(name, &[]))));
    queue
}

fn popped(queue: &mut Queue, now: Instant) -> Option<String> {
    queue.pop(now).map(|pod| pod.name_any())
}

fn all(queue: &mut Queue, now: Instant) -> Vec<String> {
    std::iter::from_fn(|| popped(queue, now)).collect()
}

/// Wakes those that the plugin `Fit` refused.
fn wake(queue: &mut Queue) {
    queue.wake(ClusterEvent::PodGone, |plugin, event| plugin == "Fit" && event == ClusterEvent::PodGone);
}

#[test]
fn the_highest_priority_goes_first_then_the_oldest() {
    let now = Instant::now();
    let mut queue = Queue::default();
    let pods = [("low", Some(-5), 1), ("young", None, 9), ("old", Some(0), 3), ("high", Some(1000), 9)];
    pods.into_iter().for_each(|(name, priority, created)| queue.put(ranked(name, priority, created)));
    assert_eq!(all(&mut queue, now), ["high", "old", "young", "low"]);
    assert_eq!(queue.len(), 4, "they are in flight");
    queue.put(ranked("old", Some(0), 3));
    assert_eq!(popped(&mut queue, now), None, "a change in flight makes no second try");
    ["high", "old", "young", "low"].into_iter().for_each(|uid| queue.remove(uid));
    assert!(queue.is_empty());
}

#[test]
fn a_failed_pod_waits_longer_each_time() {
    let mut now = Instant::now();
    let mut queue = queue(&["a"]);
    for expected in [1, 2, 4, 8, 10, 10] {
        assert_eq!(popped(&mut queue, now).as_deref(), Some("a"));
        queue.fail("a", now);
        let due = queue.next_due().unwrap();
        assert_eq!(due - now, Duration::from_secs(expected));
        assert_eq!(popped(&mut queue, due - Duration::from_millis(1)), None);
        now = due;
    }
}

#[test]
fn an_unschedulable_pod_waits_for_the_right_event() {
    let start = Instant::now();
    let mut queue = queue(&["fit", "taint"]);
    assert_eq!(all(&mut queue, start), ["fit", "taint"]);
    queue.refuse("fit", vec!["Affinity", "Fit"], start);
    queue.refuse("taint", vec!["Taint"], start);
    assert_eq!(queue.next_due(), Some(start + UNSCHEDULABLE_MAX));
    wake(&mut queue);
    assert_eq!(all(&mut queue, start), Vec::<String>::new(), "its back-off is not over");
    assert_eq!(queue.next_due(), Some(start + POD_BACKOFF_INITIAL));
    assert_eq!(all(&mut queue, start + POD_BACKOFF_INITIAL), ["fit"]);
}

#[test]
fn an_event_after_the_back_off_helps_at_once() {
    let start = Instant::now();
    let mut queue = queue(&["a"]);
    queue.pop(start);
    queue.refuse("a", vec!["Fit"], start);
    let later = start + POD_BACKOFF_MAX;
    assert_eq!(popped(&mut queue, later), None);
    wake(&mut queue);
    assert_eq!(popped(&mut queue, later).as_deref(), Some("a"));
}

#[test]
fn after_a_long_time_it_is_tried_without_an_event() {
    let start = Instant::now();
    let mut queue = queue(&["a"]);
    queue.pop(start);
    queue.refuse("a", vec!["Fit"], start);
    assert_eq!(popped(&mut queue, start + UNSCHEDULABLE_MAX - Duration::from_secs(1)), None);
    assert_eq!(popped(&mut queue, start + UNSCHEDULABLE_MAX).as_deref(), Some("a"));
}

#[test]
fn a_changed_pod_is_tried_again_and_a_new_status_changes_nothing() {
    let start = Instant::now();
    let mut queue = queue(&["a"]);
    queue.pop(start);
    queue.refuse("a", vec!["Taint"], start);
    let later = start + POD_BACKOFF_MAX;
    let mut changed = pod("a", &[]);
    changed.status = Some(k8s_openapi::api::core::v1::PodStatus::default());
    queue.put(Arc::new(changed.clone()));
    assert_eq!(popped(&mut queue, later), None);
    changed.spec.as_mut().unwrap().node_selector = Some(Default::default());
    queue.put(Arc::new(changed));
    assert_eq!(popped(&mut queue, later).as_deref(), Some("a"));
}

#[test]
fn a_removed_pod_never_comes_back() {
    let start = Instant::now();
    let mut queue = queue(&["active", "failed", "refused"]);
    all(&mut queue, start);
    queue.fail("failed", start);
    queue.refuse("refused", vec!["Fit"], start);
    ["active", "failed", "refused", "unknown"].into_iter().for_each(|uid| queue.remove(uid));
    assert_eq!((queue.next_due(), queue.len()), (None, 0));
    queue.fail("failed", start);
    queue.refuse("refused", vec!["Fit"], start);
    wake(&mut queue);
    assert_eq!(popped(&mut queue, start + UNSCHEDULABLE_MAX), None);
}

proptest! {
    #[test]
    fn whatever_happens_no_pod_is_lost(steps in proptest::collection::vec((0..6usize, 0..4usize, 0..9u64), 0..60)) {
        let names = ["a", "b", "c", "d"];
        let mut now = Instant::now();
        let mut queue = Queue::default();
        let mut flying: BTreeSet<String> = BTreeSet::new();
        let mut known: BTreeSet<String> = BTreeSet::new();
        for (step, which, seconds) in steps {
            now += Duration::from_secs(seconds);
            let name = names[which].to_owned();
            match step {
                0 => {
                    queue.put(ranked(&name, Some(which as i32), 0));
                    known.insert(name);
                }
                1 => {
                    queue.remove(&name);
                    known.remove(&name);
                    flying.remove(&name);
                }
                2 => if let Some(next) = popped(&mut queue, now) {
                    prop_assert!(flying.insert(next), "two tries at once");
                },
                3 => if flying.remove(&name) {
                    queue.refuse(&name, vec!["Fit"], now);
                },
                4 => if flying.remove(&name) {
                    queue.fail(&name, now);
                },
                _ => wake(&mut queue),
            }
        }
        let rest: BTreeSet<String> = all(&mut queue, now + UNSCHEDULABLE_MAX).into_iter().collect();
        prop_assert!(rest.is_disjoint(&flying));
        prop_assert_eq!(rest.union(&flying).cloned().collect::<BTreeSet<_>>(), known);
    }
}
