use super::*;

#[tokio::test(start_paused = true)]
async fn a_key_is_held_once_and_comes_again_when_added_during_work() {
    let queue: WorkQueue<&str> = WorkQueue::default();
    queue.add("a");
    queue.add("a");
    assert_eq!(queue.next().await, "a");
    assert!(queue.is_empty());
    queue.add("a");
    assert!(queue.is_empty(), "not handed out while worked on");
    queue.done(&"a");
    assert_eq!(queue.next().await, "a");
}

#[tokio::test(start_paused = true)]
async fn failures_come_again_later_and_later() {
    let queue: WorkQueue<&str> = WorkQueue::new(Backoff::doubling(Duration::from_secs(1), Duration::from_secs(4)));
    queue.add("a");
    let mut waits = Vec::new();
    for _ in 0..4 {
        let start = Instant::now();
        assert_eq!(queue.next().await, "a");
        waits.push(start.elapsed().as_secs());
        queue.failed(&"a");
    }
    assert_eq!(waits, [0, 1, 2, 4]);
}

#[tokio::test(start_paused = true)]
async fn the_earliest_of_two_times_wins() {
    let queue: WorkQueue<&str> = WorkQueue::default();
    queue.add_after("a", Duration::from_secs(10));
    queue.add_after("a", Duration::from_secs(2));
    queue.add_after("a", Duration::from_secs(20));
    let start = Instant::now();
    assert_eq!(queue.next().await, "a");
    assert_eq!(start.elapsed().as_secs(), 2);
    queue.done(&"a");
    assert!(tokio::time::timeout(Duration::from_secs(60), queue.next()).await.is_err());
}
