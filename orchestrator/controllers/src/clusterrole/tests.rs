use super::*;
use crate::testing::{Cluster, labels};
use k8s_openapi::api::rbac::v1::AggregationRule;
use k8s_openapi::apimachinery::pkg::apis::meta::v1 as meta;

fn role(name: &str, label: &str, resources: &[&str]) -> ClusterRole {
    let rule = |resource: &&str| PolicyRule {
        resources: Some(vec![resource.to_string()]),
        verbs: vec!["get".into()],
        ..PolicyRule::default()
    };
    ClusterRole {
        metadata: meta::ObjectMeta {
            name: Some(name.into()),
            labels: Some(labels(&[(label, "true")])),
            ..meta::ObjectMeta::default()
        },
        rules: Some(resources.iter().map(rule).collect()),
        ..ClusterRole::default()
    }
}

fn aggregate(name: &str, label: &str, selects: &str) -> ClusterRole {
    let selector =
        meta::LabelSelector { match_labels: Some(labels(&[(selects, "true")])), ..meta::LabelSelector::default() };
    let aggregation_rule = Some(AggregationRule { cluster_role_selectors: Some(vec![selector]) });
    ClusterRole { aggregation_rule, rules: None, ..role(name, label, &[]) }
}

/// Applies plans until there is none; the resources that `name` reads then.
#[track_caller]
fn settle(cluster: &mut Cluster, name: &str) -> Vec<String> {
    for _ in 0..4 {
        let next = plan(&cluster.all("clusterroles"));
        if next.is_empty() {
            let role: Arc<ClusterRole> = cluster.get("clusterroles", "", name).unwrap();
            let rules = role.rules.iter().flatten();
            return rules.flat_map(|rule| rule.resources.iter().flatten()).cloned().collect();
        }
        cluster.apply(&next);
    }
    panic!("the plans do not end");
}

fn cluster() -> Cluster {
    let mut cluster = Cluster::default();
    for role in [
        aggregate("admin", "none", "to-admin"),
        aggregate("edit", "to-admin", "to-edit"),
        role("e1", "to-edit", &["pods", "jobs"]),
        role("e2", "to-edit", &["jobs", "secrets"]),
        role("other", "x", &["nodes"]),
    ] {
        cluster.put("clusterroles", &role);
    }
    cluster
}

#[test]
fn an_aggregated_role_shows_the_rules_that_it_selects() {
    let mut cluster = cluster();
    assert_eq!(settle(&mut cluster, "edit"), ["pods", "jobs", "secrets"]);
    assert_eq!(settle(&mut cluster, "admin"), ["pods", "jobs", "secrets"], "through another one");
    assert_eq!(settle(&mut cluster, "other"), ["nodes"]);
}

#[test]
fn a_new_rule_is_added_and_a_lost_one_goes() {
    let mut cluster = cluster();
    settle(&mut cluster, "edit");
    cluster.put("clusterroles", &role("e3", "to-edit", &["leases"]));
    cluster.put("clusterroles", &role("e2", "to-edit", &[]));
    assert_eq!(settle(&mut cluster, "admin"), ["pods", "jobs", "leases"]);
}
