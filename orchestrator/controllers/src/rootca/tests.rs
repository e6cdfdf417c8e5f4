use super::*;
use crate::testing::{Cluster, labels, now};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

const PEM: &str = "-----BEGIN CERTIFICATE-----\n";

fn cluster(deleting: bool) -> Cluster {
    let deletion_timestamp = deleting.then(|| Time(now()));
    let metadata = ObjectMeta { name: Some("n".into()), deletion_timestamp, ..ObjectMeta::default() };
    let mut cluster = Cluster::default();
    cluster.put("namespaces", &Namespace { metadata, ..Namespace::default() });
    cluster
}

fn world(cluster: &Cluster) -> World {
    let namespace = cluster.get("namespaces", "", "n").unwrap();
    World { namespace, published: cluster.get("configmaps", "n", ROOT_CA) }
}

/// Applies one plan; the next one has nothing to do.
#[track_caller]
fn settle(cluster: &mut Cluster) -> Arc<ConfigMap> {
    cluster.apply(&plan(&world(cluster), PEM));
    assert_eq!(plan(&world(cluster), PEM), Plan::default());
    cluster.get("configmaps", "n", ROOT_CA).unwrap()
}

#[test]
fn every_namespace_gets_the_certificate() {
    let published = settle(&mut cluster(false));
    assert_eq!(published.data, Some(labels(&[("ca.crt", PEM)])));
    assert!(published.annotations().contains_key("kubernetes.io/description"));
}

#[test]
fn what_somebody_changed_is_mended_and_their_labels_stay() {
    let mut cluster = cluster(false);
    let mut changed = (*settle(&mut cluster)).clone();
    changed.data = Some(labels(&[("ca.crt", "else"), ("more", "x")]));
    changed.metadata.labels = Some(labels(&[("mine", "yes")]));
    cluster.put("configmaps", &changed);
    let mended = settle(&mut cluster);
    assert_eq!(mended.data, Some(labels(&[("ca.crt", PEM)])));
    assert_eq!(mended.labels()["mine"], "yes");
}

#[test]
fn a_namespace_that_goes_gets_none() {
    assert_eq!(plan(&world(&cluster(true)), PEM), Plan::default());
}
