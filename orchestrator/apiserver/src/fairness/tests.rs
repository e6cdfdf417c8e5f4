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
    let found = snapshot.schemas.iter().find(|schema| schema.matches(who, what)).unwrap();
    format!("{} {}", found.name, found.level)
}

#[test]
fn requests_meet_upstreams_schemas() {
    let fairness = Fairness::new(Arc::new(World::default()));
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
    let fairness = Fairness::with_seats(world(1, 2), 4);
    let (eve, pods) = (Identity::user("eve", &[]), request("list", "pods", "shop"));
    let first = fairness.turn(&eve, &pods).await;
    let second = fairness.turn(&eve, &pods).await;
    assert!(first.seat.is_some() && second.seat.is_some());
    let mut headers = HeaderMap::new();
    first.mark(&mut headers);
    assert_eq!(
        (&headers[SCHEMA_UID], &headers[LEVEL_UID]),
        (&"schema-uid".parse().unwrap(), &"level-uid".parse().unwrap())
    );
    let mut third = Box::pin(fairness.turn(&eve, &pods));
    assert!((&mut third).now_or_never().is_none(), "it waits");
    let mut fourth = Box::pin(fairness.turn(&eve, &pods));
    assert!((&mut fourth).now_or_never().is_none(), "it waits");
    assert!(fairness.turn(&eve, &pods).await.seat.is_none(), "the queue is full");
    drop(first);
    let third = third.await;
    assert!(third.seat.is_some(), "the seat went on");
    assert!(fourth.await.seat.is_none(), "it waited too long");
    drop((second, third));
    assert!(fairness.turn(&eve, &pods).await.seat.is_some(), "who gave up holds no seat");
    let masters = Identity::user("root", &["system:masters"]);
    assert!(fairness.turn(&masters, &pods).await.seat.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_flood_does_not_starve_another_flow() {
    let fairness = Fairness::with_seats(world(64, 50), 2);
    let (loud, quiet) = (Identity::user("loud", &[]), Identity::user("quiet", &[]));
    let pods = request("list", "pods", "shop");
    let running = fairness.turn(&loud, &pods).await;
    let mut flood: Vec<_> = (0..20).map(|_| Box::pin(fairness.turn(&loud, &pods))).collect();
    flood.iter_mut().for_each(|turn| assert!(turn.now_or_never().is_none()));
    let mut other = Box::pin(fairness.turn(&quiet, &pods));
    assert!((&mut other).now_or_never().is_none());
    drop(running);
    let mut served = 0;
    for turn in &mut flood {
        if let Some(Some(other)) = (&mut other).now_or_never().map(|turn| turn.seat) {
            drop(other);
            break;
        }
        let turn = turn.await;
        assert!(turn.seat.is_some());
        served += 1;
    }
    assert!(served <= 2, "the quiet one waited for {served} of the flood");
}
