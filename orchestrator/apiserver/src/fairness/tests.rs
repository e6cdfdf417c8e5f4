use super::*;
use crate::auth::tests::world::World;
use futures::FutureExt;
use serde_json::json;

fn request(verb: &str, resource: &str, namespace: &str) -> Attributes {
    let text = str::to_owned;
    Attributes { verb: text(verb), resource: text(resource), namespace: text(namespace), ..Attributes::default() }
}

fn schema_of(fairness: &Fairness, who: &Identity, what: &Attributes) -> String {
    let snapshot = fairness.snapshot();
    let found = snapshot.schemas.iter().find(|one| one.schema.matches(who, what)).unwrap();
    format!("{} {}", found.schema.name, found.schema.level)
}

#[test]
fn requests_meet_upstreams_schemas() {
    let fairness = Fairness::new(Arc::new(World::default()), Clock::system());
    #[track_caller]
    fn check(fairness: &Fairness, who: (&str, &[&str]), what: Attributes, expected: &str) {
        assert_eq!(schema_of(fairness, &Identity::user(who.0, who.1), &what), expected);
    }
    let pods = || request("list", "pods", "shop");
    let probe = Attributes { verb: "get".into(), path: "/livez".into(), ..Attributes::default() };
    let mut lease = request("update", "leases", "kube-system");
    lease.group = "coordination.k8s.io".into();
    let mut status = request("patch", "nodes", "");
    status.subresource = "status".into();
    let account = |name: &str| format!("system:serviceaccount:{name}");
    check(&fairness, ("root", &["system:masters"]), pods(), "exempt exempt");
    check(&fairness, ("eve", &[]), probe, "probes exempt");
    check(&fairness, ("system:kube-scheduler", &[]), lease.clone(), "system-leader-election leader-election");
    check(&fairness, ("system:node:a", &["system:nodes"]), status, "system-node-high node-high");
    check(&fairness, ("system:node:a", &["system:nodes"]), pods(), "system-nodes system");
    check(&fairness, ("system:kube-scheduler", &[]), pods(), "kube-scheduler workload-high");
    let system = account("kube-system:job-controller");
    check(&fairness, (&system, &["system:serviceaccounts"]), pods(), "kube-system-service-accounts workload-high");
    check(&fairness, (&account("shop:a"), &["system:serviceaccounts"]), pods(), "service-accounts workload-low");
    check(&fairness, ("eve", &[]), pods(), "global-default global-default");
}

fn world(queues: u64, length: u64) -> Arc<World> {
    let world = Arc::new(World::default());
    world.put(&json!({
        "apiVersion": "flowcontrol.apiserver.k8s.io/v1", "kind": "PriorityLevelConfiguration",
        "metadata": {"name": "small", "uid": "level-uid"},
        "spec": {"type": "Limited", "limited": {
            "nominalConcurrencyShares": 5, "lendablePercent": 0, "borrowingLimitPercent": 0,
            "limitResponse": {"type": "Queue", "queuing":
                {"queues": queues, "handSize": 1, "queueLengthLimit": length}},
        }},
    }));
    world.put(&json!({
        "apiVersion": "flowcontrol.apiserver.k8s.io/v1", "kind": "FlowSchema",
        "metadata": {"name": "small", "uid": "schema-uid"},
        "spec": {
            "matchingPrecedence": 10, "priorityLevelConfiguration": {"name": "small"},
            "distinguisherMethod": {"type": "ByUser"},
            "rules": [{"subjects": [{"kind": "Group", "group": {"name": "system:authenticated"}}],
                "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "namespaces": ["*"]}]}],
        },
    }));
    world
}

#[tokio::test(start_paused = true)]
async fn a_full_level_queues_and_then_refuses() {
    // Half of the seats are the catch-all level's.
    let fairness = Fairness::with_seats(world(1, 2), Clock::system(), 4);
    let (eve, pods) = (Identity::user("eve", &[]), request("list", "pods", "shop"));
    let first = fairness.turn(&eve, &pods, 1).await;
    let second = fairness.turn(&eve, &pods, 1).await;
    assert!(first.has_seat() && second.has_seat());
    let mut headers = HeaderMap::new();
    first.mark(&mut headers);
    assert_eq!(
        (&headers[SCHEMA_UID], &headers[LEVEL_UID]),
        (&"schema-uid".parse().unwrap(), &"level-uid".parse().unwrap())
    );
    let mut third = Box::pin(fairness.turn(&eve, &pods, 1));
    assert!((&mut third).now_or_never().is_none(), "it waits");
    let mut fourth = Box::pin(fairness.turn(&eve, &pods, 1));
    assert!((&mut fourth).now_or_never().is_none(), "it waits");
    assert!(!fairness.turn(&eve, &pods, 1).await.has_seat(), "the queue is full");
    drop(first);
    let third = third.await;
    assert!(third.has_seat(), "the seat went on");
    assert!(!fourth.await.has_seat(), "it waited too long");
    drop((second, third));
    assert!(fairness.turn(&eve, &pods, 1).await.has_seat(), "who gave up holds no seat");
    let masters = Identity::user("root", &["system:masters"]);
    assert!(fairness.turn(&masters, &pods, 1).await.has_seat());
}

#[tokio::test(start_paused = true)]
async fn a_flood_does_not_starve_another_flow() {
    let fairness = Fairness::with_seats(world(64, 50), Clock::system(), 2);
    let (loud, quiet) = (Identity::user("loud", &[]), Identity::user("quiet", &[]));
    let pods = request("list", "pods", "shop");
    let running = fairness.turn(&loud, &pods, 1).await;
    let mut flood: Vec<_> = (0..20).map(|_| Box::pin(fairness.turn(&loud, &pods, 1))).collect();
    flood.iter_mut().for_each(|turn| assert!(turn.now_or_never().is_none()));
    let mut other = Box::pin(fairness.turn(&quiet, &pods, 1));
    assert!((&mut other).now_or_never().is_none());
    drop(running);
    let mut served = 0;
    for turn in &mut flood {
        if let Some(other) = (&mut other).now_or_never().filter(Turn::has_seat) {
            drop(other);
            break;
        }
        let turn = turn.await;
        assert!(turn.has_seat());
        served += 1;
    }
    assert!(served <= 2, "the quiet one waited for {served} of the flood");
}

#[tokio::test(start_paused = true)]
async fn a_wide_request_waits_until_there_are_seats_enough() {
    // Of 40 seats 20 are the level's; a request may have 3 of them.
    let fairness = Fairness::with_seats(world(1, 50), Clock::system(), 40);
    let (eve, pods) = (Identity::user("eve", &[]), request("list", "pods", "shop"));
    let mut held = Vec::new();
    for _ in 0..6 {
        held.push(fairness.turn(&eve, &pods, 10).await);
    }
    assert!(held.iter().all(|turn| turn.has_seat() && turn.width == 3));
    let mut wide = Box::pin(fairness.turn(&eve, &pods, 3));
    assert!((&mut wide).now_or_never().is_none(), "two seats are left");
    let mut narrow = Box::pin(fairness.turn(&eve, &pods, 1));
    assert!((&mut narrow).now_or_never().is_none(), "it does not overtake");
    held.pop();
    assert!(wide.await.has_seat() && narrow.await.has_seat());
}

#[tokio::test(start_paused = true)]
async fn turns_are_counted_under_upstreams_names() {
    let fairness = Fairness::with_seats(world(1, 1), Clock::system(), 2);
    let (eve, pods) = (Identity::user("eve", &[]), request("list", "pods", "shop"));
    let running = fairness.turn(&eve, &pods, 1).await;
    let mut waiting = Box::pin(fairness.turn(&eve, &pods, 1));
    assert!((&mut waiting).now_or_never().is_none());
    assert!(!fairness.turn(&eve, &pods, 1).await.has_seat());
    let shown = |name: &str| {
        let mut text = String::new();
        fairness.write_metrics(&mut text);
        let lines = text.lines().filter(|line| line.starts_with(&format!("apiserver_flowcontrol_{name}{{")));
        lines
            .filter(|line| line.contains("small"))
            .map(|line| line.split_once('}').unwrap().1.trim().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(shown("current_executing_requests"), ["1"]);
    assert_eq!(shown("current_inqueue_requests"), ["1"]);
    assert_eq!(shown("rejected_requests_total"), ["1"]);
    assert_eq!(shown("nominal_limit_seats"), ["1"]);
    // Its client goes away.
    drop(waiting);
    assert_eq!(shown("current_inqueue_requests"), ["0"]);
    assert_eq!(shown("rejected_requests_total"), ["1", "1"], "queue-full and cancelled");
    drop(running);
    assert_eq!(shown("current_executing_requests"), ["0"]);
    assert_eq!(shown("dispatched_requests_total"), ["1"]);
    assert_eq!(shown("request_wait_duration_seconds_count"), ["1", "1"]);
    assert!(fairness.turn(&eve, &pods, 1).await.has_seat());
}

#[tokio::test(start_paused = true)]
async fn a_level_that_changes_keeps_those_that_run() {
    let world = world(1, 5);
    let fairness = Fairness::with_seats(world.clone(), Clock::system(), 2);
    let (eve, pods) = (Identity::user("eve", &[]), request("list", "pods", "shop"));
    let running = fairness.turn(&eve, &pods, 1).await;
    let mut waiting = Box::pin(fairness.turn(&eve, &pods, 1));
    assert!((&mut waiting).now_or_never().is_none());
    let level = json!({"apiVersion": "flowcontrol.apiserver.k8s.io/v1", "kind": "PriorityLevelConfiguration",
        "metadata": {"name": "other"}, "spec": {"type": "Exempt", "exempt": {}}});
    world.put(&level);
    let masters = Identity::user("root", &["system:masters"]);
    assert!(fairness.turn(&masters, &pods, 1).await.has_seat());
    assert!((&mut waiting).now_or_never().is_none(), "its seat is still taken");
    drop(running);
    assert!(waiting.await.has_seat());
}
