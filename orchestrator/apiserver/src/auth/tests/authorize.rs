use super::world::House;
use crate::auth::{Attributes, check_escalation, forbidden};
use crate::identity::Identity;
use serde_json::{Value, json};

const V1: &str = "rbac.authorization.k8s.io/v1";

/// `VERB GROUP/RESOURCE[/SUB] [NAMESPACE] [NAME]`, `-` for nothing; or `VERB /path`.
pub fn ask(text: &str) -> Attributes {
    let words: Vec<&str> = text.split(' ').collect();
    let word = |at: usize| words.get(at).filter(|word| **word != "-").unwrap_or(&"").to_string();
    let verb = word(0);
    if words[1].starts_with('/') {
        return Attributes { verb, path: word(1), ..Attributes::default() };
    }
    let mut parts = words[1].splitn(3, '/');
    let mut part = || parts.next().unwrap_or("").to_owned();
    let (group, resource, subresource) = (part(), part(), part());
    let group = if group == "core" { String::new() } else { group };
    Attributes { verb, group, resource, subresource, namespace: word(2), name: word(3), ..Attributes::default() }
}

fn role(name: &str, rules: Value) -> Value {
    json!({"apiVersion": V1, "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules})
}

fn bind(namespace: &str, role: &str, subjects: Value) -> Value {
    let kind = if namespace.is_empty() { "ClusterRoleBinding" } else { "RoleBinding" };
    json!({
        "apiVersion": V1, "kind": kind, "metadata": {"name": format!("{role}-binding"), "namespace": namespace},
        "roleRef": {"kind": "ClusterRole", "name": role}, "subjects": subjects,
    })
}

#[tokio::test]
async fn rules_match_as_upstreams() {
    let house = House::new();
    #[track_caller]
    fn check(house: &House, rule: Value, asked: &str, expected: bool) {
        house.world.put(&role("r", json!([rule])));
        house.world.put(&bind("", "r", json!([{"kind": "User", "name": "u"}])));
        let answer = house.rbac.decide(&Identity { name: "u".into(), ..Identity::default() }, &ask(asked));
        assert_eq!(answer.is_ok(), expected, "{rule} for {asked}");
    }
    let rule = |verbs: &[&str], groups: &[&str], resources: &[&str]| json!({"verbs": verbs, "apiGroups": groups, "resources": resources});
    let pods = rule(&["get"], &[""], &["pods"]);
    check(&house, pods.clone(), "get core/pods ns p", true);
    check(&house, pods.clone(), "get core/pods", true);
    check(&house, pods.clone(), "list core/pods ns", false);
    check(&house, pods.clone(), "get apps/pods ns p", false);
    check(&house, pods.clone(), "get core/pods/log ns p", false);
    check(&house, pods, "get /pods", false);
    let log = rule(&["get"], &[""], &["pods/log"]);
    check(&house, log.clone(), "get core/pods/log ns p", true);
    check(&house, log, "get core/pods ns p", false);
    let scale = rule(&["get"], &["*"], &["*/scale"]);
    check(&house, scale.clone(), "get apps/deployments/scale ns d", true);
    check(&house, scale.clone(), "get apps/deployments ns d", false);
    check(&house, scale, "get apps/deployments/status ns d", false);
    let all = rule(&["*"], &["*"], &["*"]);
    check(&house, all.clone(), "patch x.io/things/status ns t", true);
    check(&house, all, "get /metrics", false);
    let named =
        json!({"verbs": ["get", "create"], "apiGroups": [""], "resources": ["secrets"], "resourceNames": ["a"]});
    check(&house, named.clone(), "get core/secrets ns a", true);
    check(&house, named.clone(), "get core/secrets ns b", false);
    check(&house, named, "create core/secrets ns", false);
    let urls = json!({"verbs": ["get"], "nonResourceURLs": ["/apis/*", "/healthz"]});
    check(&house, urls.clone(), "get /apis/apps", true);
    check(&house, urls.clone(), "get /apis", false);
    check(&house, urls.clone(), "get /healthz/etcd", false);
    check(&house, urls, "post /healthz", false);
    check(&house, json!({"verbs": ["*"], "nonResourceURLs": ["*"]}), "delete /x", true);
    check(&house, json!({"verbs": "get"}), "get core/pods", false);
    check(&house, json!(null), "get core/pods", false);
}

#[tokio::test]
async fn bindings_hold_in_their_namespace_and_change_at_once() {
    let house = House::new();
    let may = |who: &Identity, text: &str| house.rbac.decide(who, &ask(text)).is_ok();
    let robot = Identity::user("system:serviceaccount:shop:ci", &["system:serviceaccounts"]);
    let binding = bind("shop", "view", json!([{"kind": "ServiceAccount", "name": "ci"}]));
    assert!(!may(&robot, "get core/pods shop p"));
    house.world.put(&binding);
    assert!(may(&robot, "get core/pods shop p"));
    assert!(!may(&robot, "get core/pods other p"));
    assert!(!may(&robot, "list core/pods"));
    assert!(!may(&robot, "get core/secrets shop s"));
    house.world.remove(&binding);
    assert!(!may(&robot, "get core/pods shop p"));
    let group = bind("", "view", json!([{"kind": "Group", "name": "dev"}]));
    house.world.put(&group);
    assert!(may(&Identity::user("jane", &["dev"]), "list core/pods"));
    assert!(!may(&Identity::user("dev", &[]), "list core/pods"));
}

#[tokio::test]
async fn a_cluster_role_takes_in_those_that_are_labelled_for_it() {
    let house = House::new();
    house.world.put(&bind("shop", "admin", json!([{"kind": "User", "name": "u"}])));
    let may = |text: &str| house.rbac.decide(&Identity::user("u", &[]), &ask(text)).is_ok();
    assert!(may("create core/pods shop"), "from edit");
    assert!(may("get core/pods/log shop p"), "from view by way of edit");
    assert!(may("create rbac.authorization.k8s.io/roles shop"), "admin's own");
    assert!(!may("create example.com/widgets shop"));
    let mut extra = role("widgets", json!([{"verbs": ["*"], "apiGroups": ["example.com"], "resources": ["widgets"]}]));
    extra["metadata"]["labels"]["rbac.authorization.k8s.io/aggregate-to-view"] = json!("true");
    house.world.put(&extra);
    assert!(may("create example.com/widgets shop"));
}

#[tokio::test]
async fn denials_read_as_upstreams() {
    let house = House::new();
    let who = Identity::user("jane", &[]);
    let text = |asked: &str| {
        let what = ask(asked);
        let why = house.rbac.decide(&who, &what).unwrap_err();
        forbidden(&who, &what, &why).message
    };
    let mut texts = vec![
        text("get core/pods default web"),
        text("list apps/deployments shop"),
        text("list core/nodes"),
        text("get core/pods/log default web"),
        text("get /metrics"),
    ];
    house.world.put(&bind("", "missing", json!([{"kind": "User", "name": "jane"}])));
    texts.push(text("list core/nodes"));
    expect_test::expect![[r#"
        pods "web" is forbidden: User "jane" cannot get resource "pods" in API group "" in the namespace "default"
        deployments.apps is forbidden: User "jane" cannot list resource "deployments" in API group "apps" in the namespace "shop"
        nodes is forbidden: User "jane" cannot list resource "nodes" in API group "" at the cluster scope
        pods "web" is forbidden: User "jane" cannot get resource "pods/log" in API group "" in the namespace "default"
        forbidden: User "jane" cannot get path "/metrics"
        nodes is forbidden: User "jane" cannot list resource "nodes" in API group "" at the cluster scope: RBAC: clusterrole.rbac.authorization.k8s.io "missing" not found"#]]
    .assert_eq(&texts.join("\n"));
}

#[tokio::test]
async fn a_rules_review_lists_what_one_may() {
    let house = House::new();
    house.world.put(&role(
        "r",
        json!([{"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"], "resourceNames": ["a"]}]),
    ));
    house.world.put(&bind("shop", "r", json!([{"kind": "User", "name": "jane"}])));
    let jane = Identity::user("jane", &[]);
    let found = house.rbac.rules_for(&jane, "shop");
    let secret = json!({"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"], "resourceNames": ["a"]});
    assert!(found.resources.contains(&secret) && !found.incomplete && found.errors.is_empty());
    assert!(!house.rbac.rules_for(&jane, "other").resources.contains(&secret));
    assert!(json!(found.paths).to_string().contains("/healthz"));
    house.world.put(&bind("shop", "gone", json!([{"kind": "User", "name": "jane"}])));
    let missing = "clusterrole.rbac.authorization.k8s.io \"gone\" not found";
    assert_eq!(house.rbac.rules_for(&jane, "shop").errors, missing);
    let node = house.rbac.rules_for(&Identity::user("system:node:n", &["system:nodes"]), "shop");
    assert_eq!((node.incomplete, &*node.errors), (true, "node authorizer does not support user rule resolution"));
    let root = Identity::user("root", &["system:masters"]);
    let all = json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]});
    let found = house.rbac.rules_for(&root, "x");
    assert_eq!(found.resources.iter().filter(|rule| **rule == all).count(), 1);
    assert_eq!(found.resources[0], all);
}

#[tokio::test]
async fn nobody_grants_what_he_does_not_hold() {
    let house = House::new();
    let allow = |name: &str, rules: Value| {
        house.world.put(&role(name, rules));
        house.world.put(&bind("shop", name, json!([{"kind": "User", "name": "jane"}])));
    };
    allow("base", json!([{"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods"]}]));
    let jane = Identity::user("jane", &[]);
    let make = |rules: Value| json!({"apiVersion": V1, "kind": "Role", "metadata": {"name": "x", "namespace": "shop"}, "rules": rules});
    let write = |plural: &str, object: &Value, old: Option<&Value>| {
        check_escalation(&house.rbac, &jane, plural, object, old).map_err(|error| error.message)
    };
    let held = make(json!([{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"], "resourceNames": ["web"]}]));
    let more = make(json!([{"verbs": ["get", "delete", "list"], "apiGroups": ["", "apps"], "resources": ["pods"]}]));
    assert_eq!(write("roles", &held, None), Ok(()));
    expect_test::expect![[r#"
        roles.rbac.authorization.k8s.io "x" is forbidden: user "jane" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:
        {APIGroups:[""], Resources:["pods"], Verbs:["delete"]}
        {APIGroups:["apps"], Resources:["pods"], Verbs:["get" "delete" "list"]}"#]]
    .assert_eq(&write("roles", &more, None).unwrap_err());
    for widest in [
        json!([{"verbs": ["*"], "apiGroups": [""], "resources": ["pods"]}]),
        json!([{"verbs": ["get"], "apiGroups": [""], "resources": ["*"]}]),
    ] {
        assert!(write("roles", &make(widest), None).is_err());
    }
    let mut collected = more.clone();
    collected["metadata"]["finalizers"] = json!(["x/y"]);
    assert_eq!(write("roles", &more, Some(&collected)), Ok(()), "the garbage collector may");

    let grant = |role: &str| bind("shop", role, json!([{"kind": "User", "name": "eve"}]));
    assert_eq!(write("rolebindings", &grant("base"), None), Ok(()));
    assert!(write("rolebindings", &grant("edit"), None).unwrap_err().contains("not currently held"));
    assert!(write("rolebindings", &grant("gone"), None).unwrap_err().contains("\"gone\" not found"));
    let v = "rbac.authorization.k8s.io";
    allow(
        "binder",
        json!([{"verbs": ["bind"], "apiGroups": [v], "resources": ["clusterroles"], "resourceNames": ["edit"]}]),
    );
    assert_eq!(write("rolebindings", &grant("edit"), None), Ok(()));
    assert!(write("rolebindings", &grant("admin"), None).is_err());
    assert!(write("clusterrolebindings", &bind("", "edit", json!([])), None).is_err(), "bind holds in its namespace");
    allow("escalator", json!([{"verbs": ["escalate"], "apiGroups": [v], "resources": ["roles"]}]));
    assert_eq!(write("roles", &more, None), Ok(()));
    let aggregate =
        json!({"kind": "ClusterRole", "metadata": {"name": "x"}, "aggregationRule": {"clusterRoleSelectors": []}});
    assert!(write("clusterroles", &aggregate, None).unwrap_err().contains("must have cluster-admin privileges"));
    let root = Identity::user("root", &["system:masters"]);
    assert!(check_escalation(&house.rbac, &root, "clusterroles", &aggregate, None).is_ok());
    let admin = Identity::user("kubernetes-admin", &["kubeadm:cluster-admins"]);
    assert!(check_escalation(&house.rbac, &admin, "clusterroles", &aggregate, None).is_ok());
    assert_eq!(write("pods", &json!({}), None), Ok(()));
}
