use super::*;
use crate::testing::{Cluster, now};
use expect_test::{Expect, expect};
use k8s_openapi::api::core::v1::NamespaceSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use proptest::prelude::*;

fn namespace(deleting: bool) -> Namespace {
    let metadata = ObjectMeta {
        name: Some("n".into()),
        deletion_timestamp: deleting.then(|| Time(now())),
        ..ObjectMeta::default()
    };
    let spec = NamespaceSpec { finalizers: Some(vec!["kubernetes".into(), "else/where".into()]) };
    Namespace { metadata, spec: Some(spec), status: None }
}

fn counts(pairs: &[(&str, usize)]) -> BTreeMap<String, usize> {
    pairs.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

fn world(cluster: &Cluster, remaining: &[(&str, usize)], finalizers: &[(&str, usize)]) -> World {
    let namespace = cluster.get("namespaces", "", "n").unwrap();
    World { namespace, remaining: counts(remaining), finalizers: counts(finalizers) }
}

fn cluster(namespace: &Namespace) -> Cluster {
    let mut cluster = Cluster::default();
    cluster.put("namespaces", namespace);
    cluster
}

/// Applies a plan twice; what the namespace says afterwards.
#[track_caller]
fn check(cluster: &mut Cluster, remaining: &[(&str, usize)], finalizers: &[(&str, usize)], expected: Expect) {
    cluster.apply(&plan(&world(cluster, remaining, finalizers), now()));
    let again = plan(&world(cluster, remaining, finalizers), now());
    assert!(again.is_empty(), "{again:?}");
    assert!(again.requeue.is_some());
    let namespace: Arc<Namespace> = cluster.get("namespaces", "", "n").unwrap();
    let conditions = namespace.status.clone().unwrap().conditions.unwrap();
    let line =
        |c: NamespaceCondition| format!("{}={} {}: {}\n", c.type_, c.status, c.reason.unwrap(), c.message.unwrap());
    expected.assert_eq(&conditions.into_iter().map(line).collect::<String>());
}

#[test]
fn a_namespace_that_stays_is_left_alone() {
    assert_eq!(plan(&world(&cluster(&namespace(false)), &[], &[]), now()), Plan::default());
}

#[test]
fn an_empty_one_loses_our_finalizer_only() {
    let mut cluster = cluster(&namespace(true));
    let plan = super::plan(&world(&cluster, &[], &[]), now());
    assert_eq!(plan.writes[0].path, "/api/v1/namespaces/n/finalize");
    assert_eq!(plan.writes[0].body["spec"]["finalizers"], json!(["else/where"]));
    cluster.apply(&plan);
    assert_eq!(super::plan(&world(&cluster, &[], &[]), now()), Plan::default());
}

#[test]
fn it_says_what_is_left() {
    let mut cluster = cluster(&namespace(true));
    let left = [("deployments.apps", 1), ("pods", 2)];
    check(
        &mut cluster,
        &left,
        &[],
        expect![[r#"
        NamespaceContentRemaining=True SomeResourcesRemain: Some resources are remaining: deployments.apps has 1 resource instances, pods. has 2 resource instances
    "#]],
    );
    check(
        &mut cluster,
        &left[..1],
        &[("else/where", 1)],
        expect![[r#"
        NamespaceContentRemaining=True SomeResourcesRemain: Some resources are remaining: deployments.apps has 1 resource instances
        NamespaceFinalizersRemaining=True SomeFinalizersRemain: Some content in the namespace has finalizers remaining: else/where in 1 resource instances
    "#]],
    );
    check(
        &mut cluster,
        &left[..1],
        &[],
        expect![[r#"
        NamespaceContentRemaining=True SomeResourcesRemain: Some resources are remaining: deployments.apps has 1 resource instances
        NamespaceFinalizersRemaining=False ContentHasNoFinalizers: All content-preserving finalizers finished
    "#]],
    );
}

#[test]
fn the_longer_it_takes_the_rarer_it_looks() {
    let world = world(&cluster(&namespace(true)), &[("pods", 1)], &[]);
    let pause = |seconds: i64| plan(&world, Now::from_second(now().as_second() + seconds).unwrap()).requeue.unwrap();
    assert_eq!(pause(0), NAMESPACE_RECHECK_MIN);
    assert_eq!(pause(20).as_secs(), 5);
    assert_eq!(pause(86_400), NAMESPACE_RECHECK_MAX);
}

proptest! {
    #[test]
    fn a_plan_applied_leaves_nothing_to_plan(
        deleting in any::<bool>(),
        steps in proptest::collection::vec((0..3usize, 0..3usize), 1..5),
    ) {
        let mut cluster = cluster(&namespace(deleting));
        for (remaining, finalizers) in steps {
            let (remaining, finalizers) = ([("pods", remaining)], [("a/b", finalizers)]);
            let none = |pairs: [(&'static str, usize); 1]| pairs.into_iter().filter(|(_, n)| *n > 0).collect::<Vec<_>>();
            let (remaining, finalizers) = (none(remaining), none(finalizers));
            cluster.apply(&plan(&world(&cluster, &remaining, &finalizers), now()));
            prop_assert!(plan(&world(&cluster, &remaining, &finalizers), now()).is_empty());
        }
    }
}
