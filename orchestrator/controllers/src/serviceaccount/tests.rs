use super::*;
use crate::testing::{Cluster, now};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

fn cluster(deleting: bool) -> Cluster {
    let deletion_timestamp = deleting.then(|| Time(now()));
    let metadata = ObjectMeta { name: Some("n".into()), deletion_timestamp, ..ObjectMeta::default() };
    let mut cluster = Cluster::default();
    cluster.put("namespaces", &Namespace { metadata, ..Namespace::default() });
    cluster
}

fn world(cluster: &Cluster) -> World {
    let namespace = cluster.get("namespaces", "", "n").unwrap();
    World { namespace, default: cluster.get("serviceaccounts", "n", "default") }
}

#[test]
fn a_namespace_gets_its_default_account_once() {
    let mut cluster = cluster(false);
    cluster.apply(&plan(&world(&cluster)));
    assert!(cluster.get::<ServiceAccount>("serviceaccounts", "n", "default").is_some());
    assert_eq!(plan(&world(&cluster)), Plan::default());
}

#[test]
fn a_namespace_that_goes_gets_none() {
    assert_eq!(plan(&world(&cluster(true))), Plan::default());
}
