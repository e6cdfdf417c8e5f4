use super::*;
use crate::testing::{Cluster, meta, now, selector, template};
use k8s_openapi::api::apps::v1::{DeploymentSpec, DeploymentStrategy, ReplicaSetStatus, RollingUpdateDeployment};
use proptest::prelude::*;

fn deployment(replicas: i32, image: &str, surge: IntOrString, unavailable: IntOrString) -> Deployment {
    let rolling = RollingUpdateDeployment { max_surge: Some(surge), max_unavailable: Some(unavailable) };
    let spec = DeploymentSpec {
        replicas: Some(replicas),
        selector: selector(),
        template: template(image),
        strategy: Some(DeploymentStrategy { type_: Some("RollingUpdate".into()), rolling_update: Some(rolling) }),
        progress_deadline_seconds: Some(600),
        revision_history_limit: Some(2),
        ..DeploymentSpec::default()
    };
    Deployment { metadata: meta("d", "d-uid"), spec: Some(spec), status: None }
}

fn quarter(replicas: i32, image: &str) -> Deployment {
    let percent = || IntOrString::String("25%".into());
    deployment(replicas, image, percent(), percent())
}

fn world(cluster: &Cluster) -> World {
    let deployment: Arc<Deployment> = cluster.get("deployments", "n", "d").unwrap();
    let namesake = cluster.get("replicasets", "n", &new_name(&deployment));
    World { deployment, replica_sets: cluster.all("replicasets"), orphans: vec![], pods: vec![], namesake }
}

/// Sets the template or size, as a user would, keeping what the server added.
fn change(cluster: &mut Cluster, with: &Deployment) {
    let mut current: Deployment = cluster.get::<Deployment>("deployments", "n", "d").unwrap().as_ref().clone();
    current.spec = with.spec.clone();
    current.metadata.generation = current.metadata.generation.map(|generation| generation + 1);
    cluster.put("deployments", &current);
}

/// What ReplicaSet controller and kubelet do: all Pods of each ReplicaSet come up, or `broken` ones never.
fn settle(cluster: &mut Cluster, broken: &str) {
    for replica_set in cluster.all::<ReplicaSet>("replicasets") {
        let mut changed = (*replica_set).clone();
        let spec = changed.spec.clone().unwrap();
        let image = spec.template.unwrap().spec.unwrap().containers[0].image.clone().unwrap();
        let replicas = spec.replicas.unwrap_or(0);
        let ready = if image == broken { 0 } else { replicas };
        changed.status = Some(ReplicaSetStatus {
            replicas,
            ready_replicas: Some(ready),
            available_replicas: Some(ready),
            observed_generation: changed.metadata.generation,
            ..ReplicaSetStatus::default()
        });
        cluster.put("replicasets", &changed);
    }
}

fn sizes(cluster: &Cluster) -> Vec<i32> {
    let mut all = cluster.all::<ReplicaSet>("replicasets");
    all.sort_by_key(|rs| revision(rs));
    all.iter().map(|rs| rs.spec.as_ref().unwrap().replicas.unwrap_or(0)).collect()
}

fn roll(cluster: &mut Cluster, broken: &str, check: impl Fn(&Cluster)) {
    for _ in 0..200 {
        let next = plan(&world(cluster), now());
        if next.is_empty() {
            return;
        }
        cluster.apply(&next);
        check(cluster);
        settle(cluster, broken);
    }
    panic!("no end: {:?}", sizes(cluster));
}

#[test]
fn a_new_deployment_gets_one_replica_set_of_revision_1() {
    let mut cluster = Cluster::default();
    cluster.put("deployments", &quarter(3, "x:1"));
    roll(&mut cluster, "", |_| {});
    let all = cluster.all::<ReplicaSet>("replicasets");
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].annotations()[REVISION], "1");
    assert_eq!(all[0].spec.as_ref().unwrap().selector.match_labels.as_ref().unwrap().len(), 2);
    let deployment: Arc<Deployment> = cluster.get("deployments", "n", "d").unwrap();
    let status = deployment.status.clone().unwrap();
    assert_eq!((status.available_replicas, status.updated_replicas), (Some(3), Some(3)));
    let progressing = status.conditions.unwrap().into_iter().find(|c| c.type_ == "Progressing").unwrap();
    assert_eq!(progressing.reason.as_deref(), Some("NewReplicaSetAvailable"));
}

#[test]
fn a_rollback_takes_the_old_replica_set_with_a_new_revision() {
    let mut cluster = Cluster::default();
    cluster.put("deployments", &quarter(2, "x:1"));
    roll(&mut cluster, "", |_| {});
    change(&mut cluster, &quarter(2, "x:2"));
    roll(&mut cluster, "", |_| {});
    assert_eq!(sizes(&cluster), [0, 2]);
    change(&mut cluster, &quarter(2, "x:1"));
    roll(&mut cluster, "", |_| {});
    let mut revisions: Vec<i64> = cluster.all::<ReplicaSet>("replicasets").iter().map(|rs| revision(rs)).collect();
    revisions.sort_unstable();
    assert_eq!(revisions, [2, 3]);
    assert_eq!(cluster.all::<ReplicaSet>("replicasets").len(), 2);
}

#[test]
fn a_broken_image_stops_the_roll_and_keeps_what_serves() {
    let mut cluster = Cluster::default();
    cluster.put("deployments", &quarter(4, "x:1"));
    roll(&mut cluster, "bad", |_| {});
    change(&mut cluster, &quarter(4, "bad"));
    roll(&mut cluster, "bad", |_| {});
    assert_eq!(sizes(&cluster), [3, 2], "one may be missing, one may be added");
    let late = Now::from_second(now().as_second() + 700).unwrap();
    let plan = plan(&world(&cluster), late);
    let conditions = plan.writes[0].body["status"]["conditions"].as_array().unwrap();
    assert!(conditions.iter().any(|condition| condition["reason"] == "ProgressDeadlineExceeded"), "{conditions:?}");
}

#[test]
fn scaling_in_the_middle_of_a_roll_keeps_proportions() {
    let mut cluster = Cluster::default();
    cluster.put("deployments", &quarter(8, "x:1"));
    roll(&mut cluster, "bad", |_| {});
    change(&mut cluster, &quarter(8, "bad"));
    roll(&mut cluster, "bad", |_| {});
    assert_eq!(sizes(&cluster), [6, 4]);
    change(&mut cluster, &quarter(16, "bad"));
    cluster.apply(&plan(&world(&cluster), now()));
    assert_eq!(sizes(&cluster), [12, 8]);
}

#[test]
fn recreate_ends_the_old_before_it_starts_the_new() {
    let mut cluster = Cluster::default();
    let recreate = |image: &str| {
        let mut deployment = quarter(2, image);
        let strategy = DeploymentStrategy { type_: Some("Recreate".into()), rolling_update: None };
        deployment.spec.as_mut().unwrap().strategy = Some(strategy);
        deployment
    };
    cluster.put("deployments", &recreate("x:1"));
    roll(&mut cluster, "", |_| {});
    change(&mut cluster, &recreate("x:2"));
    roll(&mut cluster, "", |cluster| {
        assert!(sizes(cluster).iter().filter(|size| **size > 0).count() <= 1, "{:?}", sizes(cluster));
    });
    assert_eq!(sizes(&cluster), [0, 2]);
}

#[test]
fn old_replica_sets_beyond_the_history_go() {
    let mut cluster = Cluster::default();
    cluster.put("deployments", &quarter(1, "x:0"));
    for version in 0..6 {
        change(&mut cluster, &quarter(1, &format!("x:{version}")));
        roll(&mut cluster, "", |_| {});
    }
    assert_eq!(sizes(&cluster), [0, 0, 1]);
}

#[test]
fn a_name_that_is_taken_counts_a_collision() {
    let mut cluster = Cluster::default();
    cluster.put("deployments", &quarter(1, "x:1"));
    let mut world = world(&cluster);
    let name = new_name(&world.deployment);
    world.namesake = Some(Arc::new(ReplicaSet { metadata: meta(&name, "foreign"), ..ReplicaSet::default() }));
    let plan = plan(&world, now());
    assert_eq!(plan.writes[0].body["status"]["collisionCount"], 1);
    let changed: Deployment = serde_json::from_value(plan.writes[0].body.clone()).unwrap();
    assert_ne!(new_name(&changed), name);
}

proptest! {
    #[test]
    fn a_roll_ends_within_its_bounds(replicas in 0..12i32, surge in 0..4i32, unavailable in 0..4i32, next in 0..12i32) {
        let limits = (IntOrString::Int(surge), IntOrString::Int(unavailable));
        let of = |replicas: i32, image: &str| deployment(replicas, image, limits.0.clone(), limits.1.clone());
        let mut cluster = Cluster::default();
        cluster.put("deployments", &of(replicas, "x:1"));
        roll(&mut cluster, "", |_| {});
        change(&mut cluster, &of(replicas, "x:2"));
        let most = replicas + surge;
        roll(&mut cluster, "", |cluster| assert!(sizes(cluster).iter().sum::<i32>() <= most.max(replicas), "{:?}", sizes(cluster)));
        prop_assert_eq!(sizes(&cluster).iter().sum::<i32>(), replicas);
        change(&mut cluster, &of(next, "x:2"));
        roll(&mut cluster, "", |_| {});
        prop_assert_eq!(sizes(&cluster).iter().sum::<i32>(), next);
    }
}
